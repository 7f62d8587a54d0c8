"""Residual dense blocks (Zhang et al., "Residual Dense Network for Image Super-Resolution", CVPR 2018)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]


class DenseLayer(nn.Module):
    """x -> [x, activation(conv3(x))] on channels."""

    def __init__(self, channels: int, growth: int, activation: Activation) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, growth, 3, padding=1)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x, self.activation(self.conv(x))), dim=1)


class ResidualDenseBlock(nn.Module):
    """x + conv1x1(dense layers(x)): (N, C, H, W) -> the same shape, each layer adding `growth` channels for the next."""

    def __init__(self, channels: int, growth: int, layers: int, activation: Activation) -> None:
        super().__init__()
        self.dense_layers = nn.Sequential(*(DenseLayer(channels + i * growth, growth, activation) for i in range(layers)))
        self.conv1x1 = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1x1(self.dense_layers(x))
