"""Gamma-coded R'G'B' to linear light and back: blur happens in light, before a camera codes it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UsageError
from ..types import TRANSFERS, code_name

_SRGB = TRANSFERS["srgb"]
#: Transfers that are, or are taken for, the camera curve of BT.709 (BT.601 and BT.2020 share it; untagged video has it mostly).
_LIKE_BT709 = {1, 2, 6, 14, 15}
#: Transfer -> (slope of the straight piece, its end in light, offset of the power piece, its exponent).
_CURVES = {_SRGB: (12.92, 0.0031308, 0.055, 1 / 2.4), **dict.fromkeys(_LIKE_BT709, (4.5, 0.018053968, 0.099296827, 0.45))}


def to_linear(coded: Tensor, transfer: int) -> Tensor:
    """Light in [0, 1] of gamma-coded values in [0, 1]; `transfer` is the H.273 code. `UsageError` for HDR and other curves."""
    slope, end, offset, exponent = _curve(transfer)
    power = ((coded + offset) / (1 + offset)).clamp_min_(0).pow_(1 / exponent)
    return torch.where(coded < slope * end, coded / slope, power)


def from_linear(light: Tensor, transfer: int) -> Tensor:
    """Undoes `to_linear`."""
    slope, end, offset, exponent = _curve(transfer)
    power = light.clamp_min(0).pow_(exponent).mul_(1 + offset).sub_(offset)
    return torch.where(light < end, light * slope, power)


def _curve(transfer: int) -> tuple[float, float, float, float]:
    if transfer not in _CURVES:
        known = ", ".join(sorted({code_name(TRANSFERS, code) for code in _CURVES}))
        raise UsageError(
            f"transfer {code_name(TRANSFERS, transfer)} can't be made linear light here",
            hint=f"Known: {known}. Average in gamma space instead (linear=False).",
        )
    return _CURVES[transfer]
