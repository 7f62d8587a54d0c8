"""The main job by the installed command: files, report, table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import ESCAPE, make_clip, revivid

from revivid import __version__
from revivid.errors import InputNotReadable, OutputExists
from revivid.media.probe import probe
from revivid.weights import embedded
from revivid.workflows.roundtrip import roundtrip

FAST = ("--x265-preset", "ultrafast")
METRICS = {"psnr", "ssim", "ms_ssim", "psnr_y", "ssim_y", "psnr_luma"}
REPORT_FIELDS = {
    "format", "version", "created", "command", "source", "compressed", "restored", "ratio", "video_ratio", "metrics", "gains",
    "timings", "environment", "recipe", "options", "notices", "per_frame",
}  # fmt: skip
FILE_FIELDS = {
    "name", "codec", "width", "height", "frames", "duration_s", "size_bytes", "sha256", "video_bytes", "bitrate_bps",
    "video_bitrate_bps", "bpp", "video_bpp",
}  # fmt: skip


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def test_whole_job_with_an_odd_size_and_a_sample(folder: Path, tmp_path: Path) -> None:
    odd = make_clip(folder / "odd.mkv", frames=24, size=(259, 257))
    target = tmp_path / "trip"
    outcome = revivid("roundtrip", odd, "-o", target, *FAST, "--fps", 15, "--start", "0.2", "--duration", "00:00:00.4")

    names = {path.name for path in target.iterdir()}
    assert {"odd.small.mkv", "odd.restored.mkv", "report.json", "report.html"} <= names
    assert any(re.fullmatch(r"crop.*\.png", name) for name in names)
    assert not any("partial" in name for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trip"]

    small, restored = probe(target / "odd.small.mkv"), probe(target / "odd.restored.mkv")
    assert (small.width, small.height) == (66, 66)
    assert (restored.width, restored.height) == (260, 258)  # 4:2:0 AVC has even sides only
    assert restored.frame_rate == small.frame_rate == 15

    report = report_of(target)
    assert set(report) == REPORT_FIELDS
    assert report["format"] == "revivid-roundtrip/1"
    assert report["version"] == __version__
    assert set(report["source"]) == FILE_FIELDS
    assert set(report["compressed"]) == FILE_FIELDS | {"crf", "quality", "scale", "preset"}
    assert (report["source"]["width"], report["source"]["height"]) == (259, 257)
    assert [report[name]["frames"] for name in ("source", "compressed", "restored")] == [6, 6, 6]
    assert report["compressed"]["size_bytes"] == (target / "odd.small.mkv").stat().st_size
    assert report["compressed"]["bpp"] == 8 * report["compressed"]["size_bytes"] / (6 * 259 * 257)
    assert report["recipe"]["stages"][0]["scale"] == 4
    assert report["options"]["fps"] == 15
    for arm in ("bicubic", "restored"):
        assert report["metrics"][arm]["frames"] == 6
        assert set(report["metrics"][arm]["pooled"]) | set(report["metrics"][arm]["missing"]) == METRICS
        assert len(report["per_frame"][arm]["psnr"]) == 6
        assert report["metrics"][arm]["max_time_offset_s"] < 0.001
    for name, gain in report["gains"].items():
        means = [report["metrics"][arm]["pooled"][name]["mean"] for arm in ("restored", "bicubic")]
        assert abs(gain - (means[0] - means[1])) < 1e-6
    assert set(report["timings"]) == {"compress_s", "restore_s", "evaluate_s", "fps"}
    assert any("whole file" in notice for notice in report["notices"])

    page = (target / "report.html").read_text()
    assert "default-src 'none'" in page  # scripts may show what is in the page, and nothing else
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'>\s]""", markup)
    assert "@import" not in page
    assert "259" in page

    assert ESCAPE not in outcome.out
    for word in ("PSNR", "SSIM", "gain", "times smaller", "bits per original pixel", "report.html"):
        assert word in outcome.out
    assert "compress: 6/6" in outcome.err
    assert "restore and measure: 6/6" in outcome.err


def test_full_size_with_another_codec_as_json(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "trip"
    arguments = ("roundtrip", clip, "-o", target, "--scale", "1", "--codec", "x264", "--x265-preset", "veryfast", "--json")
    outcome = revivid(*arguments)
    result = outcome.event("result")
    assert result["small"] == str(target / "clip.small.mp4")
    assert result["restored"] == str(target / "clip.restored.mp4")
    assert result["report"]["compressed"]["codec"] in ("x264", "h264")
    assert result["report"]["compressed"]["scale"] == "1"
    assert "per_frame" not in result["report"]
    assert {event["step"] for event in outcome.events if event["event"] == "progress"} == {"compress", "restore and measure"}
    assert [stream.codec for stream in probe(target / "clip.restored.mp4").streams] == ["aac"]
    # At full size there is no stage, so both ways of showing it are the same picture.
    assert result["report"]["gains"]["psnr"] == 0

    with pytest.raises(OutputExists, match="exists already"):
        roundtrip(clip, target)


def test_half_size_with_av1(clip: Path, tmp_path: Path) -> None:
    arguments = ("roundtrip", clip, "-o", tmp_path / "trip", "--scale", "1/2", "--codec", "av1", "--encoder-preset", "12")
    if "compactsr-x2" in embedded.names():
        revivid(*arguments)
        report = report_of(tmp_path / "trip")
        assert (report["compressed"]["width"], report["compressed"]["height"]) == (128, 128)
        assert (report["restored"]["width"], report["restored"]["height"]) == (256, 256)
    else:
        assert "compactsr-x2" in revivid(*arguments, expect=6).err


def test_inputs_that_cannot_be_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputNotReadable):
        roundtrip(tmp_path / "absent.mp4", tmp_path / "trip")
    assert list(tmp_path.iterdir()) == []
