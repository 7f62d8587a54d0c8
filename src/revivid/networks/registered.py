"""Where the places of a frame are in its neighbours, and what they look like from there.

    frames around one - CompactInterp: motion from one end to the other - halved, and registered with the frame itself - flows
    neighbours, flows - sampled sharply - as differences from the frame - and how far they agree with it

The interpolator takes motion as even and never looks at the frame between; registration does, to a fraction of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.blending import fetched
from ..layers.registration import nudge
from .compactinterp import CELLS, CompactInterp, reduction

#: Weights of the package that training takes for the estimator of motion, by the name that networks give that part.
BORROWED = {"motion": "compactinterp-x2"}
#: Flows are followed so far, in pixels; strips of a frame see as much beyond their ends.
FARTHEST = 96
#: Pixels along the side of a cell that registration finds a vector for.
_CELL = 8


@torch.no_grad()
def motion_between(estimator: CompactInterp, y: Tensor, distance: int, peak: float = 1.0) -> Tensor:
    """Motion through the middle one of frames (N,T,H,W), in pixels per frame, by those `distance` away.

    (N,2,ceil(H/2),ceil(W/2)), on the grid of chroma.
    """
    middle = y.shape[1] // 2
    ends = y[:, [middle - distance, middle + distance]].float()
    with torch.autocast(y.device.type, enabled=False):
        field = estimator.field(ends, 0.5, peak)[:, :2]
    cell = CELLS[-1] * reduction(ends)
    motion = F.interpolate(field, scale_factor=cell / 2, mode="bilinear") * (cell / (2 * distance))
    return motion[..., : -(-y.shape[-2] // 2), : -(-y.shape[-1] // 2)]


@torch.no_grad()
def registered_flows(estimator: CompactInterp, y: Tensor, peak: float = 1.0) -> Tensor:
    """Where every place of the middle one of T frames is in the others (N,2(T-1),ceil(H/2),ceil(W/2)), on the grid of chroma.

    x and y in luma pixels, in the order of `ways`. `y` (N,T,H,W), 0 to `peak`, is of whole frames.
    """
    height, width = y.shape[-2:]
    reach = y.shape[1] // 2
    frames = F.pad(y.float() / peak, (0, -width % _CELL, 0, -height % _CELL), mode="replicate").split(1, 1)
    rows, columns = frames[0].shape[-2] // 2, frames[0].shape[-1] // 2
    flows = []
    for distance in range(1, reach + 1):
        motion = motion_between(estimator, y, distance, peak)
        motion = F.pad(motion, (0, columns - motion.shape[-1], 0, rows - motion.shape[-2]), mode="replicate")
        coarse = F.avg_pool2d(motion, _CELL // 2)
        for way in (-distance, distance):
            with torch.autocast(y.device.type, enabled=False):
                flow = nudge(frames[reach], frames[reach + way], way * coarse, _CELL)
            flows.append(F.interpolate(flow, scale_factor=_CELL / 2, mode="bilinear"))
    return torch.cat(flows, 1)[..., : -(-height // 2), : -(-width // 2)]


def ways(reach: int) -> Iterator[int]:
    """-1, 1, -2, 2, ... to `reach`: the order of neighbours."""
    for distance in range(1, reach + 1):
        yield from (-distance, distance)


def brought(planes: Tensor, flows: Tensor) -> Tensor:
    """(N,T-1,H,W): neighbours of `planes` (N,T,H,W), in the order of `ways`, as differences from the middle one.

    `flows` (N,2(T-1),H,W) in pixels of these planes.
    """
    reach = planes.shape[1] // 2
    middle = planes[:, reach : reach + 1]
    pictures = [planes[:, reach + way : reach + way + 1] for way in ways(reach)]
    return torch.cat([fetched(p, flow) - middle for p, flow in zip(pictures, flows.split(2, 1), strict=True)], 1)


def agreement(differences: Tensor, expected: Tensor | float, doubt: Tensor | float) -> Tensor:
    """0 to 1 by neighbour, on a grid half as fine (N,K,ceil(H/2),ceil(W/2)), for `differences` (N,K,H,W).

    Where mean absolute differences around, over 6x6 pixels, exceed the `expected` ones not by much more than `doubt`.
    """
    cells = F.avg_pool2d(differences.abs(), 2, ceil_mode=True)
    around = F.avg_pool2d(F.pad(cells, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.exp(-((around - expected).relu_() / doubt).square_())


def finer(coarse: Tensor, height: int, width: int) -> Tensor:
    """On the grid of luma what is known on that of chroma."""
    return F.interpolate(coarse, scale_factor=2.0, mode="bilinear")[..., :height, :width]
