"""Small PNG files: frames of the moving pattern of `clips`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext

from clips import picture


def write_picture(path: Path, t: int = 0, size: tuple[int, int] = (48, 32)) -> Path:
    """Frame `t` of the pattern as PNG, of (width, height)."""
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, VideoCodecContext)
    (context.width, context.height), context.pix_fmt, context.time_base = size, "rgb24", Fraction(1, 25)
    frame = picture(t, size, "rgb24")
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def write_pictures(folder: Path, count: int, size: tuple[int, int] = (48, 32), name: str = "{:06}.png", first: int = 0) -> Path:
    """A folder of `count` frames of the pattern from frame `first` on."""
    folder.mkdir(parents=True)
    for k in range(count):
        write_picture(folder / name.format(k), first + k, size)
    return folder
