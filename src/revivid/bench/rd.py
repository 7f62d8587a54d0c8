"""`bench rd`: how much quality bits buy, for encoders at full size and for what restoration makes of smaller and coarser streams.

    x265 at full size | the same + deartifact | 1/2 size + super-resolve | 1/4 size + super-resolve     (and by bicubic)

or any arms, each a stream (`streams`) and what restores it: x265:veryslow, svtav1:6@1/2+bicubic, x265:medium@1/2+lumasr-x2-hq.
Bits are those of the elementary stream over the pixels of the original. Bjontegaard deltas are taken clip by clip against every
anchor, then averaged; the interval is a bootstrap over clips. Curves that share no quality are compared at equal bits (`deltas`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MissingWeights, UsageError
from ..metrics.bd import Point, bd_rate
from ..weights import catalogue, embedded
from .arms import Arm, Weights, weights_of
from .deltas import are_curves, differences, mean_points, over_clips, points_of, present, rounded
from .jobs import Job
from .scores import METRICS
from .session import Common, Say, Session, write_json
from .settings import Task
from .streams import stream_of, task_named

#: Stands for the arms below.
DEFAULT = "default"
#: Task -> what its streams are called.
STREAMS = {"deartifact": "x265", "super-resolve-x2": "1/2 size", "super-resolve-x4": "1/4 size"}
ANCHOR = "x265"
#: Curves of several together: at every rate the best of them.
TOGETHER = {"1/2 or 1/4 size + super-resolve": ("1/2 size + super-resolve", "1/4 size + super-resolve")}
#: What a low rate is, in bits per pixel of the original, and where qualities are compared at equal bits.
LOW_RATE = 0.03
AT_BPP = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
#: A quick run takes every how manyth CRF.
_QUICK_STEP = 2

#: Curve -> points of one clip, each with `crf`, `bpp` and metrics.
Curves = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Options(Common):
    """What `bench rd` can be told."""

    arms: tuple[str, ...] = (DEFAULT,)
    #: Weights to restore with, each for its task; those that `revivid restore` takes for the others.
    networks: tuple[str, ...] = ()
    #: Picture of the mean curves (.svg, .png), and beside it one of every clip's; None: none.
    plot: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plot is not None and self.plot.suffix not in (".svg", ".png"):
            raise UsageError(f"{self.plot} is no picture that can be drawn", hint="Name it .svg or .png.")

    def arguments(self) -> str:
        arms = "" if self.arms == (DEFAULT,) else f" --arms {','.join(self.arms)}"
        return " ".join([super().arguments() + arms, *(f"--with {name}" for name in self.networks)])


@dataclass(frozen=True)
class Line:
    """A curve: what it is called, the task that its streams are settings of, and who restores them."""

    name: str
    task: str
    arm: Arm


def rate_distortion(options: Options, say: Say) -> dict[str, Any]:
    """Measure all curves on all clips, and write the results and the plots.

    Raises `UsageError` for arms that nobody knows, `MissingWeights` where no arm can run, and what `bench.quality` raises.
    """
    lines, missing = planned(options.arms, list(options.networks))
    for name, reason in missing.items():
        say(f"no curve of {name}: {reason}")
    if not lines:
        raise MissingWeights("no arm can run", hint="; ".join(f"{name}: {reason}" for name, reason in missing.items()))
    session = Session(options, say)
    clips = _measured(session, lines)
    networks = {line.name: line.arm.weights.name for line in lines if line.arm.weights is not None}
    settings = {"anchors": _anchors(lines), "networks": networks, "low_rate": LOW_RATE, "missing": missing}
    results = {**session.about("rd"), **settings, **compare(clips, settings["anchors"])}
    write_json(options.out, results)
    if options.plot is not None:
        from .rd_plot import plot, plot_clips

        plot(results, options.plot)
        plot_clips(results, options.plot.with_name(f"{options.plot.stem}-clips{options.plot.suffix}"))
    return results


def planned(arms: Sequence[str], networks: list[str]) -> tuple[list[Line], dict[str, str]]:
    """The curves of these arms, and why some can't be had; `networks` are weights to prefer for the default arms."""
    lines: dict[str, Line] = {}
    missing: dict[str, str] = {}
    for text in arms:
        for name, task, restorer in _parts(text):
            try:
                lines[name] = Line(name, task, _arm(task_named(task), restorer, networks))
            except MissingWeights as fault:
                missing[name] = fault.message
    return list(lines.values()), missing


