"""NIQE, which sees how natural video looks without a reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from moving import moving_clip
from skimage import color, data

from revivid.errors import ShapeError
from revivid.metrics.niqe import BLOCK, FEATURES, _asymmetric, _model, features, niqe
from revivid.types import Clip


def photograph(name: str = "astronaut") -> np.ndarray:
    """Luma of one of scikit-image's own pictures, cut to whole blocks."""
    grey = 255 * color.rgb2gray(getattr(data, name)())
    return 16 + 219 / 255 * grey[: grey.shape[0] // BLOCK * BLOCK, : grey.shape[1] // BLOCK * BLOCK]


def clip_of(*pictures: np.ndarray) -> Clip:
    height, width = pictures[0].shape
    luma = np.stack([picture.round().clip(16, 235).astype(np.uint8) for picture in pictures])
    return moving_clip(len(pictures), width=width, height=height).with_planes(luma, *_grey(luma))


def _grey(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chroma = np.full((len(luma), luma.shape[1] // 2, luma.shape[2] // 2), 128, np.uint8)
    return chroma, chroma


def blurred(picture: np.ndarray, side: int) -> np.ndarray:
    rolled = [np.roll(picture, (dy, dx), (0, 1)) for dy in range(side) for dx in range(side)]
    return np.mean(rolled, axis=0)


def test_what_is_made_worse_looks_less_natural() -> None:
    picture, rng = photograph(), np.random.default_rng(0)
    noise = rng.normal(size=picture.shape)
    scores = {
        "as it is": niqe(clip_of(picture)),
        "little blur": niqe(clip_of(blurred(picture, 2))),
        "blur": niqe(clip_of(blurred(picture, 5))),
        "noise 15": niqe(clip_of(picture + 15 * noise)),
        "noise 40": niqe(clip_of(picture + 40 * noise)),
    }
    assert scores["as it is"] < scores["little blur"] < scores["blur"]
    assert scores["as it is"] < scores["noise 15"] < scores["noise 40"]


def test_frames_are_seen_together() -> None:
    pictures = photograph("coffee"), photograph("coffee")[:, ::-1]
    both, each = niqe(clip_of(*pictures)), [niqe(clip_of(picture)) for picture in pictures]
    assert both is not None
    assert both < max(score for score in each if score is not None) + 0.5
    assert niqe(clip_of(pictures[0], pictures[0])) == pytest.approx(each[0], abs=0.2)


def test_ten_bits_are_the_same_picture() -> None:
    clip = clip_of(photograph())
    planes = tuple(4 * plane.astype(np.uint16) for plane in clip.planes)
    ten = replace(clip, color=replace(clip.color, bit_depth=10), planes=planes)
    assert niqe(ten) == pytest.approx(niqe(clip), abs=0.05)


def test_flat_frames_say_nothing_and_bars_are_left_out() -> None:
    assert niqe(clip_of(np.full((192, 192), 90.0))) is None
    picture = photograph()
    bar = np.full((BLOCK, picture.shape[1]), 16.0)
    barred = np.concatenate((bar, picture, bar))
    assert len(features(torch.from_numpy(barred).float())) == picture.size // BLOCK**2
    assert niqe(clip_of(barred)) == pytest.approx(niqe(clip_of(picture)), rel=0.35)


def test_frames_must_hold_a_block() -> None:
    assert features(torch.rand(BLOCK, BLOCK) * 255).shape == (1, FEATURES)
    with pytest.raises(ShapeError, match="96 pixels a side, the frames have 95"):
        features(torch.rand(BLOCK, BLOCK - 1))


@pytest.mark.parametrize(("shape", "left", "right"), [(2.0, 1.0, 1.0), (0.8, 0.5, 2.0), (1.0, 2.0, 1.0)])
def test_distributions_are_recognised(shape: float, left: float, right: float) -> None:
    """Samples of an asymmetric generalised Gaussian of known shape and scales."""
    rng = np.random.default_rng(3)
    count = 400_000
    magnitudes = rng.gamma(1 / shape, 1, count) ** (1 / shape)
    below = rng.random(count) < left / (left + right)
    samples = torch.from_numpy(np.where(below, -left, right) * magnitudes).view(1, 1, -1)
    found = [float(value[0]) for value in _asymmetric(samples)]
    assert found[:3] == pytest.approx([shape, left, right], rel=0.03)
    assert found[3] == pytest.approx(float(samples.mean()), abs=0.02)


def test_the_model_is_a_gaussian() -> None:
    mean, covariance = _model()
    assert mean.shape == (FEATURES,)
    assert np.allclose(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
