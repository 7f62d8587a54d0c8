"""When a frame is shown: exact times for decoded frames, whatever the container wrote, and sampling at a steady rate."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import av

from .. import limits
from ..errors import LimitExceeded

#: Frames of look-ahead in which stamps are put in order.
_REORDER = 4
#: Seconds by which stamps may step back and still be disorder; beyond that the clock was set anew (joined broadcasts).
RESET = Fraction(1)


@dataclass
class Timed:
    """A decoded frame with its presentation time and duration in seconds; zero is the start of the container."""

    #: FFmpeg's frame, or what another decoder makes.
    frame: Any
    time: Fraction
    duration: Fraction


def in_order(decoded: Iterable[av.VideoFrame], origin: Fraction, nominal: Fraction, tick: Fraction, where: str) -> Iterator[Timed]:
    """Give each frame its time and duration: strictly increasing times, durations that reach up to the next frame.

    Decoders hand out frames in display order, but some containers (ASF, AVI) stamp them in coding order. The stamps are the
    right set in the wrong order, so the earliest of the next few belongs to the next frame. Well-ordered stamps pass unchanged.
    Two frames with one stamp come out a tick apart, and where the clock steps back the video goes on without a gap, so that no
    frame is lost. `nominal` is the frame duration to assume where nothing else is known, `where` names the input in errors.
    """
    waiting: deque[av.VideoFrame] = deque()
    times: list[Fraction] = []
    previous: Timed | None = None

    def take() -> Timed | None:
        nonlocal previous
        frame, time = waiting.popleft(), heapq.heappop(times)
        if previous is not None and time <= previous.time:
            time = previous.time + min(nominal, tick)
        done, previous = previous, Timed(frame, time, _own_duration(frame) or nominal)
        if done is not None:
            done.duration = previous.time - done.time
        return done

    for frame, time in _stamped(decoded, origin, nominal, where):
        waiting.append(frame)
        heapq.heappush(times, time)
        if len(waiting) > _REORDER and (done := take()) is not None:
            yield done
    while waiting:
        if (done := take()) is not None:
            yield done
    if previous is not None:
        yield previous


def _stamped(
    decoded: Iterable[av.VideoFrame], origin: Fraction, nominal: Fraction, where: str
) -> Iterator[tuple[av.VideoFrame, Fraction]]:
    latest: Fraction | None = None
    for frame in decoded:
        tick = frame.pts if frame.pts is not None else frame.dts
        if tick is None or frame.time_base is None:
            time = Fraction(0) if latest is None else latest + nominal
        else:
            time = tick * Fraction(frame.time_base) - origin
        if latest is not None and time < latest - max(RESET, 2 * _REORDER * nominal):
            origin -= latest + nominal - time
            time = latest + nominal
        check_time(time, where)
        latest = time if latest is None else max(latest, time)
        yield frame, time


def check_time(time: Fraction, where: str) -> None:
    """Raise `LimitExceeded` for stamps that no video has: they are damage, or an attack on the arithmetic behind."""
    if abs(time) > limits.MAX_SECONDS:
        raise LimitExceeded(
            f"{where}: a time stamp of {float(time):.6g} s is over the limit of {limits.MAX_SECONDS:,} s",
            hint="The file is damaged, or its clock does not start anywhere near zero: remux it first.",
        )


def sampled(timed: Iterable[Timed], fps: Fraction, where: str) -> Iterator[Timed]:
    """Frames at a steady rate: at each instant k/fps the frame that is on screen then (first paper, section 4.1).

    Raises `LimitExceeded` where one frame would have to be repeated for more than `limits.MAX_STILL_SECONDS`.
    """
    index = 0
    for item in timed:
        if item.duration > limits.MAX_STILL_SECONDS:
            raise LimitExceeded(
                f"{where}: one frame is shown for {float(item.duration):.6g} s, from {float(item.time):.2f} s on",
                hint="Leave out --fps, which would repeat it all that time.",
            )
        index = max(index, ceil(item.time * fps))
        while index / fps < item.time + item.duration:
            yield Timed(item.frame, index / fps, 1 / fps)
            index += 1


def _own_duration(frame: av.VideoFrame) -> Fraction | None:
    return frame.duration * Fraction(frame.time_base) if frame.duration and frame.time_base else None
