"""How noisy a picture is, from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ..degrade.noise import LUMA_OF_RGB
from ..types import Clip

#: What an estimated noise level is held to: denoisers were trained between about these.
_LEAST_SIGMA, _MOST_SIGMA = 1.0, 55.0

#: Side of the blocks that are looked at one by one, in coefficients (twice as many pixels).
_BLOCK = 8


def estimate_noise(picture: Tensor) -> float:
    """Standard deviation of the white noise in a picture (height, width), in the picture's units; 0 where it can't be told.

    The diagonal coefficients of the Haar wavelet hold little but noise; their root mean square is taken in blocks of 16 x 16
    pixels, and the median over blocks passes over those full of texture (after Donoho's median of absolute coefficients, which
    integer code values make too coarse). Blocks without any are left out: black bars are not noise-free video.
    """
    height, width = (side // 2 * 2 for side in picture.shape)
    even, odd = picture[0:height:2, :width], picture[1:height:2, :width]
    difference = even - odd
    detail = (difference[:, 0::2] - difference[:, 1::2]) / 2
    rows, columns = min(_BLOCK, detail.shape[0]), min(_BLOCK, detail.shape[1])
    if not rows or not columns:
        return 0.0
    blocks = detail.square().unfold(0, rows, rows).unfold(1, columns, columns).mean((2, 3)).flatten()
    blocks = blocks[blocks > 0]
    return float(blocks.median().sqrt()) if blocks.numel() else 0.0


def luma_noise(clip: Clip) -> float:
    """The strength of a clip's noise in luma: standard deviation in 8-bit code values, of the median frame."""
    levels = sorted(estimate_noise(torch.from_numpy(luma.astype("float32"))) for luma in clip.planes[0])
    return levels[len(levels) // 2] / (1 << (clip.color.bit_depth - 8))


def clip_noise(clip: Clip) -> float:
    """The strength of a clip's noise in 8-bit R'G'B' code values, taken for equally strong and independent in the three."""
    code_values = 255 if clip.color.full_range else 219
    return min(max(luma_noise(clip) * 255 / code_values / LUMA_OF_RGB, _LEAST_SIGMA), _MOST_SIGMA)
