"""Frame interpolation: more frames per second, or another steady rate, at exact times.

    clips -> [scdet: where scenes start] -> spans from frame to frame -> instants in each span -> the frame itself, or
        planes -> network at the instant's place in the span -> planes                         several instants side by side
        planes -> R'G'B' -> network at the instant's place in the span -> R'G'B' -> planes     networks that want R'G'B'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ..color import clip_to_rgb, rgb_to_planes
from ..errors import MissingWeights
from ..media.scenes import CutDetector
from ..types import Clip, join
from .between import Interpolator, Known, interpolator
from .instants import Instants, Span, instants
from .stage import Conditions, Stage
from .workers import each_frame

#: Frames that come out in one clip at most.
_CLIP_LENGTH = 4


class Interpolate(Stage):
    """`factor` times as many frames (2, 3, 5/2 ...), or `rate` frames per second (60, 60000/1001 ...).

    A factor divides each span from a frame to the next evenly, whatever its length: variable frame rate stays variable. A rate
    is a steady grid from the first frame's time on; one that is lower than the input's drops frames. The span of the last frame
    is divided as well, and the frame repeated in it: the video begins and ends when it did, with exactly `factor` times as many
    frames. Frames at the instants of the input pass bit for bit (for a rate: within a millisecond, see `instants.Steady`).
    Nothing is computed, and the frame before is repeated, between two equal frames and up to a scene cut.

    `network` names weights of the package or a checkpoint of the catalogue; `module` is a network of one's own with `traits`.
    Weights are loaded when the first clip comes. Raises `UsageError` for factors and rates that can't work and for networks that
    do something else, `MissingWeights` for unknown names.
    """

    name = "interpolate"
    retimes = True

    def __init__(
        self,
        factor: Fraction | float | str | None = None,
        rate: Fraction | float | str | None = None,
        network: str | None = None,
        conditions: Conditions | None = None,
        *,
        module: torch.nn.Module | None = None,
    ) -> None:
        self.instants: Instants = instants(factor, rate)
        #: What makes the new frames.
        self.interpolator: Interpolator = interpolator(network, conditions or Conditions(), module)
        self.temporal_reach = (1, 2) if self.interpolator.frames == 4 else (0, 1)

    def output_rate(self, rate: Fraction) -> Fraction:
        return self.instants.rate(rate)

    def output_tick(self, tick: Fraction) -> Fraction:
        return self.instants.tick(tick)

    def working_bytes(self, width: int, height: int) -> int:
        return self.interpolator.layout(height, width).peak_bytes * self.interpolator.side_by_side(height, width)

    def missing_weights(self) -> list[MissingWeights]:
        return self.interpolator.missing_weights()

    def describe(self) -> str:
        return f"interpolate {self.instants} with {self.interpolator.name}"

    def describe_for(self, width: int, height: int) -> str:
        layout = replace(self.interpolator.layout(height, width), frames=1)  # how many a call takes is nobody's choice
        return f"{self.describe()} ({layout.describe()})"

    def process(self, clip: Clip) -> Clip:
        return join(list(self(iter((clip,)))))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        timeline = _Timeline(self.instants, self.interpolator, self.temporal_reach[1])
        for clip in clips:
            yield from _in_clips(timeline.take(clip))
        yield from _in_clips(timeline.finish())


@dataclass
class _Frame:
    """A frame of the input, as a clip of one; converted to R'G'B' (3, H, W) at most once."""

    clip: Clip
    starts_scene: bool = False

    @property
    def time(self) -> Fraction:
        return self.clip.times[0]

    @cached_property
    def rgb(self) -> Tensor:
        return clip_to_rgb(self.clip)[0]


