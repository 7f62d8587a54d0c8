"""Registration finds what a flow misses, to a fraction of a pixel, and leaves alone what can't be seen."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from revivid.layers.registration import nudge, register
from revivid.layers.warp import backward_warp

CELL = 4


def texture(height: int, width: int) -> torch.Tensor:
    noise = torch.rand(1, 1, height // 8, width // 8, generator=torch.Generator().manual_seed(1))
    return F.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)


def moved(picture: torch.Tensor, x: float, y: float) -> torch.Tensor:
    flow = torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *picture.shape[2:])
    return backward_warp(picture, flow, padding="border", mode="bicubic")


def test_a_shift_is_found_to_a_tenth_of_a_pixel() -> None:
    reference = texture(64, 96)
    found = register(moved(reference, 1.7, -0.6), reference, torch.zeros(1, 2, 16, 24), CELL)
    inside = found[:, :, 3:-3, 3:-3]
    missed = (inside - torch.tensor([1.7, -0.6]).view(1, 2, 1, 1)).abs()
    assert missed.median() < 0.1
    assert missed.mean() < 0.15


def test_what_is_right_already_stays() -> None:
    reference = texture(64, 64)
    flow = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 16, 16)
    found = register(moved(reference, 2.0, 1.0), reference, flow, CELL)
    assert (found - flow).abs()[:, :, 2:-2, 2:-2].max() < 0.1


def test_a_flat_picture_moves_nothing() -> None:
    flat = torch.full((1, 1, 32, 32), 0.4)
    flow = torch.ones(1, 2, 8, 8)
    assert torch.equal(register(flat, flat, flow, CELL), flow)


def test_shifts_differ_from_place_to_place() -> None:
    reference = texture(64, 128)
    target = torch.cat((moved(reference, 1.0, 0)[..., :64], moved(reference, -1.0, 0)[..., 64:]), 3)
    found = register(target, reference, torch.zeros(1, 2, 16, 32), CELL)
    assert (found[:, 0, 4:-4, 3:12] - 1).abs().median() < 0.1
    assert (found[:, 0, 4:-4, 20:-3] + 1).abs().median() < 0.1


def test_a_nudge_finds_what_is_missed_by_less_than_a_pixel() -> None:
    reference, cell = texture(128, 160), 8
    start = torch.tensor([4.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 16, 20)
    found = nudge(moved(reference, 4.4, -2.5), reference, start, cell)
    missed = (found - torch.tensor([4.4, -2.5]).view(1, 2, 1, 1)).abs()[:, :, 2:-2, 2:-2]
    assert missed.median() < 0.1
    assert torch.equal(nudge(flat := torch.full((1, 1, 32, 32), 0.4), flat, torch.ones(1, 2, 4, 4), cell), torch.ones(1, 2, 4, 4))
