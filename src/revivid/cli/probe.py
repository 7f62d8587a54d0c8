"""`revivid probe`: what a file is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from . import common


def probe(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A video file.")],
    as_json: common.Json = False,
) -> None:
    """Show what a video file is.

    Size, rate, colour, streams, and the recipe that `revivid compress` left in it, by its headers.
    """
    from ..learned.opening import probe as read

    info = read(source)
    learned = _learned(info.path) if info.codec == "bvc" else None
    if as_json:
        common.emit("result", **asdict(info), bits_per_pixel=info.bits_per_pixel, bvc=learned)
        return
    rows = {
        "file": f"{info.path} ({info.container}, {common.human_bytes(info.size_bytes)})",
        "video": f"{info.codec} {info.width}x{info.height} {info.pixel_format}",
        "colour": info.color.describe() + (", HDR10 metadata" if info.hdr else ""),
        "rate": f"{float(info.frame_rate):.3f} frames/s on average",
        "duration": "unknown" if info.duration is None else f"{float(info.duration):.3f} s",
        "frames": "not in the header" if info.frames is None else str(info.frames),
        "pixels": "square" if info.sample_aspect == 1 else f"aspect {info.sample_aspect}",
        "rotation": f"{info.rotation} degrees" if info.rotation else "none",
        "scan": "interlaced" if info.interlaced else "progressive",
        "chapters": str(info.chapters),
        "recipe": info.recipe or "none",
    }
    if learned:
        rows["bvc"] = f"{learned['mode']}, quality {learned['quality']:g}, groups of up to {learned['gop']} frames"
        rows["model"] = f"{learned['model']} (sha256 {learned['sha256']})"
    for name, value in rows.items():
        print(f"{name:9} {value}")
    for stream in info.streams:
        extra = ", ".join(filter(None, (stream.language, stream.title, *stream.disposition)))
        print(f"stream {stream.index}  {stream.kind} {stream.codec}{f' ({extra})' if extra else ''}")


def _learned(path: str) -> dict[str, Any]:
    from ..learned.reader import bvc_facts

    return bvc_facts(path)
