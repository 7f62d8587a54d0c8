"""Transforms of blocks for transform coding, which begin as the discrete cosine transform (Ahmed, Natarajan, Rao, 1974) and may be
trained on: a codec that starts from one codes from its first iteration.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def cosine_basis(side: int) -> Tensor:
    """The orthonormal atoms of blocks of `side` x `side`, (side^2, side, side), from low to high frequency."""
    n = torch.arange(side, dtype=torch.float64)
    rows = torch.cos(math.pi / side * (n[None] + 0.5) * n[:, None]) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    atoms = (rows[:, None, :, None] * rows[None, :, None, :]).reshape(side * side, side, side)
    order = torch.argsort((n[:, None] ** 2 + n[None] ** 2).flatten(), stable=True)
    return atoms[order].float()


def opponent_colors() -> Tensor:
    """Orthonormal axes of R'G'B' (3, 3): grey, and two of colour."""
    axes = torch.tensor([[1.0, 1.0, 1.0], [-1.0, 0.0, 1.0], [-1.0, 2.0, -1.0]])
    return axes / axes.norm(dim=1, keepdim=True)


def color_basis(side: int, grey: int, color: int) -> Tensor:
    """Atoms (grey + 2 color, 3, side, side) of R'G'B' blocks: so many of the lowest frequencies in grey and on both colour axes."""
    atoms, axes = cosine_basis(side), opponent_colors()
    kept = [atoms[:count, None] * axis[None, :, None, None] for count, axis in zip((grey, color, color), axes, strict=True)]
    return torch.cat(kept)


def rest_of_color_basis(side: int, kept: tuple[int, int], grey: int, color: int) -> Tensor:
    """Those atoms of `color_basis(side, grey, color)` that `color_basis(side, *kept)` lacks."""
    atoms, axes = cosine_basis(side), opponent_colors()
    counts = zip((kept[0], kept[1], kept[1]), (grey, color, color), axes, strict=True)
    return torch.cat([atoms[first:last, None] * axis[None, :, None, None] for first, last, axis in counts])


def field_basis(side: int, planes: int) -> Tensor:
    """All atoms (planes side^2, planes, side, side) of blocks of several planes, such as a flow's two."""
    atoms = cosine_basis(side)
    return torch.cat([atoms[:, None] * axis[None, :, None, None] for axis in torch.eye(planes)])


def step_basis(side: int, planes: int) -> Tensor:
    """Atoms (4 planes, planes, side, side) of blocks that are even in each of their quarters (Haar, 1910): a plane's mean, then how
    left and right, top and bottom, and both diagonals differ."""
    halves = torch.tensor([1.0, -1.0]).repeat_interleave(side // 2)
    even = torch.ones(side)
    atoms = torch.stack([rows[:, None] * columns for rows in (even, halves) for columns in (even, halves)]) / side
    return torch.cat([atoms[:, None] * axis[None, :, None, None] for axis in torch.eye(planes)])


class Analysis(nn.Module):
    """(N, K, H, W) -> (N, C, H/side, W/side), `gain` times the coefficients of a basis (C, K, side, side)."""

    def __init__(self, basis: Tensor, gain: float) -> None:
        super().__init__()
        self.side, self.gain = basis.shape[-1], gain
        self.project = nn.Conv2d(basis[0].numel(), len(basis), 1, bias=False)
        with torch.no_grad():
            self.project.weight.copy_(basis.flatten(1)[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(x, self.side).contiguous(memory_format=torch.channels_last)
        return self.gain * self.project(blocks)


class Synthesis(nn.Module):
    """And back: coefficients (N, C, h, w), `gain` times as large, -> (N, K, side h, side w)."""

    def __init__(self, basis: Tensor, gain: float, bias: bool = True) -> None:
        super().__init__()
        self.side, self.gain = basis.shape[-1], gain
        self.expand = nn.Conv2d(len(basis), basis[0].numel(), 1, bias=bias)
        with torch.no_grad():
            self.expand.weight.copy_(basis.flatten(1).T[..., None, None])
            if self.expand.bias is not None:
                nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.expand(x) / self.gain, self.side)
