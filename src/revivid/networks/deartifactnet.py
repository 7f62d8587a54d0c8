"""DeartifactNet: coding artefacts averaged away over time and space, in YUV 4:2:0 planes. Our own design.

    neighbouring frames, registered with the middle one, as they are and where they agree - \\
    symmetric pairs of pixels around each one ---------------------------------------- + - `kernelnet` - planes

What a codec rounded away differs from frame to frame as far as it coded them anew: what they agree on is nearer to the truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .registered import FARTHEST
from .registerednet import PAIRS, RegisteredNet, pairs

#: What makes a neighbour doubtful, in parts of the range: differences above this and above x265's error, which is so much at this
#: CRF and doubles every so many steps.
_DOUBT, _ERROR, _ERROR_CRF, _DOUBLES = 0.003, 0.0075, 22.0, 8.5


class DeartifactNet(RegisteredNet):
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

    def _doubts(self, strength: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return 0.0, _DOUBT + _ERROR * 2 ** ((strength - _ERROR_CRF) / _DOUBLES)

    def _samples(self, middle: Tensor, changes: Tensor, agree: Tensor) -> Tensor:
        return torch.cat((changes, changes * agree, pairs(middle)), 1)
