"""DenoiseNet: noise averaged away along motion, then over space, in YUV 4:2:0 planes. Our own design.

    neighbouring frames, registered with the middle one - as far as they agree with it - their mean: merged
    symmetric pairs of pixels around each one of what is merged ----------------------------------------- + - `kernelnet` - planes

Averaging the same place of several frames costs no detail, which is what counts where noise is weak; averaging over space does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .cellnet import CELL
from .registered import FARTHEST
from .registerednet import PAIRS, RegisteredNet, pairs

#: Mean absolute difference of pure noise in parts of its sigma: of one picture, of two interpolated ones.
_EXPECTED = 1.1
#: How much more than that makes a place doubtful: in parts of the range, and of sigma.
_DOUBT, _DOUBT_BY_SIGMA = 0.004, 0.3


class DenoiseNet(RegisteredNet):
    """Denoises the middle one of `2 reach + 1` frames, told the standard deviation of the noise in luma, in 8-bit code values.

    The untrained network returns the mean of what agrees. The hyper-parameters are CellNet's. Its weights come inside the package,
    under the package's own licence (Apache-2.0), with those of the estimator of motion, which are not trained along. Raises
    `UsageError` for hyper-parameters that can't work.
    """

    shows_neighbours = True

    def __init__(
        self,
        task: str = "denoise",
        reach: int = 2,
        widths: Sequence[int] = (32, 64, 96),
        encoder: Sequence[int] = (0, 1),
        middle: int = 2,
        decoder: Sequence[int] = (1, 1),
        gate: float = 0.0,
    ) -> None:
        reach = max(reach, 1)
        counts = {"samples": 2 * reach + 1 + len(PAIRS), "beside": 2 * reach, "hints": 2 * reach + 3}
        super().__init__(task, reach, widths, encoder, middle, decoder, gate, **counts, farthest=FARTHEST)
        with torch.no_grad():
            self.head.bias[CELL + 2 * reach] = 1.0  # type: ignore[index]

    def _doubts(self, strength: Tensor) -> tuple[Tensor | float, Tensor | float]:
        sigma = strength / 255
        return _EXPECTED * sigma, _DOUBT + _DOUBT_BY_SIGMA * sigma

    def _samples(self, middle: Tensor, changes: Tensor, agree: Tensor) -> Tensor:
        agreed = changes * agree
        merged = agreed.sum(1, keepdim=True) / (1 + agree.sum(1, keepdim=True))
        return torch.cat((agreed, merged, pairs(middle + merged)), 1)
