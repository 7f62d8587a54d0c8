"""The motion that most of a picture makes, and where it explains two pictures better than a field of motion does.

Shutters, fences and waves look the same after many moves; a search in the small finds one of them, and seldom the right one.
A camera that pans over them moves all of the picture alike: what the rest of it does is the best guess for them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .blending import Time, bring

#: Gauss-Newton steps from the median of the field, each by a pixel at most.
_STEPS = 2
#: Pixels that differ by more, in parts of the range, move otherwise and don't count; so much is added to squared gradients.
_AGREES, _DAMPING = 0.06, 1e-3
#: Cells a side over which differences are compared, and by how much better the one motion must be than the field.
_WINDOW, _BETTER = 9, 0.9


def steadied(first: Tensor, second: Tensor, field: Tensor, cell: int, time: Time) -> Tensor:
    """`field` (N,3,h,w), motion in cells and mask as `blending.blend` takes it, with the dominant motion where that explains more.

    Pictures (N,1,H,W) in [0, 1].
    """
    motion = dominant(first, second, field[:, :2], cell)
    common = torch.cat((motion.expand_as(field[:, :2]), torch.zeros_like(field[:, 2:])), 1)
    apart = _difference(*bring(first, second, field[:, :2].contiguous(), cell, time), field, cell)
    passed = time.view(-1, 1, 1, 1) if isinstance(time, Tensor) else time
    alike = _translated(first, -passed * cell * motion), _translated(second, (1 - passed) * cell * motion)
    better = _difference(*alike, field, cell) < _BETTER * apart
    share = F.avg_pool2d(F.pad(better.to(field.dtype), (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.lerp(field, common, share)


def dominant(first: Tensor, second: Tensor, motion: Tensor, cell: int) -> Tensor:
    """The one motion in cells (N,2,1,1) of most of a picture: the median of `motion` (N,2,h,w), made more exact (Lucas & Kanade,
    IJCAI 1981) where both pictures then agree."""
    found = motion.flatten(2).median(2).values[..., None, None]
    for _ in range(_STEPS):
        found = found + _correction(first, _translated(second, found * cell)) / cell
    return found


def _translated(pictures: Tensor, motion: Tensor) -> Tensor:
    """(N,1,H,W) as seen from where it is after `motion` (N,2,1,1) in pixels; bilinear, borders go on as they are there."""
    return torch.cat([_shifted(picture[None], *way.flatten().tolist()) for picture, way in zip(pictures, motion, strict=True)])


def _shifted(picture: Tensor, right: float, down: float) -> Tensor:
    for axis, way in ((3, right), (2, down)):
        size = picture.shape[axis]
        whole = math.floor(way)
        places = torch.arange(whole, whole + size + 1, device=picture.device).clamp_(0, size - 1)
        longer = picture.index_select(axis, places)
        picture = torch.lerp(longer.narrow(axis, 0, size), longer.narrow(axis, 1, size), way - whole)
    return picture


def _correction(first: Tensor, second: Tensor) -> Tensor:
    """By how many pixels (N,2,1,1) `second` is farther than `first` (N,1,H,W), by what agrees in every second row and column.

    0 where that is not most of them.
    """
    mean = first + second
    centre = (slice(None), slice(None), slice(1, -1, 2), slice(1, -1, 2))
    x = (mean[..., 1:-1:2, 2::2] - mean[..., 1:-1:2, :-2:2]) / 4
    y = (mean[..., 2::2, 1:-1:2] - mean[..., :-2:2, 1:-1:2]) / 4
    passed = first[centre] - second[centre]
    counts = passed.abs() < _AGREES
    xx, xy, yy, xt, yt = ((product * counts).sum((2, 3)) for product in (x * x, x * y, y * y, x * passed, y * passed))
    xx, yy = xx + _DAMPING, yy + _DAMPING
    step = torch.stack((yy * xt - xy * yt, xx * yt - xy * xt), 1) / (xx * yy - xy * xy)[:, None]
    most = counts.to(step.dtype).mean((1, 2, 3)) > 0.5
    return (step.clamp(-1, 1) * most.view(-1, 1, 1)).unsqueeze(-1)


def _difference(first: Tensor, second: Tensor, field: Tensor, cell: int) -> Tensor:
    """Mean absolute difference (N,1,h,w) of pictures around each cell of a field (N,3,h,w)."""
    height, width = (cell * side for side in field.shape[-2:])
    apart = (first - second).abs()
    apart = F.pad(apart, (0, width - apart.shape[-1], 0, height - apart.shape[-2]), mode="replicate")
    reach = _WINDOW // 2
    return F.avg_pool2d(F.pad(F.avg_pool2d(apart, cell), (reach,) * 4, mode="replicate"), _WINDOW, 1)
