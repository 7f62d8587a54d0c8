"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(prediction: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) - epsilon (Charbonnier et al. 1994): |d| where large, d^2 / (2 epsilon) where small.

    Values are code value / peak; so with `epsilon` 0.02 everything below five code values of 8 bits counts as squared error.
    """
    return torch.sqrt((prediction - target).square() + epsilon * epsilon).mean() - epsilon


def planes_loss(y: Tensor, uv: Tensor, truth_y: Tensor, truth_uv: Tensor, *, epsilon: float, chroma_weight: float) -> Tensor:
    """Charbonnier on luma plus `chroma_weight` times the same on chroma."""
    return charbonnier(y, truth_y, epsilon) + chroma_weight * charbonnier(uv, truth_uv, epsilon)


def planes_log_error(y: Tensor, uv: Tensor, truth_y: Tensor, truth_uv: Tensor, *, chroma_weight: float) -> Tensor:
    """`log_error` on luma plus `chroma_weight` times the same on chroma, scaled to be about as large as `planes_loss`."""
    return 0.02 * (log_error(y, truth_y) + chroma_weight * log_error(uv, truth_uv))


def log_error(prediction: Tensor, target: Tensor, least: float = 2e-5) -> Tensor:
    """Mean over samples of the natural logarithm of their mean squared error, which is PSNR but for sign and unit.

    Values are code value / peak; errors far below `least` (47 dB) count no more. Easy samples count as much as hard ones.
    """
    return (prediction - target).square().flatten(1).mean(1).div(least).log1p().mean()
