"""A codec network of a few lines, in place of BVC's: all that the byte stream, the encoder and the decoder can be tested with.

    motion: 2 channels of what the frame's means in cells of 16 pixels differ from the reference's, coarse
    residual: 3 channels of what is left, finer with the quality;     decoded = reference + both, enlarged
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from revivid.learned.model import Model
from revivid.learned.reader import BvcReader
from revivid.learned.writer import BvcEncoding, BvcWriter
from revivid.media.write import Target
from revivid.types import Clip, ColorSpec, join

CELL = 16
_MOST = 12


class Coded(NamedTuple):
    motion: Tensor
    residual: Tensor
    decoded: Tensor


class TinyTables(NamedTuple):
    cdf: Tensor
    offset: Tensor
    length: Tensor


class TinyBvc:
    """`brighten`: what enhancing adds, so that sharpened and preserved streams differ."""

    multiple = 64
    enhances = True
    references = 1
    adaptive = False

    def __init__(self, brighten: float = 0.1) -> None:
        self.brighten = brighten

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (2, height // CELL, width // CELL), (3, height // CELL, width // CELL)

    def enhance(self, frame: Tensor) -> Tensor:
        return (frame + self.brighten).clamp(0, 1)

    def encode(
        self, enhanced: Tensor, reference: Tensor, quality: float, keep: Tensor | None = None, before: Sequence[Tensor] = ()
    ) -> Coded:
        del before
        wanted = F.avg_pool2d((enhanced if keep is None else keep) - reference, CELL)
        motion = (wanted[0, :2] * 8).round().clamp(-_MOST, _MOST)
        left = wanted - self._coarse(motion)
        residual = (left[0] * 16 * quality).round().clamp(-_MOST, _MOST)
        motion, residual = motion.to(torch.int16), residual.to(torch.int16)
        return Coded(motion, residual, self.compose(self.expand(motion, residual, quality), reference))

    def expand(self, motion: Tensor, residual: Tensor, quality: float) -> Tensor:
        return self._coarse(motion) + residual[None] / (16 * quality)

    def compose(self, expanded: Tensor, reference: Tensor, before: Sequence[Tensor] = ()) -> Tensor:
        del before
        return (reference + F.interpolate(expanded.float(), scale_factor=CELL, mode="nearest")).clamp(0, 1)

    def contexts(self) -> None:
        """It has none."""

    def tables(self, quality: float) -> tuple[TinyTables, TinyTables]:
        return laplacian(2, 0.3), laplacian(3, 0.2 + 0.1 * round(quality))

    @staticmethod
    def _coarse(motion: Tensor) -> Tensor:
        return F.pad(motion[None].float() / 8, (0, 0, 0, 0, 0, 1))


def laplacian(channels: int, scale: float) -> TinyTables:
    """The same table for each channel: symbols -12 to 12, falling from 0 to both sides."""
    symbols = torch.arange(-_MOST, _MOST + 1, dtype=torch.float64)
    mass = torch.exp(-symbols.abs() / scale)
    counts = (1 + (mass / mass.sum() * (65536 - len(symbols))).floor()).to(torch.int32)
    counts[_MOST] += 65536 - counts.sum()
    cdf = F.pad(torch.cumsum(counts, 0, dtype=torch.int32), (1, 0)).expand(channels, -1)
    return TinyTables(cdf, torch.full((channels,), -_MOST), torch.full((channels,), len(symbols)))


def tiny_model(brighten: float = 0.1) -> Model:
    return Model("tiny", hashlib.sha256(b"tiny").digest(), TinyBvc(brighten))


def moving_clip(frames: int = 10, width: int = 70, height: int = 50, bit_depth: int = 8, cut_at: int | None = None) -> Clip:
    """A pattern that moves; from `cut_at` on another one."""
    color = ColorSpec(matrix=6, primaries=6, transfer=6, bit_depth=bit_depth)
    peak = color.peak
    rows, columns = np.mgrid[0:height, 0:width]
    halves = (-(-height // 2), -(-width // 2))
    luma = []
    for t in range(frames):
        wave = np.sin((columns + 2 * t) / 11) * np.cos(rows / 7)
        if cut_at is not None and t >= cut_at:
            wave = np.sign(np.sin(rows / 3 + t / 5))
        luma.append((peak * (0.5 + 0.3 * wave)).astype(color.dtype))
    chroma = [np.full((frames, *halves), int(peak * part), color.dtype) for part in (0.45, 0.55)]
    times = tuple(Fraction(t, 25) for t in range(frames))
    return Clip((np.stack(luma), *chroma), times, (Fraction(1, 25),) * frames, color)


def write_stream(path: Path, clip: Clip, time_base: Fraction = Fraction(1, 12_800), **settings: Any) -> BvcWriter:
    """Encode with the tiny model; returns the writer, for what it counted."""
    target = Target(clip.width, clip.height, clip.color, Fraction(25), time_base)
    with BvcWriter(path, target, BvcEncoding("bvc", model=tiny_model(), **settings), overwrite=True) as writer:
        for start in range(0, len(clip), 4):
            writer.write(clip[start : start + 4])
    return writer


def read_stream(path: Path | str, **options: Any) -> Clip:
    """Decode with the tiny model."""
    return join(list(BvcReader(path, model=tiny_model(), **options)))
