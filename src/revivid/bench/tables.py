"""`bench tables`: Tables 1 to 5 of the first paper, measured here for everything that runs.

    masters -> [blurred versions] -> search of the baselines' best variants -> all arms on all clips -> speeds -> JSON

Rows are arms: encoders, what everybody has, the networks of the package, and published ones whose checkpoints are on this machine.
Which aren't is said. The paper's own rows are quoted beside them (`published`); they were taken on other clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from time import perf_counter
from typing import Any

from ..errors import MissingWeights, UsageError
from ..media.scale import resize
from ..weights import catalogue, store
from ..weights.catalogue import Entry
from . import published
from .arms import Arm, Weights, doing, sha256, weights_of
from .jobs import Job
from .masters import Source, read_source
from .quality import best_baselines, network_arms
from .scores import TABLE_METRICS
from .session import Common, Say, Session, write_json
from .settings import TASKS, Setting, Task
from .speed import FRAMES, REPEATS, SIZE, speed_of, timed_sample
from .table_tasks import TABLES, TableTask

#: What a row is.
BASELINE, PACKAGE, PUBLISHED = "baseline", "package", "published"


@dataclass(frozen=True)
class Options(Common):
    """What `bench tables` can be told."""

    #: Numbers of tables; all for none.
    tables: tuple[int, ...] = ()
    #: Weights to measure; the package's and the published ones that are on this machine where none are named.
    networks: tuple[str, ...] = ()
    #: Whether speeds are measured as well.
    timing: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [number for number in self.tables if number not in TABLES]
        if unknown:
            raise UsageError(f"the paper has no table {unknown[0]}", hint=f"Its tables: {', '.join(map(str, TABLES))}.")

    def arguments(self) -> str:
        return " ".join([super().arguments(), *(f"--with {name}" for name in self.networks)])


def tables(options: Options, say: Say) -> dict[str, Any]:
    """Measure the tables and write the results; tables that are in `options.out` already and aren't asked for stay.

    What was measured before is not measured again, but for speeds. Raises what `bench.quality` raises.
    """
    results = _stored(options)
    session = Session(options, say)
    sections = results["tables"]
    for number in options.tables or TABLES:
        sections[str(number)] = _section(session, options, number, sections.get(str(number), {}))
        results["tables"] = dict(sorted(sections.items()))
        write_json(options.out, results)
    return results


def _section(session: Session, options: Options, number: int, before: Mapping[str, Any]) -> dict[str, Any]:
    """A table; `before` is what it was, whose speeds stay where none are measured."""
    table = TABLES[number]
    weights, missing = _weights(table, options.networks)
    session.say(f"table {number}: {', '.join(one.name for one in weights) or 'no network'}")
    settings = [setting for setting in table.task.settings if setting.quick or not options.quick]
    if table.does == "deblur":
        session.make_blur()
    chosen = _baselines(session, table, settings[0])
    every = [
        Job(clip, table.task.name, setting.name, tuple(_arms(setting, chosen, weights)), options.vmaf, table=True)
        for clip in session.clips
        for setting in settings
    ]
    session.measure(every)
    inputs = {setting.name: _rows(session, [job for job in every if job.setting == setting.name]) for setting in settings}
    known = {one.name: {"sha256": one.sha256, "kind": _kind(one)} for one in weights}
    measured_before = before.get("speed", {}) if before.get("weights") == known else {}
    speed = _speeds(session, table.task, chosen, weights) if options.timing else measured_before
    about = {**session.about(f"tables {number}"), "title": published.tables()[number].title}
    return {**about, "weights": known, "missing": missing, "speed": speed, "inputs": inputs}


def _weights(table: TableTask, names: Sequence[str]) -> tuple[list[Weights], list[str]]:
    """Those that do it and are here, and the published ones that aren't."""
    task = _with_network(table.task)
    candidates = [name for name, entry in catalogue.entries().items() if entry.task == table.does and _fits(entry)]
    here = [name for name in candidates if not names and _is_here(name)]
    found = []
    try:
        found = weights_of(task, list(names))
    except (UsageError, MissingWeights):
        if names:
            raise
    setting = task.settings[0]
    published_here = doing(setting, next(iter(setting.specs)), here)
    absent = [name for name in candidates if not names and name not in here]
    return [*found, *(Weights(name, sha256(name)) for name in published_here)], absent


