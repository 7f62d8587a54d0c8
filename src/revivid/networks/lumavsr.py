"""LumaVSR: LumaSR that also sees neighbouring frames, registered to a fraction of a pixel. Our own design.

    a frame's planes, as LumaSR sees them ------------------------------------------ +
    neighbours' luma brought to it, as it is and where it agrees; their mean ------- + - LumaSR - larger planes
    where between the pixels each of them was sampled, as waves -------------------- +

Where a neighbour falls between the frame's pixels it shows detail that the frame alone has lost, and what the encoder rounded away
differs from frame to frame. The waves say where that is: two samples half a pixel apart tell more than two at the same place.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.bicubic import sample_filters
from .compactinterp import CompactInterp
from .planes import PlanesSR, check_hyperparameters
from .registered import BORROWED, FARTHEST, agreement, brought, finer, registered_flows

#: Mean difference, in parts of the range, that makes a neighbour doubtful.
_DOUBT = 0.03
#: Differences are shown larger, since they are small beside what else the network sees.
_AMPLIFIED = 4.0


class LumaVSR(PlanesSR):
    """Super-resolution of the middle one of `2 reach + 1` frames that came out of a video encoder, told the CRF.

    `scale`, `channels`, `layers`: LumaSR's. Planes y (N,T,H,W) and uv (N,2T,ceil(H/2),ceil(W/2)) as U V U V ..., of code value /
    peak, any size, and the CRF -> planes of `scale` times the size. Its weights come inside the package, under the package's own
    licence (Apache-2.0), with those of the estimator of motion, which are not trained along. Raises `UsageError` for
    hyper-parameters that can't work.
    """

    def __init__(self, scale: int = 4, channels: int = 32, layers: int = 8, reach: int = 2) -> None:
        check_hyperparameters("LumaVSR", scale, channels, layers)
        if reach < 1:
            raise UsageError(f"LumaVSR can't have reach {reach}", hint="It sees one neighbour on each side at least; LumaSR none.")
        # Of every neighbour its difference, that where it agrees, and four waves; and their mean.
        seen = 3 + 2 * reach * 6 + 1
        super().__init__(
            scale,
            channels,
            layers,
            cell=1,
            stem=nn.Conv2d(seen, channels, 3, padding=1),
            chroma_head=nn.Conv2d(channels, 2 * scale**2, 3, stride=2, padding=1),
            luma_filters=sample_filters(scale),
        )
        self.reach = reach
        self.motion = CompactInterp().requires_grad_(False)
        self.borrowed = BORROWED
        self.traits = replace(
            self.traits,
            guided=True,
            temporal_reach=(reach, reach),
            spatial_reach=(self.traits.spatial_reach or 0) + FARTHEST,
            bytes_per_pixel=self.traits.bytes_per_pixel + 8.0 * seen,
        )

    def guide(self, y: Tensor, peak: float = 1.0) -> Tensor:
        """Where every place of the middle frame is in its neighbours: `registered_flows`."""
        return registered_flows(self.motion, y, peak)

    def _view(self, y: Tensor, uv: Tensor, *guide: Tensor) -> tuple[Tensor, Tensor]:
        height, width = y.shape[-2:]
        middle = y[:, self.reach : self.reach + 1]
        chroma = uv[:, 2 * self.reach : 2 * self.reach + 2]
        chroma = F.interpolate(chroma, scale_factor=2.0, mode="nearest")[..., :height, :width]
        with torch.no_grad(), torch.autocast(y.device.type, enabled=False):
            beside = self._neighbours(y.float(), (guide[0] if guide else self.guide(y)).float())
        seen = torch.cat([middle, chroma, beside.to(y.dtype) + 0.5], dim=1).contiguous(memory_format=torch.channels_last)
        return seen, F.pad(middle, (2, 2, 2, 2), mode="replicate")

    def _neighbours(self, y: Tensor, flows: Tensor) -> Tensor:
        """(N,12 reach + 1,H,W): what there is to see of the neighbours of luma (N,T,H,W)."""
        height, width = y.shape[-2:]
        flows = finer(flows.clamp(-FARTHEST, FARTHEST), height, width)
        changes = brought(y, flows)
        agree = finer(agreement(changes, 0.0, _DOUBT), height, width)
        agreed = changes * agree
        mean = agreed.sum(1, keepdim=True) / (1 + agree.sum(1, keepdim=True))
        turns = 2 * math.pi * flows
        return torch.cat((changes * _AMPLIFIED, agreed * _AMPLIFIED, mean * _AMPLIFIED, turns.sin() / 4, turns.cos() / 4), 1)
