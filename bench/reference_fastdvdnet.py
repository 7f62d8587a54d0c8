"""FastDVDnet in the most literal form, as an oracle and as a baseline for speed: not for use.

Every output frame runs the first stage on its three triples and the second stage on their results; convolution, batch
normalisation and ReLU are steps of their own. Nothing is shared with revivid but the weights. Sizes are multiples of 4.

Tassano et al., "FastDVDnet", CVPR 2020, arXiv 1907.01361.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


class ReferenceFastDVDnet:
    """Call with a clip (N, T, 3, H, W) in [0, 1], T >= 3, and the noise's standard deviation -> the clip, clamped to [0, 1]."""

    def __init__(self, weights: Mapping[str, Tensor], **_: object) -> None:
        self.w = weights

    def __call__(self, clip: Tensor, sigma: float) -> Tensor:
        last = clip.shape[1] - 1
        noise = torch.full_like(clip[:, 0, :1], sigma)
        pictures = []
        for t in range(last + 1):
            frames = [clip[:, last - abs(last - abs(t + i))] for i in (-2, -1, 0, 1, 2)]
            firsts = [self._block("temp1", frames[c - 1 : c + 2], noise) for c in (1, 2, 3)]
            pictures.append(self._block("temp2", firsts, noise).clamp(0, 1))
        return torch.stack(pictures, 1)

    def _block(self, stage: str, frames: list[Tensor], noise: Tensor) -> Tensor:
        """The middle of three frames, denoised."""
        x = torch.cat([part for frame in frames for part in (frame, noise)], 1)
        x0 = self._cnr(f"{stage}.inc", 3, self._cnr(f"{stage}.inc", 0, x, groups=3))
        x1 = self._twice(f"{stage}.downc0.convblock.3", self._cnr(f"{stage}.downc0", 0, x0, stride=2))
        x2 = self._twice(f"{stage}.downc1.convblock.3", self._cnr(f"{stage}.downc1", 0, x1, stride=2))
        x1 = x1 + self._up(f"{stage}.upc2", x2)
        x0 = x0 + self._up(f"{stage}.upc1", x1)
        return frames[1] - self._conv(f"{stage}.outc.convblock.3", self._cnr(f"{stage}.outc", 0, x0))

    def _conv(self, name: str, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        return F.conv2d(x, self.w[f"{name}.weight"], None, stride, 1, groups=groups)

    def _cnr(self, name: str, index: int, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        """Convolution `index` of a block, the batch normalisation after it, ReLU."""
        x = self._conv(f"{name}.convblock.{index}", x, stride, groups)
        mean, variance, gain, bias = (
            self.w[f"{name}.convblock.{index + 1}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu(F.batch_norm(x, mean, variance, gain, bias))

    def _twice(self, name: str, x: Tensor) -> Tensor:
        return self._cnr(name, 3, self._cnr(name, 0, x))

    def _up(self, name: str, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self._conv(f"{name}.convblock.1", self._twice(f"{name}.convblock.0", x)), 2)
