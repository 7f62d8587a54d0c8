"""The published sets that blur is made of, as they unpack: `footage(folder)` finds what of them is in a folder.

| layout | what it is | where |
|---|---|---|
| adobe240 | 240 fps videos (Su et al., 2017) | `original_high_fps_videos/*.mov, *.mp4, *.m4v`; `*train*.txt`, `*test*.txt` |
| gopro | sharp and blurry pairs (Nah et al., 2017) | `train, test / GOPR0372_07_00 / sharp, blur, blur_gamma / 000047.png` |
| gopro-all | the same as 240 fps frames | `train, test / GOPR0372_07_00 / 000001.png` |
| reds | pairs at 24 fps, originals at 120 (Nah et al., 2019) | `train / train_sharp, train_blur, train_orig / 000 / 00000000.png` |
| uvg | raw 4:2:0 (Mercat et al., 2020) | `Beauty_1920x1080_120fps_420_8bit_YUV.yuv` |
| mcl-jcv | 24 to 30 fps (Wang et al., 2016) | `videoSRC01_1920x1080_30.yuv` or `.mp4` |

UVG and MCL-JCV are for tests only (second paper, section 4.1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import CorruptInput, InputNotReadable, UsageError
from ..media.footage import open_footage
from ..media.pictures import pictures_in
from ..media.reader import Reader

_VIDEOS = frozenset({".mov", ".mp4", ".m4v"})
_GOPRO = re.compile(r"GOPR\d+_(\d+)_\d+")
_UVG = re.compile(r"\w+_\d+x\d+_\d+fps_420_(8|10)bit_YUV\.yuv", re.IGNORECASE)
_MCL_JCV = re.compile(r"videoSRC\d\d_\d+x\d+_\d\d\w*\.(yuv|mp4)", re.IGNORECASE)
#: REDS' blurry versions, and how many frames a second its originals and the others have.
_REDS_BLURRED = ("blur", "blur_comp")
_REDS_RATES = {"orig": Fraction(120), "sharp": Fraction(24)}


@dataclass(frozen=True)
class Footage:
    """One sequence of a set; nothing of it is read before it is opened."""

    #: Of its own in the set, such as "train-GOPR0372_07_00".
    name: str
    #: "train", "test" or "val"; None: the set has no lists.
    split: str | None
    #: The sharp frames: a video, a folder of pictures, or raw video.
    path: Path
    #: Frames per second; None: the file says it.
    rate: Fraction | None = None
    #: Folders of blurry versions with the same number of frames, by name, such as "blur" and "blur_gamma".
    blurred: Mapping[str, Path] = field(default_factory=dict)

    def open(self, version: str | None = None, **options: Any) -> Reader:
        """A reader of the sharp frames, or of a blurry version; options as `media.footage.open_footage`.

        Raises `UsageError` for a version that there is not.
        """
        if version is None:
            return open_footage(self.path, rate=self.rate, **options)
        if version not in self.blurred:
            raise UsageError(f"{self.name} has no {version!r}", hint=f"Known: {', '.join(self.blurred) or 'none'}.")
        return open_footage(self.blurred[version], rate=self.rate, **options)


def footage(folder: str | os.PathLike[str], layout: str | None = None) -> list[Footage]:
    """The sequences in a folder that holds one of the sets, by name; `layout` says which, else it is recognised.

    Raises `InputNotReadable` where it holds none, `CorruptInput` where blurry and sharp frames are not as many, and `UsageError`
    for an unknown layout.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}", hint=f"Known: {', '.join(LAYOUTS)}.")
    root = Path(folder)
    if not root.is_dir():
        raise InputNotReadable(f"{root} is no folder", hint="Name the folder that the set was unpacked into.")
    for name in LAYOUTS if layout is None else (layout,):
        found = sorted(LAYOUTS[name].find(root), key=lambda item: item.name)
        if found:
            return found
    expected = [f"{name}: {known.expected}" for name, known in LAYOUTS.items() if layout in (None, name)]
    raise InputNotReadable(f"{root} holds no set of {layout or 'a known layout'}", hint="Expected " + "; or ".join(expected))


