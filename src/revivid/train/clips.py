"""Training of clip networks, such as the published ones, on compressed video (first paper, section 4.3: libx265 + VRT).

    scenes of consecutive frames -> clips of T frames, a square of them -> R'G'B' in [0, 1] -> network -> Charbonnier loss

The network may begin with a published checkpoint that is on this machine, and its activations may be computed again for the
backward pass instead of being kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..color import clip_to_rgb
from ..errors import ShapeError, UsageError
from ..layers.residual import Trunk
from ..media.frames import Planes
from ..types import Clip, ColorSpec
from .batches import Splits
from .losses import charbonnier
from .recipe import TrainingRecipe
from .scenes import Scene, held_out


@dataclass(frozen=True)
class ClipBatch(Splits):
    """R'G'B' in [0, 1]: degraded (N,T,3,P,P) and truth (N,T,3,sP,sP)."""

    degraded: Tensor
    truth: Tensor


class ClipTask:
    """Super-resolution or restoration of clips of `frames` consecutive frames."""

    def __init__(self, recipe: TrainingRecipe, network: Any, scenes: list[Scene]) -> None:
        settings = recipe.train
        if network.traits.scale != recipe.data.scale:
            raise UsageError(f"{recipe.name}: [network] upscales by {network.traits.scale}, [data] by {recipe.data.scale}")
        self.settings, self.scale = settings, recipe.data.scale
        fitting = [scene for scene in scenes if _fits(scene, settings.frames, settings.patch)]
        self.scenes = [scene for scene in fitting if not held_out(scene.name)]
        self.held_out = [scene for scene in fitting if held_out(scene.name)]
        if not self.scenes or settings.patch % 2:
            raise ShapeError(
                f"no scene holds {settings.frames} frames of {settings.patch}x{settings.patch}",
                hint="Choose fewer `frames` or a smaller, even `patch` in [train], or a longer `window` in [data].",
            )
        if settings.recompute:
            recompute_activations(network)
        sources = len({scene.name for scene in self.scenes})
        self.trained_on = f"{len(self.scenes)} scenes of {sources} photographs and clips, {recipe.data.coding}"
        self.trained_on += f", from {recipe.start}" if recipe.start else ""

    def batch(self, index: int) -> ClipBatch:
        rng = np.random.default_rng([self.settings.seed, index])
        pairs = [self._pair(rng) for _ in range(self.settings.batch)]
        return ClipBatch(*(torch.stack(clips) for clips in zip(*pairs, strict=True)))

    def loss(self, network: nn.Module, part: ClipBatch) -> Tensor:
        return charbonnier(network(part.degraded).float(), part.truth, self.settings.epsilon)

    @torch.inference_mode()
    def gains(self, network: nn.Module) -> dict[str, float]:
        """Mean R'G'B' gain over bicubic on the middle of each held-out scene, over all frames of a clip."""
        gains = []
        for scene in self.held_out:
            for k in range(len(scene.degraded)):
                size = min(scene.degraded[k][0].shape[1:]) // 2 * 2
                degraded, truth = self._clips(scene, k, 0, (0, 0), min(size, 2 * self.settings.patch), lambda planes: planes)
                bicubic = F.interpolate(degraded, scale_factor=self.scale, mode="bicubic").clamp(0, 1)
                restored = network(degraded[None])[0].float().clamp(0, 1)
                errors = [max((picture - truth).square().mean().item(), 1e-9) for picture in (bicubic, restored)]
                gains.append(10 * math.log10(errors[0] / errors[1]))
        return {"all": round(sum(gains) / len(gains), 4)} if gains else {"all": 0.0}

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        scene = self.scenes[rng.integers(len(self.scenes))]
        k, start = int(rng.integers(len(scene.degraded))), int(rng.integers(len(scene.truth[0]) - self.settings.frames + 1))
        height, width = scene.degraded[k][0].shape[1:]
        corner = tuple(2 * int(rng.integers((side - self.settings.patch) // 2 + 1)) for side in (height, width))
        turn, backwards = int(rng.integers(4)), bool(rng.integers(2))
        turned: Callable[[Tensor], Tensor] = lambda clip: torch.rot90(clip.flip(0) if backwards else clip, turn, (2, 3))  # noqa: E731
        return self._clips(scene, k, start, (corner[0], corner[1]), self.settings.patch, turned)

    def _clips(
        self, scene: Scene, k: int, start: int, corner: tuple[int, int], size: int, turned: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Degraded (T,3,size,size) and its truth."""
        times = slice(start, start + self.settings.frames)
        small = turned(rgb(scene.degraded[k], times, corner, size))
        truth = turned(rgb(scene.truth, times, (self.scale * corner[0], self.scale * corner[1]), self.scale * size))
        return small, truth


def recompute_activations(network: nn.Module) -> None:
    """Keep only the inputs of residual trunks for the backward pass and compute the rest again: less memory, a third more time.

    For networks without such hyper-parameters of their own (VRT has `use_checkpoint_attn` and `use_checkpoint_ffn`).
    """
    for module in network.modules():
        if isinstance(module, Trunk):
            module.forward = _recomputed(module.forward)  # type: ignore[method-assign]


def _recomputed(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def call(x: Tensor) -> Tensor:
        return checkpoint(forward, x, use_reentrant=False) if torch.is_grad_enabled() else forward(x)  # type: ignore[return-value]

    return call


def _fits(scene: Scene, frames: int, patch: int) -> bool:
    return len(scene.truth[0]) >= frames and min(scene.degraded[0][0].shape[1:]) >= patch


def rgb(planes: Planes, times: slice, corner: tuple[int, int], size: int) -> Tensor:
    """(T,3,size,size) of 8-bit planes, as BT.601: both sides of a pair alike."""
    top, left = corner
    full = (slice(top, top + size), slice(left, left + size))
    half = (slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2))
    y, u, v = (plane[(times, *place)] for plane, place in zip(planes, (full, half, half), strict=True))
    count = len(y)
    return clip_to_rgb(Clip((y, u, v), tuple(map(Fraction, range(count))), (Fraction(1),) * count, ColorSpec(matrix=6)))
