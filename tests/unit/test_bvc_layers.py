"""GDN, the factorised density with its tables, and the coder of latents."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from revivid.layers.density import MAX_SYMBOLS, TOTAL, FactorisedDensity, log2_mass
from revivid.layers.gdn import GDN
from revivid.layers.latent_coder import LatentCoder


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def worn(density: FactorisedDensity) -> FactorisedDensity:
    """A density as after training: no longer symmetric, with factors that count."""
    with torch.no_grad():
        for parameter in density.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return density


def test_gdn_divides_and_igdn_multiplies_by_the_same_norm() -> None:
    divide, multiply = GDN(4), GDN(4, inverse=True)
    with torch.no_grad():
        divide.gamma_root.copy_(torch.rand(4, 4))
        divide.beta_root.copy_(0.5 + torch.rand(4))
    multiply.load_state_dict(divide.state_dict())
    beta, gamma = divide.parameters_of_norm()
    x = torch.randn(2, 4, 5, 6)
    norm = torch.sqrt(beta[:, None, None] + torch.einsum("ij,njhw->nihw", gamma, x.square()))
    torch.testing.assert_close(divide(x), x / norm)
    torch.testing.assert_close(multiply(x), x * norm)
    # With what divides at hand, IGDN undoes GDN.
    torch.testing.assert_close(divide(x) * (multiply(x) / x), x)


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_gradients(inverse: bool) -> None:
    layer = GDN(3, inverse=inverse).double()
    with torch.no_grad():
        layer.gamma_root.copy_(0.2 + torch.rand(3, 3))
    x = torch.randn(2, 3, 3, 3, dtype=torch.float64, requires_grad=True)

    def call(x: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"beta_root": beta, "gamma_root": gamma}, (x,))

    assert gradcheck(call, (x, layer.beta_root, layer.gamma_root))


def test_gdn_parameters_stay_in_their_range_and_can_leave_its_edge() -> None:
    layer = GDN(2)
    with torch.no_grad():
        layer.gamma_root.fill_(-1.0)
        layer.beta_root.fill_(-1.0)
    beta, gamma = layer.parameters_of_norm()
    assert (beta > 0).all()
    assert (gamma >= 0).all()
    # A loss that wants more of the norm lifts what lies below the bound.
    (-layer.parameters_of_norm()[1].sum()).backward()
    assert layer.gamma_root.grad is not None
    assert (layer.gamma_root.grad < 0).all()


def test_density_has_the_published_number_of_parameters() -> None:
    density = FactorisedDensity(128)
    assert sum(p.numel() for p in density.parameters()) == 5_504


@pytest.mark.parametrize("width", [0.2, 1.0, 3.0])
def test_probabilities_of_all_integers_sum_to_one(width: float) -> None:
    density = worn(FactorisedDensity(5))
    symbols = torch.arange(-400.0, 401.0).expand(1, 5, 1, -1)
    bits = density.bits(symbols, torch.full((1, 5, 1, 1), width))
    torch.testing.assert_close(bits.neg().exp2().sum((0, 2, 3)), torch.ones(5), atol=1e-4, rtol=0)


def test_cumulative_distribution_rises() -> None:
    logits = worn(FactorisedDensity(6)).logits(torch.linspace(-50, 50, 300).expand(6, 1, -1))
    assert (logits.diff(dim=2) > 0).all()


def test_density_gradients() -> None:
    density = worn(FactorisedDensity(2)).double()
    values = torch.randn(2, 1, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v, *_: log2_mass(density.logits(v - 0.5), density.logits(v + 0.5)), (values, *density.matrices))


def test_bits_keep_a_gradient_far_out() -> None:
    density = FactorisedDensity(1)
    symbols = torch.tensor([-90.0, 90.0]).view(1, 1, 1, 2).requires_grad_()
    density.bits(symbols, torch.ones(1, 1, 1, 1)).sum().backward()
    assert symbols.grad is not None
    assert symbols.grad.flatten()[0] < -0.1
    assert symbols.grad.flatten()[1] > 0.1


def test_tables_are_integer_distributions_close_to_the_density() -> None:
    density = worn(FactorisedDensity(7))
    width = torch.rand(7) + 0.3
    frequencies, low, length = density.table(width)
    assert (frequencies.sum(1) == TOTAL).all()
    inside = torch.arange(MAX_SYMBOLS) < length[:, None]
    assert (frequencies[inside] >= 1).all()
    assert (frequencies[~inside] == 0).all()
    symbols = low[:, None] + torch.arange(MAX_SYMBOLS)
    mass = density.bits(symbols.float().view(1, 7, 1, -1), width.view(1, 7, 1, 1)).neg().exp2()[0, :, 0]
    used = frequencies / TOTAL
    # What the coder spends over the entropy of the density.
    excess = (mass * (mass.clamp(min=1e-12) / used.clamp(min=1e-12)).log2())[inside].sum() / 7
    assert -1e-3 < excess < 2e-3


def coder(rates: int = 4) -> LatentCoder:
    return LatentCoder(nn.Conv2d(2, 3, 2, stride=2), nn.ConvTranspose2d(3, 2, 2, stride=2), 3, rates)


def test_gains_are_interpolated_exponentially() -> None:
    made = coder()
    with torch.no_grad():
        made.log_gains.normal_()
    gains = [torch.stack(made.gains(torch.tensor([quality]))) for quality in (2.0, 2.5, 3.0)]
    torch.testing.assert_close(gains[1], torch.sqrt(gains[0] * gains[2]))
    torch.testing.assert_close(made.gains(torch.tensor([9.0]))[0], made.gains(torch.tensor([4.0]))[0])


def test_a_single_rate_has_no_gains() -> None:
    made = coder(rates=1)
    assert not hasattr(made, "log_gains")
    assert made.frequencies.shape[0] == 1


def test_quality_shrinks_the_error_and_costs_bits() -> None:
    made, x = coder(), 4 * torch.randn(1, 2, 16, 16)
    coarse, fine = (made(x, torch.tensor([quality]), "round")[1] for quality in (1.0, 4.0))
    assert fine > coarse


def test_rounding_passes_gradients_straight_through() -> None:
    made, x = coder(), torch.randn(1, 2, 8, 8, requires_grad=True)
    out, bits = made(x, torch.tensor([2.0]), "straight", torch.Generator().manual_seed(1))
    torch.testing.assert_close(out, made(x, torch.tensor([2.0]), "round")[0])
    (out.sum() + bits.sum()).backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_integers_are_those_of_training_clamped_to_the_table() -> None:
    made, x = coder(), torch.randn(1, 2, 8, 8)
    for quality in (1.0, 2.3, 4.0):
        symbols, tables = made.quantise(x, quality), made.tables(quality)
        assert symbols.dtype == torch.int16
        expected = made(x, torch.tensor([quality]), "round")[0]
        torch.testing.assert_close(made.reconstruct(symbols, quality), expected)
        assert (tables.cdf[:, 0] == 0).all()
        assert (tables.cdf[:, -1] == TOTAL).all()
        assert (tables.cdf.diff(dim=1).gather(1, tables.length[:, None].long() - 1) > 0).all()
    huge = made.quantise(1e6 * x, 4.0)
    low = tables.offset.view(-1, 1, 1)
    assert (huge >= low).all()
    assert (huge < low + tables.length.view(-1, 1, 1)).all()


def test_estimated_and_table_bits_agree() -> None:
    made, x = coder(), 3 * torch.randn(1, 2, 64, 64)
    symbols, tables = made.quantise(x, 3.0), made.tables(3.0)
    estimated = made(x, torch.tensor([3.0]), "round")[1].item()
    index = (symbols.flatten(1) - tables.offset[:, None]).long()
    frequency = tables.cdf.gather(1, index + 1) - tables.cdf.gather(1, index)
    assert (16 - frequency.float().log2()).sum().item() == pytest.approx(estimated, rel=0.01)
