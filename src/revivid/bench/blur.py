"""Motion blur of the masters, made once and kept: interpolating between frames takes far longer than what is measured on it.

    master -> ten times as many frames (media.slow_motion) -> mean of some of each ten (degrade.motion_blur) -> FFV1 file
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..degrade.motion_blur import PAPER_SHUTTERS, Shutter, blur_clip
from ..errors import ShapeError
from ..media.read import open_video
from ..media.slow_motion import slowed
from ..types import Clip, join
from ..workflows.write import write_video
from .masters import Source

#: Frames that are slowed down together.
_BLOCK = 8
#: Frames before and after a blurred one that the search for motion wants to see.
_BEFORE, _AFTER = 2, 1
#: Of all three shutters.
_PERIOD = PAPER_SHUTTERS[0].period


def truth(source: Source) -> Clip:
    """The frames that `blurred` has blurred ones of: all but the first two and the last."""
    if len(source.clip) <= _BEFORE + _AFTER:
        raise ShapeError(f"{source.name}: {len(source.clip)} frames are too few to blur along their motion")
    return source.clip[_BEFORE:-_AFTER]


def blurred(source: Source, shutter: Shutter) -> Clip:
    """The frames of `truth` through `shutter`, one of `PAPER_SHUTTERS`."""
    path = _path(source, shutter)
    if not path.exists():
        make(source)
    return truth(source).with_planes(*join(list(open_video(path))).planes)


def make(source: Source) -> None:
    """Blur the source through every shutter that isn't there yet."""
    missing = [shutter for shutter in PAPER_SHUTTERS if not _path(source, shutter).exists()]
    if not missing:
        return
    parts: dict[Shutter, list[Clip]] = {shutter: [] for shutter in missing}
    for block in _blocks(truth(source), source.clip):
        slow = slowed(block, _PERIOD)
        for shutter in missing:
            parts[shutter].append(blur_clip(slow, shutter, first=_BEFORE * _PERIOD).blurry)
    for shutter, clips in parts.items():
        path = _path(source, shutter)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, clips, codec="ffv1", overwrite=True)


def _blocks(wanted: Clip, clip: Clip) -> Iterator[Clip]:
    """Pieces of `clip` that together have the wanted frames between their first two and their last."""
    for start in range(0, len(wanted), _BLOCK):
        stop = min(start + _BLOCK, len(wanted))
        yield clip[start : stop + _BEFORE + _AFTER]


def _path(source: Source, shutter: Shutter) -> Path:
    light = "light" if shutter.linear else "codes"
    name = f"{source.name}-{source.digest[:16]}-{shutter.frames}-{shutter.gap}-{light}.mkv"
    return source.cache / "blurred" / name
