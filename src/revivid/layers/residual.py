"""What the BasicSR family of networks is made of: residual blocks, trunks, and the head that enlarges four times.

Channels lie last in memory (`channels_last`) from the first convolution on: on a CPU that makes 3x3 convolutions about 1.6
times as fast, and every layer here keeps the order that it is given.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def channels_last(x: Tensor) -> Tensor:
    """`x` (N, C, H, W) with channels last in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def lrelu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.1, in place: for the fresh output of a convolution."""
    return F.leaky_relu(x, 0.1, inplace=True)


class ResidualBlock(nn.Module):
    """x + conv2(relu(conv1(x))), 3x3, without normalisation (Lim et al., "EDSR", CVPRW 2017)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)
            with torch.no_grad():
                conv.weight.mul_(0.1)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


def residual_blocks(features: int, count: int) -> nn.Sequential:
    """`count` residual blocks in series."""
    return nn.Sequential(*(ResidualBlock(features) for _ in range(count)))


class Trunk(nn.Module):
    """conv3, leaky ReLU, residual blocks: (N, in, H, W) -> (N, features, H, W)."""

    def __init__(self, in_channels: int, features: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, features, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            residual_blocks(features, blocks),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.main(channels_last(x))


class ShuffleHead(nn.Module):
    """Base of the networks that end in two pixel shuffles, under the published names of these layers."""

    def make_head(self, features: int) -> None:
        """Create the layers; call it after `super().__init__()`."""
        self.upconv1 = nn.Conv2d(features, 4 * features, 3, padding=1)
        self.upconv2 = nn.Conv2d(features, 4 * 64, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)

    def to_picture(self, features: Tensor) -> Tensor:
        """(N, F, H, W) -> the residual picture (N, 3, 4H, 4W)."""
        x = features
        for conv in (self.upconv1, self.upconv2):
            # The activation commutes with the shuffle, and before it needs no second tensor.
            x = channels_last(F.pixel_shuffle(lrelu(conv(x)), 2))
        return self.conv_last(lrelu(self.conv_hr(x)))