@dataclass(frozen=True)
class Layout:
    """How one set lies on disk."""

    #: For people: what was looked for.
    expected: str
    find: Callable[[Path], Iterator[Footage]]


def _adobe240(root: Path) -> Iterator[Footage]:
    videos = root / "original_high_fps_videos"
    splits = {name: split for split in ("train", "test") for name in _listed(root, split)}
    for path in sorted(videos.iterdir()) if videos.is_dir() else ():
        if path.suffix.lower() in _VIDEOS:
            yield Footage(path.stem, splits.get(path.stem), path)


def _listed(root: Path, split: str) -> Iterator[str]:
    """Names in the lists of a split, one a line, with or without a suffix."""
    for path in sorted(root.glob(f"*{split}*.txt")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.strip():
                yield Path(line.strip()).stem


def _gopro(root: Path) -> Iterator[Footage]:
    for split, folder, averaged in _gopro_folders(root):
        sharp = folder / "sharp"
        if sharp.is_dir():
            blurred = _versions(sharp, {name: folder / name for name in ("blur", "blur_gamma")})
            yield Footage(f"{split}-{folder.name}", split, sharp, Fraction(240, averaged), blurred)


def _gopro_all(root: Path) -> Iterator[Footage]:
    for split, folder, _ in _gopro_folders(root):
        if pictures_in(folder):
            yield Footage(f"{split}-{folder.name}", split, folder, Fraction(240))


def _gopro_folders(root: Path) -> Iterator[tuple[str, Path, int]]:
    """Split, folder, and how many frames make one blurry frame: the number in the middle of the name."""
    for split in ("train", "test"):
        for folder in sorted((root / split).glob("GOPR*")):
            named = _GOPRO.fullmatch(folder.name)
            if named and folder.is_dir() and int(named[1]):
                yield split, folder, int(named[1])


def _reds(root: Path) -> Iterator[Footage]:
    for split in ("train", "val"):
        for kind, rate in _REDS_RATES.items():
            for folder in sorted((root / split / f"{split}_{kind}").glob("[0-9]*")):
                if not folder.is_dir():
                    continue
                versions = {name: root / split / f"{split}_{name}" / folder.name for name in _REDS_BLURRED if kind == "sharp"}
                yield Footage(f"{split}-{kind}-{folder.name}", split, folder, rate, _versions(folder, versions))


def _uvg(root: Path) -> Iterator[Footage]:
    return _named(root, _UVG)


def _mcl_jcv(root: Path) -> Iterator[Footage]:
    return _named(root, _MCL_JCV)


def _named(root: Path, pattern: re.Pattern[str]) -> Iterator[Footage]:
    """Files in the folder, or each in a folder of its own."""
    for path in sorted((*root.glob("*.*"), *root.glob("*/*.*"))):
        if pattern.fullmatch(path.name) and path.is_file():
            yield Footage(path.stem, "test", path)


def _versions(sharp: Path, blurred: Mapping[str, Path]) -> dict[str, Path]:
    """Those that are there. Raises `CorruptInput` where one has another number of frames than the sharp folder."""
    there = {name: folder for name, folder in blurred.items() if folder.is_dir()}
    count = len(pictures_in(sharp)) if there else 0
    for folder in there.values():
        found = len(pictures_in(folder))
        if found != count:
            raise CorruptInput(f"{folder} holds {found} pictures, {sharp} {count}", hint="Unpack the set again.")
    return there


LAYOUTS: Mapping[str, Layout] = {
    "adobe240": Layout("original_high_fps_videos/*.mov, *.mp4 or *.m4v", _adobe240),
    "gopro": Layout("train|test/GOPRnnnn_nn_nn/sharp and blur", _gopro),
    "gopro-all": Layout("train|test/GOPRnnnn_nn_nn/*.png", _gopro_all),
    "reds": Layout("train|val/train_sharp, train_blur or train_orig (val_...)/000/*.png", _reds),
    "uvg": Layout("NAME_WIDTHxHEIGHT_RATEfps_420_8bit_YUV.yuv", _uvg),
    "mcl-jcv": Layout("videoSRCnn_WIDTHxHEIGHT_RATE.yuv or .mp4", _mcl_jcv),
}
