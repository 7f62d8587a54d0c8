"""LumaSR: small super-resolution for decoded video on the grid of its luma samples, in YUV 4:2:0 planes. Our own design.

    y (N,1,H,W) -----------+
                           +- conv3 - FiLM(CRF), LReLU +- [conv3, LReLU] x layers -(+)-+- conv3 ---------(+ bicubic)- shuffle - y
    uv (N,2,H/2,W/2) - x2 -+                           +---------------------------+   +- conv3, stride 2 (+ bicubic)- shuffle - uv

All luma samples share the same weights, where CompactSR works on cells of 2x2 and learns four sets of them: of equally expensive
networks this one learns faster and gains more (docs/compact-networks.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from .compactsr import MAX_CRF, SLOPE, chroma_bicubic_filters
from .traits import Traits


class LumaSR(nn.Module):
    """Super-resolution of single frames that came out of a video encoder, told by how much they were compressed.

    `scale`: 2 or 4. `channels`: width, best in multiples of 16. `layers`: 3x3 convolutions between the first and the heads.
    With its zero-initialised heads the untrained network is exactly bicubic interpolation.
    """

    filters: Tensor
    #: Luma samples per position of the features and direction.
    cell = 1

    def __init__(self, scale: int = 4, channels: int = 32, layers: int = 8) -> None:
        super().__init__()
        if scale not in (2, 4) or channels < 1 or layers < 1:
            raise UsageError(
                f"LumaSR can't have scale {scale}, channels {channels}, layers {layers}",
                hint="scale is 2 or 4, channels and layers at least 1.",
            )
        self.scale = scale
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        modulation = nn.Linear(16, 2 * channels)
        self.condition = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(SLOPE), modulation)
        body = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)]
        self.body = nn.Sequential(*(m for conv in body for m in (conv, nn.LeakyReLU(SLOPE, inplace=True))))
        self.luma_head = nn.Conv2d(channels, scale**2, 3, padding=1)
        self.chroma_head = nn.Conv2d(channels, 2 * scale**2, 3, stride=2, padding=1)
        for layer in (self.stem, *body, modulation, self.luma_head, self.chroma_head):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        for layer in (self.stem, *body):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        self.register_buffer("filters", chroma_bicubic_filters(scale), persistent=False)
        self.traits = Traits(
            tasks=("super-resolve",),
            kind="planes",
            scale=scale,
            channels=3,
            spatial_reach=layers + 4,
            channel_order="yuv",
            licence="Apache-2.0",
        )

    def forward(self, y: Tensor, uv: Tensor, crf: Tensor) -> tuple[Tensor, Tensor]:
        """Upscale planes of code value / peak.

        `y` (N,1,H,W), `uv` (N,2,ceil(H/2),ceil(W/2)), `crf` (N,) in 0..51. Returns (N,1,sH,sW) and (N,2,sH/2,sW/2), not
        clamped: the kernel overshoots at edges. Raises `ShapeError` where the planes don't fit each other.
        """
        luma, chroma = self._phases(y, uv, crf)
        return self._assemble(luma, chroma, y.shape[-2:])

    def restore(self, y: Tensor, uv: Tensor, crf: Tensor, bit_depth: int = 8) -> tuple[Tensor, Tensor]:
        """`forward` from integer code values to integer code values: uint8 at 8 bits, uint16 above."""
        peak = (1 << bit_depth) - 1
        # int16 holds 15 bits and, unlike uint16, can be shuffled; rounding half up comes from truncating the +0.5.
        dtype = torch.uint8 if bit_depth == 8 else torch.int16
        phases = self._phases(y.float() / peak, uv.float() / peak, crf)
        luma, chroma = (part.mul_(peak).add_(0.5).clamp_(0, peak).to(dtype) for part in phases)
        planes = self._assemble(luma, chroma, y.shape[-2:])
        return planes if bit_depth == 8 else (planes[0].view(torch.uint16), planes[1].view(torch.uint16))

    def _phases(self, y: Tensor, uv: Tensor, crf: Tensor) -> tuple[Tensor, Tensor]:
        """All output samples of each input sample as channels, float32: luma s^2; chroma U s^2, then V s^2."""
        height, width = y.shape[-2:]
        if y.shape[1] != 1 or uv.shape != (y.shape[0], 2, -(-height // 2), -(-width // 2)) or crf.shape != y.shape[:1]:
            raise ShapeError(
                f"LumaSR got y {tuple(y.shape)}, uv {tuple(uv.shape)}, crf {tuple(crf.shape)}",
                hint="It wants y (N,1,H,W), uv (N,2,ceil(H/2),ceil(W/2)) and crf (N,).",
            )
        chroma_grid = F.interpolate(uv, scale_factor=2.0, mode="nearest")[..., :height, :width]
        inputs = torch.cat([y, chroma_grid], dim=1).sub_(0.5).contiguous(memory_format=torch.channels_last)
        gain, shift = self.condition(crf[:, None] / MAX_CRF)[..., None, None].chunk(2, dim=1)
        features = F.leaky_relu_(torch.addcmul(shift, self.stem(inputs), 1 + gain), SLOPE)
        features = features + self.body(features)
        with torch.autocast(y.device.type, enabled=False):  # eight bits of mantissa would show as banding
            luma = F.conv2d(F.pad(y.float(), (2, 2, 2, 2), mode="replicate"), self.filters[: self.scale**2])
            chroma = F.conv2d(F.pad(uv.float(), (2, 2, 2, 2), mode="replicate"), self.filters, groups=2)
        luma += self.luma_head(features)
        chroma += self.chroma_head(features)
        return luma, chroma

    def _assemble(self, luma: Tensor, chroma: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Phases to planes; what an odd `size` (H, W) of the input added is cut off."""
        y = F.pixel_shuffle(luma, self.scale)
        uv = F.pixel_shuffle(chroma, self.scale)
        height, width = self.scale * size[0], self.scale * size[1]
        return y, uv[..., : height // 2, : width // 2]
