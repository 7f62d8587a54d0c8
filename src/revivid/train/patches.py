"""Batches of small patches from scenes: textured places more often, mirrored and transposed, one CRF each.

Batch i depends on the seed and on i alone, so a resumed run sees exactly what an uninterrupted one would have seen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import ShapeError
from .data import Planes, Scene


@dataclass(frozen=True)
class Batch:
    """Degraded planes, their CRF, and the ground truth; planes as code value / 255."""

    #: (N,1,P,P) and (N,2,P/2,P/2)
    y: Tensor
    uv: Tensor
    #: (N,)
    crf: Tensor
    #: (N,1,sP,sP) and (N,2,sP/2,sP/2)
    truth_y: Tensor
    truth_uv: Tensor

    def split(self, count: int) -> list[Batch]:
        """Up to `count` parts of nearly the same number of patches."""
        fields = [getattr(self, field.name).tensor_split(min(count, len(self.crf))) for field in dataclasses.fields(self)]
        return [Batch(*part) for part in zip(*fields, strict=True)]


class Patches:
    """Draws batches of `batch` patches of `size` x `size` degraded pixels (`size` even).

    Frames are equally likely, except that a scene's first one, which is intra-coded and much better than the others, is drawn
    rarely: long videos hardly have any. All CRFs of a scene are equally likely. Of `candidates` random places the one with most
    luma gradient wins, which leaves flat sky to the few places where it is all there is.
    """

    def __init__(self, scenes: list[Scene], *, scale: int, size: int, batch: int, candidates: int, seed: int) -> None:
        fitting = [s for s in scenes if min(s.degraded[0][0].shape[1:]) >= size]
        if not fitting or size % 2:
            raise ShapeError(f"no scene holds a patch of {size}x{size}", hint="Choose a smaller, even patch in the recipe.")
        self.scenes, self.scale, self.size = fitting, scale, size
        self.batch_size, self.candidates, self.seed = batch, candidates, seed
        frames = np.array([len(s.truth[0]) for s in fitting], dtype=np.float64)
        self.cumulative = np.cumsum(frames / frames.sum())

    def batch(self, index: int) -> Batch:
        """The batch of this number."""
        rng = np.random.default_rng([self.seed, index])
        small, truth, crfs = [], [], []
        for _ in range(self.batch_size):
            scene, k, t, top, left = max((self._place(rng) for _ in range(self.candidates)), key=self._texture)
            turn = _Turn.draw(rng)
            small.append([turn(p) for p in self._cut(scene.degraded[k], t, top, left, 1)])
            truth.append([turn(p) for p in self._cut(scene.truth, t, top, left, self.scale)])
            crfs.append(scene.crfs[k])
        y, uv = _stack(small)
        truth_y, truth_uv = _stack(truth)
        return Batch(y, uv, torch.tensor(crfs, dtype=torch.float32), truth_y, truth_uv)

    def _place(self, rng: np.random.Generator) -> tuple[Scene, int, int, int, int]:
        """Scene, CRF, frame, and the upper left corner, even so that chroma fits."""
        scene = self.scenes[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.scenes) - 1)]
        count, height, width = scene.degraded[0][0].shape
        t = int(rng.integers(count)) or int(rng.integers(count))
        top, left = (2 * int(rng.integers(0, (size - self.size) // 2 + 1)) for size in (height, width))
        return scene, int(rng.integers(len(scene.crfs))), t, top, left

    def _texture(self, place: tuple[Scene, int, int, int, int]) -> int:
        """Sum of absolute luma differences of the ground truth, which is the same for every CRF."""
        scene, _, t, top, left = place
        patch = self._cut(scene.truth, t, top, left, self.scale)[0][::2, ::2].astype(np.int16)
        return int(np.abs(np.diff(patch, axis=0)).sum() + np.abs(np.diff(patch, axis=1)).sum())

    def _cut(self, planes: Planes, t: int, top: int, left: int, scale: int) -> list[np.ndarray]:
        top, left, size = scale * top, scale * left, scale * self.size
        luma = planes[0][t, top : top + size, left : left + size]
        half = (slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2))
        return [luma, planes[1][t][half], planes[2][t][half]]


@dataclass(frozen=True)
class _Turn:
    """One of the eight mirrorings and quarter turns of the square."""

    upside_down: bool
    mirrored: bool
    transposed: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Turn:
        return cls(*(bool(bit) for bit in rng.integers(0, 2, 3)))

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        plane = plane[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return plane.T if self.transposed else plane


def _stack(patches: list[list[np.ndarray]]) -> tuple[Tensor, Tensor]:
    y = np.stack([p[0] for p in patches])[:, None]
    uv = np.stack([np.stack(p[1:]) for p in patches])
    return torch.from_numpy(y).float().div_(255), torch.from_numpy(uv).float().div_(255)
