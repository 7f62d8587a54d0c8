"""A picture seen along the motion through each of its places: what blurred it lies there, the same whatever way and however far.

    motion in pixels per frame - samples ahead of and behind each pixel on its way - how their mean differs from the pixel

The inverse of an even blur along a line is one filter on these differences, for motion of any direction and length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .blending import sampled

#: Samples are never farther from their pixel, in pixels along each axis.
REACH = 96


def along(picture: Tensor, motion: Tensor, offsets: Sequence[float]) -> Tensor:
    """(N,K,H,W): for each of K offsets, in frames, the mean of what is so far ahead and so far behind, less the pixel itself.

    `picture` (N,1,H,W), `motion` (N,2,H,W) in pixels per frame, x and y. Bilinear; borders go on as they are there.
    """
    height, width = picture.shape[-2:]
    rows, columns = (torch.arange(side, dtype=motion.dtype, device=motion.device) for side in (height, width))
    centre = torch.stack(torch.meshgrid((rows + 0.5) * (2 / height) - 1, (columns + 0.5) * (2 / width) - 1, indexing="ij")[::-1])
    pixel = motion.new_tensor((2 / width, 2 / height))[:, None, None]
    found = []
    for offset in offsets:
        way = (motion * offset).clamp_(-REACH, REACH) * pixel
        found.append(sampled(picture, centre + way).add_(sampled(picture, centre - way)))
    return torch.cat(found, 1).div_(2).sub_(picture)
