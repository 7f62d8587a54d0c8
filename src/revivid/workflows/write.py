"""`write_video`: Clips of your own into a file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from fractions import Fraction

from ..codecs import encoding
from ..errors import UsageError
from ..media.write import Target, VideoWriter
from ..types import Clip


def write_video(
    path: str | os.PathLike[str],
    clips: Iterable[Clip],
    *,
    codec: str = "x264",
    crf: float | None = None,
    preset: str | None = None,
    time_base: Fraction = Fraction(1, 90_000),
    overwrite: bool = False,
) -> int:
    """Encode Clips into `path` (.mp4, .mkv, .mov) and return the number of frames; `codec` ffv1 is lossless (Matroska).

    Times are kept to the nearest tick of `time_base` seconds. Raises `UsageError` for no clips at all.
    """
    stream = iter(clips)
    first = next(stream, None)
    if first is None:
        raise UsageError("no clips to write")
    rate = 1 / first.durations[0] if first.durations[0] else Fraction(25)
    target = Target(first.width, first.height, first.color, rate, time_base)
    settings = encoding(codec, first.color, crf=crf, preset=preset, width=first.width)
    with VideoWriter(path, target, settings, overwrite=overwrite) as writer:
        for clip in itertools.chain([first], stream):
            writer.write(clip)
    return writer.frames
