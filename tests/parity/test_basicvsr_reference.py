"""The BasicVSR family against the literal references of bench/reference_basicvsr.py, over settings that no golden case covers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from revivid import networks

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from reference_basicvsr import ReferenceBasicVSR, ReferenceBasicVSRPlusPlus, ReferenceIconVSR


@pytest.mark.parametrize(
    ("name", "reference", "kwargs", "shape"),
    [
        ("basicvsr", ReferenceBasicVSR, {"num_feat": 8, "num_block": 1}, (2, 3, 3, 33, 40)),
        ("basicvsr", ReferenceBasicVSR, {"num_feat": 12, "num_block": 2}, (1, 1, 3, 20, 17)),
        ("iconvsr", ReferenceIconVSR, {"num_feat": 8, "num_block": 1, "keyframe_stride": 3}, (2, 5, 3, 36, 24)),
        ("iconvsr", ReferenceIconVSR, {"num_feat": 8, "num_block": 1, "temporal_padding": 3}, (1, 7, 3, 16, 20)),
        ("basicvsr_plusplus", ReferenceBasicVSRPlusPlus, {"mid_channels": 8, "num_blocks": 1}, (2, 4, 3, 25, 32)),
        ("basicvsr_plusplus", ReferenceBasicVSRPlusPlus, {"mid_channels": 16, "max_residue_magnitude": 4}, (1, 2, 3, 24, 24)),
    ],
)
def test_agrees_with_the_literal_form(name, reference, kwargs, shape):
    torch.manual_seed(1)
    network = networks.build(name, **kwargs).eval()
    for key, parameter in network.named_parameters():
        if not key.startswith("spynet"):
            torch.nn.init.normal_(parameter, std=0.1 if parameter.dim() == 1 else 0.7 / parameter[0].numel() ** 0.5)
    clip = torch.rand(shape)
    with torch.inference_mode():
        want = reference(network.state_dict(), **kwargs)(clip)
        assert (network(clip) - want).abs().max() < 5e-5 * want.std()
