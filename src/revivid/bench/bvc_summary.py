"""Curves of `bench bvc` become what is reported: means, and differences to x265 and to sharpening before x265.

Differences are taken clip by clip, then averaged. A saturated curve may share no quality with another one, so there are also
quality at equal bits, and the bits of an arm where it is as good as its rival.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ..metrics.bd import Point, bd_quality, bd_rate, bits_at, frontier, quality_at
from .deltas import are_curves, mean_points, over_clips, points_of, rounded
from .scores import CODED_METRICS

#: Arms that the others are held against.
ANCHORS = ("x265", "deblur+x265")
#: Bits per pixel at which curves are compared.
AT_BPP = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)

#: Arm -> points of one clip, each with `rate`, `bpp`, metrics and `seconds`.
Curves = Mapping[str, Sequence[Mapping[str, float]]]


def compare(clips: Mapping[str, Curves]) -> dict[str, Any]:
    """One test's figures.

    `arms`: mean `points` over clips, and between the ends of that curve `db_per_bpp`. `against`, by anchor, arm and metric:
    `bd_rate` in per cent and `bd_quality` over what both curves reach, `at_bpp` the differences of quality by bits per pixel, and
    `bits_for_its_quality` the arm's bits over the anchor's where it is as good as the anchor at so many bits per pixel: the
    geometric `mean` over `clips`, of which in `at_most` the arm is already better with the fewest bits that were tried.
    `by_clip` has every clip's points.
    """
    names = list(next(iter(clips.values())))
    arms = {name: _arm([curves[name] for curves in clips.values()]) for name in names}
    against = {
        anchor: {name: _against(clips, anchor, name) for name in names if name != anchor} for anchor in ANCHORS if anchor in names
    }
    by_clip = {clip: {name: list(map(rounded, points)) for name, points in curves.items()} for clip, curves in clips.items()}
    return {"arms": arms, "against": against, "by_clip": by_clip}


def _arm(curves: Sequence[Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    points = mean_points(curves)
    ends = frontier([(point["bpp"], point["psnr"]) for point in points])
    slope = (ends[-1][1] - ends[0][1]) / (ends[-1][0] - ends[0][0]) if len(ends) > 1 else None
    return {"points": points, "db_per_bpp": None if slope is None else round(slope, 3)}


def _against(clips: Mapping[str, Curves], anchor: str, arm: str) -> dict[str, Any]:
    found = {}
    for metric in CODED_METRICS:
        measured = [curves for curves in clips.values() if all(metric in point for point in curves[arm])]
        pairs = [(points_of(curves[anchor], metric), points_of(curves[arm], metric)) for curves in measured]
        found[metric] = _differences([pair for pair in pairs if are_curves(*pair)])
    return found


def _differences(pairs: Sequence[tuple[list[Point], list[Point]]]) -> dict[str, Any]:
    rates, qualities = ([delta(*pair) for pair in pairs] for delta in (bd_rate, bd_quality))
    at_bpp = {bpp: over_clips(_present([_gain(*pair, bpp) for pair in pairs]), 1) for bpp in AT_BPP}
    bits = {bpp: _bits([ratio for pair in pairs if (ratio := _ratio(*pair, bpp)) is not None]) for bpp in AT_BPP}
    return {
        "bd_rate": over_clips(_present(rates), -1),
        "bd_quality": over_clips(_present(qualities), 1),
        "at_bpp": {f"{bpp:g}": value for bpp, value in at_bpp.items() if value is not None},
        "bits_for_its_quality": {f"{bpp:g}": value for bpp, value in bits.items() if value is not None},
    }


def _present(values: Sequence[float | None]) -> list[float]:
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
