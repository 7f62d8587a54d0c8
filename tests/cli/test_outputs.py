"""What may be written where: never over an input, never over a file unasked, never half; and what goes to which stream."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from command import COMMAND, ESCAPE, revivid

from revivid.errors import OutputExists
from revivid.workflows.restore import restore

FAST = ("--x265-preset", "ultrafast")
PLAN_FIELDS = {
    "event", "source", "output", "steps", "frames", "input_size", "output_size", "memory_bytes", "notices",
    "estimated_seconds", "estimated_bytes", "missing", "target",
}  # fmt: skip
RESULT_FIELDS = {
    "event", "output", "frames", "size_bytes", "video_bytes", "width", "height", "duration", "seconds", "fps", "notices", "target",
}  # fmt: skip


def test_no_overwrite_unless_asked(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("precious")
    refused = revivid("compress", clip, "-o", output, *FAST, expect=2)
    assert "-y" in refused.err
    assert refused.out == ""
    assert output.read_text() == "precious"
    revivid("compress", clip, "-o", output, *FAST, "-y")
    assert output.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [output]


def test_output_is_never_input(clip: Path, tmp_path: Path, bystander: Callable[[], None]) -> None:
    symbolic, hard = tmp_path / "symbolic.mp4", tmp_path / "hard.mp4"
    symbolic.symlink_to(clip)
    os.link(clip, hard)
    for output in (clip, symbolic, hard):
        assert "input itself" in revivid("compress", clip, "-o", output, "-y", *FAST, expect=2).err
        with pytest.raises(OutputExists, match="input itself"):
            restore(clip, output, super_resolve=4, overwrite=True)
    bystander()
    assert symbolic.is_symlink()


def test_outputs_that_cannot_be(clip: Path, tmp_path: Path) -> None:
    assert "is not a folder" in revivid("compress", clip, "-o", tmp_path / "no" / "x.mp4", expect=8).err
    assert "suffix" in revivid("compress", clip, "-o", tmp_path / "x.xyz", expect=2).err
    assert "is a folder" in revivid("compress", clip, "-o", tmp_path, expect=2).err
    assert "standard output" in revivid("compress", clip, "-o", "-", expect=2).err
    assert list(tmp_path.iterdir()) == []


def test_streams_and_json(clip: Path, small: Path, tmp_path: Path) -> None:
    plain = revivid("compress", clip, "-o", tmp_path / "plain.mp4", *FAST)
    assert plain.out == ""
    assert "compress: 12/12 frames" in plain.err
    assert "plain.mp4: 12 frames, 64x64" in plain.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", plain.err)

    compressed = revivid("compress", clip, "-o", tmp_path / "out.mp4", *FAST, "--json")
    assert [event["event"] for event in compressed.events][-1] == "result"
    result = compressed.event("result")
    assert set(result) == RESULT_FIELDS
    assert result["output"] == str(tmp_path / "out.mp4")
    assert (result["frames"], result["width"], result["height"], result["duration"]) == (12, 64, 64, 0.5)
    assert result["size_bytes"] == (tmp_path / "out.mp4").stat().st_size > result["video_bytes"] > 0

    restored = revivid("restore", small, "-o", tmp_path / "back.mkv", "--json")
    last = [event for event in restored.events if event["event"] == "progress"][-1]
    assert set(last) == {"event", "step", "frames", "total", "fps", "eta_s"}
    assert (last["step"], last["frames"], last["total"], last["eta_s"]) == ("restore", 12, 12, 0)
    assert (restored.event("result")["width"], restored.event("result")["height"]) == (256, 256)
    assert {path.name for path in tmp_path.iterdir()} == {"plain.mp4", "out.mp4", "back.mkv"}

    error = revivid("compress", clip, "-o", tmp_path / "out.mp4", "--json", expect=2).event("error")
    assert error == {
        "event": "error",
        "kind": "OutputExists",
        "message": f"{tmp_path}/out.mp4 exists already",
        "hint": "Pass -y to overwrite it.",
        "exit_code": 2,
    }


def test_dry_runs_write_nothing(clip: Path, small: Path, tmp_path: Path) -> None:
    text = revivid("compress", clip, "-o", tmp_path / "x.mp4", *FAST, "--dry-run").out
    for part in (
        "256x256",
        "downscale to 1/4 -> 64x64",
        "libx265 crf=28",
        "frames: 12",
        "MiB",
        "estimated",
        " s, about",
        "audio aac",
    ):
        assert part in text
    plan = revivid("compress", clip, "-o", tmp_path / "x.mp4", *FAST, "--dry-run", "--json").event("plan")
    assert set(plan) == PLAN_FIELDS
    assert (plan["input_size"], plan["output_size"], plan["frames"]) == ([256, 256], [64, 64], 12)
    assert plan["memory_bytes"] > 0
    assert plan["estimated_seconds"] > 0
    assert plan["estimated_bytes"] > 100

    plan = revivid("restore", small, "-o", tmp_path / "x.mp4", "--dry-run", "--json").event("plan")
    assert set(plan) == PLAN_FIELDS
    assert any("super-resolve x4" in step for step in plan["steps"])
    assert plan["output_size"] == [256, 256]
    assert plan["estimated_seconds"] > 0
    assert plan["estimated_bytes"] > 1000
    best = revivid("restore", small, "-o", tmp_path / "x.mp4", "--effort", "best", "--dry-run", "--json").event("plan")
    assert any("lumavsr-x4" in step for step in best["steps"])
    wrong = revivid("restore", small, "-o", tmp_path / "x.mp4", "--effort", "most", "--dry-run", expect=2)
    assert "Choose fast, balanced, best" in wrong.err
    raw = revivid("restore", small, "-o", "-", "--dry-run", "--json").event("plan")
    assert raw["estimated_bytes"] == 12 * 256 * 256 * 3 // 2

    text = revivid("roundtrip", clip, "-o", tmp_path / "trip", *FAST, "--dry-run").out
    assert "report.html" in text
    assert list(tmp_path.iterdir()) == []


def test_probe_and_weights_as_data(small: Path) -> None:
    info = revivid("probe", small, "--json").event("result")
    assert (info["codec"], info["width"], info["height"], info["frames"]) == ("hevc", 64, 64, 12)
    assert Fraction(info["frame_rate"]) == 24
    assert [stream["kind"] for stream in info["streams"]] == ["audio"]
    assert json.loads(info["recipe"])["scale"] == "1/4"
    names = [event["name"] for event in revivid("weights", "list", "--json").events]
    assert "compactsr-x4" in names


def test_a_bar_on_a_terminal(clip: Path, tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    command = [COMMAND, "compress", str(clip), "-o", str(tmp_path / "x.mp4"), *FAST]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(screen, 4096):
            shown += part
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(screen)
    out, _ = process.communicate(timeout=60)
    text = shown.decode()
    assert process.returncode == 0
    assert out == b""
    assert ESCAPE in text
    assert "12/12" in text
    assert "frames/s" in text
    assert "ETA" in text
