"""BVC in blocks: motion is found by search, and a decoder without networks leaves alone what does not change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small import pictures
from torch import Tensor

from revivid import networks
from revivid.errors import UsageError
from revivid.layers.block_transform import Analysis, Synthesis, step_basis
from revivid.layers.warp import backward_warp
from revivid.networks.bvc_compact import brought
from revivid.networks.bvc_matching import matched


@pytest.fixture(scope="module")
def network() -> Any:
    return networks.build("bvc", venet=False, refine=False, blocks=True).eval()


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    return pictures(1, 192, 256)[0][None]


def error(ours: Tensor, theirs: Tensor) -> float:
    """Without the border, beyond which there is nothing to be found."""
    return float((ours - theirs)[..., 32:-32, 32:-32].square().mean())


@torch.no_grad()
def test_the_search_finds_motion_that_flow_has_missed(photograph: Tensor) -> None:
    """The left half moves by (5.25, -2.5), the right half by (-3, 1.75), and nobody has said so."""
    truth = torch.zeros(1, 2, 192, 256)
    truth[0, :, :, :128] = torch.tensor([5.25, -2.5])[:, None, None]
    truth[0, :, :, 128:] = torch.tensor([-3.0, 1.75])[:, None, None]
    target = backward_warp(photograph, truth, padding="border", mode="bicubic")
    found = matched(target, photograph, torch.zeros(1, 2, 48, 64), 1e-4)
    assert found.shape == (1, 2, 48, 64)
    cells = truth[..., ::4, ::4]
    right = ((found - cells).abs() < 0.01).all(1)[..., 8:-8, 8:-8]
    assert right.float().mean() > 0.9
    assert error(brought(photograph, found), target) < error(photograph, target) / 20


@torch.no_grad()
def test_dear_bits_make_few_vectors(photograph: Tensor) -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat_interleave(8).repeat(16).expand(1, 2, 192, 256)
    target = backward_warp(photograph, stripes, padding="border", mode="bicubic")
    for price, splits in ((1e-6, True), (1e3, False)):
        found = matched(target, photograph, torch.zeros(1, 2, 48, 64), price)
        blocks = found[0].unflatten(1, (12, 4)).unflatten(3, (16, 4))
        assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks)) != splits


@torch.no_grad()
def test_vectors_stay_in_the_range_of_integers(network: Any, photograph: Tensor) -> None:
    far = torch.full((1, 2, 48, 64), 90.0)
    found = matched(photograph, photograph.roll(37, 3), far, 1e-4)
    assert found.abs().max() <= 31
    coded = network.motion_coder.integers(found, 4.0)
    assert coded.abs().max() <= 127


@torch.no_grad()
def test_what_does_not_change_costs_nothing_and_stays(network: Any, photograph: Tensor) -> None:
    picture = photograph.clone()
    for _ in range(3):
        coded = network.encode(photograph, picture, 4.0)
        assert not coded.motion.any()
        assert not coded.residual.any()
        assert torch.equal(coded.decoded, photograph)
        picture = coded.decoded


@torch.no_grad()
def test_quality_is_what_it_costs(network: Any) -> None:
    first, second = (frame[None] for frame in pictures(2, 128, 192))
    errors, sizes = [], []
    for quality in (1.0, 4.5, 8.0):
        coded = network.encode(second, first, quality)
        assert torch.equal(network.decode(coded.motion, coded.residual, first, quality), coded.decoded)
        errors.append(float((coded.decoded - second).square().mean()))
        sizes.append(int(coded.residual.ne(0).sum()))
    assert errors == sorted(errors, reverse=True)
    assert sizes == sorted(sizes)
    assert errors[-1] < 2e-4


@torch.no_grad()
def test_quarters_of_blocks_come_back() -> None:
    basis = step_basis(4, 2)
    assert torch.allclose(basis.flatten(1) @ basis.flatten(1).T, torch.eye(8), atol=1e-6)
    even = torch.randn(1, 2, 6, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(Synthesis(basis, 3.0, bias=False)(Analysis(basis, 3.0)(even)), even, atol=1e-5)


def test_it_learns_as_any_other() -> None:
    torch.manual_seed(0)
    network: Any = networks.build("bvc", venet=False, refine=False, blocks=True)
    target, reference = (frame[None] for frame in pictures(2, 64, 64))
    quality = torch.tensor([4.0])
    flow, motion_bits = network.motion_coder(network.flow(target, reference), quality)
    predicted = network.compensated(network.warped(reference, flow), reference, flow)
    found, bits = network.residual(target - predicted, quality, "noise")
    ((predicted + found - target).square().mean() + 1e-6 * (bits + motion_bits).mean()).backward()
    for name in ("motion_coder.encoder.project.weight", "residual_coder.decoder.1.expand.weight", "residual_coder.log_gains"):
        assert network.get_parameter(name).grad.abs().max() > 0, name


def test_what_blocks_do_not_go_with_is_said() -> None:
    with pytest.raises(UsageError, match="has all detail"):
        networks.build("bvc", blocks=True, detail=True)
    with pytest.raises(UsageError, match="only the compact BVC"):
        networks.build("bvc", size="paper", blocks=True)
