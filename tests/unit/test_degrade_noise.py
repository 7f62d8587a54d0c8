"""Noise: of the strength it says, the same however the video is cut, and made again from its record."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
import torch

from revivid.color import clip_to_rgb
from revivid.degrade.noise import Noise, published_noise
from revivid.errors import UsageError
from revivid.types import Clip, ColorSpec


def grey(frames: int = 4, depth: int = 8, value: int = 120, *, full: bool = False) -> Clip:
    color = ColorSpec(1, 1, 1, full, depth)
    step = 1 << (depth - 8)
    y, u, v = (np.full((frames, 96 // n, 128 // n), level * step, color.dtype) for n, level in ((1, value), (2, 128), (2, 128)))
    return Clip((y, u, v), tuple(Fraction(t, 24) for t in range(frames)), (Fraction(1, 24),) * frames, color)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("sigma", [5.0, 25.0])
def test_strength_in_planes(depth: int, sigma: float) -> None:
    clip = grey(depth=depth)
    noisy = Noise(sigma).apply(clip)
    step = 1 << (depth - 8)
    for clean, plane in zip(clip.planes, noisy.planes, strict=True):
        assert plane.dtype == clean.dtype
        difference = (plane.astype(float) - clean) / step
        assert difference.std() == pytest.approx(sigma, rel=0.02)
        assert abs(difference.mean()) < 0.05 * sigma
    assert (noisy.times, noisy.durations, noisy.color) == (clip.times, clip.durations, clip.color)


def test_strength_in_rgb() -> None:
    clip = grey(full=True)
    difference = (clip_to_rgb(Noise(10, "rgb").apply(clip)) - clip_to_rgb(clip)) * 255
    # Chroma subsampling takes most of the noise of colour away; in luma it is sigma times the norm of the weights.
    luma = difference[:, 0] * 0.2126 + difference[:, 1] * 0.7152 + difference[:, 2] * 0.0722
    assert float(luma.std()) == pytest.approx(10 * np.sqrt(0.2126**2 + 0.7152**2 + 0.0722**2), rel=0.05)
    u = Noise(10, "rgb").apply(clip).planes[1].astype(float)
    assert u.std() < 0.6 * Noise(10, "yuv").apply(clip).planes[1].std()


@pytest.mark.parametrize("domain", ["yuv", "rgb"])
def test_chunked_equals_whole(domain: str) -> None:
    clip, noise = grey(5), Noise(12, domain, seed=3)  # type: ignore[arg-type]
    (whole,) = noise([clip])
    parts = list(noise([clip[:1], clip[1:4], clip[4:]]))
    for i in range(3):
        assert np.array_equal(np.concatenate([part.planes[i] for part in parts]), whole.planes[i])
    assert not np.array_equal(whole.planes[0][0], whole.planes[0][1])


def test_replayed_from_its_record() -> None:
    noise = Noise(7.5, "rgb", seed=11)
    again = Noise(**asdict(noise))
    assert np.array_equal(again.apply(grey()).planes[0], noise.apply(grey()).planes[0])
    assert not np.array_equal(Noise(7.5, "rgb", seed=12).apply(grey()).planes[0], noise.apply(grey()).planes[0])


def test_clipped_to_what_planes_hold_not_to_the_nominal_range() -> None:
    dark = Noise(30).apply(grey(value=16)).planes[0]
    assert dark.min() == 0
    assert Noise(60).apply(grey(value=235)).planes[0].max() == 255
    assert Noise(60).apply(grey(depth=10, value=235)).planes[0].max() == 1023


def test_no_noise_and_no_frames() -> None:
    assert np.array_equal(Noise(0).apply(grey()).planes[0], grey().planes[0])
    assert len(Noise(5).apply(grey()[:0])) == 0


@pytest.mark.parametrize(
    "bad",
    [{"sigma": -1}, {"sigma": float("nan")}, {"sigma": 300}, {"sigma": 5, "domain": "lab"}, {"sigma": 5, "seed": -1}],
)
def test_settings_that_make_no_sense(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Noise(**bad)  # type: ignore[arg-type]


def test_published_noise_is_seeded_and_not_clipped() -> None:
    rgb = torch.full((3, 64, 80), 0.02)
    noisy = published_noise(rgb, 50)
    assert torch.equal(noisy, published_noise(rgb, 50, seed=0))
    assert not torch.equal(noisy, published_noise(rgb, 50, seed=1))
    assert noisy.min() < -0.3
    assert float((noisy - rgb).std() * 255) == pytest.approx(50, rel=0.02)
