"""SwinIR against the literal reference of bench/reference_swinir.py, over heads and sizes that no golden case covers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from revivid import networks

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from reference_swinir import ReferenceSwinIR

BASE = {"img_size": 64, "window_size": 8, "depths": [2, 3], "embed_dim": 24, "num_heads": [4, 3], "mlp_ratio": 2}


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"upscale": 1, "in_chans": 1}, (2, 1, 8, 24)),
        ({"upscale": 1, "window_size": 7, "img_range": 255, "img_size": 126}, (1, 3, 21, 14)),
        ({"upsampler": "nearest+conv", "upscale": 4, "resi_connection": "3conv"}, (1, 3, 16, 24)),
        ({"upsampler": "nearest+conv", "upscale": 2}, (1, 3, 24, 8)),
        ({"upsampler": "pixelshuffle", "upscale": 3, "qkv_bias": False}, (1, 3, 16, 16)),
        ({"upsampler": "pixelshuffle", "upscale": 8, "patch_norm": False}, (1, 3, 16, 8)),
        ({"upsampler": "pixelshuffledirect", "upscale": 4, "in_chans": 1}, (1, 1, 16, 24)),
    ],
)
def test_agrees_with_the_literal_form(changes, shape):
    torch.manual_seed(1)
    kwargs = {**BASE, **changes}
    network = networks.build("swinir", **kwargs).eval()
    for name, parameter in network.named_parameters():
        spread = 0.5 if "table" in name or parameter.dim() == 1 else 1.2 / parameter[0].numel() ** 0.5
        torch.nn.init.normal_(parameter, std=spread)
    image = torch.rand(shape)
    with torch.inference_mode():
        want = ReferenceSwinIR(network.state_dict(), **kwargs)(image)
        assert (network(image) - want).abs().max() < 5e-5 * want.std()
