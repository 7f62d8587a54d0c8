"""DenoiseNet: noise averaged away along motion, then over space, in YUV 4:2:0 planes. Our own design.

    neighbouring frames, registered with the middle one - as far as they agree with it - their mean: merged
    symmetric pairs of pixels around each one of what is merged ----------------------------------------- + - `kernelnet` - planes

Averaging the same place of several frames costs no detail, which is what counts where noise is weak; averaging over space does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.blending import fetched
from ..layers.registration import nudge
from .cellnet import CELL
from .deartifactnet import PAIRS, around, pairs
from .kernelnet import KernelNet, Samples, shape_of

#: Pixels along the side of a cell that registration finds a vector for.
_CELL = 8
#: Motion is followed so far, in pixels; strips of a frame see as much beyond their ends.
_FARTHEST = 96
#: Mean absolute difference of pure noise in parts of its sigma: of one picture, of two interpolated ones.
_EXPECTED = 1.1
#: How much more than that makes a place doubtful: in parts of the range, and of sigma.
_DOUBT, _DOUBT_BY_SIGMA = 0.004, 0.3


class DenoiseNet(KernelNet):
    """Denoises the middle one of `2 reach + 1` frames, told the standard deviation of the noise in luma, in 8-bit code values.

    The untrained network returns the mean of what agrees. The hyper-parameters are CellNet's. Its weights come inside the package,
    under the package's own licence (Apache-2.0), with those of the estimator of motion, which are not trained along. Raises
    `UsageError` for hyper-parameters that can't work.
    """

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
        super().__init__(task, reach, widths, encoder, middle, decoder, gate, **counts, farthest=_FARTHEST)
        with torch.no_grad():
            self.head.bias[CELL + 2 * reach] = 1.0  # type: ignore[index]

    def guide(self, y: Tensor, peak: float = 1.0) -> Tensor:
        """Where every place of the middle frame is in its neighbours (N,4 reach,ceil(H/2),ceil(W/2)), on the grid of cells.

        x and y in pixels: one frame before, one after, two before, and so on. `y` (N,T,H,W), 0 to `peak`, is of whole frames.
        """
        height, width = y.shape[-2:]
        found = super().guide(y, peak)
        y = F.pad(y.float() / peak, (0, -width % _CELL, 0, -height % _CELL), mode="replicate")
        rows, columns = y.shape[-2] // 2, y.shape[-1] // 2
        found = F.pad(found, (0, columns - found.shape[-1], 0, rows - found.shape[-2]), mode="replicate")
        coarse = F.avg_pool2d(found, _CELL // 2).split(2, 1)
        frames = y.split(1, 1)
        flows = []
        for distance, motion in enumerate(coarse, 1):
            for way in (-distance, distance):
                flow = nudge(frames[self.reach], frames[self.reach + way], way * motion, _CELL)
                flows.append(F.interpolate(flow, scale_factor=_CELL / 2, mode="bilinear"))
        return torch.cat(flows, 1)[..., : -(-height // 2), : -(-width // 2)]

    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, strength: Tensor, /) -> Samples:
        flows = motion.clamp(-_FARTHEST, _FARTHEST)
        sigma = strength[:, None, None, None] / 255
        brought = self._brought(y, F.interpolate(flows, scale_factor=2.0, mode="bilinear"))
        excess = (around(brought.abs()) - _EXPECTED * sigma).relu_()
        agree = torch.exp(-(excess / (_DOUBT + _DOUBT_BY_SIGMA * sigma)).square_())
        halved = F.avg_pool2d(agree, 2)
        luma = _averaged(y[:, self.reach : self.reach + 1], brought, agree)
        planes = []
        for plane in (uv[:, ::2], uv[:, 1::2]):
            changes = self._brought(plane, flows / 2)
            planes.append(_averaged(plane[:, self.reach : self.reach + 1], changes, halved))
        shape = shape_of((flows[:, 2:4] - flows[:, :2]) / 2)
        return Samples(luma, torch.stack(planes, 1), brought, torch.cat((halved, shape), 1))

    def _brought(self, planes: Tensor, flows: Tensor) -> Tensor:
        """(N,2 reach,H,W): the neighbours of `planes` (N,T,H,W), nearest first, as differences from the middle one."""
        middle = planes[:, self.reach : self.reach + 1]
        ways = (way for distance in range(1, self.reach + 1) for way in (-distance, distance))
        pictures = [planes[:, self.reach + way : self.reach + way + 1] for way in ways]
        return torch.cat([fetched(p, flow) - middle for p, flow in zip(pictures, flows.split(2, 1), strict=True)], 1)


def _averaged(middle: Tensor, brought: Tensor, agree: Tensor) -> Tensor:
    """Differences from `middle` (N,1,H,W): of neighbours where they agree, of their mean with it, of pairs within that mean."""
    agreed = brought * agree
    merged = agreed.sum(1, keepdim=True) / (1 + agree.sum(1, keepdim=True))
    return torch.cat((agreed, merged, pairs(middle + merged)), 1)
