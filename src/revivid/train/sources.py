"""What a folder of training data holds: photographs and clips, published sets, and pairs of blurry and sharp files.

    anywhere                              photographs and clips, by suffix
    NAME.sharp.mkv + NAME.blurry.mkv      one pair, as `revivid degrade blur` makes them
    the folder itself, or folders in it   Adobe240, GOPRO, REDS as they unpack (`degrade.datasets`), what they have to train on
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..degrade.datasets import Footage, footage
from ..errors import InputNotReadable

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CLIP_SUFFIXES = {".mp4", ".mkv", ".mov", ".webm", ".avi", ".y4m", ".ts"}
_SHARP, _BLURRY = ".sharp", ".blurry"


def sources(data: Path) -> list[Footage]:
    """Everything under `data` that can be trained on, in the order of paths. Raises `CorruptInput` for pairs that are none."""
    sets = {folder: found for folder in (data, *_folders(data)) if (found := _set(folder))}
    of_sets = [_named(item, data, folder) for folder, found in sets.items() for item in found]
    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES | CLIP_SUFFIXES)
    return [*of_sets, *_pairs_and_single([path for path in files if not any(path.is_relative_to(folder) for folder in sets)])]


def is_photo(source: Footage) -> bool:
    return source.path.suffix.lower() in PHOTO_SUFFIXES


def _named(item: Footage, data: Path, folder: Path) -> Footage:
    """Two sets side by side may have the same names in them."""
    return item if folder == data else replace(item, name=f"{folder.name}-{item.name}")


def _pairs_and_single(files: list[Path]) -> list[Footage]:
    known, found = set(files), []
    for path in files:
        name, kind = Path(path.stem).stem, Path(path.stem).suffix
        other = {_SHARP: _BLURRY, _BLURRY: _SHARP}.get(kind)
        paired = other is not None and path.with_name(f"{name}{other}{path.suffix}") in known
        if not paired:
            found.append(Footage(path.name, None, path))
        elif kind == _SHARP:
            found.append(Footage(name, None, path, blurred={"blur": path.with_name(f"{name}{_BLURRY}{path.suffix}")}))
    return found


def _folders(data: Path) -> list[Path]:
    return sorted(path for path in data.iterdir() if path.is_dir()) if data.is_dir() else []


def _set(folder: Path) -> list[Footage]:
    """What a set in this folder has to train on."""
    try:
        return [item for item in footage(folder) if item.split in (None, "train")]
    except InputNotReadable:
        return []