def _parts(text: str) -> list[tuple[str, str, str]]:
    """(curve, task, restorer) of the curves that a text names; a restorer is a baseline's, a stage's or weights' name."""
    if text == DEFAULT:
        found = []
        for task, stream in STREAMS.items():
            setting = task_named(task).curve[0]
            (baseline,) = setting.baselines
            stage = setting.specs[""].stage
            found += [(stream if baseline == "decoded" else f"{stream} + {baseline}", task, baseline)]
            found += [(f"{stream} + {stage}", task, stage)]
        return found
    stream, _, restorer = text.partition("+")
    task = stream_of(stream).name
    (baseline,) = task_named(task).curve[0].baselines
    return [(text, task, restorer or baseline)]


def _arm(task: Task, restorer: str, networks: list[str]) -> Arm:
    """The baseline, the stage with the first of `networks` that do it or its default, or the weights, of that name."""
    setting = task.curve[0]
    if restorer in setting.baselines:
        return Arm(restorer)
    try:
        weights = _default(task, networks) if restorer == setting.specs[""].stage else weights_of(task, [restorer])[0]
    except UsageError as fault:
        known = (*setting.baselines, setting.specs[""].stage, *embedded.names(), *catalogue.names())
        if restorer not in known:
            raise UsageError(f"nobody is called {restorer!r} who restores {task.name}", hint=fault.message) from fault
        raise MissingWeights(fault.message, hint=fault.hint) from fault
    return Arm(weights.name, weights=weights)


def _default(task: Task, networks: list[str]) -> Weights:
    with suppress(UsageError):
        if networks:
            return weights_of(task, networks)[0]
    return weights_of(task, [])[0]


def _measured(session: Session, lines: Sequence[Line]) -> dict[str, Curves]:
    """Every clip's points."""
    step = _QUICK_STEP if session.options.quick else 1
    arms: dict[str, dict[str, Arm]] = {}
    for line in lines:
        arms.setdefault(line.task, {})[line.name] = line.arm
    jobs = [
        Job(clip, task, setting.name, tuple(dict.fromkeys(curves.values())), session.options.vmaf, with_ms_ssim=True)
        for clip in session.clips
        for task, curves in arms.items()
        for setting in task_named(task).curve[::step]
    ]
    session.measure(jobs)
    clips: dict[str, Curves] = {clip.name: {} for clip in session.clips}
    for job in jobs:
        for curve, arm in arms[job.task].items():
            point = {"crf": float(job.setting.removeprefix("crf ")), **session.scores(job, arm)}
            clips[job.clip.name].setdefault(curve, []).append(point)
    return clips


def _anchors(lines: Sequence[Line]) -> list[str]:
    """What the others are held against: encoders at full size, or the first curve where there are none."""
    plain = [line.name for line in lines if line.arm == Arm("decoded")]
    return plain or [lines[0].name]


def compare(clips: Mapping[str, Curves], anchors: Sequence[str] = (ANCHOR,)) -> dict[str, Any]:
    """`curves`: by name the mean `points` over clips, and `against` each anchor by metric the differences; `by_clip`: points.

    The differences are those of `deltas.differences`, and `bd_rate_low`: BD-rate over what the anchor reaches below `LOW_RATE`.
    Each has its `mean`, a 95 % `interval`, the number of `clips` where the curves overlap, and the share of those that are
    `better`; None where none do.
    """
    whole = {name: {**curves, **_together(curves)} for name, curves in clips.items()}
    found: dict[str, Any] = {}
    for curve in next(iter(whole.values())):
        found[curve] = {} if curve in TOGETHER else {"points": mean_points([curves[curve] for curves in whole.values()])}
        against = {anchor: _against(whole, anchor, curve) for anchor in anchors if anchor != curve}
        if against:
            found[curve]["against"] = against
    by_clip = {clip: {name: list(map(rounded, points)) for name, points in curves.items()} for clip, curves in clips.items()}
    return {"curves": found, "by_clip": by_clip}


def _together(curves: Curves) -> Curves:
    complete = {name: parts for name, parts in TOGETHER.items() if set(parts) <= set(curves)}
    return {name: [point for part in parts for point in curves[part]] for name, parts in complete.items()}


def _against(clips: Mapping[str, Curves], anchor: str, curve: str) -> dict[str, Any]:
    """By metric; a clip counts where all its points have the metric."""
    found = {}
    for metric in METRICS:
        having = [
            curves for curves in clips.values() if all(metric in point for name in (anchor, curve) for point in curves[name])
        ]
        pairs = [(points_of(curves[anchor], metric), points_of(curves[curve], metric)) for curves in having]
        usable = [pair for pair in pairs if are_curves(*pair)]
        low = over_clips(present([_low_rate(*pair) for pair in usable]), -1)
        if having:
            found[metric] = {"bd_rate_low": low, **differences(usable, AT_BPP)}
    return found


def _low_rate(anchor: Sequence[Point], other: Sequence[Point]) -> float | None:
    return bd_rate(anchor, other, LOW_RATE)
