"""Generalised divisive normalisation (Balle, Laparra, Simoncelli, "Density Modeling of Images Using a Generalized Normalization
Transformation", ICLR 2016; as used in "End-to-end Optimized Image Compression", ICLR 2017).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What is added under the roots in which the parameters are kept: the gradient stays finite where a parameter is zero.
_PEDESTAL = 2.0**-36
_BETA_MIN = 1e-6


class GDN(nn.Module):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2) at every pixel of (N, C, H, W); `inverse` multiplies instead (IGDN).

    beta > 0 and gamma >= 0 hold by construction: the parameters are kept as square roots, and bounded from below with a gradient
    that still lets them leave the bound. C*C + C parameters.
    """

    def __init__(self, channels: int, inverse: bool = False, gamma: float = 0.1) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta_root = nn.Parameter(torch.sqrt(torch.ones(channels) + _PEDESTAL))
        self.gamma_root = nn.Parameter(torch.sqrt(gamma * torch.eye(channels) + _PEDESTAL))

    def parameters_of_norm(self) -> tuple[Tensor, Tensor]:
        """beta (C,) and gamma (C, C) as they are used."""
        beta = _at_least(self.beta_root, (_BETA_MIN + _PEDESTAL) ** 0.5).square() - _PEDESTAL
        gamma = _at_least(self.gamma_root, _PEDESTAL**0.5).square() - _PEDESTAL
        return beta, gamma

    def forward(self, x: Tensor) -> Tensor:
        beta, gamma = self.parameters_of_norm()
        power = F.conv2d(x.square(), gamma[..., None, None].to(x.dtype), beta.to(x.dtype))
        return x * (power.sqrt() if self.inverse else power.rsqrt())


class _LowerBound(torch.autograd.Function):
    """max(x, bound) whose gradient passes below the bound too where it leads upwards."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, bound: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        ctx.bound = bound  # type: ignore[attr-defined]
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        passes = (x >= ctx.bound) | (gradient < 0)  # type: ignore[attr-defined]
        return gradient * passes, None


def _at_least(x: Tensor, bound: float) -> Tensor:
    result: Tensor = _LowerBound.apply(x, bound)  # type: ignore[assignment]
    return result
