"""The stage of our own networks: neighbours within scenes, strips equal the whole, what it is told, what it refuses."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import MissingWeights, UsageError
from revivid.restoration import own
from revivid.restoration.neighbours import with_neighbours
from revivid.restoration.own import Own
from revivid.restoration.stage import Conditions
from revivid.types import Clip, ColorSpec

HYPERPARAMETERS = {"widths": [4, 8], "encoder": [1], "middle": 1, "decoder": [1]}


def clip(values: list[int], size: tuple[int, int] = (32, 48), start: int = 0) -> Clip:
    """Flat frames of these luma values, with a little texture."""
    height, width = size
    texture = np.random.default_rng(0).integers(0, 4, size)
    y = np.stack([np.clip(texture + value, 0, 255) for value in values]).astype(np.uint8)
    chroma = np.full((len(values), -(-height // 2), -(-width // 2)), 128, np.uint8)
    times = tuple(Fraction(start + t, 25) for t in range(len(values)))
    return Clip((y, chroma, chroma), times, (Fraction(1, 25),) * len(values), ColorSpec())


@pytest.fixture
def _random_weights(monkeypatch):
    """Every embedded name is a small CellNet with random weights; what it is told is kept."""

    def load(name):
        torch.manual_seed(0)
        task = {"deartifactnet": "deartifact", "deblurnet": "deblur", "cellnet-denoise": "denoise", "denoisenet": "denoise"}[name]
        module = networks.build("cellnet", task=task, reach=1, **HYPERPARAMETERS)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        return module.eval()

    monkeypatch.setattr(own, "load_embedded", load)


def numbers(windows) -> list[list[int]]:
    return [[int(planes[0].min()) for planes in window] for window in windows]


@pytest.mark.parametrize("parts", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]], ids=str)
def test_neighbours_stay_in_the_video(parts):
    values, clips, start = [10, 11, 12, 13, 14], [], 0
    for count in parts:
        clips.append(clip(values[start : start + count], start=start))
        start += count
    windows = [window for _, found in with_neighbours(iter(clips), 2, 1) for window in found]
    assert numbers(windows) == [[10, 10, 10, 11], [10, 10, 11, 12], [10, 11, 12, 13], [11, 12, 13, 14], [12, 13, 14, 14]]


def test_neighbours_stay_in_the_scene():
    windows = [window for _, found in with_neighbours(iter([clip([20, 21, 200, 201])]), 1, 1) for window in found]
    assert numbers(windows) == [[20, 20, 21], [20, 21, 21], [200, 200, 201], [200, 201, 201]]


def test_frames_come_as_soon_as_their_neighbours_are_there():
    taken = 0

    def source():
        nonlocal taken
        for t in range(6):
            taken += 1
            yield clip([100], start=t)

    for number, (_, windows) in enumerate(with_neighbours(source(), 1, 2), 1):
        assert len(windows) == 1
        assert taken <= number + 2


@pytest.mark.usefixtures("_random_weights")
def test_strips_equal_the_whole():
    noisy = clip([90, 100, 110], (401, 39))
    whole = Own("deblur", Conditions(memory=2**30)).process(noisy)
    in_strips = Own("deblur", Conditions(memory=2**18 * torch.get_num_threads()))
    assert in_strips._strip_rows(401, 39) <= 128
    for ours, exact in zip(in_strips.process(noisy).planes, whole.planes, strict=True):
        assert np.abs(ours.astype(int) - exact).max() <= 1  # another order of sums may round otherwise


@pytest.mark.usefixtures("_random_weights")
@pytest.mark.parametrize("height", [720, 1080, 2160])
def test_strips_are_as_few_as_fit_the_memory(height):
    threads, width = torch.get_num_threads(), 1280
    whole, *smaller = (Own("deblur", Conditions(memory=size * threads)) for size in (2**33, 2**30, 2**29))
    assert whole._strip_rows(height, width) == height
    for stage in smaller:
        rows = stage._strip_rows(height, width)
        most = stage._frame_bytes / (width * stage.module.traits.bytes_per_pixel)
        ends = 1 if 2 * rows >= height else 2
        seen = height if rows == height else rows + ends * stage._beyond
        assert seen <= most or rows <= own._LEAST_UNITS * 2 * stage.module.traits.tile_multiple
    assert whole._strip_rows(height, width) >= smaller[0]._strip_rows(height, width) >= smaller[1]._strip_rows(height, width)


@pytest.mark.usefixtures("_random_weights")
def test_the_network_is_told_what_the_user_or_the_file_says(monkeypatch):
    stage = Own("deartifact", Conditions(crf=31), weights="deartifactnet")
    told = []
    restore = stage.module.restore
    monkeypatch.setattr(stage.module, "restore", lambda *given: told.append(given[2].item()) or restore(*given))
    stage.process(clip([90, 91]))
    assert told == [31.0, 31.0]
    assert "CRF 31" in stage.describe()
    assert "sigma 12" in Own("denoise", sigma=12.0).describe()


def with_noise(sigma: float, frames: int = 3) -> Clip:
    flat = clip([120] * frames, (128, 128))
    noise = np.random.default_rng(2).normal(0, sigma, flat.planes[0].shape)
    return flat.with_planes((flat.planes[0] + noise).clip(0, 255).astype(np.uint8), *flat.planes[1:])


@pytest.mark.usefixtures("_random_weights")
@pytest.mark.parametrize(("sigma", "told"), [("auto", 10.0), (12.0, 10.0), (8.0, 8.0), (30.0, 16.5)])
def test_the_denoiser_is_told_the_noise_in_luma(monkeypatch, sigma, told):
    noisy = with_noise(10)
    stage, heard = Own("denoise", sigma=sigma), []
    restore = stage.module.restore
    monkeypatch.setattr(stage.module, "restore", lambda *given: heard.append(given[2].item()) or restore(*given))
    list(stage(iter([noisy[:1], noisy[1:]])))
    assert heard == pytest.approx([told] * 3, rel=0.1)
    assert len(set(heard)) == 1  # estimated once, so that brightness of the video doesn't flicker with it
    assert bool(stage.notices()) == (sigma == "auto")
    assert list(stage(iter(()))) == []


@pytest.mark.parametrize(
    ("task", "scale", "effort", "wanted"),
    [
        ("super-resolve", 4, "fast", "lumasr-x4"),
        ("super-resolve", 4, "best", "lumavsr-x4"),
        ("super-resolve", 2, "best", "lumasr-x2-hq"),
        ("denoise", 1, "fast", "cellnet-denoise"),
        ("denoise", 1, "best", "denoisenet"),
    ],
)
def test_the_effort_chooses_the_weights(task, scale, effort, wanted):
    conditions = Conditions(effort=effort)
    assert Own(task, conditions, scale=scale).weights == wanted
    assert Own(task, conditions, scale=scale, weights=own.best_weights(task, scale)).weights == own.best_weights(task, scale)


def test_weights_for_something_else():
    with pytest.raises(UsageError, match=r"lumasr-x4 is not for deblur"):
        Own("deblur", weights="lumasr-x4")
    with pytest.raises(UsageError, match=r"lumasr-x4 is not for super-resolve x2"):
        Own("super-resolve", scale=2, weights="lumasr-x4")
    with pytest.raises(MissingWeights, match="imaginary"):
        Own("deblur", weights="imaginary")
