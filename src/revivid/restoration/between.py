"""Asking a network for the frame at a place between two frames, in the way it can be asked, in tiles that fit the memory.

    any time     the two frames and the place itself
    the middle   halving: the middle of two frames, then the middle of a frame and that middle, and so on down to the place
    planes       whole frames as the stream holds them, several places side by side, by networks that can
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import MissingWeights, UsageError
from ..networks.precision import best_dtype
from ..networks.traits import Traits
from ..types import Clip
from ..weights import catalogue, embedded, store
from .catalogued import load_catalogued, outline
from .embedded import load_embedded
from .memory import default_budget, device_budget
from .planning import Budget, Layout, Planner
from .stage import Conditions
from .tiles import tiled
from .workers import keep_freed_memory

#: Weights that are taken where none are named.
DEFAULT = "compactinterp-x2"
#: Halving meets eighths; places whose denominator is a power of two it meets exactly, up to this one.
_NEAREST, _FINEST = 8, 64

#: The frames around a place, R'G'B' (3, H, W) each, by their own places: 0 and 1, and -1 and 2 where they belong to the scene. What
#: halving makes on the way is added.
Known = dict[Fraction, Tensor]


class Interpolator:
    """One network that makes frames between frames.

    `name` is what to call it, `outline` the network without its weights, for what it declares, `load` brings it with them when the
    first frame is to be made. Networks that are not `any_time` only make the middle.
    """

    def __init__(
        self,
        name: str,
        outline: nn.Module,
        load: Callable[[], nn.Module],
        *,
        dtype: torch.dtype = torch.float32,
        memory: int | None = None,
        any_time: bool = True,
        device: torch.device = torch.device("cpu"),
    ) -> None:
        self.name, self._load, self._memory = name, load, memory
        traits: Traits = outline.traits  # type: ignore[assignment]
        if "interpolate" not in traits.tasks:
            raise UsageError(f"{name} is not for interpolation", hint=_choices())
        self._traits = traits
        self._any_time = any_time and traits.any_time
        self._dtype = dtype if dtype != torch.bfloat16 or traits.bf16 else torch.float32
        self._weight_bytes = sum(4 * part.numel() for part in outline.parameters())
        self._device = device
        #: How many frames it takes: 2, or 4 evenly spaced ones.
        self.frames = traits.min_frames
        if traits.takes_planes:
            keep_freed_memory()

    def met(self, place: Fraction) -> Fraction:
        """The place in [0, 1] that is met when `place` in (0, 1) is asked for.

        Networks that take any time meet it. Halving meets halves, quarters ... 64ths, else the nearest eighth, 1/16 off at most.
        """
        power_of_two = place.denominator & (place.denominator - 1) == 0
        if self._any_time or (power_of_two and place.denominator <= _FINEST):
            return place
        return Fraction(round(place * _NEAREST), _NEAREST)

    def at(self, place: Fraction, known: Known) -> Tensor:
        """The frame (3, H, W) at `place`, one that is `met`, between the known frames at 0 and 1."""
        if self._any_time:
            return self.call(torch.stack((known[Fraction(0)], known[Fraction(1)])), float(place))
        low, high = Fraction(0), Fraction(1)
        while place not in known:
            half = (low + high) / 2
            if half not in known:
                known[half] = self.call(torch.stack([known[near] for near in self._around(low, high, known)]), 0.5)
            low, high = (low, half) if place < half else (half, high)
        return known[place]

    def call(self, frames: Tensor, time: float) -> Tensor:
        """R'G'B' frames (2 or 4, 3, H, W) in [0, 1] -> the frame (3, H, W) at `time` between the middle two, tile by tile."""
        tiling = self.layout(*frames.shape[-2:]).tiling
        return tiled(lambda tile: self._network(tile, time), frames, tiling)[0]

    def takes_planes(self, height: int, width: int) -> bool:
        """Whether `planes_at` works for frames of this size: the network can, and the whole frame fits the memory."""
        return self._traits.takes_planes and self.layout(height, width).tiling.count == 1

    def side_by_side(self, height: int, width: int) -> int:
        """How many frames of this size are to be made at a time, by `planes_at` in a thread each; 1: one after the other."""
        threads = torch.get_num_threads()
        if self._device.type != "cpu" or not self.takes_planes(height, width):
            return 1
        return threads if threads * self.layout(height, width).peak_bytes <= self._planner.budget.frames else 1

    def planes_at(self, place: Fraction, left: Clip, right: Clip) -> Clip:
        """The frame at `place` in (0, 1) between two clips of one frame; its times are those of `left`."""
        frames = [[torch.from_numpy(np.require(plane, requirements=["C", "W"])) for plane in clip.planes] for clip in (left, right)]
        y = torch.stack([planes[0] for planes in frames], 1)
        uv = torch.stack([plane for planes in frames for plane in planes[1:]], 1)
        dtype, enabled = self._dtype, self._dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self._device.type, dtype, enabled=enabled):
            made = self._module.restore(y.to(self._device), uv.to(self._device), float(place), left.color.bit_depth)
        luma, chroma = (plane.cpu().numpy() for plane in made)
        return left.with_planes(luma[0], chroma[:, 0], chroma[:, 1])

    def layout(self, height: int, width: int) -> Layout:
        """Tiles and memory for frames of this size. Raises `NotEnoughMemory` where the smallest tile doesn't fit."""
        return self._planner.plan(height, width, frames=self.frames)

    def missing_weights(self) -> list[MissingWeights]:
        if self.name in catalogue.names():
            try:
                store.find(self.name)
            except MissingWeights as fault:
                return [fault]
        return []

    def _around(self, low: Fraction, high: Fraction, known: Known) -> tuple[Fraction, ...]:
        """The places of the frames to ask the middle with: the outer of four stand one step further where they are known.

        At the ends of scenes and beyond the first halving they may not be: then the inner ones stand in.
        """
        if self.frames == 2:
            return low, high
        before, after = 2 * low - high, 2 * high - low
        return before if before in known else low, low, high, after if after in known else high

    @torch.no_grad()
    def _network(self, frames: Tensor, time: float) -> Tensor:
        """(K, 3, h, w) -> (1, 3, h, w)."""
        told = {"time": time} if self._traits.kind == "pair" else {}
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            return self._module(frames[None].to(self._device), **told)[0].to(frames.device, torch.float32).clamp(0, 1)

    @cached_property
    def _module(self) -> Any:
        return self._load()

    @cached_property
    def _planner(self) -> Planner:
        memory = default_budget() if self._memory is None else self._memory
        on_device = device_budget(self._device)
        budget = Budget(memory, None if on_device is None else min(on_device, self._memory or on_device))
        return Planner(self._traits, budget, self._weight_bytes)


