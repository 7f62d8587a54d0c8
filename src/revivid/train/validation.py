"""How much better held-out scenes get: luma PSNR over doing nothing but bicubic upscaling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .patches import with_noise
from .scenes import Scene

#: Upper ends of the ranges of strength (CRF, or sigma of noise) that are told apart.
_RANGES = (0.0, 20.0, 26.0, 32.0, 38.0, 64.0)
#: What is looked at of a degraded picture at most: its middle, in pixels a side.
_SIDE = 256


@torch.inference_mode()
def gains(network: Any, scenes: list[Scene]) -> dict[str, float]:
    """Mean luma gain in dB on the middle frame of each scene, in all and by range of strength.

    `network` has `restore`, `scale` and `traits.temporal_reach`. Scenes whose noise is drawn get the same one every time.
    """
    reach = network.traits.temporal_reach[0]
    found: dict[str, list[float]] = {}
    for number, scene in enumerate(scenes):
        t = len(scene.truth[0]) // 2
        frames = np.clip(np.arange(t - reach, t + reach + 1), 0, len(scene.truth[0]) - 1)
        truth = torch.from_numpy(_middle(scene.truth[0][t], network.scale)).float()
        for version, strength in zip(scene.degraded, scene.strengths, strict=True):
            planes = [np.stack([_middle(plane[f], 1 if i == 0 else 0.5) for f in frames]) for i, plane in enumerate(version)]
            if strength is None:
                planes, strength = with_noise(planes, np.random.default_rng(number))
            y = torch.from_numpy(planes[0])[None]
            uv = torch.from_numpy(np.stack(planes[1:], 1).reshape(-1, *planes[1].shape[1:]))[None]
            restored, _ = network.restore(y, uv, torch.tensor([strength]))
            given = F.interpolate(y[:, reach : reach + 1].float(), scale_factor=network.scale, mode="bicubic").round().clamp(0, 255)
            if torch.equal(given[0, 0], truth):  # nothing was damaged here, and there is nothing to gain
                continue
            gain = 10 * math.log10(_error(given[0, 0], truth) / _error(restored[0, 0].float(), truth))
            for name in ("all", _range(strength)):
                found.setdefault(name, []).append(gain)
    return {name: round(sum(values) / len(values), 4) for name, values in sorted(found.items())}


def _middle(plane: np.ndarray, scale: float) -> np.ndarray:
    """The middle of a plane that has `scale` times the side of degraded luma."""
    height, width = (min(size, int(_SIDE * scale)) for size in plane.shape)
    unit = int(4 * scale)  # the same place of every plane
    top, left = ((whole - part) // 2 // unit * unit for whole, part in zip(plane.shape, (height, width), strict=True))
    return np.ascontiguousarray(plane[top : top + height, left : left + width])


def _range(strength: float) -> str:
    low = 0.0
    for high in _RANGES:
        if strength <= high:
            return f"{low:g}-{high:g}" if high else "0"
        low = high
    return f"over {low:g}"


def _error(a: Tensor, b: Tensor) -> float:
    """Mean squared error in code values, never zero."""
    return max((a - b).square().mean().item(), 1e-6)
