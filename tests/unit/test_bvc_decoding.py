"""BVC's decoders on a CPU give the modules' numbers, and the pieces that it is made of those of torch's own functions."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small import pictures
from torch import Tensor

from revivid import networks
from revivid.layers.fused import fused_conv
from revivid.layers.row_warp import row_warp, taps_of
from revivid.layers.side_by_side import intra_op_threads
from revivid.layers.warp import backward_warp
from revivid.learned import model
from revivid.networks import bvc

QUALITY = 5.0


@pytest.fixture(scope="module", params=["of the package", "with networks"])
def coded(request: pytest.FixtureRequest) -> tuple[Any, Tensor, bvc.Coded]:
    """A network, a reference, and the frame after it."""
    network: Any = model.load().network if request.param == "of the package" else lively()
    first, second = (frame[None] for frame in pictures(2, 128, 192))
    with torch.inference_mode():
        return network, first, network.encode(second, first, QUALITY)


def lively() -> Any:
    """A decoder with all networks, which say something."""
    torch.manual_seed(0)
    network = networks.build("bvc", venet=False, detail=True).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.abs().max() < 0.01:
            torch.nn.init.normal_(parameter, std=0.02)
    return network


def smooth(*shape: int) -> Tensor:
    return F.interpolate(torch.rand(*shape[:2], shape[2] // 8, shape[3] // 8), size=shape[2:], mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("reach", [0.0, 3.0, 500.0])
def test_rows_warp_as_grid_sample_does(reach: float) -> None:
    torch.manual_seed(0)
    picture, flow = smooth(1, 3, 40, 72), reach * torch.randn(1, 2, 40, 72)
    expected = backward_warp(picture, flow, padding="border", mode="bicubic")
    for given in (picture, picture.contiguous(memory_format=torch.channels_last)):
        assert torch.allclose(row_warp(given, taps_of(flow)), expected, atol=1e-4)


def test_rows_warp_pictures_larger_than_a_chunk() -> None:
    torch.manual_seed(0)
    picture, flow = smooth(1, 3, 264, 296), 4 * torch.randn(1, 2, 264, 296)
    away = row_warp(picture, taps_of(flow)) - backward_warp(picture, flow, padding="border", mode="bicubic")
    assert away.abs().max() < 1e-4


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_without_a_module(relu: bool, stride: int) -> None:
    torch.manual_seed(0)
    side = 3 if stride == 1 else 2
    x, weight, bias = torch.randn(1, 5, 8, 12), torch.randn(7, 5, side, side), torch.randn(7)
    plain = F.conv2d(x, weight, bias, stride, padding=1 if stride == 1 else 0)
    other = torch.randn_like(plain)
    for graded in (False, True):
        with torch.set_grad_enabled(graded):
            got = fused_conv(x, weight, bias, relu=relu, stride=stride)
            summed = fused_conv(x, weight, bias, add=other, stride=stride)
        assert torch.allclose(got, plain.relu() if relu else plain, atol=1e-5)
        assert torch.allclose(summed, plain + other, atol=1e-5)


def test_cells_give_what_the_modules_give(coded: Any) -> None:
    network, reference, frame = coded
    ways = network._decoding(torch.device("cpu")), bvc._AsModules(network)
    made = []
    with torch.inference_mode():
        for way in ways:
            predicted = way.predicted(way.motion(frame.motion, QUALITY), [reference])
            shown = way.pictured(predicted).clone()
            count = network.residual_coder.channels
            residual = way.residual(frame.residual[:count], QUALITY)
            if network.detail_coder is not None:
                residual = way.detailed(residual, frame.residual[count:], QUALITY)
            made.append((shown, way.decoded(predicted, residual, QUALITY)))
    assert type(ways[0]) is not type(ways[1])
    for ours, theirs in zip(*made, strict=True):
        assert (ours - theirs).abs().max() < 1e-4
    assert (made[0][0] - made[0][1]).abs().max() > 1e-2, "the residual does something"


def test_threads_change_no_bit(coded: Any) -> None:
    """Encoders compute with all threads, decoders with half of them in each of two places: their references must not part."""
    network, reference, frame = coded
    for count in (1, 2):
        with torch.inference_mode(), intra_op_threads(count):
            assert torch.equal(network.decode(frame.motion, frame.residual, reference, QUALITY), frame.decoded)


def test_threads_are_given_back() -> None:
    before, seen = torch.get_num_threads(), 0
    with contextlib.suppress(ValueError), intra_op_threads(before + 1):
        seen = torch.get_num_threads()
        raise ValueError
    assert (seen, torch.get_num_threads()) == (before + 1, before)
