"""The losses of the learned codec (second paper, Eqs. 5-7 and 13), by sample (N,) of frames R'G'B' (N, 3, H, W) of 0 to 1."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metrics.pixel import MS_SSIM_MIN_SIDE, SCALE_WEIGHTS, SIGMA, WINDOW

_C1, _C2 = 0.01**2, 0.03**2


def absolute(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (a - b).abs().flatten(1).mean(1)


def squared(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference."""
    return (a - b).square().flatten(1).mean(1)


@torch.no_grad()
def context_weights(enhanced: Tensor, truth: Tensor, region: int = 8) -> Tensor:
    """How blurred each region still is, by rank: (N, 1, H, W) of 0 (the sharpest) to 1 (Eqs. 5, 6); sides multiples of `region`.

    The constant v of Eq. 5 cancels in the scaling of Eq. 6.
    """
    error = F.avg_pool2d((enhanced - truth).square().mean(1, keepdim=True), region)
    flat = error.flatten(1)
    rank = torch.argsort(torch.argsort(flat, dim=1, stable=True), dim=1, stable=True).to(flat.dtype) / max(flat.shape[1] - 1, 1)
    return rank.view_as(error).repeat_interleave(region, 2).repeat_interleave(region, 3)


def context_aware(enhanced: Tensor, warped: Tensor, weights: Tensor) -> Tensor:
    """L_CaL (Eq. 7): the mean square of what warping missed, weighted."""
    return squared(weights * enhanced, weights * warped)


def ms_ssim_loss(a: Tensor, b: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003), differentiable; sides of `MS_SSIM_MIN_SIDE` or more.

    Terms are means over all channels, so it differs from `metrics.ms_ssim` in the order of means alone.
    """
    assert min(a.shape[-2:]) >= MS_SSIM_MIN_SIDE
    product = torch.ones(len(a), device=a.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        whole, structure = _similarity(a, b)
        # Raised to a power below one, zero would have no gradient.
        product = product * (whole if scale == len(SCALE_WEIGHTS) - 1 else structure).clamp(min=1e-4) ** weight
    return 1 - product


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each sample."""
    mean_a, mean_b = _windowed(a), _windowed(b)
    variances = _windowed(a * a) - mean_a.square() + _windowed(b * b) - mean_b.square()
    covariance = _windowed(a * b) - mean_a * mean_b
    structure = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a.square() + mean_b.square() + _C1)
    return (luminance * structure).flatten(1).mean(1), structure.flatten(1).mean(1)


def _windowed(x: Tensor) -> Tensor:
    """Means under the Gaussian window, where it lies wholly inside."""
    offsets = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    window = torch.exp(-offsets.square() / (2 * SIGMA**2))
    window = (window / window.sum()).expand(x.shape[1], 1, 1, WINDOW)
    across = F.conv2d(x, window, groups=x.shape[1])
    return F.conv2d(across, window.transpose(2, 3), groups=x.shape[1])


def decibels(a: Tensor, b: Tensor) -> float:
    """PSNR of one picture of 0 to 1, as its 8-bit values have it."""
    error = (a.mul(255).round() - b.mul(255).round()).square().mean().item()
    return 10 * math.log10(255 * 255 / max(error, 1e-3))
