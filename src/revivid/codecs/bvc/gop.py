"""A group of pictures as bytes: when its frames are shown, and what each is coded as (docs/FORMAT.md, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .varint import Cursor, signed, unsigned


class Shown(NamedTuple):
    """When a frame is shown and for how long, in ticks of the stream's time base."""

    pts: int
    duration: int


@dataclass(frozen=True)
class CodedFrame:
    """One frame's bytes, and the CRC-32 of the integers that they decode to."""

    data: bytes
    crc: int


def to_bytes(shown: Sequence[Shown], frames: Sequence[CodedFrame]) -> bytes:
    """The payload of a GOP record; the first frame is a keyframe, the others are predicted."""
    payload = bytearray(signed(shown[0].pts))
    for count, duration, gap in _runs(shown):
        payload += unsigned(count) + unsigned(duration) + signed(gap)
    for frame in frames:
        payload += unsigned(len(frame.data)) + frame.crc.to_bytes(4, "little") + frame.data
    return bytes(payload)


class GopReader:
    """Takes a payload apart: the times of all frames first, then the frames one by one. Raises `ValueError` for what can't be."""

    def __init__(self, payload: bytes, count: int) -> None:
        self._cursor = Cursor(payload)
        self.shown = self._times(count)

    def frame(self) -> CodedFrame:
        """The next frame."""
        length = self._cursor.unsigned()
        crc = self._cursor.fixed(4)
        return CodedFrame(self._cursor.take(length), crc)

    def finish(self) -> None:
        """All frames were taken: nothing may follow."""
        if self._cursor.left:
            raise ValueError(f"{self._cursor.left:,} bytes follow the last frame of a group")

    def _times(self, count: int) -> list[Shown]:
        pts = self._cursor.signed()
        shown: list[Shown] = []
        while len(shown) < count:
            run, duration, gap = self._cursor.unsigned(), self._cursor.unsigned(), self._cursor.signed()
            if not 1 <= run <= count - len(shown) or duration + gap <= 0:
                raise ValueError("the times of its frames don't rise, or are of another number of frames")
            for _ in range(run):
                shown.append(Shown(pts, duration))
                pts += duration + gap
        return shown


def _runs(shown: Sequence[Shown]) -> list[tuple[int, int, int]]:
    """(count, duration, gap) of frames after one another: `gap` is what lies between a frame's end and the next frame."""
    runs: list[tuple[int, int, int]] = []
    for i, (pts, duration) in enumerate(shown):
        last = i + 1 == len(shown)
        gap = 0 if last else shown[i + 1].pts - pts - duration
        if runs and runs[-1][1] == duration and (last or runs[-1][2] == gap):
            runs[-1] = (runs[-1][0] + 1, duration, runs[-1][2])
        else:
            # A frame's step is positive: the last one's, which leads nowhere, too.
            runs.append((1, duration, gap if duration + gap > 0 else 1 - duration))
    return runs
