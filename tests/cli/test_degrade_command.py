"""`revivid degrade`: arguments in, a worse file out."""

from __future__ import annotations

from pathlib import Path

from command import make_clip, revivid


def test_plan_and_result(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=4, size=(64, 64))
    planned = revivid("degrade", source, "-o", tmp_path / "out.mkv", "--blur", "5", "--noise", "8", "--dry-run")
    assert "shutter open 5/10" in planned.out
    assert "sigma 8" in planned.out
    assert not (tmp_path / "out.mkv").exists()
    done = revivid("degrade", source, "-o", tmp_path / "out.mkv", "--downscale", "2", "--noise", "8", "--json")
    result = done.event("result")
    assert (result["frames"], result["width"], result["height"]) == (4, 32, 32)
    revivid("degrade", source, "-o", tmp_path / "out.mkv", "--noise", "8", expect=2)
    revivid("degrade", source, "-o", tmp_path / "other.mkv", expect=2)
