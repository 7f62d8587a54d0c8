"""Footage in the forms that research sets have it: a video file, a folder of pictures, or raw video."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .pictures import PicturesReader
from .raw import RawReader, is_raw
from .read import VideoReader
from .reader import Reader

#: Footage of so many frames per second shows motion blur as their mean: 120, as NTSC has it.
HIGH_RATE_FROM = Fraction(120_000, 1001)


def open_footage(
    path: str | os.PathLike[str],
    *,
    rate: Fraction | float | str | None = None,
    size: tuple[int, int] | None = None,
    **options: Any,
) -> Reader:
    """Open footage for reading; options as those of all readers.

    `rate` (frames per second) is needed for a folder of pictures, and with `size` (width, height) stands in for the name of raw
    video. Raises `UsageError` for either with a video file, which says both itself, and what the readers raise.
    """
    if not is_raw(path):
        if size is not None:
            raise UsageError(f"{os.fspath(path)} says its size itself", hint="--size is for raw video (.yuv).")
        if Path(path).is_dir():
            return PicturesReader(path, rate, **options)
        if rate is not None:
            raise UsageError(f"{os.fspath(path)} says its rate itself", hint="--rate is for folders of pictures and raw video.")
        return VideoReader(path, **options)
    return RawReader(path, rate, size, **options)
