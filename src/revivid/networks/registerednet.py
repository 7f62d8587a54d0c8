"""RegisteredNet: what the KernelNets share that average a frame with its registered neighbours. Our own design.

    neighbours, registered with the middle frame (`registered`) - how far they agree with it - samples - `kernelnet` - planes

Subclasses say what makes a neighbour doubtful, and which samples they make of a plane, its neighbours and their agreement.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from .cellnet import in_cells
from .kernelnet import KernelNet, Samples, shape_of
from .registered import FARTHEST, agreement, brought, finer

#: One of each pair of pixels around the middle one, within 5x5: down, right.
PAIRS = tuple((dy, dx) for dy in range(3) for dx in range(-2, 3) if dy > 0 or dx > 0)


class RegisteredNet(KernelNet):
    """Restores the middle one of `2 reach + 1` frames."""

    #: Whether the network also sees the neighbours' differences where it can't add them, and how far they agree.
    shows_neighbours = False

    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, strength: Tensor, /) -> Samples:
        flows = motion.clamp(-FARTHEST, FARTHEST)
        changes = brought(y, finer(flows, *y.shape[-2:]))
        agree = agreement(changes, *self._doubts(strength[:, None, None, None]))
        luma = self._samples(y[:, self.reach : self.reach + 1], changes, finer(agree, *y.shape[-2:]))
        middle = uv[:, 2 * self.reach : 2 * self.reach + 2].split(1, 1)
        planes = (uv[:, ::2], uv[:, 1::2])
        chroma = [self._samples(own, brought(plane, flows / 2), agree) for own, plane in zip(middle, planes, strict=True)]
        shape = shape_of((flows[:, 2:4] - flows[:, :2]) / 2)
        beside, hints = (changes, torch.cat((agree, shape), 1)) if self.shows_neighbours else (None, shape)
        return Samples(in_cells(luma).unflatten(1, (-1, 4)), torch.stack(chroma, 2), beside, hints)

    @abstractmethod
    def _doubts(self, strength: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """`agreement`'s expected differences and doubt, in parts of the range, for a strength (N,1,1,1)."""

    @abstractmethod
    def _samples(self, middle: Tensor, changes: Tensor, agree: Tensor) -> Tensor:
        """(N,K,H,W): differences from `middle` (N,1,H,W), of its neighbours' `changes` and their agreement (N,2 reach,H,W)."""


def pairs(plane: Tensor) -> Tensor:
    """(N,1,H,W) -> (N,12,H,W): the mean of two opposite pixels less the one between."""
    height, width = plane.shape[-2:]
    outer = F.pad(plane, (2, 2, 2, 2), mode="replicate")

    def at(dy: int, dx: int) -> Tensor:
        return outer[..., 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]

    return torch.cat([(at(dy, dx) + at(-dy, -dx)) / 2 - plane for dy, dx in PAIRS], 1)
