"""Blocks that overlap, sampled all at once, are the sum of what nine neighbours say of each pixel."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from revivid.layers.overlapped import SIDE, neighbours, overlapped
from revivid.layers.warp import backward_warp


def by_neighbours(pictures: list[Tensor], vectors: Tensor, which: Tensor) -> Tensor:
    total = torch.zeros_like(pictures[0])
    for field, weights in neighbours(torch.cat((vectors, which[None].float()))[None]):
        moved, number = F.interpolate(field, scale_factor=float(SIDE), mode="nearest").split((2, 1), 1)
        for k, picture in enumerate(pictures):
            total += weights * (number == k) * backward_warp(picture, moved, padding="border", mode="bicubic")
    return total


@pytest.mark.parametrize("size", [(64, 64), (8, 64), (128, 8), (136, 192)])
@pytest.mark.parametrize("far", [0.0, 3.0, 200.0])
def test_sum_of_neighbours(size: tuple[int, int], far: float) -> None:
    """Vectors that lead far outside see the border, whichever way they are sampled."""
    dice = torch.Generator().manual_seed(1)
    pictures = [torch.rand(1, 3, *size, generator=dice) for _ in range(3)]
    grid = (size[0] // SIDE, size[1] // SIDE)
    vectors = (4 * far * torch.randn(2, *grid, generator=dice)).round() / 4
    which = torch.randint(0, 3, grid, generator=dice)
    assert (overlapped(pictures, vectors, which) - by_neighbours(pictures, vectors, which)).abs().max() < 1e-4
    first = by_neighbours(pictures[:1], vectors, torch.zeros_like(which))
    assert (overlapped(pictures[:1], vectors) - first).abs().max() < 1e-4


def test_more_blocks_than_are_taken_at_once() -> None:
    dice = torch.Generator().manual_seed(2)
    picture = torch.rand(1, 1, 320, 512, generator=dice)
    vectors = torch.randn(2, 40, 64, generator=dice)
    there = by_neighbours([picture], vectors, torch.zeros(40, 64, dtype=torch.long))
    assert (overlapped([picture], vectors) - there).abs().max() < 1e-4


def test_what_neighbours_count_sums_to_one() -> None:
    parts = list(neighbours(torch.zeros(1, 1, 3, 4)))
    assert len(parts) == 9
    assert torch.allclose(sum((weights for _, weights in parts), torch.zeros(24, 32)), torch.ones(24, 32))


def test_neighbours_at_the_border_are_the_block_itself() -> None:
    field = torch.arange(6.0).view(1, 1, 2, 3)
    above = next(neighbours(field))[0]
    assert above[0, 0].tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
