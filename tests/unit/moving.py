"""Short moving pictures, as Clips and as planes, for tests of what happens over time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from revivid.types import Clip, ColorSpec


def moving_clip(frames: int, width: int = 96, height: int = 64, speed: int = 3, seed: int = 0) -> Clip:
    """Soft texture that glides `speed` pixels a frame to the left."""
    rng = np.random.default_rng(seed)
    wide = width + speed * frames + 8
    coarse = rng.uniform(40, 210, (height // 4 + 2, wide // 4 + 2))
    texture = np.kron(coarse, np.ones((4, 4)))
    smooth = sum(np.roll(texture, (dy, dx), (0, 1)) for dy in range(-1, 2) for dx in range(-1, 2)) / 9
    luma = np.stack([smooth[:height, speed * t : speed * t + width] for t in range(frames)]).round().astype(np.uint8)
    chroma = (luma[:, ::2, ::2] // 4 + 96).astype(np.uint8)
    times = tuple(Fraction(t, 24) for t in range(frames))
    return Clip((luma, chroma, chroma[:, ::-1].copy()), times, (Fraction(1, 24),) * frames, ColorSpec(5, 5, 6))


def waves(frames: int, height: int, width: int, speed: float) -> torch.Tensor:
    """Luma planes (1,T,H,W) of 0 to 1: smooth waves that go right by `speed` pixels per frame."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")

    def at(x: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.15 * torch.sin(x / 9 + y / 11) + 0.1 * torch.sin(x / 23 - y / 14) + 0.05 * torch.sin(x / 5)

    return torch.stack([at(x - speed * t) for t in range(frames)])[None]


def write_master(path: Path, clip: Clip) -> Path:
    """Losslessly."""
    from revivid.workflows.write import write_video

    write_video(path, [clip], codec="ffv1")
    return path
