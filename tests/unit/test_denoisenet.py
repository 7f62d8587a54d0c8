"""DenoiseNet: averages what moves along its motion and nothing else, begins as that mean, takes every size."""

from __future__ import annotations

import pytest
import torch
from moving import waves

from revivid import networks
from revivid.metrics.pixel import psnr_from_mse
from revivid.networks.denoisenet import DenoiseNet
from revivid.train.losses import planes_log_error
from revivid.weights import embedded

SMALL = {"widths": [4, 6], "encoder": [0], "middle": 1, "decoder": [1]}
SIGMA = 8.0


def denoisenet(reach: int = 2) -> DenoiseNet:
    torch.manual_seed(0)
    network = networks.build("denoisenet", reach=reach, **SMALL)
    assert isinstance(network, DenoiseNet)
    network.motion.load_state_dict(embedded.load("compactinterp-x2")[1])
    return network.eval()


def noisy(planes: torch.Tensor) -> torch.Tensor:
    return planes + torch.randn(planes.shape, generator=torch.Generator().manual_seed(1)) * SIGMA / 255


def psnr(found: torch.Tensor, truth: torch.Tensor) -> float:
    return psnr_from_mse(float((found - truth)[..., 8:-8, 8:-8].square().mean()), 1.0)


def with_chroma(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`y` and chroma planes that are its even samples."""
    return y, y[..., ::2, ::2].repeat_interleave(2, 1)


@pytest.mark.parametrize("speed", [0.0, 1.5, 6.0])
def test_moving_frames_are_averaged_before_any_training(speed):
    clean = with_chroma(waves(5, 96, 128, speed))
    told = torch.tensor([SIGMA])
    y, uv = (noisy(planes) for planes in clean)
    with torch.no_grad():
        luma, chroma = denoisenet()(y, uv, told)
    # Five frames with the same noise have 7 dB less together.
    assert psnr(luma, clean[0][:, 2:3]) > psnr(y[:, 2:3], clean[0][:, 2:3]) + 5.5
    assert psnr(chroma, clean[1][:, 4:6]) > psnr(uv[:, 4:6], clean[1][:, 4:6]) + 5.5


def test_neighbours_that_show_something_else_are_left_out():
    y = waves(5, 64, 64, 0.0)
    y[:, [0, 1, 3, 4]] = torch.rand(1, 4, 64, 64, generator=torch.Generator().manual_seed(2))
    y, uv = with_chroma(y)
    with torch.no_grad():
        luma, chroma = denoisenet()(y, uv, torch.tensor([2.0]))
    assert psnr(luma, y[:, 2:3]) > 45
    assert psnr(chroma, uv[:, 4:6]) > 45


@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("size", [(2, 3), (33, 47)])
def test_every_size_and_reach(reach, size):
    frames = 2 * reach + 1
    y, uv = torch.full((1, frames, *size), 0.3), torch.full((1, 2 * frames, -(-size[0] // 2), -(-size[1] // 2)), 0.6)
    with torch.no_grad():
        luma, chroma = denoisenet(reach)(y, uv, torch.zeros(1))
    torch.testing.assert_close(luma, y[:, :1], atol=1e-5, rtol=0)
    torch.testing.assert_close(chroma, uv[:, :2], atol=1e-5, rtol=0)


def test_the_guide_says_where_places_are_in_every_neighbour():
    found = denoisenet().guide(noisy(waves(5, 96, 128, 2.0)))
    inside = found[0, :, 12:36, 16:48].flatten(1).median(1).values
    torch.testing.assert_close(inside, torch.tensor([-2.0, 0, 2, 0, -4, 0, 4, 0]), atol=0.3, rtol=0)


def test_gradients_reach_everything_but_the_estimator_of_motion():
    network = denoisenet(1)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    torch.nn.init.normal_(network.condition[2].weight, std=0.1)
    made = network(waves(3, 32, 32, 1.0), torch.rand(1, 6, 16, 16), torch.full((1,), 30.0))
    planes_log_error(*made, torch.rand(1, 1, 32, 32), torch.rand(1, 2, 16, 16), chroma_weight=0.2).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith("motion."), name
