"""Restoration with the package's own networks, in the stream's YUV planes: no colour conversion, nothing rounded twice.

    clips -> [scdet, where neighbours are used] -> a frame and its neighbours in the scene -> strips that fit the memory -> planes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import chain
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from ..types import Clip, join
from ..weights import embedded
from .backends import Backend, choose
from .embedded import load_embedded
from .memory import total_bytes
from .neighbours import Planes, with_neighbours
from .noise_level import luma_noise
from .stage import Conditions, Stage
from .turns import TURNS, ensemble
from .workers import each_frame, keep_freed_memory

#: Weights that stand behind a task when nobody names any, by effort: the first that the package has.
_BALANCED = {
    "super-resolve": ("lumasr-x{scale}", "compactsr-x{scale}"),
    "deartifact": ("deartifactnet",),
    "deblur": ("deblurnet",),
    "refine": ("refinenet",),
    "denoise": ("denoisenet",),
}
BEST = {
    "fast": {**_BALANCED, "denoise": ("cellnet-denoise",)},
    "balanced": _BALANCED,
    "best": {**_BALANCED, "super-resolve": ("lumavsr-x{scale}", "lumasr-x{scale}-hq")},
}
#: What is restored by a self-ensemble where the effort is best: four times the time, for tasks whose networks aren't sure of much.
_ENSEMBLE = ("deblur",)
#: Noise of sigma in R'G'B' is this times sigma in luma, at least.
_LEAST_SHARE = 0.55
Restore = Callable[..., tuple[Tensor, Tensor]]
#: The least CRF that the networks for these tasks were trained with; better input is treated like it.
_LEAST_CRF = {"super-resolve": 20.0, "deartifact": 20.0, "refine": 18.0}
#: Where nobody says how much: which part of the machine's memory all frames' features together may take, and one's at least.
_PARTS, _FRAME_BYTES = 4, 512 * 2**20
#: A strip's least height, in units of rows that networks want: of lower ones what they see beyond their ends would be the most.
_LEAST_UNITS = 4


def best_weights(task: str, scale: int = 1, effort: str = "balanced") -> str:
    """The weights of the package that `task` uses when nobody names any. Raises `UsageError` where it has none."""
    for name in BEST[effort].get(task, ()):
        if name.format(scale=scale) in embedded.names():
            return name.format(scale=scale)
    raise UsageError(f"{task} needs a network", hint=f"Add --with NAME; `revivid weights list --task {task}` shows the names.")


class Own(Stage):
    """`task` (super-resolve by `scale`, deartifact, deblur, denoise, refine) with one of the package's own networks.

    `weights` names embedded weights; by default the effort of `conditions` chooses them. The network is told the CRF of
    `conditions`, or for denoising the noise in luma, which is estimated from the first frames: `sigma`, in 8-bit code values of
    luma or of R'G'B', says between which bounds; "auto" lets it be anything. Neighbouring frames are used where the network
    wants them, but never across a scene cut. `conditions.backend` says what computes (see `backends`).
    Raises `MissingWeights` for an unknown name and `UsageError` for weights that do something else.
    """

    def __init__(
        self,
        task: str,
        conditions: Conditions | None = None,
        *,
        scale: int = 1,
        weights: str | None = None,
        sigma: float | Literal["auto"] | None = None,
    ) -> None:
        conditions = conditions or Conditions()
        self.name, self.scale = task, scale
        self.weights = weights or best_weights(task, scale, conditions.effort)
        self.module: Any = load_embedded(self.weights)
        traits = self.module.traits
        if task not in traits.tasks or traits.scale != scale or traits.kind != "planes":
            wanted = f"{task} x{scale}" if scale > 1 else task
            raise UsageError(f"{self.weights} is not for {wanted}", hint=f"`revivid weights list --task {task}` shows others.")
        self._sigma: float | Literal["auto"] = "auto" if sigma is None else sigma
        self._crf = None if task == "denoise" else min(max(float(conditions.crf), _LEAST_CRF.get(task, 0.0)), 51.0)
        self._memory = conditions.memory
        self._ensemble = conditions.effort == "best" and task in _ENSEMBLE
        self._said: list[str] = []
        self.temporal_reach = traits.temporal_reach
        self._wanted_backend = conditions.backend
        keep_freed_memory()

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        return width * self.scale, height * self.scale

    def working_bytes(self, width: int, height: int) -> int:
        weights = sum(p.numel() * 4 for p in self.module.parameters())
        rows = min(height, self._strip_rows(height, width) + 2 * self.module.traits.spatial_reach)
        planes = 6 * width * height * (self.scale**2 + 2 * sum(self.temporal_reach))
        return weights + torch.get_num_threads() * (planes + rows * width * int(self.module.traits.bytes_per_pixel))

    def notices(self) -> list[str]:
        return list(dict.fromkeys(self._said))

    @cached_property
    def backend(self) -> Backend:
        """What computes; made when it is first asked for, since trying it takes a while."""
        return choose(self._wanted_backend, self.module)

    def describe(self) -> str:
        if self._crf is not None:
            told = f"at CRF {self._crf:g}"
        else:
            told = "at an estimated sigma" if self._sigma == "auto" else f"at sigma {self._sigma:g}"
        factor = f" x{self.scale}" if self.scale > 1 else ""
        ways = f", seen {len(TURNS)} ways" if self._ensemble else ""
        return f"{self.name}{factor} with {self.weights} {told}{ways} ({self.backend.description})"

    def process(self, clip: Clip) -> Clip:
        (out,) = self(iter((clip,)))
        return out

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        clips, strength = self._begun(clips)
        _ = self.backend  # made here, not by several workers at once
        for clip, neighbours in with_neighbours(clips, *self.temporal_reach):
            restored = partial(self._restored, clip, strength)
            pictures = each_frame(partial(ensemble, restored) if self._ensemble else restored, neighbours)
            y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
            yield clip.with_planes(y, u, v)

    def _begun(self, clips: Iterator[Clip]) -> tuple[Iterator[Clip], float]:
        """The same clips, and what the network is told."""
        if self._crf is not None:
            return clips, self._crf
        # As many frames as the first one waits for anyway: what is told doesn't depend on how the video is cut into clips.
        wanted, taken = 1 + self.temporal_reach[1], list[Clip]()
        while sum(map(len, taken)) < wanted and (clip := next(clips, None)) is not None:
            taken.append(clip)
        if not taken:
            return iter(()), 0.0
        level = luma_noise(join(taken)[:wanted])
        if self._sigma == "auto":
            self._said.append(f"noise estimated at sigma {level:.1f} in luma")
        else:
            level = min(max(level, _LEAST_SHARE * self._sigma), self._sigma)
        return chain(taken, clips), level

    def _restored(self, clip: Clip, strength: float, frames: list[Planes]) -> Planes:
        """The middle one of `frames`."""
        y = torch.stack([_tensor(frame[0]) for frame in frames])[None]
        uv = torch.stack([_tensor(plane) for frame in frames for plane in frame[1:]])[None]
        depth = clip.color.bit_depth
        guide = [self._guide(y, depth)] if self.module.traits.guided else []
        luma, chroma = self._in_strips(lambda y, uv, *guide: self.backend.restore(y, uv, strength, depth, *guide), y, uv, *guide)
        return luma[0, 0].numpy(), chroma[0, 0].numpy(), chroma[0, 1].numpy()

    def _guide(self, y: Tensor, bit_depth: int) -> Tensor:
        """What the network says of whole frames."""
        with torch.inference_mode():
            return self.module.guide(y.float(), (1 << bit_depth) - 1)

    def _in_strips(self, restore: Restore, y: Tensor, *halved: Tensor) -> tuple[Tensor, Tensor]:
        """`restore` of all rows, as many at a time as fit the memory: the same numbers, since strips see beyond their ends.

        `halved`: chroma, and whatever else lies on its grid.
        """
        height, beyond = y.shape[-2], self._beyond
        rows = self._strip_rows(height, y.shape[-1])
        if rows >= height:
            return restore(y, *halved)
        done: list[tuple[Tensor, Tensor]] = []
        for top in range(0, height, rows):
            low, high = max(0, top - beyond), min(height, top + rows + beyond)
            luma, chroma = restore(y[..., low:high, :], *(plane[..., low // 2 : -(-high // 2), :] for plane in halved))
            first, last = self.scale * (top - low), self.scale * (min(top + rows, height) - low)
            done.append((luma[..., first:last, :], chroma[..., first // 2 : -(-last // 2), :]))
        return torch.cat([luma for luma, _ in done], -2), torch.cat([chroma for _, chroma in done], -2)

    def _strip_rows(self, height: int, width: int) -> int:
        """Rows of input that are restored together: strips as high as one another, as few as fit the memory with what they see."""
        unit, pixel = 2 * self.module.traits.tile_multiple, self.module.traits.bytes_per_pixel
        most = int(self._frame_bytes // (width * pixel))
        if height <= most:
            return height
        for count in range(2, height):
            rows = -(-height // (count * unit)) * unit
            if rows + (1 if count == 2 else 2) * self._beyond <= most or rows <= _LEAST_UNITS * unit:
                return max(rows, _LEAST_UNITS * unit)
        return height

    @property
    def _beyond(self) -> int:
        """Rows that a strip sees beyond each of its ends."""
        unit = 2 * self.module.traits.tile_multiple
        return -(-self.module.traits.spatial_reach // unit) * unit

    @cached_property
    def _frame_bytes(self) -> int:
        """What the features of one frame may take: every thread has a frame, and half is left for what waits.

        By default it follows from the machine alone, not from what is free now, so that the same job makes the same bytes.
        """
        if self._memory is not None:
            return self._memory // (2 * torch.get_num_threads())
        return max(total_bytes() // (_PARTS * torch.get_num_threads()), _FRAME_BYTES)


def _tensor(plane: np.ndarray) -> Tensor:
    return torch.from_numpy(np.require(plane, requirements=["C", "W"]))