class _Timeline:
    """One run over a video: frames in, frames at the output's instants out, as clips of one.

    Holds one frame before the span at hand and `ahead` after its start, and one finished frame whose end is not known yet.
    """

    def __init__(self, instants: Instants, interpolator: Interpolator, ahead: int) -> None:
        self._instants, self._interpolator, self._ahead = instants, interpolator, ahead
        self._detector: CutDetector | None = None
        #: The frame before the span's first, the span's two, and one more for networks of four.
        self._held: list[_Frame | None] = [None]
        self._number = 0
        self._origin = Fraction(0)
        self._done: Clip | None = None
        self._at_once = 1

    def take(self, clip: Clip) -> Iterator[Clip]:
        self._at_once = self._interpolator.side_by_side(clip.height, clip.width)
        return self._timed(self._moments(clip))

    def finish(self) -> Iterator[Clip]:
        last = self._held[-1]
        yield from self._timed(self._rest())
        if self._done is not None and last is not None:
            yield _lasting(self._done, last.time + last.clip.durations[0])

    def _moments(self, clip: Clip) -> Iterator[_Moment]:
        """Those of the spans that end, as far as the network looks, with this clip."""
        self._detector = self._detector or CutDetector(clip.color)
        for index, starts_scene in enumerate(self._detector(clip)):
            if self._number == 0 and len(self._held) == 1:
                self._origin = clip.times[index]
            self._held.append(_Frame(clip[index : index + 1], starts_scene))
            if len(self._held) == 2 + self._ahead:
                yield from self._span()

    def _rest(self) -> Iterator[_Moment]:
        while len(self._held) > 1:
            yield from self._span()

    def _span(self) -> Iterator[_Moment]:
        """Everything from the second held frame up to the third."""
        before, left, right, after = [*self._held, None, None][:4]
        assert left is not None
        end = left.time + left.clip.durations[0] if right is None else right.time
        scene = _Scene(before, left, right, after)
        for time, place in self._instants.within(Span(self._number, left.time, end, self._origin)):
            if right is None and place == 1:  # the end, but for rounding
                break
            yield _Moment(scene, place, time)
        del self._held[0]
        self._number += 1

    def _timed(self, moments: Iterator[_Moment]) -> Iterator[Clip]:
        """Their frames, each as soon as the next one's time says how long it is shown."""
        for frame in self._made(moments):
            if self._done is not None:
                yield _lasting(self._done, frame.times[0])
            self._done = frame

    def _made(self, moments: Iterator[_Moment]) -> Iterator[Clip]:
        # Of the moments some are frames of the input: more at once keep all threads busy.
        while few := list(islice(moments, 4 * self._at_once if self._at_once > 1 else 1)):
            yield from (each_frame if self._at_once > 1 else map)(lambda moment: moment.frame(self._interpolator), few)


@dataclass
class _Scene:
    """What is seen from the frame `left` to the frame `right`, which the last frame has not."""

    before: _Frame | None
    left: _Frame
    right: _Frame | None
    after: _Frame | None

    def at(self, place: Fraction, interpolator: Interpolator) -> Clip:
        """A clip of one frame; its times are still those of a frame of the input."""
        if self.right is None:
            return self.left.clip
        if 0 < place < 1:
            place = Fraction(0) if self._still else interpolator.met(place)
        if place in (0, 1):
            return (self.right if place else self.left).clip
        if interpolator.takes_planes(self.left.clip.height, self.left.clip.width):
            return interpolator.planes_at(place, self.left.clip, self.right.clip)
        rgb = interpolator.at(place, self._known)
        return self.left.clip.with_planes(*rgb_to_planes(rgb[None], self.left.clip.color))

    @cached_property
    def _still(self) -> bool:
        """Nothing moves, or a new scene starts with `right`."""
        assert self.right is not None
        return self.right.starts_scene or _equal(self.left.clip, self.right.clip)

    @cached_property
    def _known(self) -> Known:
        assert self.right is not None
        known = {Fraction(0): self.left.rgb, Fraction(1): self.right.rgb}
        if self.before is not None and not self.left.starts_scene:
            known[Fraction(-1)] = self.before.rgb
        if self.after is not None and not self.after.starts_scene:
            known[Fraction(2)] = self.after.rgb
        return known


@dataclass(frozen=True)
class _Moment:
    """An instant that gets a frame: the one at `place` in the scene, shown from `time` on."""

    scene: _Scene
    place: Fraction
    time: Fraction

    def frame(self, interpolator: Interpolator) -> Clip:
        return replace(self.scene.at(self.place, interpolator), times=(self.time,))


def _equal(one: Clip, other: Clip) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def _lasting(frame: Clip, end: Fraction) -> Clip:
    """A clip of one frame that is shown until `end`."""
    return replace(frame, durations=(end - frame.times[0],))


def _in_clips(frames: Iterable[Clip]) -> Iterator[Clip]:
    """Clips of one frame as clips of a few; nothing is held back when the frames end."""
    few: list[Clip] = []
    for frame in frames:
        few.append(frame)
        if len(few) == _CLIP_LENGTH:
            yield join(few)
            few = []
    if few:
        yield join(few)
