"""A `Shot` filmed: the view at any instant, in linear light, sub-pixel.

    photograph -> R'G'B' -> light -> means of 2x2 pixels -> affine view, bilinear -> pieces pasted over it, seen in the same way

The view takes every second pixel of the photograph or fewer: averaging before sampling is what a lens and a sensor do.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import clip_to_rgb
from ..types import Clip
from .light import to_linear
from .movement import Pose
from .shot import Patch, Shot

#: Pixels of the photograph over which a piece's edge fades.
_EDGE = 2.0


class MovingPicture:
    """The first frame of `photo`, filmed as `shot` says, in a view of (height, width)."""

    def __init__(self, photo: Clip, shot: Shot, view: tuple[int, int]) -> None:
        self.shot, self.view = shot, view
        light = to_linear(clip_to_rgb(photo[0:1]), photo.color.transfer)
        # Channels last: all three values of a pixel lie together, which halves the time of sampling.
        self._picture = F.avg_pool2d(light, 2, stride=1).contiguous(memory_format=torch.channels_last)
        self._pieces = [_piece(self._picture[0], patch, shot.zoom) for patch in shot.patches]

    def at(self, time: float) -> Tensor:
        """The view at `time` in seconds: light (3, height, width) in [0, 1]."""
        pose = self.shot.camera.at(time)
        centre = [origin + self.shot.zoom * moved for origin, moved in zip(self.shot.origin, (pose.y, pose.x), strict=True)]
        view = _seen(self._picture, centre, self.shot.zoom * 2**pose.octaves, pose.angle, (0.0, 0.0), self.view, "reflection")
        for patch, piece in zip(self.shot.patches, self._pieces, strict=True):
            self._paste(view, piece, patch, patch.movement.at(time))
        return view

    def travel(self, start: float, end: float) -> float:
        """How far any point of the view moves between two instants at most, in pixels; a bound for slow turns."""
        radius = math.hypot(*self.view) / 2
        far = _distance(self.shot.camera.at(start), self.shot.camera.at(end), radius)
        for patch in self.shot.patches:
            far = max(far, _distance(patch.movement.at(start), patch.movement.at(end), patch.size / 2))
        return far

    def _paste(self, view: Tensor, piece: Tensor, patch: Patch, pose: Pose) -> None:
        centre = (patch.start[0] + pose.y, patch.start[1] + pose.x)
        radius = patch.size / 2 * 2**pose.octaves + 1
        low = [max(0, math.floor(c - radius)) for c in centre]
        high = [min(side, math.ceil(c + radius)) for c, side in zip(centre, self.view, strict=True)]
        size = (high[0] - low[0], high[1] - low[1])
        if min(size) <= 0:
            return
        # From the piece's centre to the middle of the box that it covers.
        offset = ((low[0] + high[0]) / 2 - centre[0], (low[1] + high[1]) / 2 - centre[1])
        step = self.shot.zoom * 2**-pose.octaves
        middle = (piece.shape[2] / 2, piece.shape[3] / 2)
        seen = _seen(piece, middle, step, -pose.angle, offset, size, "zeros")
        box = view[:, low[0] : high[0], low[1] : high[1]]
        box.mul_(1 - seen[3]).add_(seen[:3])


def _seen(
    source: Tensor,
    centre: tuple[float, float] | list[float],
    step: float,
    angle: float,
    offset: tuple[float, float],
    size: tuple[int, int],
    beyond: str,
) -> Tensor:
    """`source` (1, C, H, W) at  centre + step R(angle) (p + offset)  for the pixels p of a grid of `size` around 0: (C, h, w)."""
    height, width = source.shape[2:]
    along, across = step * math.cos(angle), step * math.sin(angle)
    rows, columns = (torch.arange(side) + (0.5 - side / 2 + moved) for side, moved in zip(size, offset, strict=True))
    # PyTorch's coordinates: x first, -1 to 1 from edge to edge.
    grid = torch.empty(1, *size, 2)
    to_x, to_y = 2 / width, 2 / height
    torch.add(columns * (along * to_x), (rows * (across * to_x) + (centre[1] * to_x - 1))[:, None], out=grid[0, :, :, 0])
    torch.add(columns * (-across * to_y), (rows * (along * to_y) + (centre[0] * to_y - 1))[:, None], out=grid[0, :, :, 1])
    return F.grid_sample(source, grid, mode="bilinear", padding_mode=beyond, align_corners=False)[0]


def _piece(picture: Tensor, patch: Patch, zoom: float) -> Tensor:
    """(1, 4, S, S): light inside the outline, and how opaque it is; the light is multiplied by that already."""
    top, left = (int(corner) for corner in patch.corner)
    side = math.ceil(patch.size * zoom)
    light = picture[:, top : top + side, left : left + side]
    light = F.pad(light, (0, side - light.shape[2], 0, side - light.shape[1]))
    offsets = torch.arange(side) + 0.5 - side / 2
    angle = torch.atan2(offsets[:, None], offsets[None, :])
    radius = 1 + sum(a * torch.cos(k * angle + phase) for k, (a, phase) in enumerate(patch.outline, 2))
    radius *= (side / 2 - _EDGE) / (1 + sum(a for a, _ in patch.outline))
    opaque = ((radius - torch.hypot(offsets[:, None], offsets[None, :])) / _EDGE).clamp_(0, 1)
    return torch.cat((light * opaque, opaque[None]))[None].contiguous(memory_format=torch.channels_last)


def _distance(start: Pose, end: Pose, radius: float) -> float:
    turn = abs(end.angle - start.angle) + math.log(2) * abs(end.octaves - start.octaves)
    return math.hypot(end.y - start.y, end.x - start.x) + radius * turn
