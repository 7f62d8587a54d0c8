"""Training pairs: ground truth from photographs and clips, and what blur, noise and a real encoder make of it.

    photographs -- camera move --\\
                                   ground truth -> `damage` -> several degraded versions
    clips ------ area-halved ----/                                     one file of videos per scene (`scenes`)

Blur is made of photographs by a camera that moves over them, of clips of 120 frames per second and more by averaging them (second
paper, section 4.1), of other clips along their motion; pairs of blurry and sharp video are taken as they are.

Sources are compressed themselves, so none is used without halving it. `prepare` fills a folder once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ..degrade.camera import film, random_move
from ..degrade.datasets import Footage
from ..degrade.draw import BlurRange, blurred_clip, blurred_photo
from ..degrade.motion_blur import HIGH_RATE, BlurredPair, Shutter, blur_clip, film_blurred
from ..degrade.shot import ShotSettings, random_shot
from ..errors import InputNotReadable, RevividError, ShapeError
from ..media.footage import HIGH_RATE_FROM
from ..media.scale import crop, resize
from ..types import Clip, join
from . import damage, scenes
from .damage import blurry, compressed, noisy, sharpened
from .scenes import Scene
from .sources import CLIP_SUFFIXES, PHOTO_SUFFIXES, is_photo, sources

#: The smallest degraded picture that is worth training on, in pixels a side.
MIN_SIDE = 64
#: Close shots: photographs are halved until they are no wider; as `shot_speed_min` and `shot_speed_max`; pixels per pixel.
_CLOSE_WIDTH, _CLOSE_SPEEDS, _CLOSE_ZOOMS = 1600, (0.7, 26.0), (1.0, 1.15)
#: 120 frames per second: what moves does so evenly over a few of them.
_EVEN = Shutter(1, 1)


@dataclass(frozen=True)
class DataSettings:
    """How training pairs are made; a section of the recipe."""

    #: What the network undoes: "compression", "blur", "sharpened", "noise" or "none" (see `damage`).
    damage: str = "compression"
    #: Output size over input size.
    scale: int = 4
    #: Range of the CRF; each scene is encoded once in each of `crf_steps` equal parts of it, at a random place.
    crf_min: float = 20.0
    crf_max: float = 38.0
    crf_steps: int = 6
    preset: str = "medium"
    #: Encoders by the names of `revivid compress --codec`, and presets in place of `preset`: both are drawn for every version. Each
    #: encoder takes those of the presets that are its own, so that `medium` and `8` can stand side by side.
    encoders: tuple[str, ...] = ("x265",)
    presets: tuple[str, ...] = ()
    #: Frames that are encoded of a photograph's and of a clip's scene, and every how many of them is kept.
    photo_frames: int = 13
    photo_keep: int = 4
    clip_frames: int = 24
    clip_keep: int = 3
    #: So many consecutive frames are kept instead, from a random place of the scene, so that intra frames are as rare among them
    #: as in long videos. 0: every `keep`-th frame of the whole scene.
    window: int = 0
    #: Scenes that are taken from one clip, spread over its length, and shots that are made of one photograph.
    clip_scenes: int = 4
    photo_scenes: int = 1
    #: With blur: shots of one photograph beside those, halved before and then seen pixel by pixel, with slower cameras; every third
    #: is a glide that is blurred along the motion that is found in it. Blur is measured so, too (`bench.blur`).
    close_scenes: int = 0
    #: The fastest camera over a photograph, in ground truth pixels per frame and direction.
    photo_speed: float = 3.0
    #: With blur and where frames between are wanted: root mean square speeds of the camera in ground truth pixels per 1/24 second,
    #: drawn evenly in their logarithm.
    shot_speed_min: float = 1.0
    shot_speed_max: float = 32.0
    #: Ground truth is cut to at most this, in pixels.
    max_height: int = 384
    max_width: int = 640
    seed: int = 0

    @property
    def coding(self) -> str:
        """Encoders, presets and CRFs in words."""
        presets = ", ".join(self.presets) or self.preset
        return f"{', '.join(self.encoders)} {presets} CRF {self.crf_min:g}-{self.crf_max:g}"


def prepare(data: Path, cache: Path, settings: DataSettings, workers: int = 2) -> list[Path]:
    """Make the scenes of all `sources` under `data`, one file each in `cache`; what is there already is kept.

    Sources that can't be read or are too small are left out. Raises `InputNotReadable` where nothing usable is found.
    """
    damage.check(settings)
    cache.mkdir(parents=True, exist_ok=True)
    # One thread each: they are enough to fill the machine, and threads that torch had before the fork are no more.
    with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        made = [path for paths in pool.map(_prepare_one, [(s, cache, settings) for s in sources(data)]) for path in paths]
    if not made:
        raise InputNotReadable(
            f"no usable photograph or video under {data}", hint=f"Known: {', '.join(sorted(PHOTO_SUFFIXES | CLIP_SUFFIXES))}."
        )
    return made


def _prepare_one(job: tuple[Footage, Path, DataSettings]) -> list[Path]:
    source, cache, settings = job
    made = []
    photo_scenes = settings.photo_scenes + (settings.close_scenes if settings.damage in damage.BLURRED else 0)
    for i in range(photo_scenes if is_photo(source) else settings.clip_scenes):
        path = cache / f"{source.name}.{i}{scenes.SUFFIX}"
        if not path.exists():
            rng = np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), i])
            try:
                _write_scene(path, source, i, settings, rng)
            except RevividError:
                continue
        made.append(path)
    return made


def _write_scene(path: Path, source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> None:
    if settings.damage in damage.BLURRED:
        pair = _blurred(source, index, settings, rng)
        truth, (versions, strengths) = pair.truth, (blurry if settings.damage == "blur" else sharpened)(pair, settings, rng)
    elif settings.damage == "none":
        truth, versions, strengths = _lively_scene(source, index, settings, rng), [], []
    else:
        truth = truth_scene(source, index, settings, rng)
        versions, strengths = (noisy if settings.damage == "noise" else compressed)(truth, settings, rng)
    keep = _kept_frames(len(truth), settings.photo_keep if is_photo(source) else settings.clip_keep, settings.window, rng)
    degraded = [version[keep].planes for version in versions]
    scenes.store(path, Scene(source.name, truth[keep].planes, degraded, strengths))


def _kept_frames(count: int, step: int, window: int, rng: np.random.Generator) -> slice:
    if not window:
        return slice(None, None, step)
    start = int(rng.integers(0, max(count - window, 0) + 1))
    return slice(start, start + window)


def truth_scene(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> Clip:
    """Ground truth of a compressed or noisy scene: a camera's move over a photograph, or the `index`-th scene of a clip."""
    return _photo_scene(source, settings, rng) if is_photo(source) else _clip_scene(source, index, settings, rng)


