"""The residual dense network of BVC's VENet and FRNet (second paper, Fig. 1b; Zhang et al., CVPR 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .rdb import ResidualDenseBlock


class ResidualDenseNetwork(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H, W) for even sizes, computed on cells of 2x2 pixels.

    unshuffle | conv5 | conv3 | blocks, all of whose answers are fused | + first conv's answer | conv3 | shuffle | conv3.
    """

    def __init__(self, inputs: int, outputs: int, blocks: int, channels: int = 96, growth: int = 32, layers: int = 5) -> None:
        super().__init__()
        self.first = nn.Conv2d(4 * inputs, channels, 5, padding=2)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualDenseBlock(channels, growth, layers, F.relu) for _ in range(blocks))
        self.fuse = nn.Sequential(nn.Conv2d(blocks * channels, channels, 1), nn.Conv2d(channels, channels, 3, padding=1))
        self.enlarge = nn.Conv2d(channels, 256, 3, padding=1)
        self.last = nn.Conv2d(64, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        shallow = self.first(F.pixel_unshuffle(x, 2))
        features, answers = self.second(shallow), []
        for block in self.blocks:
            features = block(features)
            answers.append(features)
        deep = self.fuse(torch.cat(answers, 1)) + shallow
        return self.last(F.pixel_shuffle(self.enlarge(deep), 2))
