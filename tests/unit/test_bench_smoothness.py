"""Temporal smoothness in `bench bvc`: what jumps is found, arms are compared at about the same bits, the figure is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moving import moving_clip, write_master

from revivid.bench import bvc_smoothness
from revivid.bench.bvc import Options, learned_codec
from revivid.bench.bvc_arms import arm_of
from revivid.bench.bvc_coding import BLURS, Coding
from revivid.bench.bvc_plot import plot
from revivid.bench.jobs import Clipping
from revivid.bench.smoothness import BINS, changes, error_lengths, smoothness
from revivid.errors import ShapeError
from revivid.types import Clip


def jumping(clip: Clip, frame: int, pixels: int) -> Clip:
    """One frame is moved to the right."""
    planes = [plane.copy() for plane in clip.planes]
    for plane, by in zip(planes, (pixels, pixels // 2, pixels // 2), strict=True):
        plane[frame] = np.roll(plane[frame], by, axis=1)
    return clip.with_planes(*planes)


def test_what_moves_evenly_does_not_change() -> None:
    clip = moving_clip(4, width=128, height=64, speed=2)
    found = changes(clip)
    assert found.shape == (2, 2, 16, 32)
    assert float(found[..., 4:-4, 4:-4].abs().median()) < 0.2
    assert error_lengths(clip, clip) == [2 * 16 * 32] + [0] * (BINS - 1)


def test_a_jump_makes_long_errors() -> None:
    clip = moving_clip(4, width=128, height=64, speed=2)
    counts = error_lengths(clip, jumping(clip, 2, 4))
    assert sum(counts) == 2 * 16 * 32
    assert sum(counts[3:]) > 0.6 * sum(counts)
    mild = error_lengths(clip, jumping(clip, 2, 2))
    assert sum(mild[5:]) < sum(counts[5:])


def test_logarithms_of_shares() -> None:
    assert smoothness([75, 25, 0]) == [pytest.approx(-0.288, abs=1e-3), pytest.approx(-1.386, abs=1e-3), None]


def test_clips_that_do_not_fit() -> None:
    clip = moving_clip(3, width=64)
    with pytest.raises(ShapeError, match="pace"):
        error_lengths(clip[:2], clip[:2])
    with pytest.raises(ShapeError, match="truth"):
        error_lengths(clip, clip[:2])


def test_a_run_and_its_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_master(data / "one.mkv", moving_clip(7, width=96, height=96, speed=2))
    options = Options(
        data, tmp_path / "bvc.json", tmp_path / "cache", frames=7, quick=True, workers=1, arms=("x265",), plot=tmp_path / "bvc.svg"
    )
    results = learned_codec(options, print)
    found = results["smoothness"]["arms"]["x265"]
    assert found["clips"] == 1
    assert sum(found["counts"]) == 2 * (64 // 4) * (64 // 4)
    assert found["t"] == smoothness(found["counts"])
    points = results["tests"]["blurry"]["by_clip"]["one"]["x265"]
    assert min(abs(point["bpp"] / found["bpp"] - 1) for point in points) < 0.1
    assert b"temporal" in (tmp_path / "bvc.svg").read_bytes() or (tmp_path / "bvc.svg").stat().st_size > 10_000
    monkeypatch.setattr(bvc_smoothness, "_measure", lambda pace: pytest.fail(f"measured {pace} twice"))
    assert learned_codec(replace(options, plot=None), print)["smoothness"] == results["smoothness"]
    plot({**results, "smoothness": {"arms": {}, "near_bpp": 0.3}}, tmp_path / "without.png")
    assert (tmp_path / "without.png").is_file()


def test_keys_say_what_scores_depend_on(tmp_path: Path) -> None:
    """What was measured by earlier versions is found again."""
    clip = Clipping("one", tmp_path / "one.mkv", 7, tmp_path, "digest")
    coding = Coding(clip, BLURS[0], "blurry", arm_of("x265", {}), (14.0, 26.0))
    assert coding.key() == {
        "bench": "bvc", "clip": "digest", "blur": "shot 5+5", "test": "blurry", "rates": (14.0, 26.0), "size": [512, 320],
        "arm": {
            "before": [], "x265": "medium", "tune": "zerolatency", "x265-params": "info=0:keyint=12:min-keyint=12:scenecut=0",
            "after": [],
        },
    }  # fmt: skip
    pace = bvc_smoothness.Pace(coding, 26.0).key()
    assert pace["rates"] == [26.0]
    assert pace["smoothness"] == "compactinterp-x2"
