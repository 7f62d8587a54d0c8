"""Gaussian noise, seeded by frame: the same frame of the same video gets the same noise, however the video is cut into Clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..color import clip_to_rgb, rgb_to_planes
from ..errors import UsageError
from ..types import Clip

Domain = Literal["yuv", "rgb"]
#: Noise in luma (BT.601) of independent, equally strong noise in R', G' and B'.
LUMA_OF_RGB = (0.299**2 + 0.587**2 + 0.114**2) ** 0.5


@dataclass(frozen=True)
class Noise:
    """White Gaussian noise; all that is needed to make it again.

    sigma: standard deviation in 8-bit code values (of Y, U and V, or of R'G'B' in 0..255); at 10 bits it is four times as many.
    domain: "yuv" adds it to the planes as they are, chroma at its own resolution; "rgb" to R'G'B', which is then clipped and
    converted back, so that chroma gets less. Planes hold integers: the result is rounded, and clipped to what they can hold.
    """

    sigma: float
    domain: Domain = "yuv"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.sigma <= 255:
            raise UsageError(f"noise of sigma {self.sigma:g} makes no sense", hint="Give 8-bit code values, such as 10.")
        if self.seed < 0:
            raise UsageError(f"{self.seed} is no seed", hint="Give a whole number from 0.")
        if self.domain not in ("yuv", "rgb"):
            raise UsageError(f"noise in {self.domain!r} is not offered", hint='Choose "yuv" or "rgb".')

    @property
    def luma_sigma(self) -> float:
        """Standard deviation in luma of limited range: less than `sigma` where R', G' and B' have noise of their own."""
        return self.sigma if self.domain == "yuv" else self.sigma * LUMA_OF_RGB * 219 / 255

    def __call__(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """The clips of one video, from its first frame on."""
        first = 0
        for clip in clips:
            yield self.apply(clip, first)
            first += len(clip)

    def apply(self, clip: Clip, first: int = 0) -> Clip:
        """`clip` with noise; `first` is the number of its first frame in the video."""
        add = self._to_planes if self.domain == "yuv" else self._to_rgb
        frames = [add(clip[t : t + 1], np.random.default_rng([self.seed, first + t])) for t in range(len(clip))]
        y, u, v = (np.concatenate([frame[i] for frame in frames]) for i in range(3)) if frames else clip.planes
        return clip.with_planes(y, u, v)

    def _to_planes(self, frame: Clip, rng: np.random.Generator) -> list[np.ndarray]:
        sigma = self.sigma * (1 << (frame.color.bit_depth - 8))
        noisy = []
        for plane in frame.planes:
            values = rng.standard_normal(plane.shape, np.float32) * np.float32(sigma) + plane
            noisy.append(np.clip(np.rint(values, out=values), 0, frame.color.peak).astype(plane.dtype))
        return noisy

    def _to_rgb(self, frame: Clip, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        rgb = clip_to_rgb(frame)
        values = rng.standard_normal(tuple(rgb.shape), np.float32) * np.float32(self.sigma / 255)
        return rgb_to_planes(rgb.add_(torch.from_numpy(values)), frame.color)


def published_noise(rgb: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """`rgb` (..., H, W) in [0, 1] with noise as the published denoising tables add it: seeded once, not clipped, not rounded.

    `sigma` is in 8-bit code values. The values come from PyTorch's generator, in one draw for the whole tensor.
    """
    generator = torch.Generator().manual_seed(seed)
    return rgb + torch.randn(rgb.shape, generator=generator, dtype=rgb.dtype) * (sigma / 255)
