"""Block transforms begin as orthonormal cosine transforms, and what analysis takes apart synthesis puts together."""

from __future__ import annotations

import math

import pytest
import torch

from revivid.layers.block_transform import Analysis, Synthesis, color_basis, cosine_basis, field_basis, opponent_colors


@pytest.mark.parametrize("basis", [cosine_basis(8), opponent_colors(), color_basis(8, 26, 3), field_basis(4, 2)])
def test_atoms_are_orthonormal(basis: torch.Tensor) -> None:
    atoms = basis.flatten(1)
    torch.testing.assert_close(atoms @ atoms.T, torch.eye(len(atoms)), atol=1e-5, rtol=0)


def test_atoms_are_the_definition_from_low_to_high_frequency() -> None:
    atoms = cosine_basis(4)
    assert torch.allclose(atoms[0], torch.full((4, 4), 0.25))
    rows, columns = torch.arange(4.0)[:, None], torch.arange(4.0)[None]
    wanted = 0.5 * torch.cos(math.pi * (rows + 0.5) * 3 / 4) * torch.cos(math.pi * (columns + 0.5) * 3 / 4)
    torch.testing.assert_close(atoms[-1], wanted)
    changes = [int((atom.sign().diff(dim=0) != 0).sum() + (atom.sign().diff(dim=1) != 0).sum()) for atom in (atoms[1], atoms[-1])]
    assert changes[0] < changes[1]


def test_a_whole_basis_gives_everything_back() -> None:
    flow = torch.randn(2, 2, 8, 12)
    basis = field_basis(4, 2)
    with torch.no_grad():
        coefficients = Analysis(basis, 3.0)(flow)
        assert coefficients.shape == (2, 32, 2, 3)
        torch.testing.assert_close(coefficients.square().sum(), 9 * flow.square().sum())
        torch.testing.assert_close(Synthesis(basis, 3.0)(coefficients), flow, atol=1e-5, rtol=1e-5)


def test_a_part_of_one_keeps_what_is_smooth() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    basis = color_basis(8, 26, 3)
    with torch.no_grad():
        back = Synthesis(basis, 1.0)(Analysis(basis, 1.0)(ramp))
    assert (back - ramp).abs().max() < 0.01
