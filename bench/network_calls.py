"""How the benchmarks call every network: on random input of its kind, and with its multiply-adds counted instead of computed."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

#: Of FastDVDnet's input, 25 of 255.
SIGMA = 25 / 255


def picture(module: Any, shape: tuple[int, ...], device: str = "cpu") -> tuple[Tensor, ...]:
    """Random input of a shape: (N, T, C, H, W), (N, C, H, W), or (N, H, W) for as many frames of planes as the network takes."""
    generator = torch.Generator().manual_seed(1)
    if module.traits.kind == "planes":
        n, h, w = shape
        frames = sum(module.traits.temporal_reach) + 1
        y = torch.rand(n, frames, h, w, generator=generator)
        uv = torch.rand(n, 2 * frames, h // 2, w // 2, generator=generator)
        return (y.to(device), uv.to(device), torch.full((n,), 28.0, device=device))
    return (torch.rand(shape, generator=generator).to(device),)


def caller(module: Any) -> Callable[..., Any]:
    """How a network is called on a whole input."""
    if module.traits.kind == "pair":
        return lambda clip: module(clip, time=0.5)
    if module.traits.kind == "codec":  # the encoder's work, of which the decoder's is a part
        return lambda frame: module.encode(module.enhance(frame), frame, 1.0).decoded
    if module.traits.kind == "picture":  # coded and decoded
        return lambda frame: module.decode(*module.encode(frame, 1.0)[::2], 1.0)
    if module.traits.noise == "argument":
        return lambda clip: module.restore_clip(clip, sigma=SIGMA)
    return getattr(module, "restore_clip", module)


def count(module: Any, shape: tuple[int, ...]) -> tuple[float, int, float]:
    """Multiply-adds of convolutions, matrix products and attention on an input of a shape, new frames and megapixels of output.

    Nothing is computed where the module lies on the meta device. Elsewhere gradients are on, so that no layers are fused: the
    counter doesn't know fused ones.
    """
    device = next(module.parameters()).device.type
    with torch.set_grad_enabled(device != "meta"), FlopCounterMode(display=False) as counter:
        answer = caller(module)(*picture(module, shape, device))
    size = (answer[0] if isinstance(answer, tuple) else answer).shape
    frames = prod(size[:-3])
    return counter.get_total_flops() / 2, frames, frames * prod(size[-2:]) / 1e6
