"""Measures videos against a reference, frame by frame, in memory that does not grow with their length (but for the scores).

reference: Iterator[Clip] ----+
                              +--> frame by frame, in order --> Comparison (one row a frame, pooled)
distorted: Iterator[Clip] ----+
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import ShapeError, UsageError
from ..metrics.frame import METRICS, FrameScores, Picture, gaps, prepare, score
from ..types import Clip


@dataclass(frozen=True)
class Pooled:
    """One metric over all frames of a video."""

    #: The arithmetic mean: the figure of the published tables.
    mean: float
    #: Weighs bad frames more than the mean does; None where a frame has 0 or less.
    harmonic_mean: float | None
    #: 5 % of the frames are worse than this (linear interpolation between frames).
    percentile_5: float
    #: The worst frame.
    minimum: float

    def to_json(self) -> dict[str, float | None]:
        return {"mean": self.mean, "harmonic_mean": self.harmonic_mean, "p5": self.percentile_5, "min": self.minimum}


@dataclass(frozen=True)
class Comparison:
    """The scores of one video against its reference."""

    #: Presentation times of the reference's frames in seconds.
    times: tuple[Fraction, ...]
    scores: tuple[FrameScores, ...]
    #: The metrics that could not be computed, each with the reason.
    missing: dict[str, str]
    #: The largest difference in seconds between the times of paired frames, each counted from its own first frame.
    max_time_offset: Fraction

    def values(self, metric: str) -> list[float]:
        """One value a frame, or an empty list where the metric is missing."""
        if metric in self.missing:
            return []
        return [float(getattr(row, metric)) for row in self.scores]

    def pooled(self, metric: str) -> Pooled | None:
        """The metric over all frames; None where it is missing."""
        return pool(self.values(metric))

    def to_json(self) -> dict[str, object]:
        """`frames`, `max_time_offset_s`, `pooled` by metric, `missing` reasons by metric, `per_frame` columns."""
        pooled = {metric: self.pooled(metric) for metric in METRICS}
        columns: dict[str, list[float]] = {"time_s": [float(time) for time in self.times]}
        return {
            "frames": len(self.scores),
            "max_time_offset_s": float(self.max_time_offset),
            "pooled": {metric: value.to_json() if value else None for metric, value in pooled.items()},
            "missing": dict(self.missing),
            "per_frame": columns | {metric: self.values(metric) for metric in METRICS if metric not in self.missing},
        }


def pool(values: list[float]) -> Pooled | None:
    """The four pooled figures of a list of per-frame values; None for an empty list."""
    if not values:
        return None
    array = np.asarray(values)
    harmonic = float(len(array) / np.sum(1 / array)) if array.min() > 0 else None
    return Pooled(float(array.mean()), harmonic, float(np.percentile(array, 5)), float(array.min()))


def compare(reference: Iterable[Clip], distorted: Iterable[Clip]) -> Comparison:
    """Measure one video against a reference; see `compare_all`."""
    return compare_all(reference, {"distorted": distorted})["distorted"]


def compare_all(
    reference: Iterable[Clip],
    distorted: Mapping[str, Iterable[Clip]],
    on_frame: Callable[[int], None] | None = None,
) -> dict[str, Comparison]:
    """Measure several videos, by name, against one reference that is read once.

    Frames are paired by order, so clips may be cut differently. `on_frame` is told how many frames are done. Videos of
    different bit depth are compared as 8-bit RGB, and their `psnr_luma` is missing.

    Raises `UsageError` where the numbers of frames differ or there are none, `ShapeError` where the sizes differ.
    """
    rows: dict[str, list[FrameScores]] = {name: [] for name in distorted}
    offsets: dict[str, Fraction] = dict.fromkeys(distorted, Fraction(0))
    missing: dict[str, dict[str, str]] = {name: {} for name in distorted}
    begins: dict[str, Fraction] = {}
    times: list[Fraction] = []
    others = {name: frames_of(clips) for name, clips in distorted.items()}
    for number, frame in enumerate(frames_of(reference)):
        picture = prepare(frame)
        times.append(frame.times[0])
        for name, clips in others.items():
            other = _next_frame(clips, name, number)
            begin = begins.setdefault(name, other.times[0])
            offsets[name] = max(offsets[name], abs((other.times[0] - begin) - (times[-1] - times[0])))
            missing[name] |= gaps(frame, other)
            rows[name].append(_score(picture, other, name, number))
        if on_frame:
            on_frame(number + 1)
    if not times:
        raise UsageError("the reference has no frames", hint="Check --start and --duration.")
    for name, clips in others.items():
        _check_ended(clips, name, len(times))
    return {name: Comparison(tuple(times), tuple(rows[name]), missing[name], offsets[name]) for name in distorted}


def frame_gains(before: Comparison, after: Comparison, metric: str = "psnr_y") -> list[float]:
    """Frame by frame, how much higher `after` scores than `before`; empty where the metric is missing in either."""
    pairs = zip(before.values(metric), after.values(metric), strict=False)
    return [second - first for first, second in pairs]


def frames_of(clips: Iterable[Clip]) -> Iterator[Clip]:
    """The same frames as clips of one frame each."""
    for clip in clips:
        for t in range(len(clip)):
            yield clip[t : t + 1]


def _score(reference: Picture, distorted: Clip, name: str, number: int) -> FrameScores:
    try:
        return score(reference, prepare(distorted))
    except ShapeError as error:
        raise ShapeError(f"{name}, frame {number}: {error.message}", hint=error.hint) from error


def _next_frame(clips: Iterator[Clip], name: str, number: int) -> Clip:
    frame = next(clips, None)
    if frame is None:
        raise UsageError(f"{name} ends after {number} frames, the reference goes on", hint=_SAME_FRAMES)
    return frame


def _check_ended(clips: Iterator[Clip], name: str, count: int) -> None:
    if next(clips, None) is not None:
        raise UsageError(f"the reference ends after {count} frames, {name} goes on", hint=_SAME_FRAMES)


_SAME_FRAMES = (
    "Frames are paired by order, so both videos need the same frames: compare the same --start and --duration, "
    "and leave frame interpolation out."
)
