"""Several videos of as many frames in one Matroska file, lossless (FFV1): what belongs together stays together, with a note.

    [clip, clip, ...] + note -> file -> [planes, planes, ...] + note

8-bit 4:2:0; the clips may differ in size. Any player shows them, one track at a time.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import CorruptInput, ShapeError
from ..types import ColorSpec
from . import unfinished
from .frames import Planes, from_planes, to_planes
from .source import open_input, translated

_RATE = 25
_COLOR = ColorSpec()
#: Where Matroska keeps the note, and the CRC-32 of all samples: FFmpeg's decoder conceals what fails FFV1's own.
_NOTE, _CRC = "REVIVID_NOTE", "REVIVID_CRC"
_OPTIONS = {"level": "3", "slices": "4", "threads": "1"}


def write_tracks(path: Path, clips: Sequence[Planes], note: str) -> None:
    """Write clips, planes Y (T,H,W), U and V (T,H/2,W/2) of uint8 each, and a note; the file appears when it is whole.

    Raises `ShapeError` where the clips' lengths differ.
    """
    lengths = {len(clip[0]) for clip in clips}
    if len(lengths) != 1:
        raise ShapeError(f"tracks of one file have as many frames as one another, not {sorted(lengths)}")
    temporary = unfinished.begin(path)
    try:
        with av.open(os.fspath(temporary), "w", format="matroska") as out:
            out.metadata.update({_NOTE: note, _CRC: str(_checksum(clips))})
            streams = [_stream(out, clip) for clip in clips]
            for t in range(lengths.pop()):
                for stream, clip in zip(streams, clips, strict=True):
                    frame = from_planes([plane[t] for plane in clip], _COLOR)
                    frame.pts, frame.time_base = t, Fraction(1, _RATE)
                    out.mux(stream.encode(frame))
            for stream in streams:
                out.mux(stream.encode(None))
        unfinished.place(temporary, path)
    except BaseException:
        unfinished.discard(temporary)
        raise


def read_tracks(path: Path) -> tuple[list[Planes], str]:
    """The clips of `write_tracks` and their note. Raises `CorruptInput` for other files and damaged ones, and what opening a file
    raises."""
    with open_input(path) as container, translated(str(path)):
        note = container.metadata.get(_NOTE)
        if note is None:
            raise CorruptInput(f"{path} holds no such tracks", hint="Was it made by another program?")
        found: dict[int, list[Planes]] = {stream.index: [] for stream in container.streams.video}
        for stream in container.streams.video:
            stream.thread_type = "NONE"
        for packet in container.demux(container.streams.video):
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                found[packet.stream.index].append(to_planes(frame, _COLOR, 0))
        wanted = container.metadata.get(_CRC)
    clips = [_clip(frames) for frames in found.values() if frames]
    if str(_checksum(clips)) != wanted:
        raise CorruptInput(f"{path} is damaged: its samples are not those that were written", hint="Delete it: it is made anew.")
    return clips, note


def _stream(out: Any, clip: Planes) -> Any:
    stream = out.add_stream("ffv1", rate=_RATE, options=_OPTIONS)
    stream.height, stream.width = clip[0].shape[1:]
    stream.pix_fmt = "yuv420p"
    return stream


def _clip(frames: Sequence[Planes]) -> Planes:
    y, u, v = (np.stack(planes) for planes in zip(*frames, strict=True))
    return y, u, v


def _checksum(clips: Sequence[Planes]) -> int:
    crc = 0
    for clip in clips:
        for plane in clip:
            crc = zlib.crc32(plane.tobytes(), crc)
    return crc
