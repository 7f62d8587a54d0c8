"""What training makes of a folder: single files, pairs, and published sets; and how it blurs each."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import Film, make
from pictures import write_picture, write_pictures
from revivid.degrade.datasets import footage
from revivid.media.read import open_video
from revivid.media.scale import resize
from revivid.train.data import DataSettings, prepare
from revivid.train.scenes import load
from revivid.train.sources import is_photo, sources
from revivid.types import join
from revivid.workflows.blur import blur

SIZE = (128, 128)
SETTINGS = DataSettings("blur", 1, crf_steps=1, preset="ultrafast", clip_frames=3, clip_keep=1, clip_scenes=1)


def video(path: Path, frames: int, rate: int) -> Path:
    return make(path, Film(frames=frames, size=SIZE, codec="ffv1", rate=Fraction(rate)))


def test_files_pairs_and_sets_side_by_side(tmp_path: Path) -> None:
    for name in ("a.mkv", "b.sharp.mkv", "b.blurry.mkv", "c.sharp.mkv", "readme.txt"):
        (tmp_path / name).write_bytes(b"not looked at")
    (tmp_path / "photos").mkdir()
    write_picture(tmp_path / "photos" / "p.png")
    for split in ("train", "test"):
        for kind in ("sharp", "blur"):
            write_pictures(tmp_path / "GOPRO_Large" / split / "GOPR0372_07_00" / kind, 2)
    write_pictures(tmp_path / "REDS" / "val" / "val_sharp" / "000", 2)
    found = {item.name: item for item in sources(tmp_path)}
    # A folder with nothing to train on is no set, but its pictures are photographs.
    assert list(found) == ["GOPRO_Large-train-GOPR0372_07_00", "000000.png", "000001.png", "a.mkv", "b", "c.sharp.mkv", "p.png"]
    assert {name for name, item in found.items() if item.blurred} == {"GOPRO_Large-train-GOPR0372_07_00", "b"}
    assert found["b"].path.name == "b.sharp.mkv"
    assert is_photo(found["p.png"])
    assert not is_photo(found["GOPRO_Large-train-GOPR0372_07_00"])
    assert [item.name for item in sources(tmp_path / "GOPRO_Large")] == ["train-GOPR0372_07_00"]


def halved(path: Path) -> np.ndarray:
    clip = join(list(open_video(path)))
    return resize(clip, SIZE[0] // 2, SIZE[1] // 2, "AREA").planes[0]


def test_fast_video_is_averaged_and_slow_video_is_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    fast = video(data / "fast.mkv", 35, 240)
    [scene] = load(prepare(data, tmp_path / "scenes", SETTINGS, workers=1))
    assert len(scene.truth[0]) == 3
    planes = halved(fast).astype(float)
    middles = [next(t for t in range(35) if np.array_equal(planes[t], frame)) for frame in scene.truth[0]]
    first = middles[0]
    assert middles == [first, first + 10, first + 20]
    assert first in (0, 2, 3, 4)  # of 1, 5, 7 or 9 frames
    mean = planes[: 2 * first + 1].mean(0)
    assert np.abs(scene.degraded[0][0][0] - mean).mean() < 2  # light or code values
    assert len(scene.degraded) == 2
    assert scene.strengths[0] == 0


@pytest.mark.parametrize("kind", ["files", "set"])
def test_pairs_are_taken_as_they_are(kind: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if kind == "files":
        source = video(tmp_path / "in.mkv", 30, 240)
        blur(source, data / "clip.blurry.mkv", truth=str(data / "clip.sharp.mkv"), frames=9, gap=1)
        sharp, blurry = (halved(data / f"clip.{name}.mkv") for name in ("sharp", "blurry"))
    else:
        for k, name in enumerate(("sharp", "blur")):
            write_pictures(data / "train" / "GOPR0372_07_00" / name, 3, SIZE, first=5 * k)
        [item] = footage(data)
        clips = [join(list(item.open(version))) for version in (None, "blur")]
        sharp, blurry = (resize(clip, SIZE[0] // 2, SIZE[1] // 2, "AREA").planes[0] for clip in clips)
    [scene] = load(prepare(data, tmp_path / "scenes", SETTINGS, workers=1))
    assert np.array_equal(scene.truth[0], sharp)
    assert np.array_equal(scene.degraded[0][0], blurry)
    assert not np.array_equal(sharp, blurry)
    # Another task learns from the sharp frames alone.
    noise = replace(SETTINGS, damage="noise")
    [scene] = load(prepare(data, tmp_path / "noise", noise, workers=1))
    assert np.array_equal(scene.truth[0], sharp)


def test_close_shots_are_photographs_seen_pixel_by_pixel(tmp_path: Path) -> None:
    """Beside the usual shots: two that are filmed, whose detail is what halving leaves, and a glide."""
    (tmp_path / "data").mkdir()
    write_picture(tmp_path / "data" / "p.png", size=(640, 480))
    settings = replace(SETTINGS, photo_frames=3, photo_keep=1, photo_scenes=1, close_scenes=3)
    scenes = load(prepare(tmp_path / "data", tmp_path / "scenes", settings, workers=1))
    assert [len(scene.truth[0]) for scene in scenes] == [3] * 4
    assert [scene.truth[0].shape[1:] for scene in scenes] == [(192, 256), (160, 212), (160, 212), (192, 256)]
    assert all(scene.strengths[0] == 0 for scene in scenes)
    sharp = replace(settings, damage="noise")
    assert len(prepare(tmp_path / "data", tmp_path / "sharp", sharp, workers=1)) == 1
