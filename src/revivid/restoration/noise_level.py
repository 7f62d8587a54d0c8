"""How noisy a picture is, from the picture alone."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ..degrade.noise import LUMA_OF_RGB
from ..types import Clip

#: What an estimated noise level is held to: denoisers were trained between about these.
_LEAST_SIGMA, _MOST_SIGMA = 1.0, 55.0

#: Side of the blocks that are looked at one by one, in coefficients (twice as many pixels).
_BLOCK = 8
#: The share of blocks that are called quiet, and their loudest's mean square over the noise's: a tenth of the chi-squared
#: distribution with 64 degrees of freedom.
_QUIET, _OF_QUIET = 0.1, 0.784
#: Torch's quantile takes so many numbers.
_MOST_BLOCKS = 2**24
#: The share of blocks that must change between frames.
_MOVING = 0.5


def estimate_noise(picture: Tensor) -> float:
    """Standard deviation of the white noise in a picture (height, width), in the picture's units; 0 where it can't be told.

    The diagonal coefficients of the Haar wavelet hold little but noise; their mean square is taken in blocks of 16 x 16 pixels,
    and the quietest tenth of the blocks says how strong it is, since texture only adds. Blocks without any are left out: black bars
    are not noise-free video.
    """
    blocks = _blocks(picture)
    return _level(blocks[blocks > 0])


def _blocks(picture: Tensor) -> Tensor:
    """Mean square of the diagonal coefficients in each block."""
    height, width = (side // 2 * 2 for side in picture.shape)
    even, odd = picture[0:height:2, :width], picture[1:height:2, :width]
    difference = even - odd
    detail = (difference[:, 0::2] - difference[:, 1::2]) / 2
    rows, columns = min(_BLOCK, detail.shape[0]), min(_BLOCK, detail.shape[1])
    if not rows or not columns:
        return torch.zeros(0)
    return detail.square().unfold(0, rows, rows).unfold(1, columns, columns).mean((2, 3)).flatten()


def _level(blocks: Tensor) -> float:
    return float(torch.quantile(blocks[:_MOST_BLOCKS], _QUIET) / _OF_QUIET) ** 0.5 if blocks.numel() else 0.0


def luma_noise(clip: Clip) -> float:
    """The strength of a clip's noise in luma: standard deviation in 8-bit code values.

    The least of what its frames and the differences between them say: texture adds to the former, motion to the latter. Frames
    that are largely repeated say nothing by their difference.
    """
    frames = [torch.from_numpy(luma.astype("float32")) for luma in clip.planes[0]]
    levels = [estimate_noise(frame) for frame in frames]
    for one, other in pairwise(frames):
        blocks = _blocks(one - other)
        if (blocks > 0).float().mean() > _MOVING:
            levels.append(_level(blocks[blocks > 0] / 2))
    return min(levels) / (1 << (clip.color.bit_depth - 8))


def clip_noise(clip: Clip) -> float:
    """The strength of a clip's noise in 8-bit R'G'B' code values, taken for equally strong and independent in the three."""
    code_values = 255 if clip.color.full_range else 219
    return min(max(luma_noise(clip) * 255 / code_values / LUMA_OF_RGB, _LEAST_SIGMA), _MOST_SIGMA)
