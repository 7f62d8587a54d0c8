"""CompactSR: small super-resolution for decoded video, in the stream's own YUV 4:2:0 planes. Our own design.

    y (N,1,H,W) - unshuffle 2 -+
                               +- conv3 - FiLM(CRF), LReLU +- [conv3, LReLU] x layers -(+)-+- conv3 -(+ bicubic)- shuffle - y
    uv (N,2,H/2,W/2) ----------+                           +---------------------------+  +- conv1 -(+ bicubic)- shuffle - uv

Everything runs at half of the input's resolution, where convolutions are cheapest, and luma and chroma meet on one grid. The
heads predict the residual of every output phase over a bicubic upscaling, which is itself a fixed convolution on the same grid:
so clamping and rounding happen once, before the pixel shuffle, and the shuffle moves bytes instead of floats.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from .traits import Traits

#: Keys' cubic with a = -0.75, the kernel of `F.interpolate(mode="bicubic")` (Keys 1981, equation 4).
CUBIC_A = -0.75
#: Of the leaky ReLU. With plain ReLU nearly all units of the deeper layers died within a few thousand iterations.
SLOPE = 0.1
#: x265's CRF goes from 0 to 51.
MAX_CRF = 51.0


class CompactSR(nn.Module):
    """Super-resolution of single frames that came out of a video encoder, told by how much they were compressed.

    Planes y (N,1,H,W) and uv (N,2,H/2,W/2) of code value / peak, any size, and the CRF -> planes of `scale` times the size.
    An output pixel depends on 2 * (layers + 2) + 1 pixels of input on each side, and on no other frame. Its weights come inside
    the package, under the package's own licence (Apache-2.0).

    `scale`: 2 or 4. `channels`: width, best in multiples of 16. `layers`: 3x3 convolutions between the first and the heads.
    With its zero-initialised heads the untrained network is exactly bicubic interpolation.
    """

    luma_filters: Tensor
    chroma_filters: Tensor
    #: Luma samples per position of the features and direction.
    cell = 2

    def __init__(self, scale: int = 4, channels: int = 48, layers: int = 5) -> None:
        super().__init__()
        if scale not in (2, 4) or channels < 1 or layers < 1:
            raise UsageError(
                f"CompactSR can't have scale {scale}, channels {channels}, layers {layers}",
                hint="scale is 2 or 4, channels and layers at least 1.",
            )
        self.scale = scale
        self.stem = nn.Conv2d(6, channels, 3)
        modulation = nn.Linear(16, 2 * channels)
        self.condition = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), modulation)
        body = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)]
        self.body = nn.Sequential(*(m for conv in body for m in (conv, nn.LeakyReLU(SLOPE, inplace=True))))
        self.luma_head = nn.Conv2d(channels, 4 * scale**2, 3, padding=1)
        self.chroma_head = nn.Conv2d(channels, 2 * scale**2, 1)
        for layer in (self.stem, *body, modulation, self.luma_head, self.chroma_head):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        for layer in (self.stem, *body):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        self.register_buffer("luma_filters", luma_bicubic_filters(scale), persistent=False)
        self.register_buffer("chroma_filters", chroma_bicubic_filters(scale), persistent=False)
        self.traits = Traits(
            tasks=("super-resolve",),
            kind="planes",
            scale=scale,
            channels=3,
            spatial_reach=2 * (layers + 2) + 1,
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
        """All output samples of each half-resolution position as channels, float32: luma (2s)^2; U s^2, then V s^2."""
        height, width = y.shape[-2:]
        if y.shape[1] != 1 or uv.shape != (y.shape[0], 2, -(-height // 2), -(-width // 2)) or crf.shape != y.shape[:1]:
            raise ShapeError(
                f"CompactSR got y {tuple(y.shape)}, uv {tuple(uv.shape)}, crf {tuple(crf.shape)}",
                hint="It wants y (N,1,H,W), uv (N,2,ceil(H/2),ceil(W/2)) and crf (N,).",
            )
        y = F.pixel_unshuffle(F.pad(y, (2, 2 + width % 2, 2, 2 + height % 2), mode="replicate"), 2)
        uv = F.pad(uv, (2, 2, 2, 2), mode="replicate")
        features = self.stem(torch.cat([y, uv[..., 1:-1, 1:-1]], dim=1) - 0.5)
        gain, shift = self.condition(crf[:, None] / MAX_CRF)[..., None, None].chunk(2, dim=1)
        features = F.leaky_relu_(torch.addcmul(shift, features, 1 + gain), SLOPE)
        features = features + self.body(features)
        with torch.autocast(y.device.type, enabled=False):  # eight bits of mantissa would show as banding
            luma = F.conv2d(y.float(), self.luma_filters)
            chroma = F.conv2d(uv.float(), self.chroma_filters, groups=2)
        luma += self.luma_head(features)
        chroma += self.chroma_head(features)
        return luma, chroma

    def _assemble(self, luma: Tensor, chroma: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Phases to planes; rows and columns that an odd `size` (H, W) of the input added are cut off."""
        y = F.pixel_shuffle(luma, 2 * self.scale)
        uv = F.pixel_shuffle(chroma, self.scale)
        height, width = self.scale * size[0], self.scale * size[1]
        return y[..., :height, :width], uv[..., : height // 2, : width // 2]


def cubic(distance: float) -> float:
    """Keys' cubic convolution kernel at `distance` samples."""
    d = abs(distance)
    if d <= 1:
        return ((CUBIC_A + 2) * d - (CUBIC_A + 3)) * d * d + 1
    if d < 2:
        return ((CUBIC_A * d - 5 * CUBIC_A) * d + 8 * CUBIC_A) * d - 4 * CUBIC_A
    return 0.0


def phase_taps(scale: int) -> Tensor:
    """(scale, 5): what each output phase takes from the samples at -2..2 around its own, pixel centres aligned."""
    offsets = [(phase + 0.5) / scale - 0.5 for phase in range(scale)]
    return torch.tensor([[cubic(tap - offset) for tap in range(-2, 3)] for offset in offsets])


def chroma_bicubic_filters(scale: int) -> Tensor:
    """(2 * scale^2, 1, 5, 5): for a grouped convolution over U and V, phases in the order of `F.pixel_shuffle`."""
    taps = phase_taps(scale)
    filters = torch.einsum("ai,bj->abij", taps, taps).reshape(scale**2, 1, 5, 5)
    return filters.repeat(2, 1, 1, 1)


def luma_bicubic_filters(scale: int) -> Tensor:
    """(4 * scale^2, 4, 3, 3): bicubic on luma that was unshuffled by 2; the five taps of both samples lie in three cells."""
    taps = phase_taps(scale)
    line = torch.zeros(2 * scale, 6)  # from the six samples of the cells before, at and after
    line[:scale, 0:5] = taps
    line[scale:, 1:6] = taps
    line = line.reshape(2 * scale, 3, 2)  # phase, cell, sample in the cell
    return torch.einsum("aip,bjq->abpqij", line, line).reshape(4 * scale**2, 4, 3, 3)
