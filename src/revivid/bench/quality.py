"""`bench quality`: what each network of the package gains on clips that it has not seen, over the means that everybody has.

    sources -> masters -> [blurred versions] -> search of the baselines' best variants -> all arms on all clips -> speeds -> JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import MissingTool, MissingWeights, UsageError
from ..evaluation.machine import describe_machine, usable_cores
from ..media.program import available
from . import jobs
from .arms import Arm, Weights, weights_of
from .jobs import Clipping, Job, pending
from .masters import find_masters, read_source
from .settings import TASKS, Setting, Task, tasks
from .speed import FRAMES, REPEATS, speed_of, timed_sample
from .store import Store
from .summary import summarise

#: What a quick run makes do with: so many clips, spread over the list, and so many frames of each.
QUICK_CLIPS, QUICK_FRAMES = 4, 8


@dataclass(frozen=True)
class Options:
    """What `bench quality` can be told."""

    data: Path
    out: Path
    #: Folder of masters, blurred versions and scores.
    cache: Path
    tasks: tuple[str, ...] = ()
    frames: int = 32
    quick: bool = False
    #: Weights to measure; all of the package that do the task where none are named.
    networks: tuple[str, ...] = ()
    vmaf: bool = False
    workers: int | None = None
    #: Leave the speeds out.
    timing: bool = True

    def __post_init__(self) -> None:
        if self.frames < 4:
            raise UsageError(f"{self.frames} frames are too few to measure on", hint="Four at least, 32 for published figures.")
        if self.vmaf and not available():
            raise MissingTool("VMAF needs the libvmaf of imageio-ffmpeg", hint='Install it: pip install "revivid[vmaf]"')


class Run:
    """One run over some tasks; `say` gets a line for people now and then."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._say = say
        self.options = replace(options, frames=min(options.frames, QUICK_FRAMES)) if options.quick else options
        self.store = Store(options.cache / "scores")
        self.workers = options.workers or usable_cores()
        masters = find_masters(options.data, options.cache, options.frames)
        names = list(masters)
        if options.quick and len(names) > QUICK_CLIPS:
            names = [names[i * len(names) // QUICK_CLIPS] for i in range(QUICK_CLIPS)]
        self.clips = [self._clipping(name, masters[name]) for name in names]
        self._left = 0
        self.sizes = {}

    def _clipping(self, name: str, master: Path) -> Clipping:
        frames, cache = self.options.frames, self.options.cache
        return Clipping(name, master, frames, cache, read_source(name, master, frames, cache).digest)

    def task(self, task: Task, before: dict[str, Any]) -> dict[str, Any]:
        """The task's section of the results; `before` is what it was, whose speeds stay where none are measured."""
        about = self._about(task)
        try:
            weights = weights_of(task, list(self.options.networks))
        except (UsageError, MissingWeights) as fault:
            self._say(f"{task.name}: no network: {fault.message}")
            return {**about, "missing": fault.message}
        settings = [setting for setting in task.settings if setting.quick or not self.options.quick]
        if task.name == "deblur":
            self._say(f"deblur: blurring {len(self.clips)} clips, where that is not done yet")
            jobs.run(jobs.make_blur, self.clips, self.workers, self._done)
        chosen = {setting.name: self._best_baselines(task, setting) for setting in settings}
        every = [
            Job(clip, task.name, setting.name, (*chosen[setting.name], *_network_arms(setting, weights)), self.options.vmaf)
            for clip in self.clips
            for setting in settings
        ]
        self._run(every)
        found = {setting.name: self._summary(every, setting) for setting in settings}
        known = {w.name: {"sha256": w.sha256, "default": w.default} for w in weights}
        if self.options.timing:
            speed = self._speed(task, chosen.get(task.timed, []), weights)
        else:
            speed = before.get("speed", {}) if before.get("weights") == known else {}
        return {**about, "weights": known, "speed": speed, "settings": found}

    def _about(self, task: Task) -> dict[str, Any]:
        """When, how and on what; each task's section says it, for they may be measured on different days."""
        how = " --quick" if self.options.quick else f" --frames {self.options.frames}"
        return {
            "command": f"revivid bench quality {task.name} --data DATA{how}{' --vmaf' if self.options.vmaf else ''}",
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": describe_machine(),
            "frames": self.options.frames,
            "quick": self.options.quick,
            "clips": {clip.name: clip.digest for clip in self.clips},
        }

    def _best_baselines(self, task: Task, setting: Setting) -> list[Arm]:
        """Every baseline in its best variant: the one with the highest PSNR-Y, mean over clips, on the searched frames."""
        best = []
        for name, baseline in setting.baselines.items():
            arms = tuple(Arm(name, variant) for variant in baseline.variants)
            if len(arms) == 1 or self.options.quick:
                best.append(arms[len(arms) // 2])
                continue
            search = [Job(clip, task.name, setting.name, arms, search=True) for clip in self.clips]
            self._run(search)
            mean = {arm: fmean(self._known(job, arm)["psnr_y"] for job in search) for arm in arms}
            best.append(max(mean, key=lambda arm: mean[arm]))
            self._say(f"{task.name} {setting.name}: best of {len(arms)} is {best[-1].label}, {mean[best[-1]]:.2f} dB")
        return best

    def _run(self, every: Sequence[Job]) -> None:
        left = pending(every, self.store)
        self._left = len(left)
        jobs.run(jobs.measure, left, self.workers, self._done)

    def _done(self, item: Any, seconds: float) -> None:
        if isinstance(item, Job):
            self._left -= 1
            kind = "search" if item.search else f"{len(item.arms)} arms"
            self._say(f"{item.task} {item.setting}, {item.clip.name}, {kind}: {seconds:.1f} s, {self._left} to go")
        elif seconds > 1:
            self._say(f"{item.name}: {seconds:.1f} s")

    def _known(self, job: Job, arm: Arm) -> dict[str, float]:
        scores = job.scores(self.store, arm)
        assert scores is not None, f"{job.task} {job.setting} {arm.label} was not measured"
        return scores

    def _summary(self, every: Sequence[Job], setting: Setting) -> dict[str, Any]:
        """A setting's figures; arms by what people call them."""
        of_setting = [job for job in every if job.setting == setting.name]
        arms = of_setting[0].arms
        scores = {arm: {job.clip.name: self._known(job, arm) for job in of_setting} for arm in arms}
        baselines = {arm.name: clips for arm, clips in scores.items() if arm.weights is None}
        networks = {arm.label: clips for arm, clips in scores.items() if arm.weights is not None}
        summary = summarise(baselines, networks)
        for arm in arms:
            if arm.weights is None and arm.variant:
                summary["arms"][arm.name]["variant"] = arm.variant
        return summary

    def _speed(self, task: Task, baselines: Sequence[Arm], weights: Sequence[Weights]) -> dict[str, Any]:
        """Nothing of ours runs beside it."""
        clip = self.clips[0]
        frames, repeats = (5, 1) if self.options.quick else (FRAMES, REPEATS)
        source = read_source(clip.name, clip.master, frames, clip.cache)
        sample = timed_sample(task, source, frames)
        setting = task.setting(task.timed)
        arms = [arm for arm in baselines if setting.baselines[arm.name].timed] + _network_arms(setting, weights)
        speeds = {}
        for arm in arms:
            name = arm.label if arm.weights is not None else arm.name
            speeds[name] = speed_of(task, arm, sample, 1 if arm.weights is None else repeats)
            self._say(f"{task.name}, {name}: {speeds[name]['fps']:g} frames/s")
        return speeds


def _network_arms(setting: Setting, weights: Sequence[Weights]) -> list[Arm]:
    return [Arm(one.name, variant, one) for one in weights for variant in setting.specs]


def quality(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the tasks and write the results; sections of other tasks that are in `options.out` already stay.

    What was measured before, with the same frames, settings and weights, is not measured again, but for speeds. Raises
    `UsageError` for unknown tasks, `InputNotReadable` where there is nothing to measure on, and what reading clips raises.
    """
    chosen = tasks(list(options.tasks))
    results = _stored(options.out)
    run = Run(options, say)
    for task in chosen:
        sections = results["tasks"]
        sections[task.name] = run.task(task, sections.get(task.name, {}))
        results["tasks"] = {name: sections[name] for name in TASKS if name in sections}
        _write(options.out, results)
    return results


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


def _write(out: Path, results: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(out)
