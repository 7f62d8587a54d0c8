"""BVC's networks: their sizes, that decoding is encoding's other half, and the three uses of one model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.networks.bvc import Bvc
from revivid.networks.bvc_compact import enlarge_flow
from revivid.weights import embedded

#: The second paper's Table 1, decoded: parameters by module (specs), and in all.
PAPER = {
    "venet": 3_591_619,
    "blur_coder": 2_576_643,
    "flow": 1_200_250,
    "frnet": 1_259_010,
    "motion_coder": 989_186,
    "mcnet": 486_467,
    "residual_coder": 2_576_643,
}
DENSITIES = 16_512


@pytest.fixture(scope="module")
def lively() -> Any:
    """The compact network, random but not silent: with integers other than zero in both latents."""
    torch.manual_seed(0)
    network = networks.build("bvc")
    assert isinstance(network, Bvc)
    with torch.no_grad():
        for coder in (network.motion_coder, network.residual_coder):
            coder.log_gains[0] += 5
        for name, parameter in network.named_parameters():
            if name.endswith("weight") and parameter.abs().max() < 0.01:
                parameter.normal_(std=0.02)
    network.update_tables()
    return network.eval()


def frames(count: int = 2, height: int = 64, width: int = 128) -> list[Tensor]:
    torch.manual_seed(1)
    coarse = torch.rand(count, 3, height // 8, width // 8)
    return [nn.functional.interpolate(frame[None], scale_factor=8, mode="bicubic").clamp(0, 1) for frame in coarse]


def counted(network: nn.Module) -> dict[str, int]:
    """Parameters by module without densities, and theirs."""
    named = [(name, p.numel()) for name, p in network.named_parameters()]
    counts = {child: sum(n for name, n in named if name.startswith(f"{child}.") and ".density." not in name) for child in PAPER}
    return counts | {"densities": sum(n for name, n in named if ".density." in name)}


def test_paper_size_has_the_published_parameters() -> None:
    counts = counted(networks.build("bvc", size="paper", rates=1))
    assert counts == PAPER | {"densities": DENSITIES}
    assert sum(counts.values()) == pytest.approx(12.74e6, rel=0.02)


def test_compact_weights_fit_the_package() -> None:
    state = networks.build("bvc", venet=False).state_dict()  # as shipped
    size = sum(value.numel() * (2 if value.is_floating_point() else value.element_size()) for value in state.values())
    assert size <= 6e6


@pytest.mark.parametrize("size", ["compact", "paper"])
def test_both_sizes_code_and_decode_to_the_same_frame(size: str) -> None:
    torch.manual_seed(0)
    network: Any = networks.build("bvc", size=size).eval()
    frame, reference = frames(height=64, width=64)
    coded = network.encode(network.enhance(frame), reference, 3.7)
    assert (coded.motion.shape, coded.residual.shape) == network.latent_shapes(64, 64)
    assert torch.equal(network.decode(coded.motion, coded.residual, reference, 3.7), coded.decoded)


def test_decoding_is_bit_exact_and_depends_on_every_part(lively: Any) -> None:
    frame, reference = frames()
    coded = lively.encode(lively.enhance(frame), reference, 5.0)
    assert coded.motion.any()
    assert coded.residual.any()
    decoded = lively.decode(coded.motion, coded.residual, reference, 5.0)
    assert torch.equal(decoded, coded.decoded)
    assert 0 <= decoded.min() <= decoded.max() <= 1
    others = [
        lively.decode(coded.motion + 1, coded.residual, reference, 5.0),
        lively.decode(coded.motion, coded.residual + 1, reference, 5.0),
        lively.decode(coded.motion, coded.residual, 1 - reference, 5.0),
        lively.decode(coded.motion, coded.residual, reference, 2.0),
    ]
    assert all(not torch.equal(other, decoded) for other in others)


@pytest.fixture(scope="module")
def detailed() -> Any:
    """A compact network that sends fine coefficients, too; what it begins with is a transform codec."""
    torch.manual_seed(0)
    return networks.build("bvc", venet=False, detail=True).eval()


def test_detail_lies_behind_the_residual_and_is_decoded(detailed: Any) -> None:
    reference, frame = frames()
    with torch.inference_mode():
        coded = detailed.encode(frame, reference, 6.0)
        coarse = detailed.residual_coder.channels
        assert coded.residual.shape == detailed.latent_shapes(64, 128)[1] == (coarse + detailed.detail_coder.channels, 4, 8)
        assert (coded.residual[coarse:] != 0).any()
        assert torch.equal(detailed.decode(coded.motion, coded.residual, reference, 6.0), coded.decoded)
        without = torch.cat((coded.residual[:coarse], torch.zeros_like(coded.residual[coarse:])))
        lost = detailed.decode(coded.motion, without, reference, 6.0)
    assert (coded.decoded - frame).square().mean() < (lost - frame).square().mean()


def test_detail_keeps_what_is_finer_than_the_networks_see(detailed: Any) -> None:
    stripes = torch.full((1, 3, 64, 64), 0.5)
    stripes[..., ::2] += 0.2
    plain = networks.build("bvc", venet=False).eval()
    with torch.inference_mode():
        off = [(network.encode(stripes, 0 * stripes + 0.6, 8.0).decoded - stripes).abs().mean() for network in (plain, detailed)]
    assert off[1] < 0.2 * off[0]


def test_detail_has_tables_by_channel(detailed: Any) -> None:
    reference, frame = frames()
    with torch.inference_mode():
        symbols = detailed.encode(frame, reference, 8.0).residual
    tables = detailed.tables(8.0)[1]
    low = tables.offset.view(-1, 1, 1)
    assert len(tables.cdf) == len(symbols)
    assert ((symbols >= low) & (symbols < low + tables.length.view(-1, 1, 1))).all()
    assert (tables.cdf[:, -1] == 65536).all()


def test_detail_learns(detailed: Any) -> None:
    missing = 0.1 * torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    decoded, bits = detailed.residual(missing, torch.tensor([2.0, 8.0]), "noise", torch.Generator().manual_seed(0))
    assert decoded.shape == missing.shape
    assert bits[1] > bits[0] > 0
    ((decoded - missing).square().sum() + bits.sum()).backward()
    grown = [parameter.grad for name, parameter in detailed.detail_coder.named_parameters() if "density.factors" not in name]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grown)
    detailed.zero_grad()


def test_memory_layout_changes_nothing(lively: Any) -> None:
    frame, reference = frames()
    turned = reference.contiguous(memory_format=torch.channels_last)
    one, two = (lively.encode(frame, ref, 4.0) for ref in (reference, turned))
    assert torch.equal(one.decoded, two.decoded)
    assert torch.equal(one.residual, two.residual)


def test_preserving_keeps_motion_and_codes_what_came(lively: Any) -> None:
    frame, reference = frames()
    sharper = (frame + 0.3 * (frame - frame.mean())).clamp(0, 1)
    plain, kept = lively.encode(sharper, reference, 6.0), lively.encode(sharper, reference, 6.0, keep=frame)
    assert torch.equal(plain.motion, kept.motion)
    assert not torch.equal(plain.residual, kept.residual)
    assert torch.equal(lively.encode(sharper, reference, 6.0, keep=sharper).decoded, plain.decoded)


def test_integers_lie_within_their_tables(lively: Any) -> None:
    frame, reference = frames()
    coded = lively.encode(frame, reference, 8.0)
    for symbols, tables in zip((coded.motion, coded.residual), lively.tables(8.0), strict=True):
        low = tables.offset.view(-1, 1, 1)
        assert (symbols >= low).all()
        assert (symbols < low + tables.length.view(-1, 1, 1)).all()


def test_tables_are_read_from_the_checkpoint(lively: Any) -> None:
    fresh: Any = networks.build("bvc")
    networks.load_published(fresh, lively.state_dict())
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.zero_()
    for quality in (1.0, 3.3, 8.0):
        for mine, theirs in zip(fresh.tables(quality), lively.tables(quality), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_warping_follows_a_flow_on_cells(lively: Any) -> None:
    (picture,) = frames(1)
    flow = torch.zeros(1, 2, 16, 32)
    flow[:, 0] = 3.0
    assert enlarge_flow(flow).shape == (1, 2, 64, 128)
    warped = lively.warped(picture, flow)
    torch.testing.assert_close(warped[..., :-3], picture[..., 3:], atol=1e-4, rtol=0)


def test_flow_points_from_a_picture_to_where_its_content_is_in_the_reference() -> None:
    """With the interpolator's weights, on a texture that moved 5 to the left and 3 down from reference to picture."""
    network: Any = networks.build("bvc").eval()
    for part, name in network.borrowed.items():
        network.get_submodule(part).load_state_dict(embedded.load(name)[1])
    (texture,) = frames(1, 256, 256)
    reference, picture = texture[..., 10:202, 10:202], texture[..., 7:199, 15:207]
    flow = network.flow(picture, reference)
    assert flow.shape == (1, 2, 48, 48)
    middle = flow[0, :, 12:36, 12:36].flatten(1).median(1).values
    torch.testing.assert_close(middle, torch.tensor([5.0, -3.0]), atol=0.5, rtol=0)


