"""Rate-distortion optimised quantisation: never dearer than plain rounding by the costs that it has, and counted as it chooses."""

from __future__ import annotations

import itertools

import pytest
import torch

from revivid import networks
from revivid.errors import UsageError
from revivid.layers import coefficient_costs
from revivid.layers.coefficient_costs import CoefficientCosts
from revivid.train import costs as counting

COEFFICIENTS, BIT = 3, 0.08


def latent(count: int, seed: int = 0) -> torch.Tensor:
    """(4 K, 1, count) of few large and many small coefficients."""
    noise = torch.Generator().manual_seed(seed)
    return torch.randn(4 * COEFFICIENTS, 1, count, generator=noise) * torch.rand(4 * COEFFICIENTS, 1, count, generator=noise) * 3


def total(costs: CoefficientCosts, scaled: torch.Tensor, integers: torch.Tensor) -> float:
    """Squared error and the price of the bits of one block (K,) in the order of coding, by the book."""
    activity = min(int(torch.log2(1 + (scaled.abs() + 1 / 3).floor().sum())), coefficient_costs.ACTIVITIES - 1)
    there = integers.nonzero().flatten()
    last = int(there[-1]) + 1 if len(there) else 0
    bits = float(costs.numbers[activity, last])
    for k in range(last):
        magnitude = abs(int(integers[k]))
        bits += float(costs.magnitudes[activity, k, min(magnitude, 3)])
        bits += 2 * float(torch.log2(torch.tensor(max(magnitude - 2, 1))))
    return float((scaled - integers).square().sum()) + BIT * bits


def test_the_cheapest_integers_are_chosen() -> None:
    costs = CoefficientCosts(COEFFICIENTS, 2)
    order = torch.tensor([2, 0, 1], dtype=torch.int32)
    scaled = latent(20)
    found = costs.chosen(scaled, order)
    assert found.dtype == torch.int16
    assert found.shape == scaled.shape
    for block, place in itertools.product(range(4), range(20)):
        wanted = scaled[:, 0, place].view(COEFFICIENTS, 4)[:, block][order.long()]
        chosen = found[:, 0, place].view(COEFFICIENTS, 4)[:, block][order.long()]
        near = [
            sorted({0, *(int(n) for n in (w.round(), w.round() - w.sign(), w.round() - 2 * w.sign()) if n * w >= 0)})
            for w in wanted
        ]
        best = min(total(costs, wanted, torch.tensor(other)) for other in itertools.product(*near))
        # An inner zero is tried for itself, not with all that could end before it.
        assert total(costs, wanted, chosen.float()) <= best + 0.05
        assert total(costs, wanted, chosen.float()) <= total(costs, wanted, wanted.round()) + 1e-4


def test_blocks_don_t_depend_on_how_many_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    costs, order, scaled = CoefficientCosts(COEFFICIENTS, 2), torch.arange(COEFFICIENTS), latent(50)
    whole = costs.chosen(scaled, order)
    monkeypatch.setattr(coefficient_costs, "_AT_ONCE", 7)
    assert torch.equal(costs.chosen(scaled, order), whole)


def test_integers_are_within_a_byte_and_nothing_stays_nothing() -> None:
    costs, order = CoefficientCosts(COEFFICIENTS, 2), torch.arange(COEFFICIENTS)
    assert costs.chosen(torch.full((12, 2, 2), -4000.0), order).min() == -127
    assert not costs.chosen(torch.full((12, 2, 2), 0.2), order).any()


def test_costs_are_those_of_what_was_chosen() -> None:
    network = networks.build("bvc", venet=False, refine=False, contexts=True, blocks=True, references=2, rdoq=True).eval()
    frame = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = network.costs.numbers.clone()  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    counting.fit(network, lambda: network.encode(frame, torch.full_like(frame, 0.5), 8.0))  # pyright: ignore[reportArgumentType, reportCallIssue]
    costs = network.costs
    assert isinstance(costs, CoefficientCosts)
    assert costs.watcher is None
    assert not torch.equal(costs.numbers, before)
    assert torch.allclose((2**-costs.numbers).sum(1), torch.ones(len(costs.numbers)), atol=1e-4)
    signs = torch.tensor([0.0, 1.0, 1.0, 1.0])
    assert torch.allclose((2 ** -(costs.magnitudes - signs)).sum(2), torch.ones(costs.magnitudes.shape[:2]), atol=1e-4)


def test_only_a_network_with_costs_has_them_counted() -> None:
    network = networks.build("bvc", venet=False, refine=False, contexts=True, blocks=True)
    with pytest.raises(UsageError, match="no costs"):
        counting.fit(network, lambda: None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="rdoq"):
        networks.build("bvc", blocks=True, rdoq=True)
