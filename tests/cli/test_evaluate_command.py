"""`revivid evaluate` as it is typed: table, notices, reports, errors."""

from __future__ import annotations

import json
from pathlib import Path

from command import make_clip, revivid

FEW = ("--metrics", "psnr_luma,psnr")


def test_table_reports_and_json(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=6, size=(64, 48))
    outcome = revivid("evaluate", clip, clip, *FEW, "-o", tmp_path / "a.csv", "-o", tmp_path / "a.html")
    lines = outcome.out.splitlines()
    assert lines[0] == "a.mkv against a.mkv, 6 frames"
    assert lines[1].split() == ["mean", "harmonic", "p5", "worst"]
    assert lines[2].split() == ["PSNR", "100.00", "100.00", "100.00", "100.00", "dB"]
    assert [line.split()[0] for line in lines[2:]] == ["PSNR", "PSNR"]
    assert (tmp_path / "a.csv").read_text().startswith("video,frame,time_s,psnr,psnr_luma\na.mkv,0,0.0,100.0,100.0\n")
    assert "revivid evaluate " in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "exists already" in revivid("evaluate", clip, clip, "-o", tmp_path / "a.csv", expect=2).err
    result = revivid("evaluate", clip, clip, *FEW, "--json", "-y", "-o", tmp_path / "a.json").event("result")
    assert json.loads((tmp_path / "a.json").read_text())["distorted"] == result["distorted"]
    assert result["distorted"][0]["alignment"]["frames"] == 0


def test_other_sizes_and_unknown_metrics_are_usage_errors(tmp_path: Path) -> None:
    large, small = (make_clip(tmp_path / f"{width}.mkv", frames=4, size=(width, 48)) for width in (96, 64))
    assert "--align" in revivid("evaluate", large, small, expect=2).err
    assert "resized from 64x48" in revivid("evaluate", large, small, "--align", *FEW).err
    assert "ms_ssim" in revivid("evaluate", large, large, "--metrics", "mssim", expect=2).err
