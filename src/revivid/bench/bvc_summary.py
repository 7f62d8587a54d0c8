"""Curves of `bench bvc` become what is reported: means, and differences to x265 and to sharpening before it.

Differences are taken clip by clip, then averaged (`deltas`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics.bd import frontier
from .bvc_arms import sharpening
from .deltas import are_curves, differences, mean_points, points_of, rounded
from .scores import CODED_METRICS

#: Arms that the others are held against; those that look ahead for what does so, too.
ANCHORS = ("x265", "deblur-best+x265", "deblur-best+x265-medium", "deblur+x265", "deblur+x265-medium")
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
        anchor: {name: _against(clips, anchor, name) for name in names if name != anchor and _comparable(anchor, name)}
        for anchor in ANCHORS
        if anchor in names
    }
    by_clip = {clip: {name: list(map(rounded, points)) for name, points in curves.items()} for clip, curves in clips.items()}
    return {"arms": arms, "against": against, "by_clip": by_clip}


def _comparable(anchor: str, name: str) -> bool:
    """Whether what makes the difference is the codec: an anchor that sharpens is for those that sharpen alike, or otherwise than
    the package does."""
    ours, theirs = sharpening(anchor), sharpening(name)
    return ours is None or theirs in (None, ours)


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
        found[metric] = differences([pair for pair in pairs if are_curves(*pair)], AT_BPP)
    return found
