"""A picture seen along the motion through each of its places: what blurred it lies there, the same whatever way and however far.

    motion in pixels per frame - samples ahead of and behind each pixel on its way - how their mean differs from the pixel

The inverse of an even blur along a line is one filter on these differences, for motion of any direction and length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

#: Samples are never farther from their pixel, in pixels along each axis.
REACH = 96
#: Places that are looked at together: what they take stays in the cache.
_AT_ONCE = 1 << 16


def along(picture: Tensor, motion: Tensor, offsets: Sequence[float]) -> Tensor:
    """(N,K,C,H,W): for each of K offsets, in frames, the mean of what is so far ahead and so far behind, less the pixel itself.

    `picture` (N,C,H,W), `motion` (N,2,H,W) in pixels per frame, x and y. Bilinear; borders go on as they are there.
    """
    centre, pixel = _centres(motion)
    return _differences(picture, picture, centre, motion.permute(0, 2, 3, 1).contiguous(), pixel, offsets)


def along_in_cells(picture: Tensor, motion: Tensor, offsets: Sequence[float]) -> Tensor:
    """The same of a plane (N,1,H,W) with even sides, as cells (N,K,4,H/2,W/2): sampled in their order, which costs no more."""
    centre, pixel = _centres(motion)
    centre, motion = (_cells_below_each_other(each) for each in (centre, motion.permute(0, 2, 3, 1)))
    middle = F.pixel_unshuffle(picture, 2)
    found = _differences(picture, middle.flatten(1, 2)[:, None], centre, motion, pixel, offsets)
    return found.view(len(picture), -1, *middle.shape[1:])


def _centres(motion: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels' centres (1,H,W,2) as `grid_sample` counts, and the size of a pixel (2,)."""
    height, width = motion.shape[-2:]
    pixel = motion.new_tensor((2 / width, 2 / height))
    rows, columns = (torch.arange(side, dtype=motion.dtype, device=motion.device) + 0.5 for side in (height, width))
    centre = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1) * pixel - 1
    return centre[None], pixel


def _cells_below_each_other(places: Tensor) -> Tensor:
    """(N,H,W,2) -> (N,2H,W/2,2): of all cells the first pixel, then of all the second, the third and the fourth."""
    count, height, width, _ = places.shape
    cells = places.reshape(count, height // 2, 2, width // 2, 2, 2).permute(0, 2, 4, 1, 3, 5)
    return cells.reshape(count, 2 * height, width // 2, 2)


def _differences(
    picture: Tensor, middle: Tensor, centre: Tensor, motion: Tensor, pixel: Tensor, offsets: Sequence[float]
) -> Tensor:
    """(N,K,C,h,w): `picture` at `centre` and `motion` (N,h,w,2) away from it both ways, less `middle` (N,C,h,w)."""
    way, farthest = motion * pixel, REACH * pixel
    # Clamping takes longer than all the rest of it, and hardly ever changes anything.
    reach = float(motion.abs().amax()) if motion.numel() else 0.0
    found = picture.new_empty(len(picture), len(offsets), *middle.shape[1:])
    rows = max(_AT_ONCE // middle.shape[-1], 1)
    strips = zip(*(each.split(rows, 1) for each in (centre, way)), *(each.split(rows, -2) for each in (middle, found)), strict=True)
    for place, some, own, out in strips:
        for k, offset in enumerate(offsets):
            far, times = (some, offset) if reach * offset <= REACH else (torch.clamp(some * offset, -farthest, farthest), 1.0)
            ahead, behind = (_sampled(picture, torch.add(place, far, alpha=side * times)) for side in (1, -1))
            torch.sub(ahead.add_(behind).mul_(0.5), own, out=out[:, k])
    return found


def _sampled(picture: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(picture, places, mode="bilinear", padding_mode="border", align_corners=False)
