"""A codec network of a few lines, in place of BVC's: all that the byte stream, the encoder and the decoder can be tested with.

    motion: 2 channels of what the frame's means in cells of 16 pixels differ from the reference's, coarse
    residual: 3 channels of what is left, finer with the quality;     decoded = reference + both, enlarged
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from revivid.learned.model import Model

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

    def __init__(self, brighten: float = 0.1) -> None:
        self.brighten = brighten

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (2, height // CELL, width // CELL), (3, height // CELL, width // CELL)

    def enhance(self, frame: Tensor) -> Tensor:
        return (frame + self.brighten).clamp(0, 1)

    def encode(self, enhanced: Tensor, reference: Tensor, quality: float, keep: Tensor | None = None) -> Coded:
        wanted = F.avg_pool2d((enhanced if keep is None else keep) - reference, CELL)
        motion = (wanted[0, :2] * 8).round().clamp(-_MOST, _MOST)
        left = wanted - self._coarse(motion)
        residual = (left[0] * 16 * quality).round().clamp(-_MOST, _MOST)
        motion, residual = motion.to(torch.int16), residual.to(torch.int16)
        return Coded(motion, residual, self.decode(motion, residual, reference, quality))

    def decode(self, motion: Tensor, residual: Tensor, reference: Tensor, quality: float) -> Tensor:
        cells = self._coarse(motion) + residual[None] / (16 * quality)
        return (reference + F.interpolate(cells.float(), scale_factor=CELL, mode="nearest")).clamp(0, 1)

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
