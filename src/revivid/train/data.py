"""Training pairs: ground truth from photographs and clips, and what a real encoder makes of it at a fraction of the size.

    photographs -- camera move --\\
                                   ground truth -> swscale bicubic 1/scale -> x265 at several CRFs -> decoded
    clips ------ area-halved ----/                                                      one .npz of planes per scene

Sources are compressed themselves, so none is used without halving it. `prepare` fills a folder once, `load` brings it into
memory as integer planes.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..codecs.loop import LoopSettings, encode_decode
from ..degrade.camera import film, random_move
from ..errors import InputNotReadable, RevividError, ShapeError
from ..media.read import open_video
from ..media.scale import crop, resize
from ..types import Clip, join

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CLIP_SUFFIXES = {".mp4", ".mkv", ".mov", ".webm", ".avi", ".y4m", ".ts"}
#: One source in so many is held out for validation, chosen by its name.
HOLD_OUT = 12
#: The smallest degraded picture that is worth training on, in pixels a side.
MIN_SIDE = 64

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class DataSettings:
    """How training pairs are made; a section of the recipe."""

    #: Output size over input size.
    scale: int = 4
    #: Range of the CRF; each scene is encoded once in each of `crf_steps` equal parts of it, at a random place.
    crf_min: float = 20.0
    crf_max: float = 38.0
    crf_steps: int = 6
    preset: str = "medium"
    #: Frames that are encoded of a photograph's and of a clip's scene, and every how many of them is kept.
    photo_frames: int = 13
    photo_keep: int = 4
    clip_frames: int = 24
    clip_keep: int = 3
    #: So many consecutive frames are kept instead, from a random place of the scene, so that intra frames are as rare among them
    #: as in long videos. 0: every `keep`-th frame of the whole scene.
    window: int = 0
    #: Scenes that are taken from one clip, spread over its length.
    clip_scenes: int = 4
    #: The fastest camera over a photograph, in ground truth pixels per frame and direction.
    photo_speed: float = 3.0
    #: Ground truth is cut to at most this, in pixels.
    max_height: int = 384
    max_width: int = 640
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """Ground truth and its degraded versions: planes Y (T,H,W), U and V (T,H/2,W/2) in 8-bit code values."""

    name: str
    truth: Planes
    #: One per CRF, frame by frame as `truth`, 1/scale of its size.
    degraded: list[Planes]
    crfs: list[float]


def held_out(name: str) -> bool:
    """Whether the source of this name serves validation."""
    return zlib.crc32(name.encode()) % HOLD_OUT == 0


def prepare(data: Path, cache: Path, settings: DataSettings, workers: int = 2) -> list[Path]:
    """Make the scenes of every photograph and clip under `data`, one file each in `cache`; what is there already is kept.

    Sources that can't be read or are too small are left out. Raises `InputNotReadable` where nothing usable is found.
    """
    cache.mkdir(parents=True, exist_ok=True)
    sources = sorted(p for p in data.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES | CLIP_SUFFIXES)
    with ProcessPoolExecutor(workers) as pool:
        made = [path for paths in pool.map(_prepare_one, [(s, cache, settings) for s in sources]) for path in paths]
    if not made:
        raise InputNotReadable(
            f"no usable photograph or video under {data}", hint=f"Known: {', '.join(sorted(PHOTO_SUFFIXES | CLIP_SUFFIXES))}."
        )
    return made


def load(paths: list[Path]) -> list[Scene]:
    """Scenes from the files that `prepare` made."""
    scenes = []
    for path in paths:
        with np.load(path) as stored:
            planes = [stored[name] for name in "yuv"]
            small = [stored[f"small_{name}"] for name in "yuv"]
            crfs = stored["crfs"].tolist()
            source = str(stored["source"])
        degraded = [(small[0][k], small[1][k], small[2][k]) for k in range(len(crfs))]
        scenes.append(Scene(source, (planes[0], planes[1], planes[2]), degraded, crfs))
    return scenes


def _prepare_one(job: tuple[Path, Path, DataSettings]) -> list[Path]:
    source, cache, settings = job
    made = []
    scenes = 1 if source.suffix.lower() in PHOTO_SUFFIXES else settings.clip_scenes
    for i in range(scenes):
        path = cache / f"{source.name}.{i}.npz"
        if not path.exists():
            rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), i])
            try:
                _write_scene(path, source, i, settings, rng)
            except RevividError:
                continue
        made.append(path)
    return made


def _write_scene(path: Path, source: Path, index: int, settings: DataSettings, rng: np.random.Generator) -> None:
    if source.suffix.lower() in PHOTO_SUFFIXES:
        truth, step = _photo_scene(source, settings, rng), settings.photo_keep
    else:
        truth, step = _clip_scene(source, index, settings, rng), settings.clip_keep
    keep = _kept_frames(len(truth), step, settings.window, rng)
    small = resize(truth, truth.width // settings.scale, truth.height // settings.scale)
    part = (settings.crf_max - settings.crf_min) / settings.crf_steps
    crfs = [round(settings.crf_min + part * (k + rng.random()), 1) for k in range(settings.crf_steps)]
    decoded = [encode_decode(small, LoopSettings(crf=crf, preset=settings.preset))[0][keep].planes for crf in crfs]
    arrays = {name: truth[keep].planes[i] for i, name in enumerate("yuv")}
    arrays |= {f"small_{name}": np.stack([planes[i] for planes in decoded]) for i, name in enumerate("yuv")}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, source=np.array(source.name), crfs=np.array(crfs), **arrays)  # pyright: ignore[reportArgumentType]
    partial.replace(path)


def _kept_frames(count: int, step: int, window: int, rng: np.random.Generator) -> slice:
    if not window:
        return slice(None, None, step)
    start = int(rng.integers(0, max(count - window, 0) + 1))
    return slice(start, start + window)


def _photo_scene(source: Path, settings: DataSettings, rng: np.random.Generator) -> Clip:
    photo = read_frames(source, 0.0, 1)
    unit = 2 * settings.scale
    # Four fifths of what halving leaves: room for the camera.
    caps = ((photo.height, settings.max_height), (photo.width, settings.max_width))
    view = tuple(min(int(0.4 * size), cap) // unit * unit for size, cap in caps)
    _check_size(source, view, settings)
    shift = settings.photo_speed * settings.photo_frames
    move = random_move((photo.height, photo.width), (view[0], view[1]), rng, max_shift=shift, zooms=(2.0, 2.4))
    return film(photo, move, (view[0], view[1]), settings.photo_frames)


def _clip_scene(source: Path, index: int, settings: DataSettings, rng: np.random.Generator) -> Clip:
    clip = read_frames(source, index / settings.clip_scenes, settings.clip_frames)
    clip = resize(clip, clip.width // 4 * 2, clip.height // 4 * 2, "AREA")
    unit = 2 * settings.scale
    height, width = min(clip.height, settings.max_height) // unit * unit, min(clip.width, settings.max_width) // unit * unit
    _check_size(source, (height, width), settings)
    top, left = int(rng.integers(0, (clip.height - height) // 2 + 1)), int(rng.integers(0, (clip.width - width) // 2 + 1))
    y, u, v = clip.planes
    return crop(clip.with_planes(y[:, 2 * top :, 2 * left :], u[:, top:, left:], v[:, top:, left:]), width, height)


def read_frames(source: Path, part: float, count: int) -> Clip:
    """Up to `count` frames from `part` (0 to 1) of the way through a photograph (its one frame) or a video."""
    reader = open_video(source)
    if part:
        reader = open_video(source, start=Fraction(part).limit_denominator(1000) * (reader.info.duration or 0))
    clips: list[Clip] = []
    for clip in reader:
        clips.append(clip)
        if sum(map(len, clips)) >= count:
            break
    return join(clips)[:count]


def _check_size(source: Path, size: tuple[int, ...], settings: DataSettings) -> None:
    if min(size) < MIN_SIDE * settings.scale:
        raise ShapeError(f"{source}: {size[1]}x{size[0]} pixels of ground truth are too few for scale {settings.scale}")
