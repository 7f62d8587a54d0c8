"""Raw video, planes of 4:2:0 one after the other without a header: what it is stands in its name, as research sets have it.

    Beauty_1920x1080_120fps_420_8bit_YUV.yuv     UVG: size, rate, bits
    videoSRC01_1920x1080_30.yuv                  MCL-JCV: size, rate; 8 bits
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptInput, TruncatedInput, UsageError
from ..limits import check_frame_size
from ..types import ColorSpec, VideoInfo
from .frames import Planes, working_format
from .source import check_file
from .steady import SteadyReader, steady_rate

SUFFIX = ".yuv"
_SIZE = re.compile(r"(?<!\d)(\d{2,5})x(\d{2,5})(?!\d)")
#: "_30" right after the size, but not "_420", which is the sampling.
_RATES = (re.compile(r"(\d+(?:\.\d+)?)fps", re.IGNORECASE), re.compile(r"\dx\d{2,5}_(?!420)(\d{2,3})(?!\d)"))
_DEPTH = re.compile(r"(?<!\d)(8|10|12)bit", re.IGNORECASE)
_OTHER_SAMPLING = re.compile(r"(?<!\d)(422|444|400)(?!\d)")


@dataclass(frozen=True)
class RawFormat:
    """What a name says; None: nothing. Samples of more than 8 bits take two bytes, the low one first."""

    width: int | None = None
    height: int | None = None
    rate: Fraction | None = None
    bit_depth: int = 8


def is_raw(path: str | os.PathLike[str]) -> bool:
    """By its name."""
    return Path(path).suffix.lower() == SUFFIX


def named_format(path: str | os.PathLike[str]) -> RawFormat:
    """What the file's name says. Raises `UsageError` for other sampling than 4:2:0."""
    name = Path(path).stem
    size, depth = _SIZE.search(name), _DEPTH.search(name)
    rate = next(filter(None, (pattern.search(name) for pattern in _RATES)), None)
    if _OTHER_SAMPLING.search(_SIZE.sub("", name)):
        raise UsageError(f"{os.fspath(path)} is not 4:2:0 by its name", hint="Convert it with ffmpeg first.")
    width, height = (int(size[1]), int(size[2])) if size else (None, None)
    return RawFormat(width, height, Fraction(rate[1]) if rate else None, int(depth[1]) if depth else 8)


class RawReader(SteadyReader):
    """A file of raw 4:2:0; `rate` and `size` (width, height) stand in for what its name says. Options as `SteadyReader`.

    Raises `UsageError` where size or rate are not known, `TruncatedInput` where it holds no whole number of frames, and
    `LimitExceeded` for huge ones.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: Fraction | float | str | None = None,
        size: tuple[int, int] | None = None,
        **options: Any,
    ) -> None:
        where = os.fspath(path)
        check_file(path)
        named = named_format(path)
        width, height = size or (named.width, named.height)
        if not width or not height:
            raise UsageError(f"{where}: nothing says how large its pictures are", hint="Say it: --size 1920x1080.")
        check_frame_size(width, height, where)
        known = steady_rate(named.rate if rate is None else rate, where)
        color = ColorSpec(bit_depth=named.bit_depth)
        chroma = (-(-height // 2), -(-width // 2))
        self._shapes = ((height, width), chroma, chroma)
        bytes_each = sum(rows * columns for rows, columns in self._shapes) * np.dtype(color.dtype).itemsize
        held = Path(path).stat().st_size
        count, rest = divmod(held, bytes_each)
        if rest or not count:
            raise TruncatedInput(
                f"{where}: {held:,} bytes are no whole number of frames of {width}x{height} with {bytes_each:,} bytes",
                hint="Copy it again, or say its size: --size 1920x1080.",
            )
        super().__init__(
            path,
            VideoInfo(
                path=where,
                container="raw",
                codec="rawvideo",
                width=width,
                height=height,
                pixel_format=working_format(color.bit_depth),
                color=color,
                frame_rate=known,
                time_base=1 / known,
                duration=count / known,
                frames=count,
                size_bytes=held,
            ),
            **options,
        )
        self._bytes_each = bytes_each

    def _picture(self, number: int) -> Planes:
        dtype = np.dtype(self.info.color.dtype).newbyteorder("<")
        samples = np.fromfile(self.path, dtype, self._bytes_each // dtype.itemsize, offset=number * self._bytes_each)
        if samples.max() > self.info.color.peak:
            raise CorruptInput(f"{self.path}: frame {number} has samples of more than {self.info.color.bit_depth} bits")
        ends = np.cumsum([rows * columns for rows, columns in self._shapes])
        y, u, v = (part.reshape(shape) for part, shape in zip(np.split(samples, ends[:-1]), self._shapes, strict=True))
        return y, u, v
