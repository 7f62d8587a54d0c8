"""`bench quality`: what each network of the package gains on clips that it has not seen, over the means that everybody has.

    sources -> masters -> [blurred versions] -> search of the baselines' best variants -> all arms on all clips -> speeds -> JSON
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import MissingWeights, UsageError
from .arms import Arm, Weights, weights_of
from .jobs import Job
from .masters import read_source
from .session import Common, Say, Session, write_json
from .settings import TASKS, Setting, Task, tasks
from .speed import FRAMES, REPEATS, speed_of, timed_sample
from .summary import summarise


@dataclass(frozen=True)
class Options(Common):
    """What `bench quality` can be told."""

    #: All for none.
    tasks: tuple[str, ...] = ()
    #: Weights to measure; all of the package that do the task where none are named.
    networks: tuple[str, ...] = ()
    #: Whether speeds are measured as well.
    timing: bool = True


def quality(options: Options, say: Say) -> dict[str, Any]:
    """Measure the tasks and write the results; sections of other tasks that are in `options.out` already stay.

    What was measured before, with the same frames, settings and weights, is not measured again, but for speeds. Raises
    `UsageError` for unknown tasks, `InputNotReadable` where there is nothing to measure on, and what reading clips raises.
    """
    chosen = tasks(list(options.tasks))
    results = _stored(options.out)
    session = Session(options, say)
    for task in chosen:
        sections = results["tasks"]
        sections[task.name] = section(session, options, task, sections.get(task.name, {}))
        results["tasks"] = {name: sections[name] for name in TASKS if name in sections}
        write_json(options.out, results)
    return results


def section(session: Session, options: Options, task: Task, before: dict[str, Any]) -> dict[str, Any]:
    """The task's section of the results; `before` is what it was, whose speeds stay where none are measured."""
    about = session.about(f"quality {task.name}")
    try:
        weights = weights_of(task, list(options.networks))
    except (UsageError, MissingWeights) as fault:
        session.say(f"{task.name}: no network: {fault.message}")
        return {**about, "missing": fault.message}
    settings = [setting for setting in task.settings if setting.quick or not options.quick]
    if task.blurred:
        session.make_blur()
    chosen = {setting.name: best_baselines(session, task, setting) for setting in settings}
    every = [
        Job(clip, task.name, setting.name, (*chosen[setting.name], *network_arms(setting, weights)), options.vmaf)
        for clip in session.clips
        for setting in settings
    ]
    session.measure(every)
    figures = {setting.name: _summary(session, [job for job in every if job.setting == setting.name]) for setting in settings}
    known = {w.name: {"sha256": w.sha256, "default": w.default} for w in weights}
    if options.timing:
        speed = _speeds(session, task, chosen.get(task.timed, []), weights)
    else:
        speed = before.get("speed", {}) if before.get("weights") == known else {}
    return {**about, "weights": known, "speed": speed, "settings": figures}


def best_baselines(session: Session, task: Task, setting: Setting) -> list[Arm]:
    """Every baseline in its best variant: the one with the highest PSNR-Y, mean over clips, on the searched frames."""
    best = []
    for name, baseline in setting.baselines.items():
        arms = tuple(Arm(name, variant) for variant in baseline.variants)
        if len(arms) == 1 or session.options.quick:
            best.append(arms[len(arms) // 2])
            continue
        search = [Job(clip, task.name, setting.name, arms, search=True) for clip in session.clips]
        session.measure(search)
        mean = {arm: fmean(session.scores(job, arm)["psnr_y"] for job in search) for arm in arms}
        best.append(max(mean, key=lambda arm: mean[arm]))
        session.say(f"{task.name} {setting.name}: best of {len(arms)} is {best[-1].label}, {mean[best[-1]]:.2f} dB")
    return best


def _summary(session: Session, of_setting: Sequence[Job]) -> dict[str, Any]:
    """A setting's figures; arms by what people call them."""
    arms = of_setting[0].arms
    scores = {arm: {job.clip.name: session.scores(job, arm) for job in of_setting} for arm in arms}
    baselines = {arm.name: clips for arm, clips in scores.items() if arm.weights is None}
    networks = {arm.label: clips for arm, clips in scores.items() if arm.weights is not None}
    summary = summarise(baselines, networks)
    for arm in arms:
        if arm.weights is None and arm.variant:
            summary["arms"][arm.name]["variant"] = arm.variant
    return summary


def _speeds(session: Session, task: Task, baselines: Sequence[Arm], weights: Sequence[Weights]) -> dict[str, Any]:
    """Nothing of ours runs beside it."""
    clip, quick = session.clips[0], session.options.quick
    frames, repeats = (3, 1) if quick else (FRAMES, REPEATS)
    sample = timed_sample(task, read_source(clip.name, clip.master, frames, clip.cache), frames)
    setting = task.setting(task.timed)
    arms = [arm for arm in baselines if setting.baselines[arm.name].timed] + network_arms(setting, weights)
    speeds = {}
    for arm in arms:
        name = arm.label if arm.weights is not None else arm.name
        speeds[name] = speed_of(task, arm, sample, 1 if arm.weights is None else repeats)
        session.say(f"{task.name}, {name}: {speeds[name]['fps']:g} frames/s")
    return speeds


def network_arms(setting: Setting, weights: Sequence[Weights]) -> list[Arm]:
    """Those weights as the setting's stages, or its stages by their names."""
    if setting.stages:
        return [Arm(one.name, "", one) for one in weights if one.name in setting.stages]
    return [Arm(one.name, variant, one) for one in weights for variant in setting.specs]


def _stored(out: Path) -> dict[str, Any]:
    try:
        found = json.loads(out.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"tasks": {}}
    except ValueError as fault:
        raise UsageError(f"{out} holds something else than results: {fault}", hint="Choose another file.") from fault
    if not isinstance(found, dict) or not isinstance(found.get("tasks"), dict):
        raise UsageError(f"{out} holds something else than results", hint="Choose another file.")
    return found
