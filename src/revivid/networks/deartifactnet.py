"""DeartifactNet: coding artefacts averaged away over time and space, in YUV 4:2:0 planes. Our own design.

    neighbouring frames, registered with the middle one, as they are and where they agree - \\
    symmetric pairs of pixels around each one ---------------------------------------- + - `kernelnet` - planes

What a codec rounded away differs from frame to frame as far as it coded them anew: what they agree on is nearer to the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .kernelnet import KernelNet, Samples, shape_of
from .registered import FARTHEST, agreement, brought, finer, registered_flows

#: What makes a neighbour doubtful, in parts of the range: differences above this and above x265's error, which is so much at this
#: CRF and doubles every so many steps.
_DOUBT, _ERROR, _ERROR_CRF, _DOUBLES = 0.003, 0.0075, 22.0, 8.5
#: One of each pair of pixels around the middle one, within 5x5: down, right.
PAIRS = tuple((dy, dx) for dy in range(3) for dx in range(-2, 3) if dy > 0 or dx > 0)


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
        super().__init__(task, reach, widths, encoder, middle, decoder, gate, **counts, farthest=FARTHEST)

    def guide(self, y: Tensor, peak: float = 1.0) -> Tensor:
        """Where every place of the middle frame is in its neighbours: `registered_flows`."""
        return registered_flows(self.motion, y, peak)

    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, strength: Tensor, /) -> Samples:
        flows = motion.clamp(-FARTHEST, FARTHEST)
        error = _ERROR * 2 ** ((strength[:, None, None, None] - _ERROR_CRF) / _DOUBLES)
        changes = brought(y, finer(flows, *y.shape[-2:]))
        agree = agreement(changes, 0.0, _DOUBT + error)
        luma = _samples(y[:, self.reach : self.reach + 1], changes, finer(agree, *y.shape[-2:]))
        middle = uv[:, 2 * self.reach : 2 * self.reach + 2].split(1, 1)
        planes = (uv[:, ::2], uv[:, 1::2])
        chroma = [_samples(own, brought(plane, flows / 2), agree) for own, plane in zip(middle, planes, strict=True)]
        return Samples(luma, torch.stack(chroma, 1), None, shape_of((flows[:, 2:4] - flows[:, :2]) / 2))


def _samples(middle: Tensor, changes: Tensor, agree: Tensor) -> Tensor:
    return torch.cat((changes, changes * agree, pairs(middle)), 1)


def pairs(plane: Tensor) -> Tensor:
    """(N,1,H,W) -> (N,12,H,W): the mean of two opposite pixels less the one between."""
    height, width = plane.shape[-2:]
    outer = F.pad(plane, (2, 2, 2, 2), mode="replicate")

    def at(dy: int, dx: int) -> Tensor:
        return outer[..., 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]

    return torch.cat([(at(dy, dx) + at(-dy, -dx)) / 2 - plane for dy, dx in PAIRS], 1)
