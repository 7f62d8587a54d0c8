"""Differences between rate-distortion curves, clip by clip, then over clips: the mean with an interval, and how many are better.

A saturated curve may share no quality with another one, so there are also quality at equal bits, and the bits of a curve where it
is as good as its rival.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from ..metrics.bd import Point, bd_quality, bd_rate, bits_at, frontier, quality_at

_RESAMPLES = 2000
_DIGITS = 3


def points_of(curve: Sequence[Mapping[str, float]], metric: str) -> list[Point]:
    """(bpp, quality) of a clip's curve."""
    return [(point["bpp"], point[metric]) for point in curve]


def are_curves(*curves: Sequence[Point]) -> bool:
    """Whether each has two points that are worth their bits: others can't be compared."""
    return min(len(frontier(points)) for points in curves) > 1


def over_clips(values: Sequence[float], sign: int) -> dict[str, Any] | None:
    """`mean`, a bootstrap's 95 % `interval`, the `worst`, the number of `clips` and the share of those that are `better`, of one
    difference per clip; `sign` is that of what is better. None for no clips."""
    if not values:
        return None
    draws = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return {
        "mean": round(fmean(values), _DIGITS),
        "interval": [round(float(low), _DIGITS), round(float(high), _DIGITS)],
        "worst": round(sign * min(sign * value for value in values), _DIGITS),
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


def differences(pairs: Sequence[tuple[list[Point], list[Point]]], at_bpp: Sequence[float]) -> dict[str, Any]:
    """Of an anchor's curve and another's, one pair per clip.

    `bd_rate` in per cent and `bd_quality` over what both reach, `at_bpp` the quality more by bits per pixel, and
    `bits_for_its_quality` the bits over the anchor's where it is as good as the anchor at so many bits per pixel: the geometric
    `mean` over `clips`, of which in `at_most` it is already better with the fewest bits.
    """
    rates, qualities = ([delta(*pair) for pair in pairs] for delta in (bd_rate, bd_quality))
    gains = {bpp: over_clips(present([_gain(*pair, bpp) for pair in pairs]), 1) for bpp in at_bpp}
    bits = {bpp: _bits([ratio for pair in pairs if (ratio := _ratio(*pair, bpp)) is not None]) for bpp in at_bpp}
    return {
        "bd_rate": over_clips(present(rates), -1),
        "bd_quality": over_clips(present(qualities), 1),
        "at_bpp": {f"{bpp:g}": value for bpp, value in gains.items() if value is not None},
        "bits_for_its_quality": {f"{bpp:g}": value for bpp, value in bits.items() if value is not None},
    }


def present(values: Sequence[float | None]) -> list[float]:
    """Those that there are."""
    return [value for value in values if value is not None]


def _gain(anchor: Sequence[Point], arm: Sequence[Point], bpp: float) -> float | None:
    """Quality that the arm has more at so many bits per pixel; None where one of them has no such point."""
    ours, theirs = quality_at(arm, bpp), quality_at(anchor, bpp)
    return None if ours is None or theirs is None else ours - theirs


def _ratio(anchor: Sequence[Point], arm: Sequence[Point], bpp: float) -> tuple[float, bool] | None:
    """The arm's bits over the anchor's at the anchor's quality, and whether fewer might do; None where either never gets there."""
    quality = quality_at(anchor, bpp)
    if quality is None:
        return None
    cheapest = frontier(arm)[0]
    if cheapest[1] >= quality:
        return cheapest[0] / bpp, True
    bits = bits_at(arm, quality)
    return None if bits is None else (bits / bpp, False)


def _bits(ratios: Sequence[tuple[float, bool]]) -> dict[str, Any] | None:
    if not ratios:
        return None
    mean = math.exp(fmean(math.log(ratio) for ratio, _ in ratios))
    return {"mean": round(mean, 3), "clips": len(ratios), "at_most": sum(most for _, most in ratios)}
