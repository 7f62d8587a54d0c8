"""DeartifactNet: coding artefacts averaged away over time and space, in YUV 4:2:0 planes. Our own design.

    neighbouring frames brought along their motion, as they are and where they agree - \\
    symmetric pairs of pixels around each one ---------------------------------------- + - `kernelnet` - planes

What a codec rounded away differs from frame to frame as far as it coded them anew: what they agree on is nearer to the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.blending import bring
from .kernelnet import KernelNet, Samples, shape_of
from .registered import around

#: Mean differences over 5x5 pixels, in parts of the range, from which a brought frame no longer agrees.
_AGREES = 0.01
#: One of each pair of pixels around the middle one, within 5x5: down, right.
PAIRS = tuple((dy, dx) for dy in range(3) for dx in range(-2, 3) if dy > 0 or dx > 0)
#: Motion is followed so far, in pixels; strips of a frame see as much beyond their ends.
_FARTHEST = 96


class DeartifactNet(KernelNet):
    """Removes coding artefacts of the middle one of `2 reach + 1` frames, told the x265 CRF.

    The hyper-parameters are CellNet's. Its weights come inside the package, under the package's own licence (Apache-2.0), with
    those of the estimator of motion, which are not trained along. Raises `UsageError` for hyper-parameters that can't work.
    """

    def __init__(
        self,
        task: str = "deartifact",
        reach: int = 2,
        widths: Sequence[int] = (32, 64),
        encoder: Sequence[int] = (0,),
        middle: int = 2,
        decoder: Sequence[int] = (1,),
        gate: float = 0.0,
    ) -> None:
        reach = max(reach, 1)
        counts = {"samples": 4 * reach + len(PAIRS), "beside": 0, "hints": 3}
        super().__init__(task, reach, widths, encoder, middle, decoder, gate, **counts, farthest=_FARTHEST)

    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, _strength: Tensor, /) -> Samples:
        u, v = uv[:, ::2], uv[:, 1::2]
        motion = motion.clamp(-_FARTHEST / self.reach, _FARTHEST / self.reach)
        brought = self._brought(y, motion)
        agree = torch.exp(-(around(brought.abs()) / _AGREES).square())
        luma = torch.cat((brought, brought * agree, pairs(y[:, self.reach : self.reach + 1])), 1)
        halved, slower = F.avg_pool2d(agree, 2), F.avg_pool2d(motion / 2, 2, ceil_mode=True)
        chroma = []
        for plane in (u, v):
            changes = self._brought(plane, slower)
            chroma.append(torch.cat((changes, changes * halved, pairs(plane[:, self.reach : self.reach + 1])), 1))
        return Samples(luma, torch.stack(chroma, 1), None, shape_of(motion[:, :2]))

    def _brought(self, planes: Tensor, motion: Tensor) -> Tensor:
        """(N,2 reach,H,W): the neighbours before and after, nearest first, as differences from the middle one.

        `planes` (N,T,H,W) and their motion, in pixels per frame, on a grid of cells of 2x2 of them.
        """
        middle = planes[:, self.reach : self.reach + 1]
        found: list[Tensor] = []
        for distance in range(1, self.reach + 1):
            before, after = (planes[:, self.reach + k : self.reach + k + 1] for k in (-distance, distance))
            # From end to end it is 2 distance as many pixels, which are distance as many cells.
            cells = motion[:, 2 * distance - 2 : 2 * distance] * distance
            found += (end - middle for end in bring(before, after, cells.contiguous(), 2, 0.5))
        return torch.cat(found, 1)


def pairs(plane: Tensor) -> Tensor:
    """(N,1,H,W) -> (N,12,H,W): the mean of two opposite pixels less the one between."""
    height, width = plane.shape[-2:]
    outer = F.pad(plane, (2, 2, 2, 2), mode="replicate")

    def at(dy: int, dx: int) -> Tensor:
        return outer[..., 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]

    return torch.cat([(at(dy, dx) + at(-dy, -dx)) / 2 - plane for dy, dx in PAIRS], 1)
