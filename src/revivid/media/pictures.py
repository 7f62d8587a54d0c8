"""A folder of pictures as a video: 000001.png, 000002.png ... at a given rate, one read at a time."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import CorruptInput, InputNotReadable
from . import frames
from .probe import main_video, probe
from .source import open_input, translated
from .steady import SteadyReader, steady_rate

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
_NUMBERS = re.compile(r"(\d+)")


def is_picture(path: str | os.PathLike[str]) -> bool:
    """By its name."""
    return Path(path).suffix.lower() in SUFFIXES


def pictures_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The pictures of a folder, if any, in the order of the numbers in their names: out9.png before out10.png."""
    return sorted((path for path in Path(folder).iterdir() if is_picture(path) and not path.name.startswith(".")), key=_order)


class PicturesReader(SteadyReader):
    """The pictures of one folder as frames at `rate` per second; options as `SteadyReader`.

    Raises `InputNotReadable` where there is no picture, `UsageError` for no rate, `CorruptInput` for one that does not decode or
    is not of the first one's size.
    """

    def __init__(self, folder: str | os.PathLike[str], rate: Fraction | float | str | None, **options: Any) -> None:
        where = os.fspath(folder)
        self._paths = pictures_in(folder)
        if not self._paths:
            raise InputNotReadable(f"no pictures in the folder {where}", hint=f"Known: {', '.join(sorted(SUFFIXES))}.")
        known = steady_rate(rate, where)
        count = len(self._paths)
        info = replace(
            probe(self._paths[0]),
            path=where,
            container="pictures",
            frame_rate=known,
            time_base=1 / known,
            duration=count / known,
            frames=count,
            size_bytes=sum(path.stat().st_size for path in self._paths),
        )
        super().__init__(folder, info, **options)
        if not frames.is_420(info.pixel_format):
            self.notices.append(f"{info.pixel_format} is converted to 4:2:0, which every player shows")

    def _picture(self, number: int) -> frames.Planes:
        path, info = self._paths[number], self.info
        with open_input(path) as container, translated(os.fspath(path)):
            frame = next(container.decode(main_video(container, os.fspath(path))), None)
        if frame is None:
            raise CorruptInput(f"{path}: no picture decodes")
        planes = frames.to_planes(frame, info.color, info.rotation)
        height, width = planes[0].shape
        if (width, height) != (info.width, info.height):
            raise CorruptInput(
                f"{path} is {width}x{height}, the first picture is {info.width}x{info.height}",
                hint="A folder holds the frames of one video.",
            )
        return planes


def _order(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBERS.split(path.name)]
