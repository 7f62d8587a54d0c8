"""Every network runs under bfloat16 autocast and stays near its float32 answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from revivid import networks

_VRT = {
    "upscale": 1, "img_size": [3, 16, 16], "window_size": [3, 4, 4], "depths": [2] * 7 + [1, 1], "indep_reconsts": [8],
    "embed_dims": [12] * 9, "num_heads": [2] * 9, "pa_frames": 2, "deformable_groups": 4,
}  # fmt: skip
_SWINIR = {"img_size": 16, "window_size": 4, "depths": [2, 2], "embed_dim": 24, "num_heads": [2, 2], "upscale": 2}
_PAIR = (1, 2, 3, 32, 32)
#: network -> hyper-parameters, input shape.
CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "basicvsr": ({"num_feat": 8, "num_block": 1}, (1, 2, 3, 32, 32)),
    "basicvsr_plusplus": ({"mid_channels": 8, "num_blocks": 1}, (1, 3, 3, 32, 32)),
    "cellnet": ({"widths": [16, 24], "encoder": [1], "middle": 1, "decoder": [1]}, (1, 32, 32)),
    "deartifactnet": ({"widths": [16, 24], "encoder": [1], "middle": 1, "decoder": [1], "reach": 1}, (3, 32, 32)),
    "deblurnet": ({"widths": [16, 24], "encoder": [1], "middle": 1, "decoder": [1]}, (3, 32, 32)),
    "denoisenet": ({"widths": [16, 24], "encoder": [1], "middle": 1, "decoder": [1], "reach": 1}, (3, 32, 32)),
    "compactinterp": ({"widths": [16, 16, 16, 16], "depths": [1, 1, 1, 1]}, _PAIR),
    "compactsr": ({"channels": 16, "layers": 2}, (1, 32, 32)),
    "lumavsr": ({"channels": 16, "layers": 2, "reach": 1}, (3, 32, 32)),
    "lumasr": ({"channels": 16, "layers": 2}, (1, 32, 32)),
    "edvr": ({"num_feat": 8, "deformable_groups": 2, "num_extract_block": 1, "num_reconstruct_block": 1}, (1, 5, 3, 16, 16)),
    "estrnn": ({}, (1, 5, 3, 16, 16)),
    "fastdvdnet": ({}, (1, 5, 3, 16, 16)),
    "gao": ({"width": 8}, (1, 3, 32, 32)),
    "iconvsr": ({"num_feat": 8, "num_block": 1}, (1, 5, 3, 32, 32)),
    "ifirnn": ({}, (1, 2, 3, 16, 16)),
    "ifrnet": ({}, _PAIR),
    "ifrnet_l": ({}, _PAIR),
    "ifrnet_s": ({}, _PAIR),
    "refinenet": ({"widths": [16, 24, 32]}, (3, 32, 32)),
    "rife": ({}, _PAIR),
    "srvgg": ({"num_feat": 16, "num_conv": 2}, (1, 3, 16, 16)),
    "swinir": ({**_SWINIR, "upsampler": "pixelshuffle"}, (1, 3, 16, 16)),
    "vrt": (_VRT, (1, 3, 3, 32, 32)),
}
#: Mean difference to float32 over the answer's standard deviation; bfloat16 itself rounds to 2**-9.
BOUND = 0.03


def call(module: Any, shape: tuple[int, ...]) -> torch.Tensor:
    torch.manual_seed(2)
    if module.traits.kind == "planes":
        frames, height, width = shape
        return module(torch.rand(1, *shape), torch.rand(1, 2 * frames, height // 2, width // 2), torch.full((1,), 28.0))[0]
    x = torch.rand(shape)
    if module.traits.kind == "pair":
        return module(x, time=0.5)
    return module(x, sigma=0.1) if module.traits.noise == "argument" else module(x)


@pytest.mark.parametrize("name", [name for name in CASES if name in networks.names()])
def test_bfloat16_stays_near_float32(name):
    kwargs, shape = CASES[name]
    torch.manual_seed(1)
    module: Any = networks.build(name, **kwargs).eval()
    assert module.traits.bf16
    for parameter in module.parameters():
        spread = 0.1 if parameter.dim() == 1 else 0.7 / parameter[0].numel() ** 0.5
        torch.nn.init.normal_(parameter, std=spread)
    with torch.inference_mode():
        exact = call(module, shape)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = call(module, shape)
    assert rounded.shape == exact.shape
    assert rounded.isfinite().all()
    error = (rounded.float() - exact).abs().mean() / exact.std()
    assert 0 < error < BOUND, f"{float(error):.4f}"


def test_every_published_network_has_a_case():
    published = {name for name in networks.names() if not name.startswith(("compact", "bvc", "intra"))}
    assert published <= set(CASES)
