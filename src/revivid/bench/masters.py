"""The ground truth that quality is measured on: lossless masters, made of camera clips and photographs.

    camera clips    are compressed themselves: each side is halved with an area filter, which removes most of that
    photographs     become short camera moves, halved in the same way
    lossless files  are masters already

Masters are FFV1 in Matroska, 4:2:0 with 8 bits, limited range, at a constant frame rate.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..degrade.camera import CameraMove, film
from ..errors import InputNotReadable, ShapeError, UsageError
from ..media.probe import probe
from ..media.read import VideoReader, open_video
from ..media.scale import resize
from ..train.data import CLIP_SUFFIXES, PHOTO_SUFFIXES
from ..types import Clip, join
from ..workflows.write import write_video

#: Folders with such words in their names hold no truth: odd files for readers, and stills that are blurry by themselves.
NOT_TRUTH = ("awkward", "blur")
#: Video codecs whose files are taken as they are.
LOSSLESS = ("ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo")
CLIP_FRAMES, PHOTO_FRAMES, PHOTO_RATE = 96, 48, Fraction(24)
#: The largest piece of a photograph that the camera sees, in its pixels, and which part of it at most.
_SEEN, _PART = (720, 1280), Fraction(3, 4)


@dataclass(frozen=True)
class Source:
    """The first frames of one master."""

    name: str
    clip: Clip
    #: Folder for what is made of it once.
    cache: Path

    @property
    def digest(self) -> str:
        """sha256 over the planes."""
        sha = hashlib.sha256(str(self.clip.planes[0].shape).encode())
        for plane in self.clip.planes:
            sha.update(plane.tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class _WholePixels(CameraMove):
    """A move from whole pixel to whole pixel of the photograph: halves of pixels in the picture."""

    def at(self, progress: float) -> tuple[float, float, float]:
        top, left, zoom = super().at(progress)
        return float(round(top)), float(round(left)), zoom


def find_masters(data: Path, cache: Path, frames: int = CLIP_FRAMES, most: int | None = None) -> dict[str, Path]:
    """Masters by name of all clips and photographs under `data`, at least `frames` long where the clip is; made once in `cache`.

    `most`: only so many, spread over the list. Raises `InputNotReadable` where there is nothing usable and `UsageError` where two
    files have the same name.
    """
    found = sorted(path for path in data.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES | CLIP_SUFFIXES)
    found = [path for path in found if not any(word in part for part in path.relative_to(data).parts[:-1] for word in NOT_TRUTH)]
    sources: dict[str, Path] = {}
    for path in found:
        if path.stem in sources:
            raise UsageError(f"two files under {data} are called {path.stem}", hint="Results go by name: rename one of them.")
        sources[path.stem] = path
    if not sources:
        known = ", ".join(sorted(PHOTO_SUFFIXES | CLIP_SUFFIXES))
        raise InputNotReadable(f"no clip and no photograph under {data}", hint=f"Known: {known}.")
    names, count = list(sources), min(most or len(sources), len(sources))
    chosen = [names[i * len(names) // count] for i in range(count)]
    return {name: _master(sources[name], cache, max(frames, CLIP_FRAMES)) for name in chosen}


def read_source(name: str, master: Path, frames: int, cache: Path) -> Source:
    """Up to `frames` frames of a master, at the steady rate that it has but for Matroska's milliseconds."""
    reader = open_video(master)
    clips: list[Clip] = []
    for clip in reader:
        clips.append(clip)
        if sum(map(len, clips)) >= frames:
            break
    return Source(name, _steady(join(clips)[:frames], reader.frame_rate), cache)


def _master(path: Path, cache: Path, frames: int) -> Path:
    if probe(path).codec in LOSSLESS:
        return path
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    target = cache / "masters" / f"{path.stem}-{content[:12]}-{frames}.mkv"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        clips = _filmed(path) if path.suffix.lower() in PHOTO_SUFFIXES else _halved(open_video(path), frames)
        write_video(target, clips, codec="ffv1")
    return target


def _filmed(path: Path) -> Iterator[Clip]:
    """A pan over a photograph, from one random place to another; the same for the same file name."""
    photo = limited_8bit(join(list(open_video(path)))[:1])
    seen = [min(int(size * _PART), most) // 4 * 4 for size, most in zip((photo.height, photo.width), _SEEN, strict=True)]
    if min(seen) < 4:
        raise ShapeError(f"{path}: {photo.width}x{photo.height} is too small to film")
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    ways = [rng.integers(0, size - part, 2) for size, part in zip((photo.height, photo.width), seen, strict=True)]
    start, end = ((float(ways[0][i]), float(ways[1][i]), 2.0) for i in range(2))
    yield film(photo, _WholePixels(start, end), (seen[0] // 2, seen[1] // 2), PHOTO_FRAMES, PHOTO_RATE)


def _halved(reader: VideoReader, frames: int) -> Iterator[Clip]:
    rate = reader.frame_rate.limit_denominator(1001)
    count = 0
    for clip in reader:
        kept = clip[: frames - count]
        small = limited_8bit(resize(kept, kept.width // 4 * 2, kept.height // 4 * 2, "AREA"))
        yield _steady(small, rate, count)
        count += len(kept)
        if count >= frames:
            return


def _steady(clip: Clip, rate: Fraction, first: int = 0) -> Clip:
    return replace(clip, times=tuple((first + t) / rate for t in range(len(clip))), durations=(1 / rate,) * len(clip))


def limited_8bit(clip: Clip) -> Clip:
    """The same pictures in 8 bits and limited range."""
    color = clip.color
    if color.bit_depth == 8 and not color.full_range:
        return clip
    if color.full_range:
        spans = ((16, 219 / color.peak, 0.0), *((128, 224 / color.peak, (color.peak + 1) / 2),) * 2)
    else:
        spans = ((0, 2.0 ** (8 - color.bit_depth), 0.0),) * 3
    planes = [
        np.clip(np.rint((plane.astype(np.float32) - centre) * scale + offset), 0, 255).astype(np.uint8)
        for plane, (offset, scale, centre) in zip(clip.planes, spans, strict=True)
    ]
    return Clip((planes[0], planes[1], planes[2]), clip.times, clip.durations, replace(color, bit_depth=8, full_range=False))
