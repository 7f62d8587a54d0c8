"""RefineNet: what compression took from video that was sharpened before, in YUV 4:2:0 planes and in real time. Our own design.

    a frame as cells of 4x4 luma samples with their U and V, and of its neighbours every fourth one: 24 and 4 channels
        U-shaped network of `cellnet` on this grid -> a factor for each of F filters  \\
        the frame's own cells -> F linear filters ---------------------------------- * - mix - (+ the frame) - planes

A decoded picture is made better by filters that differ from place to place. That they are chosen by multiplying is shown to the
network instead of being left to learn, and four times as few cells as CellNet's let it keep up with playing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cellnet import CELL, CellNet

#: Luma samples along a cell's side, and samples in it: of luma and of U and V.
SIDE = 4
LUMA, CHROMA = SIDE**2, SIDE**2 // 2
#: Samples of a neighbour's cell.
HALVED = LUMA // 4
#: What is taken off code value / peak: one of the 256 steps of 8 bits, so that int8 holds the planes exactly.
CENTRE = 128 / 255


class RefineNet(CellNet):
    """Refines the middle one of `2 reach + 1` decoded frames, told the x265 CRF. `filters`: F; the others are CellNet's.

    The untrained network returns its input. Its weights come inside the package, under the package's own licence (Apache-2.0).
    Raises `UsageError` for hyper-parameters that can't work.
    """

    def __init__(
        self,
        task: str = "refine",
        reach: int = 1,
        widths: Sequence[int] = (32, 64, 96),
        encoder: Sequence[int] = (0, 0),
        middle: int = 2,
        decoder: Sequence[int] = (1, 1),
        filters: int = 32,
    ) -> None:
        inputs, outputs = LUMA + CHROMA + 2 * reach * HALVED - CELL * (2 * reach + 1), filters - CELL
        super().__init__(task, reach, widths, encoder, middle, decoder, more_inputs=inputs, more_outputs=outputs)
        self.filters = nn.Conv2d(LUMA + CHROMA, filters, 3, padding=1)
        self.luma, self.chroma = nn.Conv2d(filters, LUMA, 1), nn.Conv2d(filters, CHROMA, 1)
        for layer in (self.filters, self.luma, self.chroma):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        # Layers that `restoration.ranges` leaves out: the first ones' range is known, and the last ones must not round.
        self.exact = ("stem", "filters", "luma", "chroma")
        unit = SIDE // 2
        reached = unit * (self.traits.spatial_reach or 0) + 2 * SIDE
        self.traits = replace(
            self.traits,
            spatial_reach=reached,
            size_multiple=unit * self.traits.size_multiple,
            tile_multiple=unit * self.traits.tile_multiple,
            # A cell is sixteen pixels here.
            bytes_per_pixel=1.5 * widths[0] + 0.75 * filters,
        )

    def forward(self, y: Tensor, uv: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        self._check_planes(y, uv, strength)
        (height, width), reach = y.shape[-2:], self.reach
        y, uv = padded(y, SIDE), padded(uv, SIDE // 2)
        luma, chroma = y[:, reach : reach + 1], uv[:, 2 * reach : 2 * reach + 2]
        own = torch.cat((F.pixel_unshuffle(luma, SIDE), F.pixel_unshuffle(chroma, SIDE // 2)), 1) - CENTRE
        seen = own
        if reach:
            others = torch.cat((y[:, :reach], y[:, reach + 1 :]), 1)[..., ::2, ::2]
            seen = torch.cat((own, F.pixel_unshuffle(others, SIDE // 2) - CENTRE), 1)
        factors = self._residual(seen, strength)
        chosen = self.filters(own.contiguous(memory_format=torch.channels_last)) * factors
        luma = luma + F.pixel_shuffle(self.luma(chosen), SIDE)
        chroma = chroma + F.pixel_shuffle(self.chroma(chosen), SIDE // 2)
        return luma[..., :height, :width], chroma[..., : -(-height // 2), : -(-width // 2)]


def padded(planes: Tensor, multiple: int) -> Tensor:
    """Rows and columns repeated below and on the right, up to a multiple."""
    height, width = planes.shape[-2:]
    return F.pad(planes, (0, -width % multiple, 0, -height % multiple), mode="replicate")
