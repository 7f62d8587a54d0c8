"""Clips through libavfilter, and through the ffmpeg program where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from moving import moving_clip

from revivid.degrade.noise import Noise
from revivid.errors import MissingTool, ShapeError
from revivid.media import program
from revivid.media.filtered import filtered
from revivid.metrics.vmaf import vmaf


def error(clip, truth) -> float:
    return float(np.abs(clip.planes[0].astype(int) - truth.planes[0]).mean())


def test_null_filter_changes_nothing() -> None:
    clip = moving_clip(3)
    out = filtered(clip, ("null", ""))
    assert all(np.array_equal(a, b) for a, b in zip(out.planes, clip.planes, strict=True))
    assert out.times == clip.times


def test_nlmeans_removes_noise() -> None:
    clip = moving_clip(2)
    noisy = Noise(15).apply(clip)
    assert error(filtered(noisy, ("nlmeans", "s=5:p=3:r=15")), clip) < 0.7 * error(noisy, clip)


def test_filters_that_change_the_number_or_size_of_frames_are_refused() -> None:
    with pytest.raises(ShapeError, match="tblend"):
        filtered(moving_clip(3), ("tblend", "all_mode=average"))
    with pytest.raises(ShapeError, match="crop"):
        filtered(moving_clip(3), ("crop", "32:32"))


def test_unknown_filter() -> None:
    with pytest.raises(MissingTool, match="nonsense"):
        filtered(moving_clip(2), ("nonsense", ""))


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "available", lambda: False)
    with pytest.raises(MissingTool) as caught:
        vmaf(moving_clip(2), moving_clip(2))
    assert "revivid[vmaf]" in caught.value.hint


def test_vmaf_wants_equal_frames() -> None:
    with pytest.raises(ShapeError, match="VMAF"):
        vmaf(moving_clip(3), moving_clip(2))


def test_program() -> None:
    """With the `vmaf` extra the program does its work; without it every use says what is missing."""
    clip = moving_clip(4)
    noisy = Noise(20).apply(clip)
    if not program.available():
        with pytest.raises(MissingTool):
            program.filtered(clip, "null")
        return
    same = program.filtered(clip, "null")
    assert all(np.array_equal(a, b) for a, b in zip(same.planes, clip.planes, strict=True))
    assert error(program.filtered(noisy, "hqdn3d=20"), clip) < error(noisy, clip)
    scores = vmaf(clip, clip), vmaf(clip, noisy)
    assert [len(values) for values in scores] == [4, 4]
    assert min(scores[0]) > max(scores[1]) + 5
    with pytest.raises(MissingTool, match="failed"):
        program.filtered(clip, "nonsense")
    with pytest.raises(ShapeError):
        program.filtered(clip, "crop=32:32")