def _with_network(task: Task) -> Task:
    """The task's settings that a network can serve."""
    return Task(task.name, tuple(setting for setting in task.settings if setting.specs), task.timed)


def _fits(entry: Entry) -> bool:
    """Whether it enlarges four times, if it enlarges."""
    return entry.task != "super-resolve" or entry.hyperparameters.get("upscale", 4) == 4


def _is_here(name: str) -> bool:
    try:
        return store.find(name).is_file()
    except MissingWeights:
        return False


def _kind(weights: Weights) -> str:
    return PUBLISHED if weights.name in catalogue.names() else PACKAGE


def _baselines(session: Session, table: TableTask, setting: Setting) -> list[Arm]:
    """In their best variants; a search serves `bench quality` as well where that has the same input."""
    if table.searched_on is None:
        return best_baselines(session, table.task, setting)
    task, name = table.searched_on
    searched = best_baselines(session, TASKS[task], TASKS[task].setting(name))
    return [*(Arm(name) for name in setting.baselines if not any(arm.name == name for arm in searched)), *searched]


def _arms(setting: Setting, chosen: Sequence[Arm], weights: Sequence[Weights]) -> list[Arm]:
    """Table 1's inputs have baselines of their own."""
    baselines = [arm for arm in chosen if arm.name in setting.baselines] or [Arm(name) for name in setting.baselines]
    return [*baselines, *network_arms(setting, weights)]


def _rows(session: Session, of_setting: Sequence[Job]) -> dict[str, Any]:
    """By arm what is known of it, and the rates of the input's stream."""
    rows: dict[str, Any] = {}
    for arm in of_setting[0].arms:
        clips = {job.clip.name: session.scores(job, arm) for job in of_setting}
        variant = {"variant": arm.variant} if arm.variant else {}
        rows[arm.name] = {"kind": BASELINE if arm.weights is None else _kind(arm.weights), **variant, **_figures(clips)}
    measured = [session.scores(job, of_setting[0].arms[0]) for job in of_setting]
    rates = {key: float(f"{fmean(scores[key] for scores in measured):.4g}") for key in ("bpp", "kbps") if key in measured[0]}
    return {**rates, "rows": rows}


def _figures(clips: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The `mean` over clips of the metrics that all of them have, and every clip's."""
    metrics = {metric: digits + 1 for metric, (_, digits) in TABLE_METRICS.items() if all(metric in one for one in clips.values())}
    mean = {metric: round(fmean(one[metric] for one in clips.values()), digits) for metric, digits in metrics.items()}
    return {"mean": mean, "clips": {name: {key: round(one[key], metrics[key]) for key in metrics} for name, one in clips.items()}}


def _speeds(session: Session, task: Task, baselines: Sequence[Arm], weights: Sequence[Weights]) -> dict[str, Any]:
    """By row, alone: nothing of ours runs beside it. Of encoders, coding and decoding on one thread."""
    clip, quick = session.clips[0], session.options.quick
    frames, repeats = (5, 1) if quick else (FRAMES, REPEATS)
    source = read_source(clip.name, clip.master, frames, clip.cache)
    sample = timed_sample(task, source, frames)
    setting = task.setting(task.timed)
    arms = [arm for arm in _arms(setting, baselines, weights) if arm.weights is not None or setting.baselines[arm.name].timed]
    speeds = {arm.name: speed_of(task, arm, sample, 1 if arm.weights is None else repeats) for arm in arms}
    if task is TABLES[1].task:
        large = replace(source, clip=resize(source.clip, *SIZE))
        encoders = [setting for setting in task.settings if setting.quick or not quick]
        speeds |= {encoder.name: _coding_speed(encoder, large) for encoder in encoders}
    for name, speed in speeds.items():
        session.say(f"{task.name}, {name}: {speed['ms']:g} ms a frame")
    return speeds


def _coding_speed(encoder: Setting, source: Source) -> dict[str, Any]:
    begin = perf_counter()
    frames = len(encoder.degrade(source).given)
    return {"ms": round(1e3 * (perf_counter() - begin) / frames, 1)}


def _stored(options: Options) -> dict[str, Any]:
    try:
        found = json.loads(options.out.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"tables": {}}
    except ValueError as fault:
        raise UsageError(f"{options.out} holds something else than results: {fault}", hint="Choose another file.") from fault
    if not isinstance(found, dict) or not isinstance(found.get("tables"), dict):
        raise UsageError(f"{options.out} holds something else than results", hint="Choose another file.")
    return found
