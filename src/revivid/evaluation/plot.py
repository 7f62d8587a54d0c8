"""Curves over time for the report: lines for an inline SVG that stretches, and labels that stay text of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Points of a line at most; longer videos are drawn as means of neighbouring frames.
MAX_POINTS = 480


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    label: str
    #: 0..100 from the left or from the top.
    percent: float


@dataclass(frozen=True)
class Plot:
    """Lines in a box of 100 x 100, top left at 0, 0."""

    #: By series name, SVG `points`.
    lines: dict[str, str]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    #: Frames behind one point.
    frames_per_point: int


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
        return " ".join(f"{100 * px:.2f},{100 * py:.2f}" for px, py in points)

    x_marks = [mark for mark in _axis(x_low, x_high, 5)[2] if x_low <= mark <= x_high]
    return Plot(
        lines={name: line(column) for name, column in values.items()},
        x_ticks=[Tick(_number(mark), 100 * (mark - x_low) / x_span) for mark in x_marks],
        y_ticks=[Tick(_number(mark), 100 * (y_high - mark) / (y_high - y_low)) for mark in y_marks],
        frames_per_point=step,
    )


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


def _number(value: float) -> str:
    return f"{value:.6g}"
