"""What the BasicSR family of networks is made of: residual blocks, trunks, and the head that enlarges four times.

Channels lie last in memory (`channels_last`) from the first convolution on: on a CPU that makes 3x3 convolutions about 1.6
times as fast, and every layer here keeps the order that it is given.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fused import conv_add, conv_leaky_relu, conv_relu


def channels_last(x: Tensor) -> Tensor:
    """`x` (N, C, H, W) with channels last in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def lrelu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.1, in place: for the fresh output of a convolution."""
    return F.leaky_relu(x, 0.1, inplace=True)


def add_branch(x: Tensor, branch: Tensor, factor: Tensor | None = None) -> Tensor:
    """x + factor * branch, in the memory of `branch` (a layer's fresh output) where that holds the sum's type."""
    if factor is not None:
        branch = branch * factor
    return branch.add_(x) if branch.dtype == x.dtype else x + branch


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
        return conv_add(self.conv2, conv_relu(self.conv1, x), x)


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
        x = double_shuffled(self.upconv2, double_shuffled(self.upconv1, features))
        return self.conv_last(conv_leaky_relu(self.conv_hr, x, 0.1))


def double_shuffled(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """pixel_shuffle(lrelu(conv(x)), 2) in channels_last: (N, C, H, W) -> (N, conv.out_channels / 4, 2H, 2W).

    With the place in the 2x2 cell as the outermost part of the convolution's channels, the shuffle moves whole runs of channels.
    The activation commutes with the shuffle, and before it needs no second tensor.
    """
    assert conv.bias is not None
    weight = conv.weight.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)
    bias = conv.bias.view(-1, 4).t().flatten()
    cells = lrelu(F.conv2d(x, weight, bias, padding=1)).permute(0, 2, 3, 1).unflatten(3, (2, 2, -1))
    return cells.transpose(2, 3).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)
