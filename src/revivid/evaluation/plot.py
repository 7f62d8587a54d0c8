"""Curves for the page: lines for an inline SVG that stretches with it, and dots and labels that stay as they are.

`plot`: one value a frame over time. `curves`: quality over bits, on a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError

#: Points of a line at most; longer videos are drawn as means of neighbouring frames.
MAX_POINTS = 480


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    label: str
    #: 0..100 from the left or from the top.
    percent: float


@dataclass(frozen=True)
class Dot:
    """A measured point."""

    series: str
    #: 0..100 from the left and from the top.
    x: float
    y: float
    #: What it says where a pointer rests on it.
    label: str


@dataclass(frozen=True)
class Plot:
    """Lines in a box of 100 x 100, top left at 0, 0."""

    #: By series name, SVG `points`.
    lines: dict[str, str]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    #: Frames behind one point.
    frames_per_point: int = 1
    dots: tuple[Dot, ...] = ()

    @property
    def names(self) -> list[str]:
        """Of the series, in order."""
        return list(self.lines)


def plot(times: Sequence[float], series: Mapping[str, Sequence[float]]) -> Plot:
    """Lines of one value a frame over presentation times in seconds; every series is as long as `times`, which is not empty."""
    step = math.ceil(len(times) / MAX_POINTS)
    x = _means(times, step)
    values = {name: _means(column, step) for name, column in series.items()}
    y_low, y_high, y_marks = _axis(min(map(min, values.values())), max(map(max, values.values())), 5)
    x_low, x_high = x[0], x[-1]
    x_span = (x_high - x_low) or 1.0

    def line(column: Sequence[float]) -> str:
        points = [((t - x_low) / x_span, (y_high - value) / (y_high - y_low)) for t, value in zip(x, column, strict=True)]
        if len(points) == 1:
            points = [(0.0, points[0][1]), (1.0, points[0][1])]
        return _points((100 * px, 100 * py) for px, py in points)

    x_marks = [mark for mark in _axis(x_low, x_high, 5)[2] if x_low <= mark <= x_high]
    return Plot(
        lines={name: line(column) for name, column in values.items()},
        x_ticks=[Tick(_number(mark), 100 * (mark - x_low) / x_span) for mark in x_marks],
        y_ticks=[Tick(_number(mark), 100 * (y_high - mark) / (y_high - y_low)) for mark in y_marks],
        frames_per_point=step,
    )


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    labels: Mapping[str, Sequence[str]] | None = None,
    show: Callable[[float], str] = lambda value: f"{value:.4g}",
) -> Plot:
    """Quality over bits: of each series its points (bits, quality), joined by rising bits, which are on a logarithmic axis.

    `labels`: a name for each point of a series, such as its CRF; `show` writes a quality. Raises `UsageError` where there is no
    point, or one without bits.
    """
    points = [point for line in series.values() for point in line]
    if not points or min(bits for bits, _ in points) <= 0:
        raise UsageError("a curve needs points of more than 0 bits", hint="Measure something first.")
    bits, quality = [point[0] for point in points], [point[1] for point in points]
    x_low, x_high = math.log(min(bits) / 1.12), math.log(max(bits) * 1.12)
    y_low, y_high, y_marks = _axis(min(quality), max(quality), 5)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return 100 * (math.log(point[0]) - x_low) / (x_high - x_low), 100 * (y_high - point[1]) / (y_high - y_low)

    dots = []
    for name, line in series.items():
        for number, point in enumerate(line):
            label = " ".join(filter(None, [name, labels[name][number] if labels else ""]))
            dots.append(Dot(name, *place(point), f"{label}: {show(point[1])} at {point[0]:.4g}"))
    return Plot(
        lines={name: _points(map(place, sorted(line))) for name, line in series.items()},
        x_ticks=[Tick(_number(mark), place((mark, 0))[0]) for mark in _decades(math.exp(x_low), math.exp(x_high))],
        y_ticks=[Tick(_number(mark), 100 * (y_high - mark) / (y_high - y_low)) for mark in y_marks],
        dots=tuple(dots),
    )


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)


def _means(values: Sequence[float], step: int) -> list[float]:
    groups = [values[start : start + step] for start in range(0, len(values), step)]
    return [sum(group) / len(group) for group in groups]


def _axis(low: float, high: float, wanted: int) -> tuple[float, float, list[float]]:
    """Round bounds around low..high and round marks between them, about `wanted`."""
    span = max(high - low, 1e-3)
    magnitude = 10 ** math.floor(math.log10(span / wanted))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude * wanted >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        last += 1
    marks = [number * step for number in range(first, last + 1)]
    return marks[0], marks[-1], marks


def _decades(low: float, high: float) -> list[float]:
    """Round marks of a logarithmic axis: 1, 2, 5, or fewer where there are many decades, more where there is less than one."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        marks = [mark for exponent in exponents for factor in factors if low <= (mark := factor * 10.0**exponent) <= high]
        if len(marks) >= 4:
            break
    return marks


def _number(value: float) -> str:
    return f"{value:.6g}"
