"""Two pictures brought to an instant between them along one field of motion, and blended. A field may be coarser than the pictures.

    motion in cells (N,2,h,w) - where every cell is seen in both pictures - columns - rows - where every pixel is - a sample of each

Motion is taken as even: what is at p of the new picture was at p - time * motion and will be at p + (1 - time) * motion.

Bilinear samples between pixels are blurred. Keys' cubic interpolation (a = -1/2, IEEE Trans. ASSP 29, 1981) along a line is linear
interpolation less f (1 - f) / 2 times the second differences, f being how far between pixels. Where motion is the same all around,
these can as well be taken from the result: `blend` so gives back what sampling blurred for an eighth of what cubic samples take.
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
    return sampled(first, places[:, :2]), sampled(second, places[:, 2:])


def blend(first: Tensor, second: Tensor, field: Tensor, cell: int, time: Time, *, sharp: bool = True) -> Tensor:
    """The picture (N,C,H,W) at `time`: both, brought there, in the shares of the field's third channel, a logit for the second.

    Where it is 0 the shares are 1 - time and time. `sharp`: give back what sampling blurred; the result may then be beyond the
    range of both pictures.
    """
    outer = F.pad(field, (1, 1, 1, 1), mode="replicate")
    prior = torch.logit(time).view(-1, 1, 1, 1) if isinstance(time, Tensor) else math.log(time / (1 - time))
    coarse = [_places(field[:, :2], cell, first.shape, time), torch.sigmoid(outer[:, 2:] + prior)]
    if sharp:
        coarse.append(_blur(outer[:, :2] * cell, time, coarse[1]))
    full = _enlarged(torch.cat(coarse, 1), cell, first.shape)
    blended = torch.lerp(sampled(first, full[:, :2]), sampled(second, full[:, 2:4]), full[:, 4:5])
    return _sharpened(blended, full[:, 5:6], full[:, 6:]) if sharp else blended


def fetched(picture: Tensor, flow: Tensor) -> Tensor:
    """`picture` (N,C,H,W) at every pixel + `flow` (N,2,H,W), x and y in pixels, sharp: what sampling blurred is given back."""
    height, width = flow.shape[-2:]
    x, y = (torch.arange(side, dtype=flow.dtype, device=flow.device) + 0.5 for side in (width, height))
    places = torch.stack(((x + flow[:, 0]) * (2 / width) - 1, (y[:, None] + flow[:, 1]) * (2 / height) - 1), 1)
    between = flow - flow.floor()
    blurred = between * (1 - between) / 2
    return _sharpened(sampled(picture, places), blurred[:, :1], blurred[:, 1:])


def _blur(motion: Tensor, time: Time, share: Tensor) -> Tensor:
    """f (1 - f) / 2 along x and y (N,2,h,w), for motion in pixels: the mean of both pictures' in their shares."""
    passed = time.view(-1, 1, 1, 1) if isinstance(time, Tensor) else time
    first, second = (way - way.floor() for way in (motion * passed, motion * (1 - passed)))
    return torch.lerp(first * (1 - first), second * (1 - second), share) / 2


def _sharpened(picture: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """`picture` less its second differences along x and y in these parts (N,1,H,W); the outermost pixels stay along their axis."""
    out = picture.clone()
    for axis, part in ((3, across), (2, down)):
        size = picture.shape[axis] - 2
        if size > 0:
            before, middle, after = (picture.narrow(axis, start, size) for start in range(3))
            differences = (before + after).sub_(middle, alpha=2)
            out.narrow(axis, 1, size).addcmul_(part.narrow(axis, 1, size), differences, value=-1)
    return out


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


def sampled(picture: Tensor, places: Tensor) -> Tensor:
    """`picture` (N,C,H,W) at `places` (N,2,h,w), x and y as `grid_sample` counts; bilinear, borders go on as they are there."""
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
