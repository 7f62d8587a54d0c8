"""What all readers share: which part of a video is wanted, what failed, and how frames with times become Clips."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from ..errors import CorruptInput, UsageError
from ..types import Clip, VideoInfo
from .timing import Timed, sampled

#: Frames per Clip unless asked otherwise: small, so that memory and latency stay small.
CLIP_LENGTH = 4


@dataclass
class Damage:
    """What went wrong while reading; empty for a healthy file."""

    #: Packets that did not decode, or frames that the decoder marked as damaged.
    errors: int = 0
    #: Bytes that the container promises beyond the file's end.
    missing_bytes: int = 0
    #: Seconds of video that the header promised and that never came.
    missing_seconds: Fraction = field(default_factory=Fraction)

    def __bool__(self) -> bool:
        return bool(self.errors or self.missing_bytes or self.missing_seconds)

    def describe(self) -> str:
        parts = []
        if self.errors:
            parts.append(f"{self.errors} packets or frames did not decode")
        if self.missing_bytes:
            parts.append(f"{self.missing_bytes:,} bytes are missing at the end")
        if self.missing_seconds:
            parts.append(f"{float(self.missing_seconds):.2f} s of the promised video never came")
        return ", ".join(parts)


class Reader(ABC):
    """An iterable of Clips over one video; iterate once. `read.VideoReader`, or what reads another kind of file in the same way.

    `info` is what the headers say, `notices` what was changed on the way and why, `damage` what failed so far, `frames` how many
    frames came out so far.
    """

    info: VideoInfo
    #: What a `Passthrough` carries the other streams from, and whether that file holds nothing else; None: nothing to carry.
    carried_from: str | None = None
    carried_alone = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        start: Fraction | float | None,
        duration: Fraction | float | None,
        fps: Fraction | float | None,
        clip_length: int,
        allow_damaged: bool,
    ) -> None:
        self.path = os.fspath(path)
        self.start = exact(start, "start", minimum=0) or Fraction(0)
        self.length = exact(duration, "duration", positive=True)
        self.fps = exact(fps, "fps", positive=True)
        if clip_length < 1:
            raise UsageError(f"clip_length is {clip_length}, it must be at least 1")
        self.clip_length = clip_length
        self.allow_damaged = allow_damaged
        self.damage = Damage()
        self.frames = 0
        self.notices: list[str] = []

    @abstractmethod
    def __iter__(self) -> Iterator[Clip]: ...

    @property
    def frame_rate(self) -> Fraction:
        """Mean frames per second of what comes out."""
        return self.fps or self.info.frame_rate

    @property
    def time_base(self) -> Fraction:
        """A time base in which every time of what comes out is a whole number (unless a start cuts between ticks)."""
        return 1 / self.fps if self.fps else self.info.time_base

    @property
    def expected_frames(self) -> int | None:
        """How many frames will come, by the headers; for progress bars only."""
        return expected(self.info, self.frame_rate, self.start, self.length)

    @abstractmethod
    def _clip(self, batch: list[Timed]) -> Clip:
        """Decoded frames as a Clip of this reader."""

    def _wanted(self, timed: Iterator[Timed]) -> Iterator[Clip]:
        """Of all decoded frames those that are wanted, at `fps` if that is given, a few at a time."""
        timed = self._cut(timed)
        return self._clips(sampled(timed, self.fps, self.path) if self.fps else timed)

    def _cut(self, timed: Iterator[Timed]) -> Iterator[Timed]:
        for item in timed:
            if self.length is not None and item.time >= self.start + self.length:
                return
            if not self.start or item.time >= self.start:
                yield Timed(item.frame, item.time - self.start, item.duration)

    def _clips(self, timed: Iterator[Timed]) -> Iterator[Clip]:
        batch: list[Timed] = []
        for item in timed:
            batch.append(item)
            if len(batch) == self.clip_length:
                yield self._clip(batch)
                batch = []
        if batch:
            yield self._clip(batch)
        if not self.frames and self.damage:
            raise CorruptInput(f"{self.path}: not a single frame can be kept: {self.damage.describe()}")
        if not self.frames:
            raise self._nothing_between()

    def _nothing_between(self) -> UsageError:
        end = "the end" if self.length is None else f"{float(self.start + self.length):g} s"
        return UsageError(
            f"{self.path}: no frame lies between {float(self.start):g} s and {end}",
            hint=f"The video is {float(self.info.duration or 0):.2f} s long.",
        )


def expected(info: VideoInfo, rate: Fraction, start: Fraction, length: Fraction | None) -> int | None:
    """How many frames will come at `rate` of what lies between, by the headers."""
    if info.duration is None and info.frames is None:
        return None
    whole = info.frames or round((info.duration or 0) * info.frame_rate)
    if rate == info.frame_rate and not length and not start:
        return whole
    seconds = (info.duration or whole / info.frame_rate) - start
    return max(0, round((min(seconds, length) if length else seconds) * rate))


def exact(
    value: Fraction | float | str | None, name: str, *, minimum: int | None = None, positive: bool = False
) -> Fraction | None:
    """Seconds, or frames per second for the name `fps`, as a fraction. Raises `UsageError` for what is none, or out of range."""
    if value is None:
        return None
    try:
        number = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, TypeError, ZeroDivisionError) as exc:
        unit = "frames per second" if name == "fps" else "seconds"
        raise UsageError(f"{name} is {value!r}, it must be a number of {unit}") from exc
    if (positive and number <= 0) or (minimum is not None and number < minimum):
        raise UsageError(f"{name} is {float(number):g}, it must be {'positive' if positive else f'at least {minimum}'}")
    return number
