"""Targets in place of a CRF, by the installed command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import revivid

from revivid.media.probe import probe

FAST = ("--x265-preset", "ultrafast")


def test_size_is_kept_and_told(clip: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.mp4"
    outcome = revivid("compress", clip, "-o", small, "--size", "20kB", *FAST)
    assert small.stat().st_size <= 20_000
    crf = json.loads(probe(small).recipe or "")["crf"]
    assert f"note: CRF {crf:g} was chosen for at most 20,000 bytes" in outcome.err


def test_quality_in_a_plan(clip: Path, tmp_path: Path) -> None:
    outcome = revivid("compress", clip, "-o", tmp_path / "small.mp4", "--target-psnr", 10, *FAST, "--dry-run", "--json")
    plan = outcome.event("plan")
    assert plan["target"]["metric"] == "psnr_y"
    assert f"choose CRF {plan['target']['crf']:g} for at least PSNR-Y 10.00 dB" in plan["steps"]
    assert sum(step.startswith("probe CRF") for step in plan["steps"]) == len(plan["target"]["probes"]) <= 8
    assert list(tmp_path.iterdir()) == []


def test_roundtrip_reports_what_was_found(clip: Path, tmp_path: Path) -> None:
    outcome = revivid("roundtrip", clip, "-o", tmp_path / "trip", "--target-psnr", 10, *FAST, "--json")
    result = outcome.event("result")
    assert result["report"]["compressed"]["crf"] == result["target"]["crf"] == result["report"]["recipe"]["crf"]
    assert result["report"]["options"]["target_psnr"] == 10
    last = next(probe for probe in result["target"]["probes"] if probe["crf"] == result["target"]["crf"])
    measured = result["report"]["metrics"]["restored"]["pooled"]["psnr_y"]["mean"]
    assert measured == pytest.approx(last["score"], abs=0.02)
    assert measured >= 10
    assert any("was chosen for at least" in notice for notice in result["report"]["notices"])
    assert "find the CRF" in {event["step"] for event in outcome.events if event["event"] == "progress"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "1MB", "--crf", "30"), ("--crf and --size", "contradict")),
        (("--target-psnr", "30", "--target-vmaf", "80"), ("contradict",)),
        (("--target-psnr", "99"), ("the most is", "--scale")),
        (("--size", "2kB", "--no-audio"), ("2,000 bytes", "CRF 51")),
    ],
)
def test_refused_before_anything_is_written(options: tuple[str, ...], words: tuple[str, ...], clip: Path, tmp_path: Path) -> None:
    outcome = revivid("compress", clip, "-o", tmp_path / "small.mp4", *options, *FAST, expect=2)
    assert all(word in outcome.err for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_roundtrip_out_of_reach_leaves_no_folder(clip: Path, tmp_path: Path) -> None:
    revivid("roundtrip", clip, "-o", tmp_path / "trip", "--size", "2kB", "--no-audio", *FAST, expect=2)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_can_be_read_once_only(clip: Path, tmp_path: Path) -> None:
    with clip.open("rb") as stdin:
        outcome = revivid("compress", "-", "-o", tmp_path / "small.mp4", "--size", "1MB", expect=2, stdin=stdin)
    assert "read once" in outcome.err
