"""DeblurNet: sees along the motion, starts as the identity, takes every size, strips with one guide equal the whole."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import ShapeError
from revivid.layers.along import REACH, along, along_in_cells
from revivid.networks.deblurnet import DeblurNet
from revivid.restoration import own
from revivid.restoration.own import Own
from revivid.restoration.stage import Conditions
from revivid.train.losses import planes_log_error
from revivid.types import Clip, ColorSpec
from revivid.weights import embedded

SMALL = {"widths": [4, 6], "encoder": [0], "middle": 1, "decoder": [1], "offsets": [0.3, 0.8]}


def deblurnet(trained: bool = True, **hyperparameters) -> DeblurNet:
    torch.manual_seed(0)
    network = networks.build("deblurnet", **(SMALL | hyperparameters))
    assert isinstance(network, DeblurNet)
    if trained:
        for parameter in network.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.1)
        network.motion.load_state_dict(embedded.load("compactinterp-x2")[1])
    return network.eval()


def moving(frames: int, height: int, width: int, speed: float = 3.0) -> torch.Tensor:
    """Luma (1,T,H,W) of a smooth pattern that goes right by `speed` pixels per frame."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")

    def at(x: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.2 * torch.sin(x / 3 + y / 5) + 0.1 * torch.sin(x / 7 - y / 4) + 0.1 * torch.sin(x / 2.1)

    return torch.stack([at(x - speed * t) for t in range(frames)])[None]


def test_samples_along_the_motion_are_second_differences():
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    parabola = ((columns - 30) ** 2 / 1000 + rows / 50)[None, None]
    motion = torch.stack((torch.full((40, 60), 4.0), torch.full((40, 60), 2.0)))[None]
    found = along(parabola, motion, [0.5, 2.0])
    inside = found[0, :, 0, 10:30, 15:45]
    assert inside.shape == (2, 20, 30)
    for seen, offset in zip(inside, (0.5, 2.0), strict=True):
        torch.testing.assert_close(seen, torch.full_like(seen, (4 * offset) ** 2 / 1000), atol=1e-4, rtol=0)


def test_samples_are_never_farther_than_declared():
    ramp = torch.arange(400.0).expand(1, 1, 8, 400).square()
    far = along(ramp, torch.tensor([1000.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 400), [1.0])
    torch.testing.assert_close(far[..., 150:250], torch.full((1, 1, 1, 8, 100), float(REACH**2)), rtol=1e-3, atol=0)


@pytest.mark.parametrize("speed", [3.0, 150.0])
def test_samples_in_cells_are_the_same_samples(speed: float):
    generator = torch.Generator().manual_seed(0)
    plane, motion = torch.rand(2, 1, 18, 34, generator=generator), speed * torch.randn(2, 2, 18, 34, generator=generator)
    cells = torch.pixel_unshuffle(along(plane, motion, [0.4, 1.5])[:, :, 0], 2).unflatten(1, (2, 4))
    torch.testing.assert_close(along_in_cells(plane, motion, [0.4, 1.5]), cells, atol=1e-5, rtol=0)
    both = torch.cat((plane, plane.flip(-1)), 1)
    torch.testing.assert_close(along(both, motion, [0.4])[:, :, :1], along(plane, motion, [0.4]))


@pytest.mark.parametrize("size", [(2, 3), (17, 31), (64, 80)])
def test_untrained_network_returns_the_middle_frame(size):
    y, uv = torch.rand(1, 3, *size), torch.rand(1, 6, -(-size[0] // 2), -(-size[1] // 2))
    luma, chroma = deblurnet(trained=False)(y, uv, torch.zeros(1))
    torch.testing.assert_close(luma, y[:, 1:2], atol=1e-6, rtol=0)
    torch.testing.assert_close(chroma, uv[:, 2:4], atol=1e-6, rtol=0)


def test_the_guide_says_where_places_are_in_the_neighbours():
    flows = deblurnet().guide(moving(3, 96, 128) * 255, 255.0)
    assert flows.shape == (1, 4, 48, 64)
    inside = flows[0, :, 12:36, 16:48].flatten(1).median(1).values
    torch.testing.assert_close(inside, torch.tensor([-3.0, 0.0, 3.0, 0.0]), atol=0.1, rtol=0)


def test_a_guide_that_is_given_is_used():
    network, y, uv = deblurnet(), moving(3, 48, 64), torch.full((1, 6, 24, 32), 0.5)
    told = torch.zeros(1)
    own_guide = network(y, uv, told)[0]
    torch.testing.assert_close(network(y, uv, told, network.guide(y))[0], own_guide)
    assert not torch.allclose(network(y, uv, told, torch.zeros(1, 4, 24, 32))[0], own_guide, atol=1e-4)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_restore_rounds_what_forward_says(bit_depth):
    network, peak = deblurnet(), (1 << bit_depth) - 1
    codes = torch.uint8 if bit_depth == 8 else torch.uint16
    y, uv = (moving(3, 32, 48) * peak).round().to(codes), torch.full((1, 6, 16, 24), peak // 2).to(codes)
    luma, chroma = network.restore(y, uv, torch.zeros(1), bit_depth)
    exact = network(y.float() / peak, uv.float() / peak, torch.zeros(1))
    for ours, wanted in zip((luma, chroma), exact, strict=True):
        assert ours.dtype == codes
        assert (ours.float() - (wanted * peak).clamp(0, peak)).abs().max() <= 0.5 + 1e-3


def test_strips_equal_the_whole(monkeypatch):
    monkeypatch.setattr(own, "load_embedded", lambda _: deblurnet())
    y = (moving(3, 901, 40)[0] * 255).round().byte().numpy()
    chroma = np.full((3, 451, 20), 128, np.uint8)
    times = tuple(Fraction(t, 25) for t in range(3))
    clip = Clip((y, chroma, chroma), times, (Fraction(1, 25),) * 3, ColorSpec())
    threads = torch.get_num_threads()  # each restores a frame of its own and has its part of the memory
    whole, parts = (Own("deblur", Conditions(memory=size * threads)) for size in (2**29, 2**18))
    assert parts._strip_rows(901, 40) < 300
    for ours, exact in zip(parts.process(clip).planes, whole.process(clip).planes, strict=True):
        assert np.abs(ours.astype(int) - exact).max() <= 1


def test_gradients_reach_everything_but_the_estimator_of_motion():
    network = deblurnet()
    y, uv = moving(3, 32, 32), torch.full((1, 6, 16, 16), 0.5)
    made = network(y, uv, torch.zeros(1))
    planes_log_error(*made, torch.rand(1, 1, 32, 32), torch.rand(1, 2, 16, 16), chroma_weight=0.2).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith("motion."), name


def test_planes_that_do_not_fit():
    with pytest.raises(ShapeError, match="DeblurNet got"):
        deblurnet()(torch.rand(1, 2, 16, 16), torch.rand(1, 6, 8, 8), torch.zeros(1))
