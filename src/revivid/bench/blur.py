"""Motion blur, made once and kept: filming and interpolating take far longer than what is measured on the result.

    shot    a random camera moves over the master's first frame, and pieces of it over the view (degrade.moving_picture): exact
    clip    the master's own motion, with interpolated frames between its frames (media.slow_motion)

Either way the mean of some of every ten instants at ten times the frame rate is the blurry frame, averaged in linear light
(degrade.motion_blur). A file holds the sharp frames first and then the blurry ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from ..degrade.motion_blur import HIGH_RATE, PAPER_SHUTTERS, BlurredPair, Shutter, blur_clip, film_blurred
from ..degrade.shot import ShotSettings, random_shot
from ..errors import ShapeError
from ..media.read import open_video
from ..media.slow_motion import slowed
from ..types import Clip, join
from ..workflows.write import write_video
from .masters import Source

Kind = Literal["shot", "clip"]
KINDS: tuple[Kind, ...] = ("shot", "clip")
#: The shutters of each kind: all of the paper's where blur is exact, the middle one where it is not.
SHUTTERS: dict[Kind, tuple[Shutter, ...]] = {"shot": PAPER_SHUTTERS, "clip": PAPER_SHUTTERS[1:2]}
#: Masters are no compressed photographs: a pixel of theirs is a pixel of the view.
_SHOTS = ShotSettings(zoom_min=1.0, zoom_max=1.0)
#: The view's part of the master's sides, so that there is room to move.
_VIEW = 2 / 3
#: Frames that are slowed down together, and frames before and after them that the search for motion wants to see.
_BLOCK, _BEFORE, _AFTER = 8, 2, 1
#: Of all three shutters.
_PERIOD = PAPER_SHUTTERS[0].period


def blurred(source: Source, kind: Kind, shutter: Shutter) -> BlurredPair:
    """Sharp and blurry frames; `shutter` is one of `SHUTTERS`. Clips lose two frames at the start and one at the end.

    Raises `ShapeError` for fewer than four frames.
    """
    path = _path(source, kind, shutter)
    if not path.exists():
        _make(source, kind, (shutter,))
    both = join(list(open_video(path)))
    count = len(both) // 2
    times, durations = source.clip.times[:count], source.clip.durations[:count]
    sharp, blurry = (Clip(part.planes, times, durations, source.clip.color) for part in (both[:count], both[count:]))
    return BlurredPair(sharp, blurry)


def make(source: Source) -> None:
    """Have everything ready that isn't there yet."""
    for kind in KINDS:
        _make(source, kind, SHUTTERS[kind])


def _make(source: Source, kind: Kind, shutters: tuple[Shutter, ...]) -> None:
    missing = [shutter for shutter in shutters if not _path(source, kind, shutter).exists()]
    if not missing:
        return
    if len(source.clip) <= _BEFORE + _AFTER:
        raise ShapeError(f"{source.name}: {len(source.clip)} frames are too few to blur")
    pairs = [_filmed(source, shutter) for shutter in missing] if kind == "shot" else _slowed(source, missing)
    for shutter, pair in zip(missing, pairs, strict=True):
        path = _path(source, kind, shutter)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, _after_one_another(pair), codec="ffv1", overwrite=True)


def _filmed(source: Source, shutter: Shutter) -> BlurredPair:
    """The same shot for the same name and size, seen through the shutter."""
    clip, frames = source.clip, len(source.clip) - _BEFORE - _AFTER
    height, width = (int(size * _VIEW) // 8 * 8 for size in (clip.height, clip.width))
    rng = np.random.default_rng(zlib.crc32(source.name.encode()))
    shot = random_shot((clip.height, clip.width), (height, width), float(frames * _PERIOD / HIGH_RATE), rng, _SHOTS)
    return film_blurred(clip[:1], shot, (height, width), frames, shutter)


def _slowed(source: Source, shutters: list[Shutter]) -> list[BlurredPair]:
    """All frames but the first two and the last; slowed once for all shutters."""
    truth = source.clip[_BEFORE:-_AFTER]
    parts: list[list[Clip]] = [[] for _ in shutters]
    for start in range(0, len(truth), _BLOCK):
        stop = min(start + _BLOCK, len(truth))
        slow = slowed(source.clip[start : stop + _BEFORE + _AFTER], _PERIOD)
        for part, shutter in zip(parts, shutters, strict=True):
            part.append(blur_clip(slow, shutter, first=_BEFORE * _PERIOD).blurry)
    return [BlurredPair(truth, join(part)) for part in parts]


def _after_one_another(pair: BlurredPair) -> Iterator[Clip]:
    """Both as one clip at steady times."""
    step = pair.truth.durations[0]
    for first, clip in ((0, pair.truth), (len(pair.truth), pair.blurry)):
        times = tuple((first + t) * step for t in range(len(clip)))
        yield Clip(clip.planes, times, (step,) * len(clip), clip.color)


def _path(source: Source, kind: Kind, shutter: Shutter) -> Path:
    name = f"{source.name}-{source.digest[:16]}-{kind}-{shutter.frames}-{shutter.gap}.mkv"
    return source.cache / "blurred" / name
