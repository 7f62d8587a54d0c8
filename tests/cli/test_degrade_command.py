"""`revivid degrade`: arguments in, a worse file out."""

from __future__ import annotations

from pathlib import Path

from command import make_clip, revivid

from pictures import write_pictures


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


def test_pairs_of_a_folder_of_fast_pictures(tmp_path: Path) -> None:
    folder, files = write_pictures(tmp_path / "frames", 20), ["-o", tmp_path / "blurry.mkv", "--truth", tmp_path / "sharp.mkv"]
    planned = revivid("degrade", "blur", folder, *files, "--rate", "240", "--frames", "9", "--gap", "1", "--dry-run")
    assert "mean of 9 frames, 1 left out, code values averaged" in planned.out
    assert "sharp.mkv" in planned.out
    done = revivid("degrade", "blur", folder, *files, "--rate", "240", "--linear-light", "--json")
    assert done.event("result")["frames"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"frames", "blurry.mkv", "sharp.mkv"}
    assert "exists already" in revivid("degrade", "blur", folder, *files, "--rate", "240", expect=2).err
    assert "240 frames" not in revivid("degrade", "blur", folder, *files, "-y", "--rate", "60", expect=2).err


def test_a_video_of_an_ordinary_rate_has_no_pairs(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=4, size=(64, 64))
    refused = revivid("degrade", "blur", source, "-o", tmp_path / "b.mkv", "--truth", tmp_path / "s.mkv", expect=2)
    assert "24 frames a second" in refused.err
    assert "--blur" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_the_command_before_it_had_a_name_and_its_help() -> None:
    page = revivid("degrade", "--help").out
    assert "\n  blur" in page
    assert "--noise" in revivid("degrade", "video", "--help").out
    assert "--noise-domain" in revivid("degrade", "in.mkv", "--noise-domian", "rgb", expect=2).err
