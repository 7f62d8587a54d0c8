"""CellNet: starts as the identity, takes every size, sees as far as it says and no further."""

from __future__ import annotations

import pytest
import torch

from revivid import networks
from revivid.errors import ShapeError, UsageError

SMALL = {"widths": [4, 6, 8], "encoder": [0, 1], "middle": 1, "decoder": [1, 0]}


def cellnet(reach: int = 0, trained: bool = True, **hyperparameters):
    torch.manual_seed(0)
    network = networks.build("cellnet", task="denoise", reach=reach, **(SMALL | hyperparameters))
    if trained:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def planes(frames: int, height: int, width: int):
    generator = torch.Generator().manual_seed(1)
    y = torch.rand(1, frames, height, width, generator=generator)
    return y, torch.rand(1, 2 * frames, -(-height // 2), -(-width // 2), generator=generator)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 31), (24, 40), (33, 8)])
@pytest.mark.parametrize("reach", [0, 1, 2])
def test_untrained_network_returns_the_middle_frame_of_any_size(size, reach):
    y, uv = planes(2 * reach + 1, *size)
    luma, chroma = cellnet(reach, trained=False)(y, uv, torch.tensor([25.0]))
    torch.testing.assert_close(luma, y[:, reach : reach + 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(chroma, uv[:, 2 * reach : 2 * reach + 2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_restore_rounds_what_forward_says(bit_depth):
    network, peak = cellnet(1), (1 << bit_depth) - 1
    y, uv = ((plane * peak).round().to(torch.uint8 if bit_depth == 8 else torch.uint16) for plane in planes(3, 21, 30))
    luma, chroma = network.restore(y, uv, torch.tensor([10.0]), bit_depth)
    wanted = network(y.float() / peak, uv.float() / peak, torch.tensor([10.0]))
    for ours, exact in zip((luma, chroma), wanted, strict=True):
        assert ours.dtype == y.dtype
        assert (ours.float() - (exact * peak).clamp(0, peak)).abs().max() <= 0.5 + 1e-3


def test_strength_and_neighbours_matter():
    network = cellnet(1)
    y, uv = planes(3, 16, 16)
    weak, strong = (network(y, uv, torch.tensor([value]))[0] for value in (5.0, 50.0))
    assert not torch.allclose(weak, strong)
    other = torch.cat((y[:, :1] + 0.1, y[:, 1:]), 1)
    assert not torch.allclose(network(other, uv, torch.tensor([5.0]))[0], weak)


@pytest.mark.parametrize("gate", [0.0, 2.0])
def test_reach_is_as_declared(gate):
    network = cellnet(gate=gate)
    reach = network.traits.spatial_reach
    y, uv = planes(1, 16, 4 * reach)
    y.requires_grad_()
    column = 2 * reach
    network(y, uv, torch.tensor([9.0]))[0][..., column].sum().backward()
    seen = y.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert column - reach <= seen.min() < column < seen.max() <= column + reach
    assert seen.max() - seen.min() > reach  # and not much further declared than it is


def test_the_gate_fades_small_corrections_only():
    y, uv = planes(1, 24, 24)
    plain, gated = cellnet(), cellnet(gate=2.0)
    gated.load_state_dict(plain.state_dict())
    for scale, kept in ((1.0, (0.9, 1.0)), (1e-3, (0.0, 0.1))):
        for network in (plain, gated):
            torch.manual_seed(0)
            torch.nn.init.normal_(network.head.weight, std=scale)
            torch.nn.init.zeros_(network.head.bias)
        changes = [(network(y, uv, torch.tensor([9.0]))[0] - y).square().mean().sqrt() for network in (plain, gated)]
        assert kept[0] <= (changes[1] / changes[0]).item() <= kept[1]


@pytest.mark.parametrize(
    "wrong",
    [{"task": "dream"}, {"reach": -1}, {"widths": []}, {"widths": [0]}, {"encoder": [1]}, {"decoder": [1, 1, 1]}, {"middle": -1}],
    ids=str,
)
def test_hyperparameters_that_cannot_work(wrong):
    with pytest.raises(UsageError, match="CellNet"):
        networks.build("cellnet", **({"task": "deblur"} | SMALL | wrong))


def test_planes_that_do_not_fit():
    y, uv = planes(3, 16, 16)
    with pytest.raises(ShapeError, match="CellNet got"):
        cellnet(0)(y, uv, torch.ones(1))
    with pytest.raises(ShapeError, match="CellNet got"):
        cellnet(1)(y, uv[..., 1:], torch.ones(1))
