"""When the frames of an interpolated video are shown: exact instants, by a factor or at a steady rate.

    a factor of 2      |     :     |        :        |  :  |     twice in each span, however long: VFR stays VFR
    a rate             |     .     .  |  .     .     .  |  .     a steady grid from the first frame's time on
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd
from typing import Protocol

from .. import limits
from ..errors import LimitExceeded, UsageError

#: Seconds by which a frame's time may miss an instant and still be taken for it: containers that count milliseconds round both.
_COINCIDENCE = Fraction(1, 1000)
# No exponents: Fraction("1e999999999") would compute that number.
_NUMBER = re.compile(r"\d{1,7}(\.\d{1,9}|/[1-9]\d{0,6})?")


@dataclass(frozen=True)
class Span:
    """The time for which one frame is shown: up to the next frame, or to the end of the video."""

    #: Of the frame, counted from 0.
    number: int
    #: Seconds.
    start: Fraction
    end: Fraction
    #: Time of the very first frame.
    origin: Fraction


class Instants(Protocol):
    """Which instants of a video get a frame."""

    def within(self, span: Span) -> Iterator[tuple[Fraction, Fraction]]:
        """The instants in [start, end) of a span, each with its place between the two frames: 0 is the first, 1 the second."""
        ...

    def rate(self, rate: Fraction) -> Fraction:
        """Mean frames per second of the output for an input of mean `rate`."""
        ...

    def tick(self, tick: Fraction) -> Fraction:
        """The coarsest time base that holds every instant, where every time of the input is a multiple of `tick`."""
        ...


@dataclass(frozen=True)
class Multiplied:
    """`factor` times as many frames: a frame at every 1/factor of the way from each frame to the next."""

    factor: Fraction

    def within(self, span: Span) -> Iterator[tuple[Fraction, Fraction]]:
        step = ceil(span.number * self.factor)
        while (place := step / self.factor - span.number) < 1:
            yield span.start + place * (span.end - span.start), place
            step += 1

    def rate(self, rate: Fraction) -> Fraction:
        return rate * self.factor

    def tick(self, tick: Fraction) -> Fraction:
        return tick / self.factor.numerator

    def __str__(self) -> str:
        return f"x{self.factor}"


@dataclass(frozen=True)
class Steady:
    """`fps` frames per second from the first frame's time on, whatever the input's rate.

    A frame within a millisecond of an instant (less for short spans) is taken for it as it is. Raises `LimitExceeded` where
    one frame would be repeated for more than `limits.MAX_STILL_SECONDS`.
    """

    fps: Fraction

    def within(self, span: Span) -> Iterator[tuple[Fraction, Fraction]]:
        length = span.end - span.start
        if length > limits.MAX_STILL_SECONDS:
            raise LimitExceeded(
                f"one frame is shown for {float(length):.6g} s, from {float(span.start):.2f} s on",
                hint="Multiply the frames by a factor instead of asking for a rate, which would fill all that time.",
            )
        near = min(_COINCIDENCE, length / 8, 1 / (8 * self.fps))
        step = ceil((span.start - span.origin) * self.fps)
        while (instant := span.origin + step / self.fps) < span.end:
            passed = instant - span.start
            yield instant, Fraction(0) if passed < near else Fraction(1) if length - passed < near else passed / length
            step += 1

    def rate(self, rate: Fraction) -> Fraction:
        del rate
        return self.fps

    def tick(self, tick: Fraction) -> Fraction:
        numerators = gcd(tick.numerator * self.fps.numerator, tick.denominator * self.fps.denominator)
        return Fraction(numerators, tick.denominator * self.fps.numerator)

    def __str__(self) -> str:
        return f"to {self.fps} frames/s"


def instants(factor: Fraction | float | str | None, rate: Fraction | float | str | None) -> Instants:
    """By `factor` (over 1) or `rate` (frames per second), whichever is given. Raises `UsageError` for both, none or bad numbers."""
    if (factor is None) == (rate is None):
        raise UsageError("frame interpolation wants either a factor or a frame rate", hint="For example factor 2, or rate 60.")
    if factor is not None:
        exact = _exact(factor, "factor")
        if not 1 < exact <= limits.MAX_RATE_FACTOR:
            raise UsageError(f"frames can't be multiplied by {factor}", hint=f"From over 1 to {limits.MAX_RATE_FACTOR}.")
        return Multiplied(exact)
    exact = _exact(rate, "rate")
    if not 0 < exact <= limits.MAX_FRAME_RATE:
        raise UsageError(f"can't interpolate to {rate} frames/s", hint=f"From over 0 to {limits.MAX_FRAME_RATE}.")
    return Steady(exact)


def _exact(value: Fraction | float | str | None, name: str) -> Fraction:
    if isinstance(value, float) and 0 < value < 1e7:
        return Fraction(value).limit_denominator(1001)  # 59.94005994 is 60000/1001
    text = "" if isinstance(value, bool) else str(value).strip()
    if _NUMBER.fullmatch(text) is None:
        raise UsageError(f"the {name} {text[:40]!r} of interpolation is no number", hint="Write it as 2, 59.94 or 60000/1001.")
    return Fraction(text)
