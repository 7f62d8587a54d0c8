"""Smoothing where blocks meet, after HEVC's deblocking filter (Norkin et al., "HEVC Deblocking Filter", IEEE TCSVT 2012).

Of the three samples on either side of an edge the inner two move towards each other, by no more than a share of the quantiser's
step, where the picture is even on both sides and something was coded in one of the blocks: what was brought as it is stays so. All
of it is continuous in the samples, so that machines which round differently stay near each other.
"""

from __future__ import annotations

from torch import Tensor

#: Of the quantiser's step: how far a sample moves at most, and how uneven a side is where nothing is done any more.
_MOST, _EVEN = 0.07, 0.6
#: A jump of so many times the most is the picture's own.
_OWN = 10.0


def deblock(frame: Tensor, coded: Tensor, side: int, step: float) -> Tensor:
    """`frame` (N, C, H, W), overwritten, with the edges of its blocks of `side` pixels smoothed.

    `coded`: what was added to it of a residual; an edge counts where that is not zero. `step`: of the quantiser, as samples are.
    """
    for across, changed in ((frame, coded), (frame.transpose(2, 3), coded.transpose(2, 3))):
        _smooth(across, changed, side, step)
    return frame


def _smooth(frame: Tensor, coded: Tensor, side: int, step: float) -> None:
    """The edges between columns."""
    if frame.shape[-1] <= side:
        return
    before = [frame[..., side - 1 - k :: side][..., :-1] for k in range(3)]
    after = [frame[..., side + k :: side] for k in range(3)]
    touched = (coded[..., side - 1 :: side][..., :-1] != 0) | (coded[..., side::side] != 0)
    jump = (9 * (after[0] - before[0]) - 3 * (after[1] - before[1])) / 16
    bent = [x[2] - 2 * x[1] + x[0] for x in (before, after)]
    uneven = bent[0].abs() + bent[1].abs()
    weight = (2 - uneven * (2 / (_EVEN * step))).clamp_(0, 1)
    weight *= (2 - jump.abs() * (2 / (_OWN * _MOST * step))).clamp_(0, 1)
    move = jump.clamp_(-_MOST * step, _MOST * step) * weight * touched.any(1, keepdim=True)
    before[0] += move
    after[0] -= move
