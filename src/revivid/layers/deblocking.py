"""Smoothing where blocks meet, after HEVC's deblocking filter (Norkin et al., "HEVC Deblocking Filter", IEEE TCSVT 2012).

Of the three samples on either side of an edge the inner two move towards each other, by no more than a share of the quantiser's
step, where the picture is even on both sides and something was coded in one of the blocks: what was brought as it is stays so. That
is a matter of integers, and all else is continuous in the samples, so that machines which round differently stay near each other.
"""

from __future__ import annotations

from torch import Tensor

#: Of the quantiser's step: how far a sample moves at most, and how uneven a side is where nothing is done any more.
_MOST, _EVEN = 0.07, 0.6
#: A jump of so many times the most is the picture's own.
_OWN = 10.0


def deblock(frame: Tensor, coded: Tensor, side: int, step: float) -> Tensor:
    """`frame` (N, C, H, W), overwritten, with the edges of its blocks of `side` pixels smoothed.

    `coded` (N, 1, H/side, W/side), bool: which blocks have a residual; an edge of one that has counts. `step`: of the quantiser, as
    samples are.
    """
    for across, blocks in ((frame, coded), (frame.transpose(2, 3), coded.transpose(2, 3))):
        _smooth(across, blocks, side, step)
    return frame


def _smooth(frame: Tensor, coded: Tensor, side: int, step: float) -> None:
    """The edges between columns."""
    if frame.shape[-1] <= side:
        return
    before = [frame[..., side - 1 - k :: side][..., :-1] for k in range(3)]
    after = [frame[..., side + k :: side] for k in range(3)]
    touched = (coded[..., :-1] | coded[..., 1:]).repeat_interleave(side, -2)
    jump = (9 * (after[0] - before[0]) - 3 * (after[1] - before[1])) / 16
    bent = [x[2] - 2 * x[1] + x[0] for x in (before, after)]
    uneven = bent[0].abs() + bent[1].abs()
    weight = (2 - uneven * (2 / (_EVEN * step))).clamp_(0, 1)
    weight *= (2 - jump.abs() * (2 / (_OWN * _MOST * step))).clamp_(0, 1)
    move = jump.clamp_(-_MOST * step, _MOST * step) * weight * touched
    before[0] += move
    after[0] -= move
