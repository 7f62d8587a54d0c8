"""`revivid bench` on a tiny clip: figures on stdout, results in a file, nothing measured twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import make_clip, revivid


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    make_clip(folder / "tiny.mkv", frames=5, size=(128, 96))
    return folder


def test_quality(data: Path) -> None:
    out = data.parent / "quality.json"
    arguments = ("bench", "quality", "super-resolve-x4", "--data", data, "--out", out, "--cache", data.parent / "cache", "--quick")
    first = revivid(*arguments, "--with", "lumasr-x4")
    assert "super-resolve-x4: 1 clips" in first.out
    assert "lumasr-x4" in first.out
    assert "frames/s at 1280x720" in first.out
    section = json.loads(out.read_text())["tasks"]["super-resolve-x4"]
    figures = section["settings"]["crf 28"]
    assert figures["against"] == "bicubic"
    assert figures["bpp"] > 0
    assert set(figures["arms"]) == {"bicubic", "lumasr-x4"}
    assert section["speed"]["lumasr-x4"]["fps"] > 0
    again = revivid(*arguments, "--with", "lumasr-x4", "--no-timing", "--json")
    assert "to go" not in again.err
    assert again.event("result")["tasks"]["super-resolve-x4"]["settings"] == section["settings"]


def test_rate_distortion(data: Path) -> None:
    out = data.parent / "rd.json"
    arguments = ("bench", "rd", "--data", data, "--out", out, "--cache", data.parent / "cache", "--quick")
    told = revivid(*arguments).out
    assert "BD-rate over 1 clips" in told
    assert "against x265 psnr_y" in told
    assert "1/4 size + super-resolve" in told
    assert out.with_suffix(".svg").is_file()
    curve = json.loads(out.read_text())["by_clip"]["tiny"]["1/2 size + bicubic"]
    assert curve[0]["bpp"] > curve[-1]["bpp"]
    assert curve[0]["psnr_y"] > curve[-1]["psnr_y"]
    revivid(*arguments, "--plot", "curves.doc", expect=2)


def test_tables(data: Path) -> None:
    out = data.parent / "tables.json"
    arguments = ("bench", "tables", "2", "--data", data, "--out", out, "--cache", data.parent / "cache", "--quick", "--no-timing")
    told = revivid(*arguments, "--with", "compactsr-x4").out
    assert "Table 2, Super-resolution x4: 1 clips" in told
    assert "compactsr-x4" in told
    rows = next(iter(json.loads(out.read_text())["tables"]["2"]["inputs"].values()))["rows"]
    assert set(rows) == {"bicubic", "compactsr-x4"}
    assert "published, other test set" in out.with_suffix(".html").read_text(encoding="utf-8")
    assert "no table 6" in revivid("bench", "tables", "6", "--data", data, "--out", out, expect=2).err


def test_what_cannot_be_measured(data: Path, tmp_path: Path) -> None:
    revivid("bench", "quality", "--data", tmp_path / "none", expect=2)
    assert "sharpen" in revivid("bench", "quality", "sharpen", "--data", data, "--out", tmp_path / "q.json", expect=2).err
    empty = tmp_path / "empty"
    empty.mkdir()
    revivid("bench", "quality", "deblur", "--data", empty, "--out", tmp_path / "q.json", expect=3)
    assert not (tmp_path / "q.json").exists()
