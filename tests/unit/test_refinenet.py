"""RefineNet: identity before training, any size and depth, what a sample depends on, and the stage that it does."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.degrade.motion_blur import BlurredPair
from revivid.errors import ShapeError, UsageError
from revivid.restoration.stage import Conditions
from revivid.train import damage
from revivid.train.data import DataSettings
from revivid.types import Clip, ColorSpec

SMALL = {"widths": [8, 12], "encoder": [0], "middle": 1, "decoder": [1], "filters": 8}


def refinenet(reach: int = 1, trained: bool = True, **hyperparameters):
    torch.manual_seed(0)
    network = networks.build("refinenet", reach=reach, **(SMALL | hyperparameters))
    if trained:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def planes(height: int, width: int, reach: int = 1, bit_depth: int = 8):
    frames, codes = 2 * reach + 1, torch.Generator().manual_seed(1)
    dtype = torch.uint8 if bit_depth == 8 else torch.int16
    y = torch.randint(0, 1 << bit_depth, (1, frames, height, width), generator=codes).to(dtype)
    uv = torch.randint(0, 1 << bit_depth, (1, 2 * frames, -(-height // 2), -(-width // 2)), generator=codes).to(dtype)
    return y, uv


@pytest.mark.parametrize("reach", [0, 1, 2])
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (1, 2)], ids=str)
def test_untrained_it_returns_the_middle_frame(reach, size):
    y, uv = planes(*size, reach)
    luma, chroma = refinenet(reach, trained=False).restore(y, uv, torch.tensor([28.0]))
    assert torch.equal(luma, y[:, reach : reach + 1])
    assert torch.equal(chroma, uv[:, 2 * reach : 2 * reach + 2])


def test_a_sample_depends_on_no_more_than_declared():
    network = refinenet(0)
    beyond = network.traits.spatial_reach
    y, uv = (plane.double() / 255 for plane in planes(2 * beyond + 68, 8, 0))
    network = network.double()
    # A whole number of the coarsest cells, so that all of them see the same.
    place = beyond // 8 * 8 + 32
    other = y.clone()
    other[..., place + beyond :, :] = 0.5
    told = torch.tensor([30.0], dtype=torch.float64)
    with torch.no_grad():
        ours, theirs = network(y, uv, told)[0], network(other, uv, told)[0]
    assert torch.equal(ours[..., :place, :], theirs[..., :place, :])
    assert not torch.equal(ours, theirs)


def test_it_sees_its_neighbours_and_what_it_is_told():
    network = refinenet(1)
    y, uv = (plane.float() / 255 for plane in planes(32, 32))
    changed = y.clone()
    changed[:, 2] = 0
    with torch.no_grad():
        usual, others, told = (network(*given)[0] for given in ((y, uv, torch.tensor([20.0])), (changed, uv, torch.tensor([20.0])),
                                                                (y, uv, torch.tensor([40.0]))))  # fmt: skip
    assert not torch.allclose(usual, others)
    assert not torch.allclose(usual, told)


def test_it_learns_to_sharpen():
    """A few steps undo a known blur better than doing nothing."""
    torch.manual_seed(0)
    network = networks.build("refinenet", reach=0, **SMALL)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    uv, told = torch.full((2, 2, 32, 32), 0.5), torch.tensor([20.0, 20.0])
    ratios = []
    for _ in range(40):
        sharp = torch.nn.functional.interpolate(torch.rand(2, 1, 16, 16), scale_factor=4.0, mode="bicubic")
        soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(sharp, (1, 1, 1, 1), mode="replicate"), 3, 1)
        y, _ = network(soft, uv, told)
        loss = (y - sharp).square().mean()
        ratios.append((loss / (soft - sharp).square().mean()).item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert ratios[0] == pytest.approx(1)
    assert ratios[-1] < 0.7


def test_what_does_not_fit_is_refused():
    y, uv = planes(16, 16)
    with pytest.raises(ShapeError, match="RefineNet got"):
        refinenet(0).restore(y, uv, torch.tensor([28.0]))
    with pytest.raises(UsageError, match="grids"):
        refinenet(widths=[8])


class Brighter:
    """Stands for the deblurring stage."""

    def __init__(self, task: str, conditions: Conditions) -> None:
        assert (task, conditions.crf) == ("deblur", 0.0)

    def process(self, clip: Clip) -> Clip:
        return clip.with_planes(clip.planes[0] + np.uint8(60), *clip.planes[1:])


def test_its_training_data_is_deblurred_and_then_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "Own", Brighter)
    y, chroma = np.full((3, 64, 64), 100, np.uint8), np.full((3, 32, 32), 128, np.uint8)
    clip = Clip((y, chroma, chroma), tuple(map(Fraction, range(3))), (Fraction(1),) * 3, ColorSpec())
    settings = DataSettings(damage="sharpened", scale=1, crf_min=20, crf_max=30, crf_steps=2, preset="ultrafast")
    versions, told = damage.sharpened(BlurredPair(clip, clip), settings, np.random.default_rng(0))
    assert [20 <= crf <= 30 for crf in told] == [True, True]
    assert all(abs(int(version.planes[0].mean()) - 160) <= 2 for version in versions)
    damage.check(settings)
    with pytest.raises(UsageError, match="scale 1"):
        damage.check(replace(settings, scale=2))
