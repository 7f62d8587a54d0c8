"""Bjontegaard deltas: how two rate-distortion curves differ, on average over what both reach.

BD-rate: per cent of bits more (or, below 0, fewer) at equal quality; BD-quality: quality more at equal bits. Curves go through
their points as piecewise cubic Hermite polynomials with Fritsch and Carlson's slopes (SIAM J. Numer. Anal. 1980, in Fritsch and
Butland's form), which never overshoot; bits count in their logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..errors import UsageError

#: (bits, quality); bits in any unit, above 0.
Point = tuple[float, float]


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that are worth their bits, by rising bits: of those with no more bits none has as much quality."""
    kept: list[Point] = []
    for bits, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((bits, quality))
    return kept


def bd_rate(anchor: Sequence[Point], other: Sequence[Point], max_bits: float | None = None) -> float | None:
    """Per cent of bits that `other` takes more than `anchor` at equal quality, mean over the qualities that both reach.

    `max_bits`: only the qualities that the anchor reaches with at most so many bits. None where the curves have no quality in
    common. Raises `UsageError` for a curve of fewer than two points.
    """
    curves = [_Curve([(quality, math.log(bits)) for bits, quality in _usable(points)]) for points in (anchor, other)]
    low, high = max(curve.low for curve in curves), min(curve.high for curve in curves)
    if max_bits is not None:
        reached = quality_at(anchor, max_bits)
        if reached is None:
            return None if max_bits < _usable(anchor)[0][0] else bd_rate(anchor, other)
        high = min(high, reached)
    if high <= low:
        return None
    mean = (curves[1].integral(low, high) - curves[0].integral(low, high)) / (high - low)
    return 100 * (math.exp(mean) - 1)


def bd_quality(anchor: Sequence[Point], other: Sequence[Point]) -> float | None:
    """Quality that `other` has more than `anchor` at equal bits, mean over the (logarithms of) bits that both cover."""
    curves = [_by_bits(points) for points in (anchor, other)]
    low, high = max(curve.low for curve in curves), min(curve.high for curve in curves)
    if high <= low:
        return None
    return (curves[1].integral(low, high) - curves[0].integral(low, high)) / (high - low)


def quality_at(points: Sequence[Point], bits: float) -> float | None:
    """The curve's quality at so many bits; None outside of it."""
    curve = _by_bits(points)
    place = math.log(bits)
    return curve.at(place) if curve.low <= place <= curve.high else None


def bits_at(points: Sequence[Point], quality: float) -> float | None:
    """The bits that the curve's quality takes; None outside of it."""
    curve = _Curve([(level, math.log(bits)) for bits, level in _usable(points)])
    return math.exp(curve.at(quality)) if curve.low <= quality <= curve.high else None


def _by_bits(points: Sequence[Point]) -> _Curve:
    return _Curve([(math.log(bits), quality) for bits, quality in _usable(points)])


def _usable(points: Sequence[Point]) -> list[Point]:
    kept = frontier(points)
    if len(kept) < 2 or kept[0][0] <= 0:
        raise UsageError(f"{points} is no rate-distortion curve", hint="Two points of rising bits and quality at least.")
    return kept


class _Curve:
    """A smooth monotone curve through points of rising x."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._x, self._y = (np.array(column) for column in zip(*points, strict=True))
        self._slopes = _slopes(self._x, self._y)
        self.low, self.high = float(self._x[0]), float(self._x[-1])

    def at(self, x: float) -> float:
        k = int(np.clip(np.searchsorted(self._x, x) - 1, 0, len(self._x) - 2))
        step = self._x[k + 1] - self._x[k]
        t = (x - self._x[k]) / step
        left, right = (1 + 2 * t) * (1 - t) ** 2, t * t * (3 - 2 * t)
        bend = step * t * (1 - t) * ((1 - t) * self._slopes[k] - t * self._slopes[k + 1])
        return float(left * self._y[k] + right * self._y[k + 1] + bend)

    def integral(self, low: float, high: float) -> float:
        """From `low` to `high`, exactly: Simpson's rule is exact for cubics."""
        inner = [float(x) for x in self._x if low < x < high]
        pieces = pairwise([low, *inner, high])
        return sum((b - a) / 6 * (self.at(a) + 4 * self.at((a + b) / 2) + self.at(b)) for a, b in pieces)


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """At every point: the harmonic mean of the secants beside it, weighted by the steps; 0 at extrema."""
    steps, secants = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return np.repeat(secants, 2)
    slopes = np.zeros(len(x))
    before, after = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    same = secants[:-1] * secants[1:] > 0
    slopes[1:-1][same] = ((before + after)[same]) / (before[same] / secants[:-1][same] + after[same] / secants[1:][same])
    slopes[0] = _end(steps[0], steps[1], secants[0], secants[1])
    slopes[-1] = _end(steps[-1], steps[-2], secants[-1], secants[-2])
    return slopes


def _end(step: float, next_step: float, secant: float, next_secant: float) -> float:
    """A parabola's slope through the three last points, kept from bending the other way."""
    slope = ((2 * step + next_step) * secant - step * next_secant) / (step + next_step)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant <= 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
