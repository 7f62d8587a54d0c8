"""Scenes to train on, and the files that keep them: one Matroska file each, lossless, the truth and then its degraded versions.

    store(path, scene)        files(folder) -> paths        load(paths) -> scenes
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorruptInput
from ..media.frames import Planes
from ..media.tracks import read_tracks, write_tracks

#: One source in so many is held out for validation, chosen by its name.
HOLD_OUT = 12
#: How names of scenes' files end; before it stand the source's name and a number.
SUFFIX = ".scene.mkv"
#: Files that are read side by side.
_READERS = 4


@dataclass(frozen=True)
class Scene:
    """Ground truth and its degraded versions: planes Y (T,H,W), U and V (T,H/2,W/2) in 8-bit code values."""

    name: str
    truth: Planes
    #: The versions, each frame by frame as `truth`, 1/scale of its size. None where frames between are wanted.
    degraded: list[Planes]
    #: What the network is told of each: CRF, or sigma of noise in 8-bit code values. None: clean, noise is added to patches.
    strengths: list[float | None]


def held_out(name: str) -> bool:
    """Whether the source of this name serves validation."""
    return zlib.crc32(name.encode()) % HOLD_OUT == 0


def files(folder: Path) -> list[Path]:
    """The scenes in a folder, sorted."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def source_of(path: Path) -> str:
    """The name of the source that a scene's file was made of."""
    return path.name.removesuffix(SUFFIX).rpartition(".")[0]


def store(path: Path, scene: Scene) -> None:
    """Write a scene; the file appears when it is whole."""
    note = json.dumps({"source": scene.name, "strengths": scene.strengths})
    write_tracks(path, [scene.truth, *scene.degraded], note)


def load(paths: Sequence[Path]) -> list[Scene]:
    """Scenes from files that `store` made. Raises `CorruptInput` for others."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(_load, paths))


def _load(path: Path) -> Scene:
    tracks, note = read_tracks(path)
    try:
        said = json.loads(note)
        scene = Scene(str(said["source"]), tracks[0], tracks[1:], [None if x is None else float(x) for x in said["strengths"]])
    except (ValueError, TypeError, KeyError) as fault:
        raise CorruptInput(f"{path} is no scene: {fault}", hint="Delete it: it is made anew.") from fault
    if len(scene.strengths) != len(scene.degraded):
        raise CorruptInput(f"{path}: {len(scene.strengths)} strengths of {len(scene.degraded)} versions", hint="Delete it.")
    return scene