def _photo_scene(source: Footage, settings: DataSettings, rng: np.random.Generator) -> Clip:
    photo = read_frames(source, 0.0, 1)
    view = _view(source, photo, settings)
    shift = settings.photo_speed * settings.photo_frames
    move = random_move((photo.height, photo.width), view, rng, max_shift=shift, zooms=(2.0, 2.4))
    return film(photo, move, view, settings.photo_frames)


def _view(source: Footage, photo: Clip, settings: DataSettings) -> tuple[int, int]:
    """Height and width of what a camera sees: four fifths of what halving leaves, room for it to move."""
    unit = 2 * settings.scale
    height = min(int(0.4 * photo.height), settings.max_height) // unit * unit
    width = min(int(0.4 * photo.width), settings.max_width) // unit * unit
    _check_size(source, (height, width), settings)
    return height, width


def _blurred(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> BlurredPair:
    if not is_photo(source):
        return _blurred_clip(source, index, settings, rng)
    if index >= settings.photo_scenes:
        return _close(source, index - settings.photo_scenes, settings, rng)
    photo = read_frames(source, 0.0, 1)
    return blurred_photo(photo, _view(source, photo, settings), settings.photo_frames, rng, shots=_shots(settings))


def _close(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> BlurredPair:
    """Of a photograph, halved as ground truth is, without anything between its pixels and the view's."""
    if index % 3 == 2:
        # Blurring loses two frames at the start and one at the end.
        return blurred_clip(_photo_scene(source, replace(settings, photo_frames=settings.photo_frames + 3), rng), rng)
    photo = _half(read_frames(source, 0.0, 1))
    while photo.width > _CLOSE_WIDTH:
        photo = _half(photo)
    height, width = (min(2 * size // 3, most) // 2 * 2 for size, most in _sides(photo, settings))
    _check_size(source, (height, width), settings)
    slower = replace(settings, shot_speed_min=_CLOSE_SPEEDS[0], shot_speed_max=_CLOSE_SPEEDS[1])
    shots = replace(_shots(slower), zoom_min=_CLOSE_ZOOMS[0], zoom_max=_CLOSE_ZOOMS[1])
    return blurred_photo(photo, (height, width), settings.photo_frames, rng, shots=shots)


def _sides(clip: Clip, settings: DataSettings) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width, and the most that ground truth has of each."""
    return (clip.height, settings.max_height), (clip.width, settings.max_width)


def _blurred_clip(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> BlurredPair:
    if source.blurred:
        version = list(source.blurred)[rng.integers(len(source.blurred))]
        part = index / settings.clip_scenes
        clips = [_halved(source, part, settings.clip_frames, which) for which in (None, version)]
        truth, blurry = _cut(source, clips, settings, rng)
        return BlurredPair(truth, truth.with_planes(*blurry.planes))
    if source.open().frame_rate < HIGH_RATE_FROM:
        return blurred_clip(_clip_scene(source, index, settings, rng), rng)
    shutter = BlurRange().draw(rng)
    fast = replace(settings, clip_frames=settings.clip_frames * shutter.period)
    return blur_clip(_clip_scene(source, index, fast, rng), shutter)


def _lively_scene(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> Clip:
    """A clip's scene as it is; a photograph filmed with things moving in front of it, so often that motion is even."""
    if not is_photo(source):
        return _clip_scene(source, index, settings, rng)
    photo = read_frames(source, 0.0, 1)
    view = _view(source, photo, settings)
    seconds = float(settings.photo_frames * _EVEN.period / HIGH_RATE)
    shot = random_shot((photo.height, photo.width), view, seconds, rng, _shots(settings))
    return film_blurred(photo, shot, view, settings.photo_frames, _EVEN).truth


def _shots(settings: DataSettings) -> ShotSettings:
    """Things move, zoom and turn as much faster than usual as the camera does."""
    usual = ShotSettings()
    faster = settings.shot_speed_max / usual.speed_max
    return ShotSettings(
        speed_min=settings.shot_speed_min,
        speed_max=settings.shot_speed_max,
        patch_speed_max=usual.patch_speed_max * faster,
        zoom_speed=usual.zoom_speed * faster,
        spin=usual.spin * faster,
    )


def _clip_scene(source: Footage, index: int, settings: DataSettings, rng: np.random.Generator) -> Clip:
    return _cut(source, [_halved(source, index / settings.clip_scenes, settings.clip_frames)], settings, rng)[0]


def _halved(source: Footage, part: float, count: int, version: str | None = None) -> Clip:
    return read_frames(source, part, count, version, _half)


def _half(clip: Clip) -> Clip:
    return resize(clip, clip.width // 4 * 2, clip.height // 4 * 2, "AREA")


def _cut(source: Footage, clips: list[Clip], settings: DataSettings, rng: np.random.Generator) -> list[Clip]:
    """The same place of all clips, as large as the settings allow."""
    clip, unit = clips[0], 2 * settings.scale
    height, width = min(clip.height, settings.max_height) // unit * unit, min(clip.width, settings.max_width) // unit * unit
    _check_size(source, (height, width), settings)
    top, left = int(rng.integers(0, (clip.height - height) // 2 + 1)), int(rng.integers(0, (clip.width - width) // 2 + 1))
    places = (slice(None), slice(2 * top, None), slice(2 * left, None)), (slice(None), slice(top, None), slice(left, None))
    cut = [[plane[places[i > 0]] for i, plane in enumerate(clip.planes)] for clip in clips]
    return [crop(clip.with_planes(*planes), width, height) for clip, planes in zip(clips, cut, strict=True)]


def read_frames(
    source: Footage, part: float, count: int, version: str | None = None, each: Callable[[Clip], Clip] = lambda clip: clip
) -> Clip:
    """Up to `count` frames, after `each`, from `part` (0 to 1) of the way through a photograph (its one frame) or a video."""
    reader = source.open(version)
    if part:
        reader = source.open(version, start=Fraction(part).limit_denominator(1000) * (reader.info.duration or 0))
    clips: list[Clip] = []
    for clip in reader:
        clips.append(each(clip))
        if sum(map(len, clips)) >= count:
            break
    return join(clips)[:count]


def _check_size(source: Footage, size: tuple[int, ...], settings: DataSettings) -> None:
    if min(size) < MIN_SIDE * settings.scale:
        raise ShapeError(f"{source.name}: {size[1]}x{size[0]} pixels of ground truth are too few for scale {settings.scale}")
