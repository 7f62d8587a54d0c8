"""Ground truth of the benchmarks: halved clips, filmed photographs, lossless files as they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from moving import moving_clip, write_master

from clips import Film, make
from revivid.bench.masters import PHOTO_FRAMES, find_masters, limited_8bit, read_source
from revivid.errors import InputNotReadable, UsageError
from revivid.media.probe import probe
from revivid.types import Clip, ColorSpec


def photograph(path: Path, size: tuple[int, int] = (192, 128)) -> Path:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8)), format="rgb24")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = *size, "rgb24"
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_lossless_files_are_masters_already(tmp_path: Path) -> None:
    path = write_master(tmp_path / "truth.mkv", moving_clip(5))
    assert find_masters(tmp_path, tmp_path / "cache") == {"truth": path}
    source = read_source("truth", path, 3, tmp_path)
    assert len(source.clip) == 3
    assert np.array_equal(source.clip.planes[0], moving_clip(5).planes[0][:3])
    assert source.digest == read_source("truth", path, 3, tmp_path).digest != read_source("truth", path, 4, tmp_path).digest


def test_camera_clips_are_halved_once(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=6, size=(134, 102), full_range=True, color=(5, 5, 6)))
    cache = tmp_path / "cache"
    master = find_masters(tmp_path, cache)["film"]
    info = probe(master)
    assert (info.width, info.height, info.codec, info.color.full_range) == (66, 50, "ffv1", False)
    assert len(read_source("film", master, 99, cache).clip) == 6
    made = master.stat().st_mtime_ns
    assert find_masters(film.parent, cache)["film"].stat().st_mtime_ns == made


def test_photographs_are_filmed(tmp_path: Path) -> None:
    photograph(tmp_path / "photo.png")
    cache = tmp_path / "cache"
    clip = read_source("photo", find_masters(tmp_path, cache)["photo"], 99, cache).clip
    assert (len(clip), clip.width, clip.height) == (PHOTO_FRAMES, 72, 48)
    assert clip.durations[0] == Fraction(1, 24)
    assert not np.array_equal(clip.planes[0][0], clip.planes[0][-1])


def test_folders_without_truth_are_left_out(tmp_path: Path) -> None:
    for folder in ("awkward", "blur_stills", "clips"):
        (tmp_path / folder).mkdir()
        write_master(tmp_path / folder / f"{folder}.mkv", moving_clip(2))
    assert list(find_masters(tmp_path, tmp_path / "cache")) == ["clips"]


def test_nothing_to_measure_on_and_names_that_clash(tmp_path: Path) -> None:
    with pytest.raises(InputNotReadable, match="no clip"):
        find_masters(tmp_path, tmp_path / "cache")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_master(tmp_path / folder / "same.mkv", moving_clip(2))
    with pytest.raises(UsageError, match="same"):
        find_masters(tmp_path, tmp_path / "cache")


def test_range_and_depth() -> None:
    values = np.array([[[0, 1020, 512, 1023]] * 2], np.uint16)
    chroma = np.array([[[512, 1023]]], np.uint16)
    zero = (Fraction(0),)
    full = Clip((values, chroma, chroma), zero, zero, ColorSpec(full_range=True, bit_depth=10))
    assert limited_8bit(full).planes[0][0, 0].tolist() == [16, 234, 126, 235]
    assert limited_8bit(full).planes[1][0, 0].tolist() == [128, 240]
    limited = Clip((values, chroma, chroma), zero, zero, ColorSpec(bit_depth=10))
    assert limited_8bit(limited).planes[0][0, 0].tolist() == [0, 255, 128, 255]
    eight = moving_clip(1)
    assert limited_8bit(eight) is eight
