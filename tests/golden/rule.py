"""Weights and inputs of the golden cases: pure functions of name, shape and seed, so that no weight file is stored.

NumPy promises the same PCG64 stream on every platform.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np


def weight(key: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """The float32 entry `key` of a state dict: scaled normals, so that activations keep their size through every layer."""
    normal = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + 7919 * seed)).standard_normal(tuple(shape))
    leaf = key.split(".")[-1]
    if leaf == "running_var":
        value = 1 + 0.1 * np.abs(normal)
    elif "bias_table" in leaf:
        value = 0.5 * normal
    elif len(shape) > 1:
        value = (0.6 if "spynet" in key else 0.7) * normal / math.sqrt(max(1, math.prod(shape[1:])))
    elif leaf == "weight":
        value = 0.6 + 0.1 * normal
    else:
        value = 0.1 * normal
    return value.astype(np.float32)


def is_derived(key: str, dtype: str) -> bool:
    """Entries that the networks define themselves and that the rule therefore leaves out: index tables, masks, constants."""
    leaf = key.split(".")[-1]
    position_code = "position_bias" in leaf and "table" not in leaf
    return not dtype.startswith("float") or leaf in ("mean", "std") or "attn_mask" in key or position_code


def clip(shape: Sequence[int], seed: int) -> np.ndarray:
    """A float32 clip (N, T, C, H, W) in [0, 1]: twelve plane waves a sample, each moving at its own speed."""
    samples, frames, channels, height, width = shape
    rng = np.random.Generator(np.random.PCG64(seed))
    rows, columns = np.mgrid[:height, :width]
    out = np.zeros(tuple(shape))
    for sample in range(samples):
        for _ in range(12):
            fx, fy = rng.uniform(-0.35, 0.35, 2)
            vx, vy = rng.uniform(-1.5, 1.5, 2)
            amplitude = rng.uniform(0.2, 1.0, channels) / (1 + 8 * math.hypot(fx, fy))
            phase = rng.uniform(0, 2 * math.pi, channels)
            for t in range(frames):
                wave = fx * (columns - vx * t) + fy * (rows - vy * t)
                for c in range(channels):
                    out[sample, t, c] += amplitude[c] * np.sin(wave + phase[c])
    return (0.5 + 0.5 * out / np.abs(out).max()).astype(np.float32)
