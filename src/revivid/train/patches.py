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
    """Degraded planes, their CRF, and the ground truth; planes as code value / 255. For clips with an axis T after N."""

    #: (N,1,P,P) and (N,2,P/2,P/2), or (N,T,1,P,P) and (N,T,2,P/2,P/2)
    y: Tensor
    uv: Tensor
    #: (N,)
    crf: Tensor
    #: The same `scale` times larger.
    truth_y: Tensor
    truth_uv: Tensor

    def split(self, count: int) -> list[Batch]:
        """Up to `count` parts of nearly the same number of patches."""
        fields = [getattr(self, field.name).tensor_split(min(count, len(self.crf))) for field in dataclasses.fields(self)]
        return [Batch(*part) for part in zip(*fields, strict=True)]


class Patches:
    """Draws batches of `batch` patches of `size` x `size` degraded pixels (`size` even), single frames or clips of `frames`.

    Frames are equally likely, except that a scene's first one, which is intra-coded and much better than the others, is drawn
    rarely: long videos hardly have any. All CRFs of a scene are equally likely. Of `candidates` random places the one with most
    luma gradient wins, which leaves flat sky to the few places where it is all there is. Clips begin anywhere.
    """

    def __init__(
        self, scenes: list[Scene], *, scale: int, size: int, batch: int, candidates: int, seed: int, frames: int | None = None
    ) -> None:
        fitting = [s for s in scenes if min(s.degraded[0][0].shape[1:]) >= size and len(s.truth[0]) >= (frames or 1)]
        if not fitting or size % 2:
            raise ShapeError(
                f"no scene holds {frames or 1} frame(s) of a patch of {size}x{size}",
                hint="Choose a smaller, even patch or a shorter clip in the recipe.",
            )
        self.scenes, self.scale, self.size, self.frames = fitting, scale, size, frames
        self.batch_size, self.candidates, self.seed = batch, candidates, seed
        lengths = np.array([len(s.truth[0]) for s in fitting], dtype=np.float64)
        self.cumulative = np.cumsum(lengths / lengths.sum())

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
        planes = [*_stack(small), *_stack(truth)]
        if self.frames is None:
            planes = [plane[:, 0] for plane in planes]
        return Batch(planes[0], planes[1], torch.tensor(crfs, dtype=torch.float32), planes[2], planes[3])

    def _place(self, rng: np.random.Generator) -> tuple[Scene, int, int, int, int]:
        """Scene, CRF, frame, and the upper left corner, even so that chroma fits."""
        scene = self.scenes[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.scenes) - 1)]
        count, height, width = scene.degraded[0][0].shape
        if self.frames is None:
            t = int(rng.integers(count)) or int(rng.integers(count))
        else:
            t = int(rng.integers(count - self.frames + 1))
        top, left = (2 * int(rng.integers(0, (size - self.size) // 2 + 1)) for size in (height, width))
        return scene, int(rng.integers(len(scene.crfs))), t, top, left

    def _texture(self, place: tuple[Scene, int, int, int, int]) -> int:
        """Sum of absolute luma differences of the ground truth, which is the same for every CRF."""
        scene, _, t, top, left = place
        patch = self._cut(scene.truth, t, top, left, self.scale)[0][0, ::2, ::2].astype(np.int16)
        return int(np.abs(np.diff(patch, axis=0)).sum() + np.abs(np.diff(patch, axis=1)).sum())

    def _cut(self, planes: Planes, t: int, top: int, left: int, scale: int) -> list[np.ndarray]:
        """Frames from `t` on of each plane, (T,P,P) and twice (T,P/2,P/2)."""
        top, left, size = scale * top, scale * left, scale * self.size
        frames = slice(t, t + (self.frames or 1))
        half = (frames, slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2))
        return [planes[0][frames, top : top + size, left : left + size], planes[1][half], planes[2][half]]


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
        plane = plane[..., :: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return plane.swapaxes(-1, -2) if self.transposed else plane


def _stack(patches: list[list[np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Luma (N,T,1,...) and chroma (N,T,2,...) of patches given as three planes (T,...) each."""
    y = np.stack([p[0] for p in patches])[:, :, None]
    uv = np.stack([np.stack(p[1:], axis=1) for p in patches])
    return torch.from_numpy(y).float().div_(255), torch.from_numpy(uv).float().div_(255)
