"""Restoration with published networks and the checkpoints of the catalogue: Clips in, Clips out.

    planes -> R'G'B' floats -> [engine of network 1] -> [engine of network 2] ... -> planes

Networks that follow one another pass floats on: nothing is rounded to code values or subsampled to 4:2:0 between them (`fused`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import torch
from torch import Tensor

from ..color import clip_to_rgb, rgb_to_planes
from ..errors import MissingWeights, UsageError
from ..media.scenes import CutDetector
from ..types import Clip
from ..weights import catalogue, store
from ..weights.catalogue import Entry
from .catalogued import load_catalogued, outline
from .engine import Engine, Frame
from .noise_level import clip_noise
from .stage import Conditions, Stage

#: R', G', B' in BT.601 luma, as grey pictures are made for published networks.
_LUMA = torch.tensor([0.299, 0.587, 0.114])
#: For plans, which don't depend on it.
_ANY_SIGMA = 25.0


@dataclass(frozen=True)
class Step:
    """One network and what it is told."""

    entry: Entry
    #: The network without weights: what it declares.
    module: torch.nn.Module
    #: Standard deviation of the noise in 8-bit code values, for denoisers that are told; "auto": estimated from the first frames.
    sigma: float | Literal["auto"] | None = None

    def told(self) -> str:
        return "" if self.sigma is None else " at an estimated sigma" if self.sigma == "auto" else f" at sigma {self.sigma:g}"

    @property
    def scale(self) -> int:
        return self.module.traits.scale  # type: ignore[union-attr, return-value]


class Published(Stage):
    """One or more published networks in a row.

    `name` is a checkpoint of the catalogue whose task is `task`; `scale` is the factor that was asked for, where one was. Weights
    are loaded when the first clip comes: planning needs none (`missing_weights`). Raises `MissingWeights` for a name that the
    catalogue doesn't have and `UsageError` for one that does something else.
    """

    def __init__(
        self,
        task: str,
        name: str,
        conditions: Conditions,
        *,
        scale: int | None = None,
        sigma: float | Literal["auto"] | None = None,
    ) -> None:
        entry = catalogue.entry(name)
        step = Step(entry, outline(entry), sigma)
        if task not in step.module.traits.tasks:  # type: ignore[union-attr, operator]
            raise UsageError(
                f"{name} is for {entry.task}, not for {task}", hint=f"`revivid weights list --task {task}` shows others."
            )
        if scale is not None and scale != step.scale:
            raise UsageError(
                f"{name} enlarges {step.scale} times, not {scale} times", hint=f"Ask for {step.scale}, or another network."
            )
        self.name = task
        self.steps: tuple[Step, ...] = (step,)
        self.conditions = conditions
        self._said: list[str] = []
        self._engines: list[Engine] = []

    def followed_by(self, other: Published) -> Published:
        """Both as one stage."""
        both = copy(self)
        both.steps, both._said, both._engines = self.steps + other.steps, [], []
        return both

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        for step in self.steps:
            width, height = width * step.scale, height * step.scale
        return width, height

    def working_bytes(self, width: int, height: int) -> int:
        most = 0
        for step in self.steps:
            most = max(most, self._engine(step, step.module).plan(height, width).peak_bytes)
            width, height = width * step.scale, height * step.scale
        return most

    def missing_weights(self) -> list[MissingWeights]:
        missing = []
        for step in self.steps:
            try:
                store.find(step.entry.name)
            except MissingWeights as fault:
                missing.append(fault)
        return missing

    def notices(self) -> list[str]:
        return list(dict.fromkeys(self._said))

    def describe(self) -> str:
        told = [step.entry.name + step.told() for step in self.steps]
        return f"{self.name} with {told[0]}" + "".join(f", then {text}" for text in told[1:])

    def describe_for(self, width: int, height: int) -> str:
        layouts = []
        for step in self.steps:
            layouts.append(self._engine(step, step.module).plan(height, width).describe())
            width, height = width * step.scale, height * step.scale
        return f"{self.describe()} ({'; '.join(layouts)})"

    def process(self, clip: Clip) -> Clip:
        (out,) = self(iter((clip,)))
        return out

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        clips = self._begun(clips)
        waiting: deque[Clip] = deque()
        frames = _frames(clips, waiting)
        for engine, step in zip(self._engines, self.steps, strict=True):
            frames = _through(engine, frames, luma_only=step.module.traits.channels == 1)  # type: ignore[union-attr]
        done: list[Tensor] = []
        for frame in frames:
            done.append(frame.rgb)
            if len(done) == len(waiting[0]):
                yield _clip_of(waiting.popleft(), done)
                done = []

    def _begun(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        """The same clips, once the networks are ready for them."""
        first = next(clips, None)
        if first is None:
            return iter(())
        if not self._engines:
            level = clip_noise(first) if any(step.sigma == "auto" for step in self.steps) else None
            if level is not None:
                self._said.append(f"noise estimated at sigma {level:.1f}")
            self._engines = [self._engine(step, self._loaded(step), level) for step in self.steps]
        return chain((first,), clips)

    def _loaded(self, step: Step) -> torch.nn.Module:
        return load_catalogued(step.entry.name, self.conditions.device)

    def _engine(self, step: Step, module: torch.nn.Module, level: float | None = None) -> Engine:
        return Engine(
            module,
            memory=self.conditions.memory,
            sigma=(level or _ANY_SIGMA) if step.sigma == "auto" else step.sigma,
            dtype=self.conditions.dtype,
            notify=self._said.append,
            task=step.entry.task,
        )


def fused(stages: list[Stage]) -> list[Stage]:
    """The same stages, with neighbours that are published networks made one."""
    out: list[Stage] = []
    for stage in stages:
        if out and isinstance(stage, Published) and isinstance(out[-1], Published):
            out[-1] = out[-1].followed_by(stage)
        else:
            out.append(stage)
    return out


def _frames(clips: Iterator[Clip], waiting: deque[Clip]) -> Iterator[Frame]:
    """The frames of all clips as RGB; each clip's times wait until its frames have come back."""
    detector: CutDetector | None = None
    for clip in clips:
        detector = detector or CutDetector(clip.color)
        cuts = detector(clip)
        waiting.append(_without_pictures(clip))
        for rgb, cut in zip(clip_to_rgb(clip), cuts, strict=True):
            yield Frame(rgb, cut)


