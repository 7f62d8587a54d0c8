"""Training of frame interpolation: two frames of a scene and the one between them that the network is to find, on luma.

    scene -> frames a < b < c, a patch of them that changes -> mirrored, turned, reversed -> network at (b - a) / (c - a) -> loss

Every level of the network is held to what it shows at its own size: the coarse ones learn large motion long before the fine ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.blending import blend
from .batches import Splits
from .losses import charbonnier, log_error
from .patches import Turn
from .recipe import TrainingRecipe
from .scenes import Scene, held_out

#: (c - a, b - a) and how often: mostly the middle of two neighbours, and farther and uneven ones for large motion and any time.
_SPANS, _SHARES = ((2, 1), (4, 2), (3, 1), (4, 1)), (0.5, 0.25, 0.15, 0.1)
#: Mean difference in code values from which more change makes a patch no more likely: some of it can't be interpolated.
_ENOUGH_CHANGE = 25.0
#: Weight of what each coarse level shows against the result.
_COARSE_WEIGHT = 0.3
#: Weight of the result's PSNR in nepers, which makes it about as large as its Charbonnier loss.
_PSNR_WEIGHT = 0.02


@dataclass(frozen=True)
class Triplets(Splits):
    """Luma as code value / 255: frames (N,3,P,P), the middle one of which is shown at `time` (N,) between the others."""

    frames: Tensor
    time: Tensor


class InterpolationTask:
    """The frame between two, for networks that find one field of motion for all planes.

    Validation takes held-out sources, and the last scene of every source that has several. Raises `UsageError` for networks of
    another make and `ShapeError` where no scene holds a patch.
    """

    def __init__(self, recipe: TrainingRecipe, network: Any, scenes: list[Scene]) -> None:
        if not network.traits.takes_planes:
            raise UsageError(f"{recipe.network} can't be trained here: it doesn't work on planes")
        self.settings = recipe.train
        reach = max(span for span, _ in _SPANS)
        fitting = [s for s in scenes if min(s.truth[0].shape[1:]) >= self.settings.patch and len(s.truth[0]) > reach]
        self.held_out = [scene for scene in _last_of_several(fitting) if not held_out(scene.name)]
        self.held_out += [scene for scene in fitting if held_out(scene.name)]
        kept = {id(scene) for scene in self.held_out}
        self.scenes = [scene for scene in fitting if id(scene) not in kept]
        if not self.scenes:
            raise ShapeError(
                f"no scene holds {reach + 1} frames of {self.settings.patch}x{self.settings.patch}",
                hint="Choose a smaller `patch` in [train] or keep more frames in [data].",
            )
        frames = np.array([len(scene.truth[0]) for scene in self.scenes], dtype=np.float64)
        self.cumulative = np.cumsum(frames / frames.sum())
        self.trained_on = f"{len(self.scenes)} scenes of {len({scene.name for scene in self.scenes})} photographs and clips"

    def batch(self, index: int) -> Triplets:
        rng = np.random.default_rng([self.settings.seed, index])
        drawn = [self._triplet(rng) for _ in range(self.settings.batch)]
        frames = torch.from_numpy(np.stack([frames for frames, _ in drawn])).float().div_(255)
        return Triplets(frames, torch.tensor([time for _, time in drawn], dtype=torch.float32))

    def loss(self, network: nn.Module, part: Triplets) -> Tensor:
        estimates: Any = network.estimates
        pyramid: Any = network.pyramid
        ends, middle, epsilon = part.frames[:, ::2], part.frames[:, 1:2], self.settings.epsilon
        *coarse, last = estimates(ends, part.time)
        # The finest frames that the network sees are half as large.
        made = _blended(ends, last.field, 2 * last.cell, part.time)
        loss = _PSNR_WEIGHT * log_error(made, middle)
        for (field, frames, cell), truth in zip(coarse, pyramid(middle), strict=False):
            loss = loss + _COARSE_WEIGHT * charbonnier(_blended(frames, field, cell, part.time), truth, epsilon)
        return loss

    @torch.inference_mode()
    def gains(self, network: nn.Module) -> dict[str, float]:
        """Mean gain in luma PSNR over the mean of both frames, for the middle of two frames of each held-out scene."""
        restore: Any = network.restore
        found: list[float] = []
        for scene in self.held_out:
            middle = len(scene.truth[0]) // 2
            y, u, v = (torch.from_numpy(plane[middle - 1 : middle + 2]) for plane in scene.truth)
            made, _ = restore(y[None, ::2], torch.stack((u[0], v[0], u[2], v[2]))[None])
            mean = y[::2].float().mean(0).add_(0.5).floor_()
            errors = [(picture.float() - y[1]).square().mean().item() for picture in (mean, made[0, 0])]
            found.append(10 * math.log10(max(errors[0], 1e-3) / max(errors[1], 1e-3)))
        return {"all": round(sum(found) / max(len(found), 1), 4)}

    def _triplet(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """The liveliest of some random places: (3,P,P) and the time of the middle frame."""
        drawn = [self._place(rng) for _ in range(self.settings.candidates)]
        frames, time = max(drawn, key=lambda place: _change(place[0]))
        turn = Turn.draw(rng)
        if rng.random() < 0.5:
            frames, time = frames[::-1], 1 - time
        return turn(frames), time

    def _place(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        scene = self.scenes[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.scenes) - 1)]
        count, height, width = scene.truth[0].shape
        span, middle = _SPANS[rng.choice(len(_SPANS), p=_SHARES)]
        first = int(rng.integers(count - span))
        top, left = (int(rng.integers(side - self.settings.patch + 1)) for side in (height, width))
        rows, columns = slice(top, top + self.settings.patch), slice(left, left + self.settings.patch)
        return scene.truth[0][[first, first + middle, first + span], rows, columns], middle / span


def _last_of_several(scenes: list[Scene]) -> list[Scene]:
    groups = [list(group) for _, group in groupby(scenes, key=lambda scene: scene.name)]
    return [group[-1] for group in groups if len(group) > 1]


def _change(frames: np.ndarray) -> float:
    first, last = (frame[::4, ::4].astype(np.int16) for frame in (frames[0], frames[-1]))
    return min(float(np.abs(first - last).mean()), _ENOUGH_CHANGE)


def _blended(frames: Tensor, field: Tensor, cell: int, time: Any) -> Tensor:
    return blend(frames[:, :1], frames[:, 1:], field, cell, time)
