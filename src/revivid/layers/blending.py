"""Two pictures brought to an instant between them along one field of motion, and blended. A field may be coarser than the pictures.

    motion in cells (N,2,h,w) - where every cell is seen in both pictures - columns - rows - where every pixel is - a sample of each

Motion is taken as even: what is at p of the new picture was at p - time * motion and will be at p + (1 - time) * motion.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: Of the way from the first picture to the second, 0 to 1 without the ends: one for all, or (N,) one for each.
Time = float | Tensor


def bring(first: Tensor, second: Tensor, motion: Tensor, cell: int, time: Time) -> tuple[Tensor, Tensor]:
    """Both pictures (N,C,H,W) as they would look at `time` by `motion`, whose cells have `cell` x `cell` pixels.

    Bilinear; beyond borders pictures and motion go on as they are there. Cells may reach over the lower and the right border.
    """
    places = _enlarged(_places(motion, cell, first.shape, time), cell, first.shape)
    return _sampled(first, places[:, :2]), _sampled(second, places[:, 2:])


def blend(first: Tensor, second: Tensor, field: Tensor, cell: int, time: Time) -> Tensor:
    """The picture (N,C,H,W) at `time`: both, brought there, in the shares of the field's third channel, a logit for the second.

    Where it is 0 the shares are 1 - time and time.
    """
    mask = F.pad(field[:, 2:], (1, 1, 1, 1), mode="replicate")
    prior = torch.logit(time).view(-1, 1, 1, 1) if isinstance(time, Tensor) else math.log(time / (1 - time))
    coarse = torch.cat((_places(field[:, :2], cell, first.shape, time), torch.sigmoid(mask + prior)), 1)
    full = _enlarged(coarse, cell, first.shape)
    return torch.lerp(_sampled(first, full[:, :2]), _sampled(second, full[:, 2:4]), full[:, 4:])


def _places(motion: Tensor, cell: int, shape: torch.Size, time: Time) -> Tensor:
    """(N,4,h+2,w+2): x and y in the first and in the second picture as `grid_sample` counts, with a border of one cell."""
    height, width = shape[-2:]
    motion = F.pad(motion, (1, 1, 1, 1), mode="replicate")
    rows, columns = (torch.arange(-1, side - 1, dtype=motion.dtype, device=motion.device) for side in motion.shape[-2:])
    x = (columns + 0.5) * (2 * cell / width) - 1
    y = ((rows + 0.5) * (2 * cell / height) - 1)[:, None]
    to_right, down = motion[:, 0] * (2 * cell / width), motion[:, 1] * (2 * cell / height)
    passed = time.view(-1, 1, 1) if isinstance(time, Tensor) else time
    left = 1 - passed
    return torch.stack((x - passed * to_right, y - passed * down, x + left * to_right, y + left * down), 1)


def _sampled(picture: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(picture, places.permute(0, 2, 3, 1), mode="bilinear", padding_mode="border", align_corners=False)


def _enlarged(coarse: Tensor, cell: int, shape: torch.Size) -> Tensor:
    """(N,C,h+2,w+2) -> (N,C,H,W), bilinear: every cell becomes `cell` x `cell` pixels, an even number; the border falls away.

    One axis after the other takes half of `interpolate`'s time.
    """
    for axis in (3, 2):
        coarse = _stretched(coarse, cell, axis).narrow(axis, cell // 2, shape[axis])
    return coarse


def _stretched(x: Tensor, cell: int, axis: int) -> Tensor:
    """`cell` samples from the middle of each sample to the middle of the next, along one axis."""
    steps = (torch.arange(cell, dtype=x.dtype, device=x.device) + 0.5) / cell
    steps = steps.view(-1, *[1] * (3 - axis))
    nearer = x.narrow(axis, 0, x.shape[axis] - 1).unsqueeze(axis + 1)
    return torch.addcmul(nearer, x.diff(dim=axis).unsqueeze(axis + 1), steps).flatten(axis, axis + 1)
