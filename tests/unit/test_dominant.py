"""The dominant motion: found exactly for a pan, preferred where a pattern repeats, ignored where nothing is common."""

from __future__ import annotations

import math

import pytest
import torch

from revivid.layers.blending import blend
from revivid.layers.dominant import dominant, steadied

CELL = 4


def panned(right: float, down: float, stripes: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth picture (1,1,96,128), and as it is after it moved; `stripes` of period 4 in the middle of it."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")

    def seen(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        waves = sum(torch.sin(a * x + b * y + 5 * a) for a, b in ((0.11, 0.05), (-0.07, 0.13), (0.21, -0.17), (0.04, 0.29)))
        picture = 0.5 + 0.08 * waves
        inside = (x > 40) & (x < 80) & (y > 30) & (y < 66)
        return torch.where(inside, 0.5 + 0.3 * torch.sin(math.pi / 2 * y), picture) if stripes else picture

    return seen(y, x)[None, None], seen(y - down, x - right)[None, None]


@pytest.mark.parametrize("move", [(0.0, 0.0), (1.5, -0.5), (-2.0, 2.0), (5.25, 3.0)])
def test_a_pan_is_found_from_a_rough_field(move: tuple[float, float]) -> None:
    first, second = panned(*move)
    spread = 0.1 * torch.randn(1, 2, 24, 32, generator=torch.Generator().manual_seed(0))
    rough = torch.tensor(move)[None, :, None, None] / CELL + spread
    found = dominant(first, second, rough, CELL) * CELL
    torch.testing.assert_close(found.flatten(), torch.tensor(move), atol=0.06, rtol=0)


def test_a_pattern_that_repeats_moves_like_the_rest() -> None:
    first, second = panned(0.0, 2.0, stripes=True)
    truth = panned(0.0, 1.0, stripes=True)[1]
    field = torch.zeros(1, 3, 24, 32)
    field[:, 1] = 2.0 / CELL
    field[:, 1, 8:16, 10:20] = -2.0 / CELL  # half a period: as likely in the small
    field[:, 0, 8:16, 10:20] = 0.5 / CELL
    before = (blend(first, second, field, CELL, 0.5) - truth).abs().mean()
    after = (blend(first, second, steadied(first, second, field, CELL, 0.5), CELL, 0.5) - truth).abs().mean()
    assert after < before / 2


def test_pictures_without_anything_in_common_keep_their_field() -> None:
    first, second = torch.rand(2, 1, 1, 48, 64, generator=torch.Generator().manual_seed(1)).unbind(0)
    field = torch.zeros(1, 3, 12, 16)
    torch.testing.assert_close(steadied(first, second, field, CELL, 0.5), field, atol=0, rtol=0)


def test_every_sample_has_its_own() -> None:
    pairs = [panned(1.0, 0.0), panned(0.0, -1.0)]
    first, second = (torch.cat([pair[k] for pair in pairs]) for k in (0, 1))
    found = dominant(first, second, torch.zeros(2, 2, 24, 32), CELL)[..., 0, 0] * CELL
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0], [0.0, -1.0]]), atol=0.05, rtol=0)