def interpolator(name: str | None, conditions: Conditions, module: nn.Module | None = None) -> Interpolator:
    """For embedded weights or a checkpoint of the catalogue by name, or for a network of one's own.

    Raises `MissingWeights` for an unknown name and `UsageError` for weights that are for something else, or where none are named
    and the package has none.
    """
    told: dict[str, Any] = {"memory": conditions.memory}
    if module is not None:
        there = next((part.device for part in module.parameters()), torch.device("cpu"))
        return Interpolator(type(module).__name__, module, lambda: module, dtype=conditions.dtype, device=there, **told)
    if name is None and DEFAULT not in embedded.names():
        raise UsageError("frame interpolation needs a network", hint=_choices())
    name = name or DEFAULT
    if name in embedded.names():
        own = load_embedded(name)
        return Interpolator(name, own, lambda: own, dtype=best_dtype(), **told)
    entry = catalogue.entry(name)
    told |= {"dtype": conditions.dtype, "device": conditions.device}
    return Interpolator(
        name, outline(entry), lambda: load_catalogued(name, conditions.device), any_time=not entry.middle_only, **told
    )


def _choices() -> str:
    known = [name for name, entry in catalogue.entries().items() if entry.task == "interpolate"]
    return f"Name one with --with: {', '.join(known)}."
