"""DeartifactNet: brings neighbours to where they belong, starts as the identity, takes every size."""

from __future__ import annotations

import pytest
import torch
from moving import waves

from revivid import networks
from revivid.networks.deartifactnet import DeartifactNet
from revivid.train.losses import planes_log_error
from revivid.weights import embedded

SMALL = {"widths": [4, 6], "encoder": [0], "middle": 1, "decoder": [1]}


def deartifactnet(reach: int = 1) -> DeartifactNet:
    torch.manual_seed(0)
    network = networks.build("deartifactnet", reach=reach, **SMALL)
    assert isinstance(network, DeartifactNet)
    network.motion.load_state_dict(embedded.load("compactinterp-x2")[1])
    return network.eval()


@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("size", [(2, 3), (33, 47)])
def test_untrained_network_returns_the_middle_frame(reach, size):
    frames = 2 * reach + 1
    y, uv = torch.rand(1, frames, *size), torch.rand(1, 2 * frames, -(-size[0] // 2), -(-size[1] // 2))
    luma, chroma = deartifactnet(reach)(y, uv, torch.zeros(1))
    torch.testing.assert_close(luma, y[:, reach : reach + 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(chroma, uv[:, 2 * reach : 2 * reach + 2], atol=1e-6, rtol=0)


def test_neighbours_are_brought_to_the_middle_frame():
    network = deartifactnet(2)
    y, c = waves(5, 96, 128, 2.0), waves(5, 48, 64, 1.0)
    uv = torch.stack((c, c), 2).flatten(1, 2)
    flows = torch.zeros(1, 8, 48, 64)
    flows[:, ::2] = torch.tensor([-2.0, 2.0, -4.0, 4.0]).view(1, 4, 1, 1)
    seen = network.seen(y, uv, flows, torch.full((1,), 30.0))
    apart = (y - y[:, 2:3])[:, [1, 3, 0, 4], 16:-16, 16:-16].abs().mean((0, 2, 3))
    brought = seen.luma[:, :4, :, 8:-8, 8:-8].abs().mean((0, 2, 3, 4))
    assert (brought < apart / 10).all()
    apart = (c - c[:, 2:3])[:, [1, 3, 0, 4], 8:-8, 8:-8].abs().mean((0, 2, 3))
    brought = seen.chroma[:, :4, :, 8:-8, 8:-8].abs().mean((0, 2, 3, 4))
    assert (brought < apart / 5).all()


def test_the_guide_says_where_places_are_in_every_neighbour():
    found = deartifactnet(2).guide(waves(5, 96, 128, 2.0))
    inside = found[0, :, 12:36, 16:48].flatten(1).median(1).values
    torch.testing.assert_close(inside, torch.tensor([-2.0, 0, 2, 0, -4, 0, 4, 0]), atol=0.3, rtol=0)


def test_gradients_reach_everything_but_the_estimator_of_motion():
    network = deartifactnet()
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    torch.nn.init.normal_(network.condition[2].weight, std=0.1)
    made = network(waves(3, 32, 32, 1.0), torch.rand(1, 6, 16, 16), torch.full((1,), 30.0))
    planes_log_error(*made, torch.rand(1, 1, 32, 32), torch.rand(1, 2, 16, 16), chroma_weight=0.2).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith("motion."), name
