"""`revivid compress --codec hybrid` on the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command import make_clip, revivid

from revivid.restoration import REFINER
from revivid.types import Clip, ColorSpec
from revivid.weights import embedded
from revivid.workflows.write import write_video

FAST = ("--codec", "hybrid", "--encoder-preset", "12")


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("hybrid") / "clip.mp4", frames=6, size=(64, 64), audio=True)


@pytest.fixture(scope="module")
def still_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey frames, which no network changes much."""
    grey = np.full((4, 64, 64), 120, np.uint8)
    chroma, times = grey[:, ::2, ::2], tuple(Fraction(t, 24) for t in range(4))
    clip = Clip((grey, chroma, chroma), times, (Fraction(1, 24),) * 4, ColorSpec())
    path = tmp_path_factory.mktemp("still") / "still.mkv"
    write_video(path, [clip], codec="ffv1")
    return path


def test_a_sharp_clip_is_plain_av1(still_clip: Path, tmp_path: Path) -> None:
    outcome = revivid("compress", still_clip, "-o", tmp_path / "auto.mp4", *FAST)
    assert "sharp enough, nothing is enhanced" in outcome.err


def test_after_is_deblurring(small_clip: Path, tmp_path: Path) -> None:
    revivid("compress", small_clip, "-o", tmp_path / "after.mp4", *FAST, "--enhance", "after", "--crf", 30)
    result = revivid("probe", tmp_path / "after.mp4", "--json").event("result")
    assert (result["codec"], result["width"]) == ("av1", 64)
    plan = revivid("restore", tmp_path / "after.mp4", "-o", tmp_path / "back.mp4", "--dry-run", "--json").event("plan")
    assert any(step.startswith("deblur with deblurnet at CRF 21.2") for step in plan["steps"])


def test_before(small_clip: Path, tmp_path: Path) -> None:
    refined = REFINER in embedded.names()
    outcome = revivid("compress", small_clip, "-o", tmp_path / "a.mp4", *FAST, "--enhance", "before")
    assert ("no network that refines" in outcome.err) != refined
    plan = revivid("restore", tmp_path / "a.mp4", "-o", tmp_path / "back.mp4", "--dry-run", "--json").event("plan")
    assert any(step.startswith(f"refine with {REFINER}") for step in plan["steps"]) == refined


def test_what_it_can_not_do(small_clip: Path, tmp_path: Path) -> None:
    refused = revivid("compress", small_clip, "-o", tmp_path / "a.mp4", *FAST, "--scale", "1/2", expect=2)
    assert "full size" in refused.err
    assert list(tmp_path.iterdir()) == []
