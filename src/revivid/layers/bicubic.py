"""Bicubic enlargement as fixed convolutions that give all output samples of an input sample, or of a cell of four, as channels."""

from __future__ import annotations

import torch
from torch import Tensor

#: Keys' cubic with a = -0.75, the kernel of `F.interpolate(mode="bicubic")` (Keys 1981, equation 4).
CUBIC_A = -0.75


def cubic(distance: float) -> float:
    """Keys' cubic convolution kernel at `distance` samples."""
    d = abs(distance)
    if d <= 1:
        return ((CUBIC_A + 2) * d - (CUBIC_A + 3)) * d * d + 1
    if d < 2:
        return ((CUBIC_A * d - 5 * CUBIC_A) * d + 8 * CUBIC_A) * d - 4 * CUBIC_A
    return 0.0


def phase_taps(scale: int) -> Tensor:
    """(scale, 5): what each output phase takes from the samples at -2..2 around its own, pixel centres aligned."""
    offsets = [(phase + 0.5) / scale - 0.5 for phase in range(scale)]
    return torch.tensor([[cubic(tap - offset) for tap in range(-2, 3)] for offset in offsets])


def sample_filters(scale: int) -> Tensor:
    """(scale^2, 1, 5, 5): all output phases of one sample, in the order of `F.pixel_shuffle`."""
    taps = phase_taps(scale)
    return torch.einsum("ai,bj->abij", taps, taps).reshape(scale**2, 1, 5, 5)


def cell_filters(scale: int) -> Tensor:
    """(4 * scale^2, 4, 3, 3): all output phases of a cell of 2x2 samples, on a plane that was unshuffled by 2."""
    taps = phase_taps(scale)
    line = torch.zeros(2 * scale, 6)  # from the six samples of the cells before, at and after
    line[:scale, 0:5] = taps
    line[scale:, 1:6] = taps
    line = line.reshape(2 * scale, 3, 2)  # phase, cell, sample in the cell
    return torch.einsum("aip,bjq->abpqij", line, line).reshape(4 * scale**2, 4, 3, 3)
