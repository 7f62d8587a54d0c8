"""Batches of small patches from scenes: textured places more often, mirrored and transposed, one degraded version each.

Batch i depends on the seed and on i alone, so a resumed run sees exactly what an uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..degrade.draw import NoiseRange
from ..errors import ShapeError
from ..media.frames import Planes
from ..types import Clip, ColorSpec
from .batches import Splits
from .scenes import Scene

#: Most noise that people want removed is weak: half of it is drawn below a sigma of 17.
_SKEW = 1.7


@dataclass(frozen=True)
class Batch(Splits):
    """Degraded planes of T frames, how strongly, and the ground truth of the middle one; planes as code value / 255."""

    #: (N,T,P,P) and (N,2T,P/2,P/2), as U V U V ...
    y: Tensor
    uv: Tensor
    #: (N,), CRF or sigma of noise
    strength: Tensor
    #: (N,1,sP,sP) and (N,2,sP/2,sP/2)
    truth_y: Tensor
    truth_uv: Tensor


class Patches:
    """Draws batches of `batch` patches of `size` x `size` degraded pixels (`size` even) with `reach` frames before and after.

    Frames are equally likely, except that a scene's first one, which is intra-coded and much better than the others, is drawn
    rarely: long videos hardly have any. Beyond a scene's ends its last frame is repeated. All versions of a scene are equally
    likely, but one that gets its noise here is drawn half of the time. Of `candidates` random places the one with most luma
    gradient wins, which leaves flat sky to the few places where it is all there is; with `damaged` the one that differs most from
    its truth wins four times out of five, since much of blurred video is hardly blurred.
    """

    def __init__(
        self,
        scenes: list[Scene],
        *,
        scale: int,
        size: int,
        batch: int,
        candidates: int,
        seed: int,
        reach: int = 0,
        damaged: bool = False,
    ) -> None:
        fitting = [s for s in scenes if min(s.degraded[0][0].shape[1:]) >= size]
        if not fitting or size % 2:
            raise ShapeError(f"no scene holds a patch of {size}x{size}", hint="Choose a smaller, even patch in the recipe.")
        self.scenes, self.scale, self.size, self.reach = fitting, scale, size, reach
        self.batch_size, self.candidates, self.seed = batch, candidates, seed
        self.damaged = damaged
        frames = np.array([len(s.truth[0]) for s in fitting], dtype=np.float64)
        self.cumulative = np.cumsum(frames / frames.sum())

    def batch(self, index: int) -> Batch:
        """The batch of this number."""
        rng = np.random.default_rng([self.seed, index])
        small, truth, strengths = [], [], []
        for _ in range(self.batch_size):
            places = [self._place(rng) for _ in range(self.candidates)]
            rank = self._texture if not self.damaged else self._damage if rng.random() < 0.8 else None
            scene, k, t, top, left = max(places, key=rank) if rank else places[0]
            turn = Turn.draw(rng)
            frames = np.clip(np.arange(t - self.reach, t + self.reach + 1), 0, len(scene.truth[0]) - 1)
            planes, strength = self._cut(scene.degraded[k], frames, top, left, 1), scene.strengths[k]
            if strength is None:
                planes, strength = with_noise(planes, rng)
            small.append([turn(p) for p in planes])
            truth.append([turn(p) for p in self._cut(scene.truth, frames[self.reach : self.reach + 1], top, left, self.scale)])
            strengths.append(strength)
        y, uv = _stack(small)
        truth_y, truth_uv = _stack(truth)
        return Batch(y, uv, torch.tensor(strengths, dtype=torch.float32), truth_y, truth_uv)

    def _place(self, rng: np.random.Generator) -> tuple[Scene, int, int, int, int]:
        """Scene, version, frame, and the upper left corner, even so that chroma fits."""
        scene = self.scenes[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.scenes) - 1)]
        count, height, width = scene.degraded[0][0].shape
        t = int(rng.integers(count)) or int(rng.integers(count))
        top, left = (2 * int(rng.integers(0, (size - self.size) // 2 + 1)) for size in (height, width))
        fresh = scene.strengths[0] is None and rng.random() < 0.5
        return scene, 0 if fresh else int(rng.integers(len(scene.strengths))), t, top, left

    def _texture(self, place: tuple[Scene, int, int, int, int]) -> int:
        """Sum of absolute luma differences of the ground truth, which is the same for every version."""
        scene, _, t, top, left = place
        patch = self._cut(scene.truth, np.array([t]), top, left, self.scale)[0][0, ::2, ::2].astype(np.int16)
        return int(np.abs(np.diff(patch, axis=0)).sum() + np.abs(np.diff(patch, axis=1)).sum())

    def _damage(self, place: tuple[Scene, int, int, int, int]) -> int:
        """Sum of absolute luma differences to the ground truth, at scale 1."""
        scene, k, t, top, left = place
        degraded, truth = (self._cut(p, np.array([t]), top, left, 1)[0].astype(np.int16) for p in (scene.degraded[k], scene.truth))
        return int(np.abs(degraded - truth).sum())

    def _cut(self, planes: Planes, frames: np.ndarray, top: int, left: int, scale: int) -> list[np.ndarray]:
        """Y (T,P,P), U and V (T,P/2,P/2) of these frames."""
        top, left, size = scale * top, scale * left, scale * self.size
        full = (slice(top, top + size), slice(left, left + size))
        half = (slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2))
        return [np.stack([plane[t][place] for t in frames]) for plane, place in zip(planes, (full, half, half), strict=True)]


def with_noise(planes: list[np.ndarray], rng: np.random.Generator) -> tuple[list[np.ndarray], float]:
    """Planes of a few frames with noise of a random strength, and about its sigma in luma: estimates err by so much."""
    noise = NoiseRange(skew=_SKEW).draw(rng)
    count = len(planes[0])
    clip = Clip((planes[0], planes[1], planes[2]), tuple(map(Fraction, range(count))), (Fraction(1),) * count, ColorSpec())
    return list(noise.apply(clip).planes), noise.luma_sigma * float(rng.uniform(0.9, 1.1))


@dataclass(frozen=True)
class Turn:
    """One of the eight mirrorings and quarter turns of the square."""

    upside_down: bool
    mirrored: bool
    transposed: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Turn:
        return cls(*(bool(bit) for bit in rng.integers(0, 2, 3)))

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        plane = plane[:, :: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return plane.swapaxes(1, 2) if self.transposed else plane


def _stack(patches: list[list[np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Y (N,T,P,P) and UV (N,2T,P/2,P/2) in 0..1."""
    y = np.stack([p[0] for p in patches])
    uv = np.stack([np.stack(p[1:], axis=1).reshape(-1, *p[1].shape[1:]) for p in patches])
    return torch.from_numpy(y).float().div_(255), torch.from_numpy(uv).float().div_(255)
