"""Does the file hold as many bytes as its header promises? Asked before hours of work, not after.

FFmpeg plays a truncated MP4, Matroska or AVI without complaint up to where it ends. These containers say how long they are: MP4
in its top-level boxes (ISO/IEC 14496-12), Matroska in the Segment's size (RFC 9559), AVI in its RIFF chunks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_SEGMENT = 0x18538067
_MAX_BOXES = 100_000


def missing_bytes(path: str | os.PathLike[str]) -> int:
    """How many bytes are missing at the end of the file, judged by its container; 0 where it is whole or does not say."""
    size = Path(path).stat().st_size
    with Path(path).open("rb") as stream:
        head = stream.read(12)
        stream.seek(0)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            return _mp4_missing(stream, size)
        if head[:4] == b"\x1aE\xdf\xa3":
            return _matroska_missing(stream, size)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _avi_missing(stream, size)
    return 0


def _mp4_missing(stream: BinaryIO, size: int) -> int:
    position = 0
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        header = stream.read(16)
        if len(header) < 8:
            return 0
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # "to the end of the file"
            return 0
        if length < 8:  # damaged, or not a box at all: the demuxer has its own view of that
            return 0
        position += length
        if position > size:
            return position - size
        if position == size:
            return 0
    return 0


def _matroska_missing(stream: BinaryIO, size: int) -> int:
    while (element := _ebml_element(stream)) is not None:
        name, length = element
        if length is None:  # unknown size, as live streams are written
            return 0
        end = stream.tell() + length
        if name == _SEGMENT:
            return max(0, end - size)
        if end >= size:
            return 0
        stream.seek(end)
    return 0


def _avi_missing(stream: BinaryIO, size: int) -> int:
    position = 0
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":  # large files hold several; anything else behind them is not AVI's
            return 0
        length = int.from_bytes(header[4:], "little")
        if length == 0:  # as recorders leave it that never finished
            return 0
        position += 8 + length + length % 2
        if position - length % 2 > size:
            return position - length % 2 - size
    return 0


def _ebml_element(stream: BinaryIO) -> tuple[int, int | None] | None:
    """Read an element's id and size; the size is None where all its bits are set ("unknown")."""
    name = _ebml_number(stream, keep_marker=True, longest=4)
    length = _ebml_number(stream, keep_marker=False, longest=8)
    if name is None or length is None:
        return None
    return name[0], None if length[0] == (1 << (7 * length[1])) - 1 else length[0]


def _ebml_number(stream: BinaryIO, *, keep_marker: bool, longest: int) -> tuple[int, int] | None:
    first = stream.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = stream.read(width - 1)
    if width > longest or len(rest) < width - 1:
        return None
    value = int.from_bytes(first + rest, "big")
    return (value if keep_marker else value & ((1 << (7 * width)) - 1)), width
