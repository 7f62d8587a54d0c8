"""`bench rd`: how much quality bits buy, for x265 at full size and for what restoration makes of smaller and coarser streams.

    x265 at full size | the same + deartifact | 1/2 size + super-resolve | 1/4 size + super-resolve     (and by bicubic)

Every curve is x265 `medium` over a range of CRFs; bits are those of the elementary stream over the pixels of the original.
Bjontegaard deltas are taken clip by clip against x265 at full size, then averaged; the interval is a bootstrap over clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MissingWeights, UsageError
from ..metrics.bd import Point, bd_quality, bd_rate
from .arms import Arm, Weights, weights_of
from .deltas import are_curves, mean_points, over_clips, points_of, rounded
from .jobs import Job
from .scores import METRICS
from .session import Common, Say, Session, write_json
from .settings import TASKS, Task

#: Task -> what its streams are called.
STREAMS = {"deartifact": "x265", "super-resolve-x2": "1/2 size", "super-resolve-x4": "1/4 size"}
ANCHOR = "x265"
#: Curves of several together: at every rate the best of them.
TOGETHER = {"1/2 or 1/4 size + super-resolve": ("1/2 size + super-resolve", "1/4 size + super-resolve")}
#: What a low rate is, in bits per pixel of the original.
LOW_RATE = 0.03
#: A quick run takes every how manyth CRF.
_QUICK_STEP = 2

#: Curve -> points of one clip, each with `crf`, `bpp` and metrics.
Curves = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Options(Common):
    """What `bench rd` can be told."""

    #: Weights to restore with, each for its task; those that `revivid restore` takes for the others.
    networks: tuple[str, ...] = ()
    #: Picture of the mean curves (.svg, .png); None: none.
    plot: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plot is not None and self.plot.suffix not in (".svg", ".png"):
            raise UsageError(f"{self.plot} is no picture that can be drawn", hint="Name it .svg or .png.")

    def arguments(self) -> str:
        return " ".join([super().arguments(), *(f"--with {name}" for name in self.networks)])


def rate_distortion(options: Options, say: Say) -> dict[str, Any]:
    """Measure all curves on all clips, and write the results and the plot. Raises what `bench.quality` raises."""
    session = Session(options, say)
    jobs, arms, missing = _planned(session, list(options.networks))
    session.measure(jobs)
    clips: dict[str, Curves] = {clip.name: {} for clip in session.clips}
    for job in jobs:
        for curve, arm in arms[job.task].items():
            point = {"crf": TASKS[job.task].setting(job.setting).crf, **session.scores(job, arm)}
            clips[job.clip.name].setdefault(curve, []).append(point)
    networks = {curve: arm.weights.name for task in arms.values() for curve, arm in task.items() if arm.weights is not None}
    settings = {"anchor": ANCHOR, "networks": networks, "low_rate": LOW_RATE, "missing": missing}
    results = {**session.about("rd"), **settings, **compare(clips)}
    write_json(options.out, results)
    if options.plot is not None:
        from .rd_plot import plot

        plot(results, options.plot)
    return results


def _planned(session: Session, names: list[str]) -> tuple[list[Job], dict[str, dict[str, Arm]], dict[str, str]]:
    """What to measure, the arm behind every curve by task, and why curves are missing."""
    arms: dict[str, dict[str, Arm]] = {}
    missing: dict[str, str] = {}
    for task, stream in STREAMS.items():
        (baseline,) = TASKS[task].curve[0].baselines
        name = stream if baseline == "decoded" else f"{stream} + {baseline}"
        arms[task] = {name: Arm(baseline)}
        restored = f"{stream} + {TASKS[task].curve[0].specs[''].stage}"
        try:
            weights = _weights(TASKS[task], names)
            arms[task][restored] = Arm(weights.name, weights=weights)
        except (UsageError, MissingWeights) as fault:
            missing[restored] = fault.message
            session.say(f"no curve of {restored}: {fault.message}")
    step = _QUICK_STEP if session.options.quick else 1
    jobs = [
        Job(clip, task, setting.name, tuple(curves.values()), session.options.vmaf)
        for clip in session.clips
        for task, curves in arms.items()
        for setting in TASKS[task].curve[::step]
    ]
    return jobs, arms, missing


def _weights(task: Task, names: list[str]) -> Weights:
    """The first of the named weights that do the task, else the default."""
    with suppress(UsageError):
        if names:
            return weights_of(task, names)[0]
    return weights_of(task, [])[0]


def compare(clips: Mapping[str, Curves]) -> dict[str, Any]:
    """`curves`: by name the mean `points` over clips, and deltas over the anchor by metric; `clips`: every clip's points.

    `bd_rate` in per cent over the whole range, `bd_rate_low` over what the anchor reaches below `LOW_RATE`, `bd_quality` in the
    metric's unit: each with `mean`, a 95 % `interval`, the number of `clips` where the curves overlap, and the share of those that
    are `better`; None where none do.
    """
    whole = {name: {**curves, **_together(curves)} for name, curves in clips.items()}
    first = next(iter(whole.values()))
    metrics = [metric for metric in METRICS if all(metric in point for curve in first.values() for point in curve)]
    found: dict[str, Any] = {}
    for curve in first:
        found[curve] = {} if curve in TOGETHER else {"points": mean_points([curves[curve] for curves in whole.values()])}
        if curve != ANCHOR:
            found[curve] |= {
                "bd_rate": {metric: _delta(whole, curve, metric, bd_rate, -1) for metric in metrics},
                "bd_rate_low": {metric: _delta(whole, curve, metric, _low_rate, -1) for metric in metrics},
                "bd_quality": {metric: _delta(whole, curve, metric, bd_quality, 1) for metric in metrics},
            }
    by_clip = {clip: {name: list(map(rounded, points)) for name, points in curves.items()} for clip, curves in clips.items()}
    return {"curves": found, "by_clip": by_clip}


def _together(curves: Curves) -> Curves:
    complete = {name: parts for name, parts in TOGETHER.items() if set(parts) <= set(curves)}
    return {name: [point for part in parts for point in curves[part]] for name, parts in complete.items()}


def _low_rate(anchor: Sequence[Point], other: Sequence[Point]) -> float | None:
    return bd_rate(anchor, other, LOW_RATE)


def _delta(
    clips: Mapping[str, Curves],
    curve: str,
    metric: str,
    delta: Callable[[Sequence[Point], Sequence[Point]], float | None],
    sign: int,
) -> dict[str, Any] | None:
    """A delta over clips; `sign` is that of what is better."""
    pairs = [tuple(points_of(curves[name], metric) for name in (ANCHOR, curve)) for curves in clips.values()]
    values = [delta(*pair) for pair in pairs if are_curves(*pair)]
    return over_clips([value for value in values if value is not None], sign)
