"""Degrading files: what is asked is what the frames show, in an order that makes sense, and the same every time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from revivid.codecs import encoding
from revivid.errors import UsageError
from revivid.media.read import open_video
from revivid.media.write import Target, VideoWriter
from revivid.types import Clip, ColorSpec, join
from revivid.workflows.degrade import Average, MotionBlur, degrade, plan_degrade

COLOR = ColorSpec(1, 1, 1, False, 8)


def pattern(t: float, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """Waves that move eight pixels to the left per unit of time."""
    y, x = np.mgrid[: size[1], : size[0]]
    x = x + 8 * t
    return (120 + 60 * np.sin(x / 5) * np.cos(y / 7) + 30 * np.sin(x / 3 + y / 4)).round()


def video(frames: int, step: float = 1.0, rate: int = 24) -> Clip:
    """`pattern` at every `step`."""
    luma = np.stack([pattern(t * step) for t in range(frames)]).astype(np.uint8)
    chroma = np.full((frames, luma.shape[1] // 2, luma.shape[2] // 2), 128, np.uint8)
    times = tuple(Fraction(t, rate) for t in range(frames))
    return Clip((luma, chroma, chroma), times, (Fraction(1, rate),) * frames, COLOR)


def stored(path: Path, clip: Clip) -> Path:
    target = Target(clip.width, clip.height, clip.color, 1 / clip.durations[0], clip.durations[0])
    with VideoWriter(path, target, encoding("ffv1", clip.color)) as out:
        out.write(clip)
    return path


def read(path: Path) -> Clip:
    return join(list(open_video(path)))


def test_noise_is_reproducible_and_as_strong_as_asked(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.mkv", video(6))
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        degrade(source, tmp_path / f"{name}.mkv", noise=10, seed=seed)
    one, again, two = (read(tmp_path / f"{name}.mkv") for name in ("one", "again", "two"))
    assert np.array_equal(one.planes[0], again.planes[0])
    assert not np.array_equal(one.planes[0], two.planes[0])
    difference = one.planes[0].astype(float) - read(source).planes[0]
    assert difference.std() == pytest.approx(10, rel=0.03)
    assert one.times == read(source).times


def test_all_at_once(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.mkv", video(5))
    result = degrade(source, tmp_path / "out.mp4", blur=7, downscale=2, noise=4, codec="x265", crf=30, encoder_preset="ultrafast")
    assert (result.width, result.height, result.frames) == (48, 32, 5)
    plan = plan_degrade(source, tmp_path / "plan.mkv", sample=False, blur=7, downscale=2, noise=4)
    order = [next(i for i, step in enumerate(plan.steps) if word in step) for word in ("blur", "downscale", "noise", "write ffv1")]
    assert order == sorted(order)


@pytest.mark.parametrize("cuts", [[3], [1, 16, 17, 33]])
def test_blur_does_not_depend_on_how_clips_arrive(cuts: list[int]) -> None:
    clip = video(34)
    whole = MotionBlur(7, linear=False).process(clip)
    parts = (clip[a:b] for a, b in pairwise([0, *cuts, 34]))
    out = join(list(MotionBlur(7, linear=False)(parts)))
    assert np.array_equal(out.planes[0], whole.planes[0])
    assert (out.times, out.durations) == (clip.times, clip.durations)


def test_blur_is_the_mean_along_the_motion() -> None:
    out = MotionBlur(7, linear=False).process(video(20))
    inner = np.s_[8:-8, 8:-24]
    for t in range(2, 18):
        if t in (16, 17):  # the search for motion begins anew every 16 frames, two frames before them
            continue
        expected = np.mean([pattern(t + k / 10) for k in range(-3, 4)], axis=0)
        assert np.square(out.planes[0][t] - expected)[inner].mean() < 4
        assert np.square(pattern(t) - expected)[inner].mean() > 9


def test_mean_of_real_frames(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.mkv", video(26, step=0.1, rate=240))
    result = degrade(source, tmp_path / "out.mkv", average="5,5", gamma=True)
    out = read(tmp_path / "out.mkv")
    assert result.frames == len(out) == 3
    assert [round(float(time), 3) for time in out.times] == [0, 0.042, 0.083]
    for t in range(3):
        expected = np.mean([pattern(t + k / 10) for k in range(5)], axis=0)
        assert np.abs(out.planes[0][t] - expected).max() <= 0.5


def test_means_do_not_depend_on_how_clips_arrive() -> None:
    clip = video(57, step=0.1, rate=240)
    whole = Average(7, 3).process(clip)
    assert whole.times == tuple(Fraction(t, 24) for t in range(6))
    assert whole.durations[:5] == (Fraction(1, 24),) * 5
    for length in (1, 4, 10, 30):
        parts = list(Average(7, 3)(clip[a : a + length] for a in range(0, 57, length)))
        assert np.array_equal(join(parts).planes[0], whole.planes[0])
        assert join(parts).times == whole.times


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": 0},
        {"noise": -3},
        {"noise": 3, "noise_domain": "lab"},
        {"noise": 3, "seed": -1},
        {"blur": 4},
        {"blur": 11},
        {"blur": 3, "average": "3,2"},
        {"average": "4,2"},
        {"average": "many"},
        {"downscale": 99},
        {"downscale": 2, "crf": 20},
        {"codec": "gif"},
        {"sharpen": 1},
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, object]) -> None:
    source = stored(tmp_path / "in.mkv", video(2))
    with pytest.raises(UsageError):
        degrade(source, tmp_path / "out.mkv", **options)
    assert not (tmp_path / "out.mkv").exists()


def test_what_can_not_be_blurred_is_said_before_work_begins(tmp_path: Path) -> None:
    deep = np.full((3, 64, 96), 400, np.uint16)
    clip = video(3)
    clip = Clip((deep, deep[:, :32, :48], deep[:, :32, :48]), clip.times, clip.durations, replace(COLOR, bit_depth=10))
    source = stored(tmp_path / "in.mkv", clip)
    with pytest.raises(UsageError, match="10-bit"):
        plan_degrade(source, tmp_path / "out.mkv", blur=5)
    with pytest.raises(UsageError, match="Matroska"):
        plan_degrade(source, tmp_path / "out.mp4", noise=5)
