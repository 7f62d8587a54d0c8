"""Warping and blending along one field of motion: the same as the straightforward way, and differentiable."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from revivid.layers.blending import blend, bring
from revivid.layers.warp import backward_warp


def pictures(height: int, width: int, channels: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    first, second = torch.rand(2, 2, channels, height, width, generator=generator, dtype=torch.float64)
    return first, second


def field(height: int, width: int, cell: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(2, 3, -(-height // cell), -(-width // cell), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("cell", [2, 4, 8])
@pytest.mark.parametrize("time", [0.5, 0.2, torch.tensor([0.25, 0.7], dtype=torch.float64)], ids=["middle", "early", "each"])
@pytest.mark.parametrize("size", [(16, 24), (13, 18), (3, 5), (2, 2)])
def test_equals_the_straightforward_way(cell: int, time: float | torch.Tensor, size: tuple[int, int]) -> None:
    (first, second), coarse = pictures(*size), field(*size, cell)
    full = F.interpolate(coarse, scale_factor=cell, mode="bilinear")[..., : size[0], : size[1]]
    t = torch.as_tensor(time, dtype=torch.float64).view(-1, 1, 1, 1)
    motion = cell * full[:, :2]
    a = backward_warp(first, -t * motion, padding="border")
    b = backward_warp(second, (1 - t) * motion, padding="border")
    share = F.interpolate(torch.sigmoid(coarse[:, 2:] + torch.logit(t)), scale_factor=cell, mode="bilinear")
    wanted = torch.lerp(a, b, share[..., : size[0], : size[1]])
    torch.testing.assert_close(blend(first, second, coarse, cell, time, sharp=False), wanted)
    for got, expected in zip(bring(first, second, coarse[:, :2], cell, time), (a, b), strict=True):
        torch.testing.assert_close(got, expected)


def test_no_motion_is_the_mean_weighted_by_time() -> None:
    first, second = pictures(9, 14)
    still = torch.zeros(2, 3, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(blend(first, second, still, 4, 0.25), torch.lerp(first, second, 0.25))


def test_even_motion_is_met_at_any_time() -> None:
    """A ramp that moves by 6 pixels to the right and 3 down is found where it has to be."""
    rows, columns = torch.arange(40.0)[:, None], torch.arange(60.0)[None]
    ramp = (2 * columns + rows)[None, None]
    moved = ramp - (2 * 6 + 3)
    motion = torch.tensor([6 / 4, 3 / 4, 0.0])[None, :, None, None].expand(1, 3, 10, 15)
    for time in (0.25, 0.5, 0.8):
        made = blend(ramp, moved, motion, 4, time)
        torch.testing.assert_close(made[..., 8:-8, 8:-8], (ramp - 15 * time)[..., 8:-8, 8:-8], atol=1e-3, rtol=0)


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("away", [0.5, -1.25, 2.0])
def test_what_sampling_blurred_is_given_back(axis: int, away: float) -> None:
    """Motion along one axis: the same as Keys' cubic interpolation."""
    (first, second), cell, time = pictures(24, 24), 4, 0.25
    motion = torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    motion[:, 3 - axis] = away / cell / time
    motion[:, 2] = -60  # the first picture only
    made = blend(first, second, motion, cell, time)
    whole = math.floor(-away)
    f = -away - whole
    weights = (-f * (1 - f) ** 2 / 2, 1 - f**2 * (5 - 3 * f) / 2, f * (1 + 4 * f - 3 * f**2) / 2, -(f**2) * (1 - f) / 2)
    keys = sum(weight * first.roll(-(whole + k), axis) for k, weight in enumerate(weights, -1))
    inside = (slice(None), slice(None), slice(5, -5), slice(5, -5))
    torch.testing.assert_close(made[inside], keys[inside])


def test_gradients_are_exact() -> None:
    first, second = (picture[..., :7, :10] for picture in pictures(7, 10, channels=1))
    time = torch.tensor([0.3, 0.5], dtype=torch.float64)
    coarse = field(7, 10, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: blend(first, second, x, 4, time), coarse, eps=1e-7, atol=1e-4)
    assert torch.autograd.gradcheck(lambda x: blend(x, second, coarse.detach(), 4, time), first.requires_grad_(), atol=1e-6)
