"""Rate-distortion optimised quantisation of blocks of coefficients: integers that cost fewest bits for the error that they leave.

    scaled coefficients -> how busy a block is -> each magnitude, or one or two less -> where the block ends -> integers

What integers cost is a table, counted on what was coded (`train.costs`): near enough to choose by, and nothing that a decoder
needs. Coefficients lie in the order of coding, and a block says first how many of them come (`codecs.bvc.contexts`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: How busy a block is: whole doublings of one more than the sum of its magnitudes.
ACTIVITIES = 9
#: Magnitudes with a cost of their own; of larger ones every doubling takes two bits more.
MAGNITUDES = 4
#: Squared error, in squared steps of the quantiser, that a bit is worth.
_BIT = 0.08
#: What is added to a magnitude before it is cut, for how busy a block is.
_ROUNDING = 1 / 3
#: By how much less than the nearest integer is tried.
_LESS = (1, 2)
_MOST = 127
#: Blocks that are looked at together: what they take stays in the cache.
_AT_ONCE = 2048

#: Told how busy blocks are (N,) and which integers were chosen for them (K, N).
Watcher = Callable[[Tensor, Tensor], None]


class CoefficientCosts(nn.Module):
    """Costs of `coefficients` in each block, of which a latent's place holds `fold` squared. Before anything is counted it has
    costs that are about right everywhere."""

    def __init__(self, coefficients: int, fold: int) -> None:
        super().__init__()
        self._fold = fold
        #: Bits of coefficient k at a magnitude, its sign included, in blocks that go beyond it; of the number of coefficients.
        self.magnitudes: Tensor
        self.numbers: Tensor
        self.register_buffer("magnitudes", torch.tensor([0.5, 3, 5, 6]).repeat(ACTIVITIES, coefficients, 1))
        self.register_buffer("numbers", 2 + (1 + torch.arange(coefficients + 1.0)).log2().repeat(ACTIVITIES, 1))
        #: Who is told what is chosen, to count it.
        self.watcher: Watcher | None = None

    def chosen(self, scaled: Tensor, order: Tensor) -> Tensor:
        """Integers (C, h, w) int16 for coefficients (C, h, w) in steps of the quantiser; `order` (K,): in which they are coded."""
        size, f = scaled.shape[1:], self._fold**2
        coefficients = scaled.unflatten(0, (-1, f))[order.long()].flatten(1)
        there = coefficients.abs()
        activity = (1 + (there + _ROUNDING).floor().sum(0)).log2().long().clamp_(max=ACTIVITIES - 1)
        parts = zip(there.split(_AT_ONCE, 1), activity.split(_AT_ONCE), strict=True)
        found = torch.cat([self._cheapest(*part) for part in parts], 1).mul_(coefficients.sign())
        if self.watcher is not None:
            self.watcher(activity, found)
        latent = torch.empty_like(scaled).unflatten(0, (-1, f))
        latent[order.long()] = found.unflatten(1, (f, *size))
        return latent.flatten(0, 1).to(torch.int16)

    def _cheapest(self, there: Tensor, activity: Tensor) -> Tensor:
        """Magnitudes (K, N)."""
        bits = self.magnitudes[activity].permute(2, 1, 0)
        best = (there + 0.5).floor_().clamp_(max=_MOST)
        cost = _cost(there, best, bits)
        for less in _LESS:
            lower = ((there + 0.5).floor_() - less).clamp_(0, _MOST)
            other = _cost(there, lower, bits)
            best = torch.where(other < cost, lower, best)
            cost = torch.minimum(other, cost)
        # A block ends behind any coefficient that is there; what comes later is left out, and costs its square.
        ends = (cost - there.square()).cumsum(0) + _BIT * self.numbers[activity].T[1:]
        ends.masked_fill_(best == 0, torch.inf)
        least, last = ends.min(0)
        last = torch.where(least < _BIT * self.numbers[activity, 0], last, -1)
        return best * (torch.arange(len(there), device=there.device)[:, None] <= last)


def _cost(there: Tensor, magnitude: Tensor, bits: Tensor) -> Tensor:
    """Squared error and bits (K, N) of magnitudes, by the bits (M, K, N) of the first ones."""
    cost = bits.gather(0, magnitude.clamp(max=MAGNITUDES - 1).long()[None])[0]
    cost = cost + 2 * (magnitude - (MAGNITUDES - 2)).clamp_(min=1).log2_()
    return (there - magnitude).square_().add_(cost, alpha=_BIT)
