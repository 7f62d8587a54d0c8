"""FastDVDnet over whole clips against the literal reference of bench/reference_fastdvdnet.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from revivid import networks

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from reference_fastdvdnet import ReferenceFastDVDnet


@pytest.mark.parametrize("shape", [(2, 3, 3, 16, 24), (1, 6, 3, 12, 8)])
def test_agrees_with_the_literal_form(shape):
    torch.manual_seed(1)
    network = networks.build("fastdvdnet").eval()
    for key, value in network.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif key.endswith("running_mean"):
            value.normal_(std=0.1)
    clip = torch.rand(shape)
    with torch.inference_mode():
        want = ReferenceFastDVDnet(network.state_dict())(clip, 0.1)
        assert (network.restore_clip(clip, sigma=0.1) - want).abs().max() < 5e-5 * want.std()
