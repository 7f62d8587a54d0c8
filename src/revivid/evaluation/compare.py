"""Measures videos against a reference, frame by frame, in memory that does not grow with their length (but for the scores).

reference: Iterator[Clip] ----+
                              +--> frame by frame, in order --> Comparison (one row a frame, pooled)
distorted: Iterator[Clip] ----+
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

import numpy as np

from ..errors import ShapeError, UsageError
from ..metrics.frame import METRICS, PIXEL_METRICS, FrameScores, gaps, prepare, score
from ..metrics.vmaf import VmafMeter
from ..restoration.workers import each_frame, worker_count
from ..types import Clip

#: A frame of the reference, and the frames by name that are compared with it.
Pair = tuple[Clip, Mapping[str, Clip]]
#: Frames that are measured side by side, for each worker: few of them wait for the last one to end.
_BATCH = 4


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
    #: What was asked for, in the order of `METRICS`.
    metrics: tuple[str, ...] = PIXEL_METRICS

    def values(self, metric: str) -> list[float]:
        """One value a frame, or an empty list where the metric is missing or was not asked for."""
        if metric in self.missing or metric not in self.metrics:
            return []
        return [float(getattr(row, metric)) for row in self.scores]

    def pooled(self, metric: str) -> Pooled | None:
        """The metric over all frames; None where it is missing or was not asked for."""
        return pool(self.values(metric))

    def to_json(self) -> dict[str, object]:
        """`frames`, `max_time_offset_s`, `pooled` by metric, `missing` reasons by metric, `per_frame` columns."""
        pooled = {metric: self.pooled(metric) for metric in self.metrics}
        columns: dict[str, list[float]] = {"time_s": [float(time) for time in self.times]}
        return {
            "frames": len(self.scores),
            "max_time_offset_s": float(self.max_time_offset),
            "pooled": {metric: value.to_json() if value else None for metric, value in pooled.items()},
            "missing": dict(self.missing),
            "per_frame": columns | {metric: self.values(metric) for metric in self.metrics if metric not in self.missing},
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
    metrics: Sequence[str] = PIXEL_METRICS,
    *,
    to_shortest: bool = False,
) -> dict[str, Comparison]:
    """Measure several videos, by name, against one reference that is read once.

    Frames are paired by order, so clips may be cut differently. `on_frame` is told how many frames are done. Videos of
    different bit depth are compared as 8-bit RGB, and their `psnr_luma` and `vmaf` are missing. `to_shortest`: up to where the
    first of all videos ends.

    Raises `UsageError` where the numbers of frames differ (unless `to_shortest`) or there are none, `ShapeError` where the sizes
    differ, `MissingTool` where VMAF is asked for and can't be had.
    """
    comparer = Comparer(distorted, metrics)
    others = {name: frames_of(clips) for name, clips in distorted.items()}
    pairs = _pairs(frames_of(reference), others, to_shortest)
    while batch := list(islice(pairs, _BATCH * worker_count())):
        done = comparer.count
        comparer.add_all(batch)
        for number in range(done, comparer.count):
            if on_frame:
                on_frame(number + 1)
    result = comparer.result()
    for name, clips in others.items():
        if not to_shortest:
            check_ended(clips, name, comparer.count)
    return result


def _pairs(reference: Iterator[Clip], others: Mapping[str, Iterator[Clip]], to_shortest: bool) -> Iterator[Pair]:
    """Frames that belong together."""
    for number, frame in enumerate(reference):
        taken = _together(others, number, to_shortest)
        if taken is None:
            return
        yield frame, taken


def _together(others: Mapping[str, Iterator[Clip]], number: int, to_shortest: bool) -> dict[str, Clip] | None:
    """The next frame of each; None where one has ended and that is allowed."""
    if not to_shortest:
        return {name: next_frame(clips, name, number) for name, clips in others.items()}
    taken = {name: frame for name, clips in others.items() if (frame := next(clips, None)) is not None}
    return taken if len(taken) == len(others) else None


class Comparer:
    """Collects the scores of several videos, by name, against one reference, frame by frame."""

    def __init__(self, names: Iterable[str], metrics: Sequence[str] = PIXEL_METRICS) -> None:
        self._metrics = tuple(name for name in METRICS if name in metrics)
        self._rows: dict[str, list[FrameScores]] = {name: [] for name in names}
        self._meters = {name: VmafMeter() for name in self._rows} if "vmaf" in metrics else {}
        self._offsets: dict[str, Fraction] = dict.fromkeys(self._rows, Fraction(0))
        self._missing: dict[str, dict[str, str]] = {name: {} for name in self._rows}
        self._begins: dict[str, Fraction] = {}
        self._times: list[Fraction] = []

    @property
    def count(self) -> int:
        """Frames so far."""
        return len(self._times)

    def add(self, reference: Clip, distorted: Mapping[str, Clip]) -> None:
        """One frame of each. Raises `ShapeError` where the sizes differ."""
        self._note(reference, distorted, self._scores((self.count, (reference, distorted))))

    def add_all(self, pairs: Sequence[Pair]) -> None:
        """Several frames of each in their order, measured side by side. Raises `ShapeError` where the sizes differ."""
        rows = each_frame(self._scores, enumerate(pairs, self.count))
        for (reference, distorted), scores in zip(pairs, rows, strict=True):
            self._note(reference, distorted, scores)

    def _note(self, reference: Clip, distorted: Mapping[str, Clip], scores: Mapping[str, FrameScores]) -> None:
        """Keep the scores of the next frame."""
        self._times.append(reference.times[0])
        elapsed = self._times[-1] - self._times[0]
        for name, frame in distorted.items():
            begin = self._begins.setdefault(name, frame.times[0])
            self._offsets[name] = max(self._offsets[name], abs((frame.times[0] - begin) - elapsed))
            missing = gaps(reference, frame)
            self._missing[name] |= {metric: reason for metric, reason in missing.items() if metric in self._metrics}
            self._rows[name].append(scores[name])
            if "vmaf" not in missing and name in self._meters:
                self._meters[name].add(reference, frame)

    def result(self) -> dict[str, Comparison]:
        """The comparisons by name. Raises `UsageError` where there was no frame."""
        if not self._times:
            raise UsageError("the reference has no frames", hint="Check --start and --duration.")
        for name, meter in self._meters.items():
            if "vmaf" not in self._missing[name]:
                pairs = zip(self._rows[name], meter.scores(), strict=True)
                self._rows[name] = [replace(row, vmaf=value) for row, value in pairs]
        return {
            name: Comparison(tuple(self._times), tuple(rows), self._missing[name], self._offsets[name], self._metrics)
            for name, rows in self._rows.items()
        }

    def _scores(self, numbered: tuple[int, Pair]) -> dict[str, FrameScores]:
        """The scores of one frame by name; may run beside others."""
        number, (reference, distorted) = numbered
        picture, found = prepare(reference), {}
        for name, frame in distorted.items():
            try:
                found[name] = score(picture, prepare(frame), self._metrics)
            except ShapeError as error:
                raise ShapeError(f"{name}, frame {number}: {error.message}", hint=error.hint) from error
        return found


def frame_gains(before: Comparison, after: Comparison, metric: str = "psnr_y") -> list[float]:
    """Frame by frame, how much higher `after` scores than `before`; empty where the metric is missing in either."""
    pairs = zip(before.values(metric), after.values(metric), strict=False)
    return [second - first for first, second in pairs]


def frames_of(clips: Iterable[Clip]) -> Iterator[Clip]:
    """The same frames as clips of one frame each."""
    for clip in clips:
        for t in range(len(clip)):
            yield clip[t : t + 1]


def nearest_in_time(clips: Iterable[Clip], reference: Iterable[Clip], *, to_end: bool = False) -> Iterator[Clip]:
    """For each frame of `reference` the frame of `clips` that is nearest in time, each counted from its own first frame.

    For videos with more or fewer frames than their reference, such as interpolated ones. `to_end`: only as long as `clips` last;
    else their last frame stands for all that follow.
    """
    frames = frames_of(clips)
    current = next(frames, None)
    if current is None:
        return
    begin, following = current.times[0], next(frames, None)
    start: Fraction | None = None
    for wanted in frames_of(reference):
        start = wanted.times[0] if start is None else start
        time = begin + wanted.times[0] - start
        while following is not None and abs(following.times[0] - time) <= abs(current.times[0] - time):
            current, following = following, next(frames, None)
        if to_end and following is None and time >= current.times[0] + current.durations[0]:
            return
        yield current


def next_frame(clips: Iterator[Clip], name: str, number: int) -> Clip:
    """The next of `frames_of`; `UsageError` where the video `name` ends before frame `number` of the reference."""
    frame = next(clips, None)
    if frame is None:
        raise UsageError(f"{name} ends after {number} frames, the reference goes on", hint=_SAME_FRAMES)
    return frame


def check_ended(clips: Iterator[Clip], name: str, count: int) -> None:
    """`UsageError` where the video `name` goes on after the `count` frames of the reference."""
    if next(clips, None) is not None:
        raise UsageError(f"the reference ends after {count} frames, {name} goes on", hint=_SAME_FRAMES)


_SAME_FRAMES = (
    "Frames are paired by order, so both videos need the same frames: compare the same --start and --duration, and videos "
    "without frame interpolation. `revivid evaluate --align` pairs what both have."
)
