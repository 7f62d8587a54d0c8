"""Every exit code reached by a real command, and what the message says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command import COMMAND, make_clip, revivid

FAST = ("--x265-preset", "ultrafast")


@pytest.fixture(scope="module")
def truncated(clip: Path, folder: Path) -> Path:
    """A Matroska file that ends in the middle."""
    whole = folder / "whole.mkv"
    revivid("compress", clip, "-o", whole, *FAST, "--scale", "1", "--crf", "10")
    path = folder / "truncated.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    return path


def test_0_healthy_installation() -> None:
    outcome = revivid("doctor", "--json").event("result")
    assert outcome["healthy"] is True
    assert outcome["encoders"]["x265"] is True


def test_3_input_not_readable(tmp_path: Path) -> None:
    assert "no such file" in revivid("compress", tmp_path / "absent.mp4", "-o", tmp_path / "x.mp4", expect=3).err
    note = tmp_path / "note.mp4"
    note.write_text("this is no video, whatever its name says\n" * 10)
    error = revivid("probe", note, "--json", expect=3).event("error")
    assert (error["kind"], error["exit_code"]) == ("InputNotReadable", 3)
    assert "is a folder" in revivid("probe", tmp_path, expect=3).err
    assert list(tmp_path.iterdir()) == [note]


def test_4_and_7_truncated_input(truncated: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.mkv"
    refused = revivid("compress", truncated, "-o", output, *FAST, expect=4)
    assert "--allow-damaged" in refused.err
    assert not output.exists()
    kept = revivid("compress", truncated, "-o", output, *FAST, "--allow-damaged", "--json", expect=7)
    assert kept.err.splitlines()[-2].startswith("partial: ")
    assert kept.event("error")["exit_code"] == 7
    assert revivid("probe", output, "--json").event("result")["codec"] == "hevc"
    assert list(tmp_path.iterdir()) == [output]


def test_5_over_a_limit(tmp_path: Path) -> None:
    wide = make_clip(tmp_path / "wide.mkv", frames=1, size=(16400, 16))
    assert "over the limit" in revivid("compress", wide, "-o", tmp_path / "x.mp4", expect=5).err
    assert list(tmp_path.iterdir()) == [wide]


def test_6_missing_weights(small: Path, tmp_path: Path) -> None:
    outcome = revivid("restore", small, "-o", tmp_path / "x.mp4", "--with", "imaginary-x4", expect=6)
    assert "imaginary-x4" in outcome.err
    assert "compactsr-x4" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_8_output_not_writable(clip: Path, tmp_path: Path) -> None:
    assert "is not a folder" in revivid("compress", clip, "-o", tmp_path / "missing" / "x.mp4", expect=8).err
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([COMMAND, "probe", str(clip)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 8
    assert done.stderr.startswith("error: standard output can't be written")
