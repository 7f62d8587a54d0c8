"""Every kind of network small enough for tests, with weights that keep activations at a natural size, and pictures for them."""

from __future__ import annotations

import math
import zlib
from typing import Any

import torch
from torch import Tensor

from revivid import networks

_VRT = {"depths": [2] * 7 + [1] * 2, "embed_dims": [16] * 7 + [16] * 2, "num_heads": [2] * 9, "indep_reconsts": [8],
        "img_size": [2, 16, 16], "window_size": [2, 4, 4], "deformable_groups": 4}  # fmt: skip
#: name -> network, hyper-parameters, arguments of the engine.
NETWORKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "srvgg": ("srvgg", {"num_feat": 8, "num_conv": 2, "upscale": 2}, {}),
    "swinir": ("swinir", {"depths": [4] * 3, "num_heads": [2] * 3, "embed_dim": 24, "window_size": 8, "mlp_ratio": 2}, {}),
    "swinir-grey": ("swinir", {"depths": [2], "num_heads": [2], "embed_dim": 12, "window_size": 4, "in_chans": 1}, {}),
    "fastdvdnet": ("fastdvdnet", {}, {"sigma": 10}),
    "ifirnn": ("ifirnn", {}, {}),
    "estrnn": ("estrnn", {"n_features": 4, "n_blocks": 3, "past_frames": 1, "future_frames": 2}, {}),
    "edvr": ("edvr", {"num_feat": 8, "num_frame": 3, "deformable_groups": 2, "num_reconstruct_block": 2}, {}),
    "basicvsr": ("basicvsr", {"num_feat": 8, "num_block": 2}, {}),
    "iconvsr": ("iconvsr", {"num_feat": 8, "num_block": 1, "keyframe_stride": 2, "temporal_padding": 1}, {}),
    "basicvsr++": ("basicvsr_plusplus", {"mid_channels": 8, "num_blocks": 1}, {}),
    "vrt": ("vrt", {**_VRT, "upscale": 1}, {}),
    "vrt-denoise": ("vrt", {**_VRT, "upscale": 1, "nonblind_denoising": True}, {"sigma": 20}),
}


def build(name: str) -> tuple[Any, dict[str, Any]]:
    """A network with its weights and what the engine is told with it."""
    network, hyperparameters, told = NETWORKS[name]
    module = networks.build(network, **hyperparameters).eval()
    entries = {}
    for key, value in module.state_dict().items():
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        normal = torch.randn(value.shape, generator=generator)
        if key.endswith("running_var"):
            entries[key] = 1 + 0.1 * normal.abs()
        elif "table" in key:
            entries[key] = 0.5 * normal
        elif value.dim() > 1:
            # Flow of a few pixels, as in a film.
            entries[key] = (0.5 if "spynet" in key else 0.6) * normal / math.sqrt(math.prod(value.shape[1:]))
        else:
            entries[key] = 0.1 * normal + (0.6 if key.endswith("weight") else 0)
    module.load_state_dict({key: entries[key].to(value.dtype) for key, value in module.state_dict().items()})
    return module, told


def pictures(frames: int, height: int, width: int, channels: int = 3, seed: int = 0) -> list[Tensor]:
    """A natural-looking moving picture: noise with a 1/f spectrum and a few edges, gliding by a pixel and a half a frame."""
    generator = torch.Generator().manual_seed(seed)
    tall, wide = height + 2 * frames + 4, width + 2 * frames + 4
    noise = torch.fft.rfft2(torch.randn(channels, tall, wide, generator=generator))
    radius = torch.hypot(torch.fft.fftfreq(tall)[:, None], torch.fft.rfftfreq(wide)[None]).clamp(min=2 / max(tall, wide))
    texture = torch.fft.irfft2(noise / radius, s=(tall, wide))
    texture = 0.5 + 0.15 * texture / texture.std()
    rows, columns = torch.arange(tall)[:, None], torch.arange(wide)[None]
    edges = 0.12 * torch.sign(torch.sin(rows / 17 + columns / 23) + 0.3) + 0.08 * torch.sign(torch.sin(columns / 9 - rows / 31))
    picture = (texture + edges).clamp(0, 1)
    shifts = [(t, t * 3 // 2) for t in range(frames)]
    return [picture[:, y : y + height, x : x + width].clone() for y, x in shifts]
