"""SPyNet: the adjacent-pairs shortcut equals the pairwise definition, at any size and length."""

import pytest
import torch

from revivid.errors import ShapeError, UsageError
from revivid.layers import spynet
from revivid.layers.spynet import SPyNet, published_constants


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return torch.rand(2, 3, 3, 40, 70)


@pytest.mark.parametrize("levels", [(5,), (2, 3, 4, 5)])
@pytest.mark.parametrize("batch_pixels", [1, 2**20])
def test_adjacent_equals_pairwise(clip, levels, batch_pixels, monkeypatch):
    monkeypatch.setattr(spynet, "BATCH_PIXELS", batch_pixels)
    torch.manual_seed(1)
    net = SPyNet(levels).eval()
    with torch.inference_mode():
        onward, back = net.adjacent(clip)
        for t in range(2):
            for level, (there, again) in enumerate(zip(onward, back, strict=True)):
                want = net(clip[:, t], clip[:, t + 1])[level]
                torch.testing.assert_close(there[:, t], want, atol=2e-5, rtol=1e-4)
                torch.testing.assert_close(again[:, t], net(clip[:, t + 1], clip[:, t])[level], atol=2e-5, rtol=1e-4)
    assert [tuple(flow.shape[-2:]) for flow in onward] == [(40, 70), (20, 35), (10, 17), (5, 8)][: len(levels)]


@pytest.mark.parametrize("size", [(1, 1), (33, 5), (32, 64)])
def test_any_size_and_single_frames(size):
    net = SPyNet((2, 5)).eval()
    finest, coarser = net(torch.rand(1, 3, *size), torch.rand(1, 3, *size))
    assert finest.shape == (1, 2, *size)
    assert coarser.shape == (1, 2, max(1, size[0] // 8), max(1, size[1] // 8))
    onward, _ = net.adjacent(torch.rand(1, 1, 3, *size))
    assert onward[0].shape == (1, 0, 2, *size)


def test_no_correction_means_no_flow():
    net = SPyNet()
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    assert not net(torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 40))[0].any()


def test_flow_is_in_pixels_of_the_picture():
    """The last level answers one pixel right and two down everywhere; a 48x40 picture is worked on at 64x64."""
    net = SPyNet()
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    net.basic_module[5].basic_module[8].bias.data = torch.tensor([1.0, 2.0])
    flow = net(torch.rand(1, 3, 48, 40), torch.rand(1, 3, 48, 40))[0]
    torch.testing.assert_close(flow[0, 0], torch.full((48, 40), 40 / 64))
    torch.testing.assert_close(flow[0, 1], torch.full((48, 40), 2 * 48 / 64))


def test_gradients_reach_every_level(clip):
    net = SPyNet()
    net.adjacent(clip)[0][0].square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.basic_module[1:].parameters())


def test_flow_stays_float32_under_autocast(clip):
    net = SPyNet().eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert net.adjacent(clip[:, :2, :, :32, :32])[0][0].dtype == torch.float32


def test_published_constants_are_its_own():
    assert published_constants("spynet.") == {"spynet.mean": (1, 3, 1, 1), "spynet.std": (1, 3, 1, 1)}
    assert "mean" not in SPyNet().state_dict()
    assert len(SPyNet().state_dict()) == 60
    assert sum(p.numel() for p in SPyNet().parameters()) == 1_440_300


def test_errors():
    with pytest.raises(UsageError, match="levels"):
        SPyNet((6,))
    with pytest.raises(ShapeError, match="two pictures"):
        SPyNet()(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 33))
