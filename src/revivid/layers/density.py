"""The factorised density model of learned compression (Balle, Minnen, Singh, Hwang, Johnston, "Variational Image Compression
with a Scale Hyperprior", ICLR 2018, appendix 6.1), and the integer tables that an entropy coder works with.

A channel's cumulative distribution is c(v) = sigmoid(u(v)), where u rises by construction: matrices are positive, and the
nonlinearity x + a tanh(x) has a > -1. An integer n drawn at a width h (how far apart integers lie on the density's axis) has the
probability c((n + 1/2) h) - c((n - 1/2) h).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Sum of a table's frequencies.
TOTAL = 1 << 16
#: Symbols of a table at most.
MAX_SYMBOLS = 255
#: Probability that a table's range leaves out on either side, before the range is doubled.
_TAIL = 1e-4


class Tables(NamedTuple):
    """Integer frequencies by channel: symbol `offset[c] + i` has cdf[c, i+1] - cdf[c, i] of 2^16, for i < length[c].

    `cdf` (C, L+1) int32, from 0 to 2^16 and constant from `length` on; `offset`, `length` (C,) int32. Every symbol within
    the length has a frequency of 1 at least.
    """

    cdf: Tensor
    offset: Tensor
    length: Tensor


class FactorisedDensity(nn.Module):
    """One density per channel; `filters`: hidden values of u's layers. 43 parameters per channel for (3, 3, 3).

    `spread`: scale of the logistic distribution that it begins as. Where its tails begin is read off the density when tables are
    made; nothing has to be learned beside it, as quantiles are elsewhere.
    """

    def __init__(self, channels: int, filters: Sequence[int] = (3, 3, 3), spread: float = 1.0) -> None:
        super().__init__()
        self.channels = channels
        sizes = (1, *filters, 1)
        layers = len(sizes) - 1
        scale = spread ** (1 / layers)
        starts = [math.log(math.expm1(1 / scale / size)) for size in sizes[1:]]
        shapes = [(channels, out, into) for into, out in itertools.pairwise(sizes)]
        self.matrices = nn.ParameterList(torch.full(shape, start) for shape, start in zip(shapes, starts, strict=True))
        self.biases = nn.ParameterList(torch.rand(channels, size, 1) - 0.5 for size in sizes[1:])
        self.factors = nn.ParameterList(torch.zeros(channels, size, 1) for size in filters)

    def logits(self, values: Tensor) -> Tensor:
        """u of `values` (C, 1, M): the cumulative distribution's logit, rising in each row."""
        for layer, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            values = torch.baddbmm(bias.to(values.dtype), F.softplus(matrix).to(values.dtype), values)
            if layer < len(self.factors):
                values = values + torch.tanh(self.factors[layer]).to(values.dtype) * torch.tanh(values)
        return values

    def bits(self, symbols: Tensor, width: Tensor) -> Tensor:
        """Information of each of `symbols` (N, C, h, w), integers or integers with noise; `width` (N, C, 1, 1)."""
        with torch.autocast(symbols.device.type, enabled=False):
            symbols, width = symbols.float(), width.float()
            ends = torch.stack(((symbols - 0.5) * width, (symbols + 0.5) * width))
            flat = ends.permute(2, 0, 1, 3, 4).reshape(self.channels, 1, -1)
            low, high = self.logits(flat).view(self.channels, 2, len(symbols), *symbols.shape[2:]).unbind(1)
            return log2_mass(low, high).neg().permute(1, 0, 2, 3)

    @torch.no_grad()
    def table(self, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frequencies (C, MAX_SYMBOLS), first symbols (C,) and numbers of symbols (C,) at `width` (C,), all int64.

        The range reaches twice as far as the tails, since what lies outside must be clamped and a symbol costs next to nothing
        in it. Frequencies add up to `TOTAL`; those beyond the number of symbols are 0.
        """
        width = width.double()
        half = MAX_SYMBOLS // 2
        edges = torch.arange(-half, half + 1, dtype=torch.float64, device=width.device)
        below = torch.sigmoid(self.logits((edges * width[:, None])[:, None])[:, 0])
        tails = torch.stack(((below < _TAIL).sum(1), (below <= 1 - _TAIL).sum(1))) - half
        low = (2 * tails[0] - 2).clamp(-half, -2)
        high = (2 * tails[1] + 2).clamp(2, half)
        length = high - low + 1
        index = torch.arange(MAX_SYMBOLS, dtype=torch.float64, device=width.device)
        symbols = low[:, None] + index
        lower, upper = (self.logits(((symbols + end) * width[:, None])[:, None])[:, 0] for end in (-0.5, 0.5))
        inside = index < length[:, None]
        mass = torch.where(inside, log2_mass(lower, upper).exp2(), 0.0)
        mass = mass / mass.sum(1, keepdim=True)
        frequencies = torch.where(inside, 1 + torch.floor(mass * (TOTAL - length[:, None])), 0.0).long()
        # What rounding down left over goes where it matters least.
        frequencies.scatter_add_(1, frequencies.argmax(1, keepdim=True), TOTAL - frequencies.sum(1, keepdim=True))
        return frequencies, low, length


def log2_mass(low: Tensor, high: Tensor) -> Tensor:
    """log2(sigmoid(high) - sigmoid(low)) for high > low, without cancellation at either tail.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)).
    """
    gap = (high - low).clamp(min=1e-9)
    return (F.logsigmoid(high) + F.logsigmoid(-low) + torch.log(-torch.expm1(-gap))) / math.log(2)
