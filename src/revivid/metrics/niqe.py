"""NIQE: how natural video looks, without a reference (Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality
Analyzer", IEEE Signal Processing Letters 2013).

    luma -> normalised by local mean and contrast -> 36 numbers a block -> Gaussian over blocks <- distance -> that of photographs

The numbers describe the distributions of normalised samples and of products of neighbours, at two scales. 0 is what sharp
photographs look like; blur, noise, blocks and invented texture all lead away from there. Less is better.
The photographs are this project's own (`bench/niqe.py`), so figures of other implementations lie on another scale.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError
from ..types import Clip

#: Side of the blocks that are described, in pixels, and the smallest side of a frame.
BLOCK = 96
#: Numbers that describe a block: 18 at either scale.
FEATURES = 36
#: How the Gaussian of photographs was made: only of blocks with this share, or more, of their picture's highest contrast.
SHARP = 0.75
_MODEL = Path(__file__).with_name("niqe.safetensors")
_WINDOW, _SIGMA = 7, 7 / 6
#: Down, right and along both diagonals.
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(0.2, 10.0, 0.001)


def niqe(clip: Clip) -> float | None:
    """NIQE of a clip's luma, of all its frames' blocks together; None where it has nothing to see (flat frames).

    Raises `ShapeError` for frames of less than 96 pixels a side.
    """
    frames = (torch.from_numpy(luma.astype(np.float32)) * (255 / clip.color.peak) for luma in clip.planes[0])
    found = np.concatenate([features(luma) for luma in frames])
    if len(found) < 2:
        return None
    mean, covariance = _model()
    together = (covariance + np.cov(found, rowvar=False)) / 2
    off = mean - found.mean(0)
    return math.sqrt(max(float(off @ np.linalg.pinv(together) @ off), 0.0))


def features(luma: Tensor, sharp: float = 0.0) -> np.ndarray:
    """What describes the blocks of a picture (H, W) of 0 to 255: (n, 36) float64, without flat blocks.

    `sharp`: only of blocks whose contrast is this share of the highest one, or more. Raises `ShapeError` for less than 96 pixels a
    side.
    """
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    if not height or not width:
        raise ShapeError(f"NIQE needs {BLOCK} pixels a side, the frames have {min(luma.shape)}")
    luma = luma[:height, :width]
    half = F.interpolate(luma[None, None], scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)[0, 0]
    fine, contrast = _normalised(luma)
    described = [_described(_blocks(fine, BLOCK)), _described(_blocks(_normalised(half)[0], BLOCK // 2))]
    seen = _blocks(contrast, BLOCK).mean((1, 2)).numpy()
    found = np.concatenate(described, axis=1)
    return found[np.isfinite(found).all(1) & (seen >= sharp * seen.max())]


def _normalised(luma: Tensor) -> tuple[Tensor, Tensor]:
    """(luma - local mean) / (local deviation + 1), and the local deviation."""
    place = torch.arange(_WINDOW, dtype=torch.float32) - _WINDOW // 2
    window = torch.exp(-place.square() / (2 * _SIGMA**2))
    window = window / window.sum()
    # About the picture's mean, so that squares don't drown in float32.
    centered = luma - luma.mean()
    maps = torch.stack((centered, centered.square()))[:, None]
    maps = F.pad(maps, [_WINDOW // 2] * 4, mode="replicate")
    maps = F.conv2d(F.conv2d(maps, window.view(1, 1, 1, -1)), window.view(1, 1, -1, 1))[:, 0]
    deviation = (maps[1] - maps[0].square()).clamp_min(0).sqrt()
    return (centered - maps[0]) / (deviation + 1), deviation


def _blocks(picture: Tensor, side: int) -> Tensor:
    """(H, W) -> (n, side, side)."""
    return picture.unfold(0, side, side).unfold(1, side, side).reshape(-1, side, side)


def _described(blocks: Tensor) -> np.ndarray:
    """(n, side, side) -> (n, 18): shape and spread of the samples; shape, mean and both spreads of products with neighbours."""
    shape, left, right, _ = _asymmetric(blocks)
    columns = [shape, (left + right) / 2]
    for down, across in _NEIGHBOURS:
        shape, left, right, mean = _asymmetric(blocks * torch.roll(blocks, (down, across), (1, 2)))
        columns += [shape, mean, left, right]
    return np.stack(columns, axis=1)


def _asymmetric(samples: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An asymmetric generalised Gaussian fitted to (n, h, w) by moments: shape, left and right scale, mean, (n,) each."""
    flat = samples.flatten(1).double()
    below, above = flat.clamp(max=0), flat.clamp(min=0)
    left, right = (
        (side.square().sum(1) / (side != 0).sum(1)).sqrt().numpy()
        for side in (below, above)
    )  # fmt: skip
    ratio = left / right
    moments = (flat.abs().mean(1).square() / flat.square().mean(1)).numpy()
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, ratios = _ratios()
    shape = shapes[np.searchsorted(ratios, wanted).clip(0, len(shapes) - 1)]
    once, twice, thrice = (np.exp(torch.lgamma(torch.from_numpy(k / shape)).numpy()) for k in (1, 2, 3))
    scale = np.sqrt(once / thrice)
    left, right = left * scale, right * scale
    return np.where(np.isfinite(wanted), shape, np.nan), left, right, (right - left) * twice / once


@functools.cache
def _ratios() -> tuple[np.ndarray, np.ndarray]:
    """Shapes, and what the square of the mean magnitude over the mean square is for each; both rise."""
    gamma = {k: torch.lgamma(torch.from_numpy(k / _SHAPES)).numpy() for k in (1, 2, 3)}
    return _SHAPES, np.exp(2 * gamma[2] - gamma[1] - gamma[3])


@functools.cache
def _model() -> tuple[np.ndarray, np.ndarray]:
    """Mean (36,) and covariance (36, 36) of photographs."""
    from safetensors.numpy import load_file

    stored = load_file(_MODEL)
    return stored["mean"].astype(np.float64), stored["covariance"].astype(np.float64)
