"""Scenes to train on come back from their files as they were, and damaged files are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from revivid.errors import CorruptInput, InputNotReadable, ShapeError
from revivid.media.probe import probe
from revivid.media.tracks import read_tracks, write_tracks
from revivid.train.scenes import Scene, files, load, source_of, store


def planes(frames: int, height: int, width: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    shapes = (frames, height, width), (frames, height // 2, width // 2), (frames, height // 2, width // 2)
    y, u, v = (rng.integers(256, size=shape, dtype=np.uint8) for shape in shapes)
    return y, u, v


def scene() -> Scene:
    return Scene("a.b/c d.mkv", planes(5, 64, 96), [planes(5, 16, 24, seed) for seed in (1, 2)], [None, 23.456789012345])


def same(ours, theirs) -> bool:
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(ours, theirs, strict=True))


def test_scenes_come_back(tmp_path: Path) -> None:
    first, bare = scene(), Scene("still", planes(1, 66, 34), [], [])
    store(tmp_path / "x.jpg.0.scene.mkv", first)
    store(tmp_path / "x.jpg.1.scene.mkv", bare)
    (tmp_path / "other.mkv").write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    found = load(files(tmp_path))
    for ours, theirs in zip(found, (first, bare), strict=True):
        assert (ours.name, ours.strengths) == (theirs.name, theirs.strengths)
        assert same(ours.truth, theirs.truth)
        assert len(ours.degraded) == len(theirs.degraded)
        assert all(same(x, y) for x, y in zip(ours.degraded, theirs.degraded, strict=True))
    assert {source_of(path) for path in files(tmp_path)} == {"x.jpg"}


def test_a_scene_is_a_video(tmp_path: Path) -> None:
    store(tmp_path / "x.0.scene.mkv", scene())
    info = probe(tmp_path / "x.0.scene.mkv")
    assert (info.codec, info.width, info.height) == ("ffv1", 96, 64)


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.0.scene.mkv"
    store(path, scene())
    whole = bytearray(path.read_bytes())
    with pytest.raises(InputNotReadable):
        load([tmp_path / "missing.scene.mkv"])
    for change in ("cut", "flipped", "other"):
        if change == "cut":
            path.write_bytes(whole[: len(whole) * 2 // 3])
        elif change == "flipped":
            broken = whole.copy()
            broken[len(whole) // 2] ^= 255
            path.write_bytes(broken)
        else:
            write_tracks(path, [planes(2, 32, 32)], "[]")
        with pytest.raises(CorruptInput):
            load([path])


def test_videos_of_one_file_have_one_length(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"not \[2, 3\]"):
        write_tracks(tmp_path / "x.mkv", [planes(2, 32, 32), planes(3, 32, 32)], "")
    assert list(tmp_path.iterdir()) == []


def test_other_videos_are_no_tracks(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    write_tracks(path, [planes(2, 32, 32)], "note")
    assert read_tracks(path)[1] == "note"
    path.write_bytes(path.read_bytes().replace(b"REVIVID_NOTE", b"REVIVID_NOTA"))
    with pytest.raises(CorruptInput, match="no such tracks"):
        read_tracks(path)
