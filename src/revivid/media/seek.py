"""Where to begin reading so that the frame at a given time decodes: containers only promise to land somewhere near."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.error

from .probe import main_video, start_of
from .source import open_input

#: Seconds before the wanted time at which to try; the last resort is to read from the beginning.
_BACK = (0, 2, 10, 60)


def seek_point(path: str | os.PathLike[str], start: Fraction) -> int | None:
    """The tick of the main video to seek to so that a key frame at or before `start` seconds comes first; None: don't seek.

    MPEG-TS lands between key frames, MP4 goes by decoding times, some containers can't seek at all: so it is tried.
    """
    with open_input(path) as container:
        stream = main_video(container, os.fspath(path))
        base = stream.time_base or Fraction(1, 90_000)
        target = start + start_of(container)
        for step in _BACK:
            if step >= start:
                return None
            tick = int((target - step) / base)
            try:
                container.seek(tick, stream=stream)
                key = _first_key(container.demux(stream), target, base)
            except av.error.FFmpegError:
                return None
            if key is not None:
                return tick
    return None


def _first_key(packets: Iterable[av.Packet], target: Fraction, base: Fraction) -> int | None:
    for packet in packets:
        tick = packet.pts if packet.pts is not None else packet.dts
        if tick is None:
            continue
        if tick * base > target:
            return None
        if packet.is_keyframe:
            return tick
    return None


def from_key_frame(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """The packets from the first key frame on, without those that are shown before it: what they refer to was not read."""
    key: int | None = None
    for packet in packets:
        if packet.size and key is None:
            if not packet.is_keyframe:
                continue
            key = packet.pts if packet.pts is not None else -(1 << 62)
        if key is None or packet.pts is None or packet.pts >= key:
            yield packet
