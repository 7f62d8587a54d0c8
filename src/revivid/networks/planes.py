"""What our own super-resolution networks have in common: decoded YUV 4:2:0 planes and a CRF in, larger planes out.

    planes - view - stem - FiLM(CRF), LReLU +- [conv3, LReLU] x layers -(+)-+- luma head --- (+ bicubic) - shuffle - y
                                            +------------------------------+ +- chroma head - (+ bicubic) - shuffle - uv

The heads predict the residual of every output phase over a bicubic upscaling, which is itself a fixed convolution on the same
grid: so clamping and rounding happen once, before the pixel shuffle, and the shuffle moves bytes instead of floats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.bicubic import sample_filters
from ..layers.fused import conv_film_leaky_relu, conv_leaky_relu
from .traits import Traits

#: Of the leaky ReLU. With plain ReLU nearly all units of the deeper layers died within a few thousand iterations.
SLOPE = 0.1
#: x265's CRF goes from 0 to 51.
MAX_CRF = 51.0


class PlanesSR(nn.Module, ABC):
    """Super-resolution of what came out of a video encoder, told by how much it was compressed.

    `cell`: luma samples per position of the features and direction. Subclasses give stem, chroma head, the bicubic filters of a
    position's luma and the `_view` of the planes that these belong to. With its zero-initialised heads the untrained network is
    exactly bicubic interpolation. Raises `UsageError` for a scale that is not 2 or 4, and for no channels or layers.
    """

    luma_filters: Tensor
    chroma_filters: Tensor
    #: Frames before and after the one that is upscaled.
    reach = 0

    def __init__(
        self, scale: int, channels: int, layers: int, *, cell: int, stem: nn.Conv2d, chroma_head: nn.Conv2d, luma_filters: Tensor
    ) -> None:
        super().__init__()
        self.scale, self.cell = scale, cell
        self.stem = stem
        modulation = nn.Linear(16, 2 * channels)
        self.condition = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(SLOPE), modulation)
        body = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)]
        self.body = nn.Sequential(*(m for conv in body for m in (conv, nn.LeakyReLU(SLOPE, inplace=True))))
        self.luma_head = nn.Conv2d(channels, (cell * scale) ** 2, 3, padding=1)
        self.chroma_head = chroma_head
        for layer in (stem, *body, modulation, self.luma_head, chroma_head):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        for layer in (stem, *body):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        self.register_buffer("luma_filters", luma_filters, persistent=False)
        self.register_buffer("chroma_filters", sample_filters(scale).repeat(2, 1, 1, 1), persistent=False)
        self.traits = Traits(
            tasks=("super-resolve",),
            kind="planes",
            scale=scale,
            channels=3,
            spatial_reach=cell * (layers + 2) + 2,
            # Four maps of features, and the phases of the output: above what was measured for all shipped sizes.
            bytes_per_pixel=16.0 * channels / cell**2 + 8 * scale**2,
            channel_order="yuv",
            licence="Apache-2.0",
        )

    def forward(self, y: Tensor, uv: Tensor, crf: Tensor, *guide: Tensor) -> tuple[Tensor, Tensor]:
        """Upscale planes of code value / peak.

        `y` (N,T,H,W) with T = 2 reach + 1 frames, `uv` (N,2T,ceil(H/2),ceil(W/2)) as U V U V ..., `crf` (N,) in 0..51; `guide`:
        see `Traits.guided`. Returns (N,1,sH,sW) and (N,2,sH/2,sW/2), not clamped: the kernel overshoots at edges. Raises
        `ShapeError` where the planes don't fit each other.
        """
        luma, chroma = self._phases(y, uv, crf, *guide)
        return self._assemble(luma, chroma, y.shape[-2:])

    def restore(self, y: Tensor, uv: Tensor, crf: Tensor, bit_depth: int = 8, *guide: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` from integer code values to integer code values: uint8 at 8 bits, uint16 above."""
        peak = (1 << bit_depth) - 1
        # int16 holds 15 bits and, unlike uint16, can be shuffled; rounding half up comes from truncating the +0.5.
        dtype = torch.uint8 if bit_depth == 8 else torch.int16
        phases = self._phases(y.float() / peak, uv.float() / peak, crf, *guide)
        luma, chroma = (part.mul_(peak).add_(0.5).clamp_(0, peak).to(dtype) for part in phases)
        planes = self._assemble(luma, chroma, y.shape[-2:])
        return planes if bit_depth == 8 else (planes[0].view(torch.uint16), planes[1].view(torch.uint16))

    @abstractmethod
    def _view(self, y: Tensor, uv: Tensor, *guide: Tensor) -> tuple[Tensor, Tensor]:
        """What the stem sees, and the luma that `luma_filters` take, padded as they need it."""

    def _phases(self, y: Tensor, uv: Tensor, crf: Tensor, *guide: Tensor) -> tuple[Tensor, Tensor]:
        """All output samples of each position as channels, float32: luma (cell * scale)^2; U scale^2, then V scale^2."""
        frames, (height, width) = 2 * self.reach + 1, y.shape[-2:]
        chroma_shape = (len(y), 2 * frames, -(-height // 2), -(-width // 2))
        if y.shape[1] != frames or uv.shape != chroma_shape or crf.shape != y.shape[:1]:
            raise ShapeError(
                f"{type(self).__name__} got y {tuple(y.shape)}, uv {tuple(uv.shape)}, crf {tuple(crf.shape)}",
                hint=f"It wants y (N,{frames},H,W), uv (N,{2 * frames},ceil(H/2),ceil(W/2)) and crf (N,).",
            )
        seen, padded = self._view(y, uv, *guide)
        uv = uv[:, 2 * self.reach : 2 * self.reach + 2]
        film = self.condition(crf[:, None] / MAX_CRF)[..., None, None]
        features = conv_film_leaky_relu(self.stem, seen - 0.5, film, SLOPE)
        deeper = features
        for conv in list(self.body)[::2]:
            deeper = conv_leaky_relu(conv, deeper, SLOPE)  # type: ignore[arg-type]
        features = features + deeper
        with torch.autocast(y.device.type, enabled=False):  # eight bits of mantissa would show as banding
            luma = F.conv2d(padded.float(), self.luma_filters)
            chroma = F.conv2d(F.pad(uv.float(), (2, 2, 2, 2), mode="replicate"), self.chroma_filters, groups=2)
        luma += self.luma_head(features)
        chroma += self.chroma_head(features)
        return luma, chroma

    def _assemble(self, luma: Tensor, chroma: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Phases to planes; rows and columns that an odd `size` (H, W) of the input added are cut off."""
        y = F.pixel_shuffle(luma, self.cell * self.scale)
        uv = F.pixel_shuffle(chroma, self.scale)
        height, width = self.scale * size[0], self.scale * size[1]
        return y[..., :height, :width], uv[..., : height // 2, : width // 2]


def check_hyperparameters(name: str, scale: int, channels: int, layers: int) -> None:
    """`UsageError` for those that can't work."""
    if scale not in (2, 4) or channels < 1 or layers < 1:
        raise UsageError(
            f"{name} can't have scale {scale}, channels {channels}, layers {layers}",
            hint="scale is 2 or 4, channels and layers at least 1.",
        )
