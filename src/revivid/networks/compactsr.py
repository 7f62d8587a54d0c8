"""CompactSR: small super-resolution for decoded video on cells of 2x2 luma samples, in YUV 4:2:0 planes. Our own design.

    y (N,1,H,W) - unshuffle 2 -+
                               +- stem of `planes.PlanesSR`, whose features all lie on the grid of chroma
    uv (N,2,H/2,W/2) ----------+

Everything runs at half of the input's resolution, where convolutions are cheapest, and luma and chroma meet on one grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.bicubic import cell_filters
from .planes import PlanesSR, check_hyperparameters


class CompactSR(PlanesSR):
    """Super-resolution of single frames that came out of a video encoder, told by how much they were compressed.

    `scale`: 2 or 4. `channels`: width, best in multiples of 16. `layers`: 3x3 convolutions between the first and the heads.

    Planes y (N,1,H,W) and uv (N,2,H/2,W/2) of code value / peak, any size, and the CRF -> planes of `scale` times the size.
    An output pixel depends on 2 * (layers + 2) + 2 pixels of input on each side, and on no other frame. Its weights come inside
    the package, under the package's own licence (Apache-2.0).
    """

    def __init__(self, scale: int = 4, channels: int = 48, layers: int = 5) -> None:
        check_hyperparameters("CompactSR", scale, channels, layers)
        super().__init__(
            scale,
            channels,
            layers,
            cell=2,
            stem=nn.Conv2d(6, channels, 3),
            chroma_head=nn.Conv2d(channels, 2 * scale**2, 1),
            luma_filters=cell_filters(scale),
        )

    def _view(self, y: Tensor, uv: Tensor, *_guide: Tensor) -> tuple[Tensor, Tensor]:
        height, width = y.shape[-2:]
        cells = F.pixel_unshuffle(F.pad(y, (2, 2 + width % 2, 2, 2 + height % 2), mode="replicate"), 2)
        return torch.cat([cells, F.pad(uv, (1, 1, 1, 1), mode="replicate")], dim=1), cells
