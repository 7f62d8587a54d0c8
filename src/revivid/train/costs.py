"""Counting what a codec's integers cost, for the encoder to choose them by (`layers.coefficient_costs`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import UsageError
from ..layers.coefficient_costs import ACTIVITIES, MAGNITUDES
from ..networks.bvc import Bvc

#: Over how many coefficients on either side a count is spread, and what it counts there.
_SPREAD = (1.0, 2.0, 4.0, 2.0, 1.0)
#: Counts that every magnitude begins with beside a share of all of them, and every number of coefficients.
_PRIOR, _SHARED, _PRIOR_NUMBER = 0.05, 0.5, 0.2


def fit(network: Bvc, code: Callable[[], object]) -> None:
    """Set the network's costs by what it chooses while `code` runs. Raises `UsageError` for a network without `rdoq`."""
    costs = network.costs
    if costs is None:
        raise UsageError("this network has no costs to count", hint="Build it with rdoq.")
    coefficients = costs.magnitudes.shape[1]
    magnitudes = torch.zeros(ACTIVITIES, coefficients, MAGNITUDES)
    numbers = torch.zeros(ACTIVITIES, coefficients + 1)
    places = torch.arange(coefficients)[:, None]

    def count(activity: Tensor, integers: Tensor) -> None:
        there = integers != 0
        last = (there * (places + 1)).amax(0)
        numbers.index_put_((activity, last), torch.ones(len(last)), accumulate=True)
        # The last one is known to be there.
        k, n = torch.nonzero(places + 1 < last, as_tuple=True)
        seen = integers[k, n].abs().clamp(max=MAGNITUDES - 1).long()
        magnitudes.index_put_((activity[n], k, seen), torch.ones(len(k)), accumulate=True)

    costs.watcher = count
    try:
        code()
    finally:
        costs.watcher = None
    costs.magnitudes.copy_(_bits(_spread(magnitudes)) + torch.tensor([0.0, *[1.0] * (MAGNITUDES - 1)]))
    costs.numbers.copy_(_bits(numbers + _PRIOR_NUMBER))


def _spread(counts: Tensor) -> Tensor:
    """Counts (A, K, M), with their neighbours' and some of everyone's."""
    kernel = torch.tensor(_SPREAD)[None, None] / sum(_SPREAD)
    reach = len(_SPREAD) // 2
    rows = torch.nn.functional.pad(counts.transpose(1, 2).flatten(0, 1)[:, None], (reach, reach), mode="replicate")
    spread = torch.conv1d(rows, kernel).view(ACTIVITIES, MAGNITUDES, -1).transpose(1, 2)
    everyone = spread.sum(0, keepdim=True)
    return spread + _SHARED * everyone / everyone.sum().clamp(min=1) + _PRIOR


def _bits(counts: Tensor) -> Tensor:
    return -(counts / counts.sum(-1, keepdim=True)).log2()
