"""`--auto`: what is noisy gets denoised, what is clean is left alone, and every choice is explained."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import Film, make
from revivid.degrade.noise import Noise
from revivid.errors import UsageError
from revivid.restoration import auto
from revivid.restoration.auto import choose
from revivid.restoration.blurriness import Blurriness, blurriness
from revivid.restoration.stage import Conditions
from revivid.types import Clip, ColorSpec
from revivid.workflows.job import open_reader
from revivid.workflows.options import make_restore
from revivid.workflows.restore import restoration_stages

SHARP = Conditions(crf=0.0)


def smooth(frames: int = 5, height: int = 160) -> Clip:
    """Slow waves that move a little, and sharp edges."""
    rows, columns = np.mgrid[0:height, 0:192]
    y = np.stack([128 + 50 * np.sin((columns + t) / 17) * np.cos(rows / 23) for t in range(frames)])
    y[:, 30:60, 40:90] += 25
    chroma = np.full((frames, height // 2, 96), 128, np.uint8)
    times = tuple(Fraction(t, 25) for t in range(frames))
    return Clip((y.round().astype(np.uint8), chroma, chroma), times, (Fraction(1, 25),) * frames, ColorSpec())


def test_noise_is_found_and_said() -> None:
    choice = choose([Noise(15, "yuv", 1).apply(smooth())], SHARP)
    assert choice.stages[0].stage == "denoise"
    assert "denoise" in choice.reasons[0]
    assert float(choice.reasons[0].split("sigma ")[1].split()[0]) == pytest.approx(15, rel=0.1)


def test_clean_and_sharp_video_is_left_alone() -> None:
    choice = choose([smooth(), smooth(1)], SHARP)
    assert choice.stages == ()
    assert len(choice.reasons) == 3
    assert "160 pixels: the size stays" in choice.reasons[2]


def test_small_video_is_enlarged_after_all_else() -> None:
    choice = choose([Noise(15, "yuv", 1).apply(smooth(height=96))], SHARP)
    assert [stage.stage for stage in choice.stages] == ["denoise", "super-resolve"]
    assert choice.stages[1].options == {"scale": 4, "network": "lumavsr-x4"}
    assert "192x96 pixels are few" in choice.reasons[-1]
    quick = choose([smooth(height=96)], Conditions(crf=0.0, effort="fast"))
    assert quick.stages[0].options["network"] == "lumasr-x4"


def test_compression_is_said() -> None:
    assert "CRF 31" in choose([smooth(1)], Conditions(crf=31.2)).reasons[0]


def test_one_clean_place_means_a_clean_video() -> None:
    assert choose([Noise(15, "yuv", 1).apply(smooth()), smooth()], SHARP).stages == ()


def test_blur_is_told_with_what_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "blurriness", lambda *_: Blurriness(change=30.0, detail=4.0, motion=8.0))
    choice = choose([smooth()], SHARP)
    assert [stage.stage for stage in choice.stages] == ["deblur"]
    assert "30 dB" in choice.reasons[1]
    assert "8.0 pixels of motion" in choice.reasons[1]


@pytest.mark.parametrize(
    ("seen", "blurred"),
    [
        (Blurriness(change=40.0, detail=1.0, motion=8.0), True),
        (Blurriness(change=40.0, detail=1.0, motion=0.0), False),  # nothing moves
        (Blurriness(change=40.0, detail=1000.0, motion=8.0), False),  # too much fine detail for blur
        (Blurriness(change=50.0, detail=1.0, motion=8.0), False),  # nothing to gain
    ],
)
def test_blur_needs_motion_and_has_little_detail(seen: Blurriness, blurred: bool) -> None:
    assert seen.blurred == blurred


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_blurriness_measures_change_detail_and_motion(bit_depth: int) -> None:
    rng, speed = np.random.default_rng(5), 3
    noise = rng.normal(0, 40, (160, 400))
    wide = np.mean([np.roll(noise, (i, j), (0, 1)) for i in range(3) for j in range(3)], 0)
    y = np.stack([wide[:, speed * t : speed * t + 320] for t in range(5)]) + 128
    high = (y * 2 ** (bit_depth - 8)).round().clip(0, 2**bit_depth - 1).astype(np.uint8 if bit_depth == 8 else np.uint16)
    chroma = np.full((5, 80, 160), 2 ** (bit_depth - 1), high.dtype)
    times = tuple(Fraction(t, 25) for t in range(5))
    clip = Clip((high, chroma, chroma), times, (Fraction(1, 25),) * 5, ColorSpec(bit_depth=bit_depth))
    found = blurriness([clip], SHARP)
    assert found.motion == pytest.approx(speed, abs=0.3)
    laplacian = 4 * y - np.roll(y, 1, 1) - np.roll(y, -1, 1) - np.roll(y, 1, 2) - np.roll(y, -1, 2)
    assert found.detail == pytest.approx(np.square(laplacian[2, 1:-1, 1:-1]).mean() / 20, rel=0.01)
    assert 20 < found.change < 60


def test_fast_motion_is_no_scene_cut() -> None:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (20, 60)).repeat(8, 0).repeat(8, 1)
    blurred = np.mean([np.roll(coarse, k, 1) for k in range(12)], 0)
    y = np.stack([blurred[:, 24 * t : 24 * t + 320] for t in range(5)]).round().astype(np.uint8)
    chroma = np.full((5, 80, 160), 128, np.uint8)
    clip = Clip((y, chroma, chroma), tuple(Fraction(t, 25) for t in range(5)), (Fraction(1, 25),) * 5, ColorSpec())
    found = blurriness([clip], SHARP)
    assert found.change < 60


def test_a_single_frame_has_no_motion() -> None:
    assert blurriness([smooth(1)], SHARP).motion == 0


def test_a_file_is_looked_at_in_several_places(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=40, size=(128, 96)))
    options = make_restore({"auto": True})
    stages, notices = restoration_stages(open_reader(film, options), options)
    said = " ".join(notices)
    assert "noise of sigma" in said
    assert "deblurring" in said
    assert stages
    assert "128x96 pixels are few: super-resolve x4" in said


def test_what_contradicts_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        make_restore({"auto": True, "deblur": True})
    options = make_restore({"auto": True})
    reader = open_reader(make(tmp_path / "film.mp4", Film(frames=3, size=(64, 64))), options)
    reader.path = "-"
    with pytest.raises(UsageError, match="pipe"):
        restoration_stages(reader, options)
