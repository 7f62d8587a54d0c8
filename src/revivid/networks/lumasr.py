"""LumaSR: small super-resolution for decoded video on the grid of its luma samples, in YUV 4:2:0 planes. Our own design.

    y (N,1,H,W) ------------------+
                                  +- stem of `planes.PlanesSR`, whose chroma head goes back to the grid of chroma by its stride
    uv (N,2,H/2,W/2) - nearest x2 +

All luma samples share the same weights, where CompactSR works on cells of 2x2 and learns four sets of them: of equally expensive
networks this one learns faster and gains more (docs/compact-networks.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.bicubic import sample_filters
from .planes import PlanesSR, check_hyperparameters


class LumaSR(PlanesSR):
    """Super-resolution of single frames that came out of a video encoder, told by how much they were compressed.

    `scale`: 2 or 4. `channels`: width, best in multiples of 16. `layers`: 3x3 convolutions between the first and the heads.

    Planes y (N,1,H,W) and uv (N,2,H/2,W/2) of code value / peak, any size, and the CRF -> planes of `scale` times the size.
    An output pixel depends on layers + 4 pixels of input on each side, and on no other frame. Its weights come inside the
    package, under the package's own licence (Apache-2.0).
    """

    def __init__(self, scale: int = 4, channels: int = 32, layers: int = 8) -> None:
        check_hyperparameters("LumaSR", scale, channels, layers)
        super().__init__(
            scale,
            channels,
            layers,
            cell=1,
            stem=nn.Conv2d(3, channels, 3, padding=1),
            chroma_head=nn.Conv2d(channels, 2 * scale**2, 3, stride=2, padding=1),
            luma_filters=sample_filters(scale),
        )

    def _view(self, y: Tensor, uv: Tensor, *_guide: Tensor) -> tuple[Tensor, Tensor]:
        height, width = y.shape[-2:]
        chroma = F.interpolate(uv, scale_factor=2.0, mode="nearest")[..., :height, :width]
        seen = torch.cat([y, chroma], dim=1).contiguous(memory_format=torch.channels_last)
        return seen, F.pad(y, (2, 2, 2, 2), mode="replicate")
