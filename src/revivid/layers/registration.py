"""Iterated registration: a flow made exact to a fraction of a pixel (Lucas, Kanade, "An Iterative Image Registration Technique with
an Application to Stereo Vision", IJCAI 1981), with robust weights.

Each round warps the reference, and moves each cell's vector to where the brightness that is still missed around it, taken as linear
in the shift, is least squares.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .warp import backward_warp

#: Brightness (0 to 1) that is missed where a pixel counts half as much, and what keeps flat cells where they are.
_ROBUST, _FLAT = 0.02, 2e-4
#: Pixels that a vector moves in a round at most.
_STEP = 2.0


def register(target: Tensor, reference: Tensor, flow: Tensor, cell: int, rounds: int = 6, window: int = 3) -> Tensor:
    """A flow (N, 2, H/cell, W/cell), in pixels, from `target` to `reference` (N, 1, H, W), improved.

    `window`: cells along the side of what a vector is found from. Good for what the flow misses by up to a few pixels.
    """
    for _ in range(rounds):
        enlarged = F.interpolate(flow, scale_factor=float(cell), mode="bilinear", align_corners=False)
        warped = backward_warp(reference, enlarged, padding="border")
        missed = target - warped
        across, down = _gradients((warped + target) / 2)
        flow = flow + _step(across, down, missed, cell, window)
    return flow


def nudge(target: Tensor, reference: Tensor, flow: Tensor, cell: int, rounds: int = 2) -> Tensor:
    """As `register`, for less: looks at every second pixel along each side only, and at the gradients of `target` alone.

    H and W are multiples of `cell`, which is even.
    """
    height, width = target.shape[-2:]
    across, down = (gradient[..., ::2, ::2] for gradient in _gradients(target))
    x, y = (torch.arange(0, side, 2, dtype=flow.dtype, device=flow.device) + 0.5 for side in (width, height))
    target = target[..., ::2, ::2]
    for _ in range(rounds):
        # Of four pixels' middle, and taken for the first of them: networks that see these flows were trained so.
        enlarged = F.interpolate(flow, scale_factor=cell / 2, mode="bilinear", align_corners=False)
        places = torch.stack(((x + enlarged[:, 0]) * (2 / width) - 1, (y[:, None] + enlarged[:, 1]) * (2 / height) - 1), -1)
        missed = target - F.grid_sample(reference, places, padding_mode="border", align_corners=False)
        flow = flow + _step(across, down, missed, cell // 2, 3)
    return flow


def _step(across: Tensor, down: Tensor, missed: Tensor, cell: int, window: int) -> Tensor:
    """By how much vectors change to explain the brightness that is `missed`, by these gradients, in robust least squares."""
    weight = 1 / (missed.abs() + _ROBUST)
    products = torch.cat((across * across, across * down, down * down, across * missed, down * missed), 1) * weight
    xx, xy, yy, xe, ye = _around(products, cell, window).split(1, 1)
    xx, yy = xx + _FLAT, yy + _FLAT
    steps = torch.cat((yy * xe - xy * ye, xx * ye - xy * xe), 1) / (xx * yy - xy * xy)
    return steps.clamp(-_STEP, _STEP)


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences across and down."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    return across, (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2


def _around(x: Tensor, cell: int, window: int) -> Tensor:
    """Means over each cell and those around it."""
    means = F.pad(F.avg_pool2d(x, cell), (window // 2,) * 4, mode="replicate")
    return F.avg_pool2d(means, window, 1)