def test_ablations_leave_their_part_out() -> None:
    full, plain, direct = (networks.build("bvc", **k) for k in ({}, {"refine": False}, {"blur_coding": False}))
    assert {key.split(".")[0] for key in full.state_dict()} - {key.split(".")[0] for key in plain.state_dict()} == {"frnet"}
    assert {key.split(".")[0] for key in full.state_dict()} - {key.split(".")[0] for key in direct.state_dict()} == {"blur_coder"}
    assert isinstance(direct, Bvc)
    (picture,) = frames(1)
    drafted, enhanced, bits = direct.enhancement(picture, torch.ones(1), "round")
    assert torch.equal(drafted, enhanced)
    assert bits.item() == 0


def test_what_does_not_fit_is_named(lively: Any) -> None:
    frame, reference = frames()
    with pytest.raises(ShapeError, match="multiples of 64"):
        lively.enhance(frame[..., :100])
    with pytest.raises(ShapeError, match="one size"):
        lively.encode(frame, reference[..., :64], 4.0)
    coded = lively.encode(frame, reference, 4.0)
    with pytest.raises(ShapeError, match="don't fit"):
        lively.decode(coded.residual, coded.motion, reference, 4.0)
    with pytest.raises(UsageError, match="huge"):
        networks.build("bvc", size="huge")
