"""The best division of bits, few pixels finely quantised or many coarsely: each scale with the CRF that meets the target, restored.

    a size or a rate    each scale at the CRF that keeps it    -> the one whose restored samples have the highest PSNR-Y
    a quality           each scale at the CRF that reaches it  -> the one that takes the fewest bits

Where they are equal, more pixels win: restoring them costs less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from ..errors import UnreachableTarget
from ..recipe import SCALES
from .options import CompressOptions
from .target import Found, Goal

#: What is found for options whose scale is known; judged: with the score of what is chosen.
Find = Callable[[CompressOptions, bool], Found]


def find(options: CompressOptions, search: Find, rate: Callable[[CompressOptions], float]) -> Found:
    """The CRF for the options' target, and the scale where that is to be found.

    `rate` tells the bits per second of options with a CRF. Raises `UnreachableTarget` where no scale does it, and what `search`
    raises.
    """
    if options.share is not None:
        usual = replace(options.at_scale(Fraction(1)), crf=None, share=None)
        options = options.at_bitrate(options.share * rate(usual))
    if not options.seeks_scale:
        return search(options, False)
    tried, faults = [], []
    for scale in SCALES:
        try:
            tried.append(search(options.at_scale(scale), True))
        except UnreachableTarget as fault:
            faults.append(fault)
    if not tried:
        goal = Goal.of(options)
        # Few pixels need the fewest bits, many come nearest to the original.
        raise faults[-1 if goal is not None and goal.limits_bits else 0]
    best = max(tried, key=_worth)
    return replace(best, tried=tuple(tried))


def _worth(found: Found) -> float:
    if not found.goal.limits_bits:
        return -found.chosen.kbit_s
    assert found.chosen.score is not None
    return found.chosen.score
