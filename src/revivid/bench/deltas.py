"""Differences between rate-distortion curves, clip by clip, then over clips: the mean with an interval, and how many are better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from ..metrics.bd import Point, frontier

_RESAMPLES = 2000
_DIGITS = 3


def points_of(curve: Sequence[Mapping[str, float]], metric: str) -> list[Point]:
    """(bpp, quality) of a clip's curve."""
    return [(point["bpp"], point[metric]) for point in curve]


def are_curves(*curves: Sequence[Point]) -> bool:
    """Whether each has two points that are worth their bits: others can't be compared."""
    return min(len(frontier(points)) for points in curves) > 1


def over_clips(values: Sequence[float], sign: int) -> dict[str, Any] | None:
    """`mean`, a bootstrap's 95 % `interval`, the number of `clips` and the share of those that are `better`, of one difference per
    clip; `sign` is that of what is better. None for no clips."""
    if not values:
        return None
    draws = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return {
        "mean": round(fmean(values), _DIGITS),
        "interval": [round(float(low), _DIGITS), round(float(high), _DIGITS)],
        "clips": len(values),
        "better": round(fmean(sign * value > 0 for value in values), _DIGITS),
    }


def mean_points(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, float]]:
    """Point by point the means over clips, of each metric over those that have it."""
    found = []
    for row in zip(*curves, strict=True):
        keys = dict.fromkeys(key for point in row for key in point)
        found.append(rounded({key: fmean(point[key] for point in row if key in point) for key in keys}))
    return found


def rounded(point: Mapping[str, float]) -> dict[str, float]:
    """Five significant digits; without the number of frames."""
    return {key: float(f"{value:.5g}") for key, value in point.items() if key != "frames"}