def _through(engine: Engine, frames: Iterator[Frame], *, luma_only: bool) -> Iterator[Frame]:
    """The frames after one network; scene cuts stay where they are."""
    ahead: deque[Frame] = deque()

    def inputs() -> Iterator[Frame]:
        for frame in frames:
            ahead.append(frame if luma_only else replace(frame, rgb=frame.rgb[:0]))
            yield replace(frame, rgb=_luma(frame.rgb)) if luma_only else frame

    for out in engine.stream(inputs()):
        frame = ahead.popleft()
        if luma_only:
            # R, G and B each are luma plus a difference that grey networks don't see.
            out = (frame.rgb + (out - _luma(frame.rgb))).clamp_(0, 1)
        yield replace(frame, rgb=out)


def _luma(rgb: Tensor) -> Tensor:
    """(3, H, W) -> (1, H, W), in 0..1."""
    return torch.einsum("c,chw->hw", _LUMA, rgb)[None]


def _without_pictures(clip: Clip) -> Clip:
    """Times and colour alone; a matrix that was guessed from the height stays the same at another height."""
    empty = clip.planes[0][:, :0, :0]
    color = replace(clip.color, matrix=clip.color.resolved_matrix(clip.height))
    return replace(clip, planes=(empty, empty, empty), color=color)


def _clip_of(source: Clip, frames: list[Tensor]) -> Clip:
    return source.with_planes(*rgb_to_planes(torch.stack(frames), source.color))
