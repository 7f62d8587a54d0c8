"""Stages that only change the size: crop and pad around the codecs' needs, and plain bicubic upscaling, the baseline."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import UsageError
from ..media import scale
from ..types import Clip
from .stage import Stage


class Crop(Stage):
    """Keep the upper left `width` x `height`: takes away what was padded before compression."""

    name = "crop"

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        return min(width, self.width), min(height, self.height)

    def process(self, clip: Clip) -> Clip:
        return scale.crop(clip, *self.output_size(clip.width, clip.height))

    def describe(self) -> str:
        return f"crop to {self.width}x{self.height}"


class PadToEven(Stage):
    """Repeat the last row or column of odd sizes: 4:2:0 HEVC, AVC and SVT-AV1 can't store them."""

    name = "pad"

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        return width + width % 2, height + height % 2

    def process(self, clip: Clip) -> Clip:
        return scale.pad_to_multiple(clip, 2)

    def describe(self) -> str:
        return "pad to even"


class Bicubic(Stage):
    """Bicubic upscaling (a = -0.75, pixel centres aligned) of each plane: what players do, and the baseline of the report."""

    name = "bicubic"

    def __init__(self, factor: int) -> None:
        if not isinstance(factor, int) or not 1 <= factor <= 16:
            raise UsageError(f"bicubic upscaling by {factor!r} is not offered", hint="Choose a whole factor from 1 to 16.")
        self.factor = factor

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        return width * self.factor, height * self.factor

    def working_bytes(self, width: int, height: int) -> int:
        return 4 * width * height * self.factor**2 * 2

    def process(self, clip: Clip) -> Clip:
        if self.factor == 1:
            return clip
        width, height = self.output_size(clip.width, clip.height)
        chroma = (-(-height // 2), -(-width // 2))
        y, u, v = clip.planes
        return clip.with_planes(
            _bicubic(y, (height, width), clip.color.peak),
            _bicubic(u, chroma, clip.color.peak),
            _bicubic(v, chroma, clip.color.peak),
        )

    def describe(self) -> str:
        return f"bicubic x{self.factor}"


def _bicubic(plane: np.ndarray, size: tuple[int, int], peak: int) -> np.ndarray:
    scaled = F.interpolate(torch.from_numpy(plane.astype(np.float32))[:, None], size=size, mode="bicubic", align_corners=False)
    return scaled[:, 0].add_(0.5).clamp_(0, peak).numpy().astype(plane.dtype)
