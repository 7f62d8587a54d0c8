"""KernelNet: what restoring networks share that choose, for every cell, how much of several samples to add. Our own design.

    frames - CompactInterp, frozen, and registration: where places are in neighbours (`guide`, of whole frames)
    frames, flows - samples: K ways in which something near differs from the pixel; and hints about the motion
    frames, samples, hints - CellNet - in every cell a correction and K weights
    frame + correction + sum of weight k * sample k, luma and chroma alike

A network that only sees pictures has to learn where to look; here it is shown, and what is left to learn is how far to trust it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from .cellnet import CELL, CellNet, in_cells, in_codes, repeated
from .compactinterp import CompactInterp
from .registered import BORROWED, registered_flows

#: In how many pixels per frame a network is told motion.
_UNIT = 16


class Samples(NamedTuple):
    """What is seen near each pixel, as differences from it."""

    #: (N,K,4,h,w), in cells, and (N,K,2,h,w): what weights are chosen for.
    luma: Tensor
    chroma: Tensor
    #: (N,M,H,W): seen, but not added.
    beside: Tensor | None
    #: (N,L,h,w): other things that are known of each cell.
    hints: Tensor


class KernelNet(CellNet, ABC):
    """Restores the middle one of some frames; subclasses say what is sampled. The untrained network returns its input.

    `samples`, `beside`, `hints`: K, M and L of `Samples`. The others are CellNet's.
    """

    def __init__(
        self,
        task: str,
        reach: int,
        widths: Sequence[int],
        encoder: Sequence[int],
        middle: int,
        decoder: Sequence[int],
        gate: float,
        *,
        samples: int,
        beside: int,
        hints: int,
        farthest: int,
    ) -> None:
        inputs = 4 * (samples + beside) + hints
        super().__init__(
            task, max(reach, 1), widths, encoder, middle, decoder, gate, more_inputs=inputs, more_outputs=samples
        )
        self.samples = samples
        self.motion = CompactInterp().requires_grad_(False)
        self.borrowed = BORROWED
        self.traits = replace(
            self.traits,
            guided=True,
            spatial_reach=(self.traits.spatial_reach or 0) + farthest,
            bytes_per_pixel=self.traits.bytes_per_pixel + 12.0 * (samples + beside),
        )

    def forward(self, y: Tensor, uv: Tensor, strength: Tensor, motion: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `CellNet.forward`; `motion` is what `guide` says of whole frames, where only a part of them is given."""
        self._check_planes(y, uv, strength)
        if motion is None:
            motion = self.guide(y)
        cells = in_cells(y)
        with torch.no_grad(), torch.autocast(y.device.type, enabled=False):
            even = repeated(y.float(), y.shape[-1] % 2, y.shape[-2] % 2)
            luma, chroma, beside, hints = self.seen(even, uv.float(), motion.float(), strength.float())
        shown = [cells - 0.5, uv - 0.5, luma.flatten(1, 2), *([] if beside is None else [in_cells(beside)]), hints]
        found = self._residual(torch.cat([_as_convolved(part) for part in shown], 1), strength)
        residual, weights = found.split((CELL, self.samples), 1)
        chosen = torch.cat([_weighed(parts, weights) for parts in (luma, chroma)], 1)
        return self._added(y, cells, uv, residual + chosen)

    def restore(
        self, y: Tensor, uv: Tensor, strength: Tensor, bit_depth: int = 8, motion: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` from integer code values to integer code values: uint8 at 8 bits, uint16 above."""
        peak = (1 << bit_depth) - 1
        luma, chroma = self(y.float().div_(peak), uv.float().div_(peak), strength, motion)
        return in_codes(luma, chroma, bit_depth)

    def guide(self, y: Tensor, peak: float = 1.0) -> Tensor:
        """Where every place of the middle frame is in its neighbours: `registered_flows`."""
        return registered_flows(self.motion, y, peak)

    @abstractmethod
    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, strength: Tensor, /) -> Samples:
        """The samples of frames with even sides, in float32. Of luma (N,T,H,W), chroma (N,2T,h,w), what `guide` says, (N,)."""


def _as_convolved(x: Tensor) -> Tensor:
    """As a convolution wants it: channels last, in what autocast has it compute, so that what is copied is half as large."""
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    return x.to(dtype, memory_format=torch.channels_last)


def _weighed(parts: Tensor, weights: Tensor) -> Tensor:
    """Sum over K of `parts` (N,K,C,h,w) times `weights` (N,K,h,w)."""
    weights = weights.contiguous().float()  # rows of each are read one after the other
    total = parts[:, 0] * weights[:, :1]
    for k in range(1, parts.shape[1]):  # all products at once would not stay in the cache
        total.addcmul_(parts[:, k], weights[:, k : k + 1])
    return total


def shape_of(motion: Tensor) -> Tensor:
    """How far and along which line (N,3,h,w) motion (N,2,h,w) in pixels goes: either way along it is the same to a blur."""
    x, y = (motion / _UNIT).split(1, 1)
    length = (x * x + y * y + 1e-8).sqrt()
    return torch.cat((length, (x * x - y * y) / length, 2 * x * y / length), 1)
