"""Streaming comparison: pairing, chunking, pooled figures, typed errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from revivid.errors import ShapeError, UsageError
from revivid.evaluation.compare import Comparison, compare, compare_all, frame_gains, nearest_in_time, pool
from revivid.evaluation.model import EvaluationReport
from revivid.metrics import PIXEL_METRICS, measure
from revivid.types import Clip, ColorSpec


def video(count: int = 6, noise: int = 0, size: tuple[int, int] = (36, 48), bit_depth: int = 8, period: int = 25) -> Clip:
    """Moving stripes, with more noise in later frames."""
    height, width = size
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[0:height, 0:width]
    y = np.stack([120 + 60 * np.sin((columns + 3 * t) / 4) * np.cos(rows / 5) for t in range(count)])
    y += noise * np.arange(1, count + 1)[:, None, None] * rng.normal(0, 1, y.shape)
    scale = 1 << (bit_depth - 8)
    color = ColorSpec(matrix=1, bit_depth=bit_depth)
    chroma = np.full((count, -(-height // 2), -(-width // 2)), 128 * scale, color.dtype)
    luma = (y.round().clip(16, 235) * scale).astype(color.dtype)
    times = tuple(Fraction(t, period) for t in range(count))
    return Clip((luma, chroma, chroma), times, (Fraction(1, period),) * count, color)


def cut(clip: Clip, *lengths: int) -> Iterator[Clip]:
    start = 0
    for length in lengths:
        yield clip[start : start + length]
        start += length


def test_rows_are_those_of_the_frames_however_clips_are_cut() -> None:
    clean, noisy = video(), video(noise=2)
    expected = tuple(measure(clean, noisy))
    for ours, theirs in (((6,), (6,)), ((1, 2, 3), (4, 2)), ((1,) * 6, (5, 1))):
        comparison = compare(cut(clean, *ours), cut(noisy, *theirs))
        assert comparison.scores == expected
        assert comparison.times == clean.times
        assert comparison.max_time_offset == 0


def test_frames_are_read_in_step_not_all_at_once() -> None:
    read = {"reference": 0, "distorted": 0}
    most_apart = 0

    def stream(name: str, clip: Clip) -> Iterator[Clip]:
        nonlocal most_apart
        for one in cut(clip, *(1,) * 6):
            read[name] += 1
            most_apart = max(most_apart, abs(read["reference"] - read["distorted"]))
            yield one

    done: list[int] = []
    compare_all(stream("reference", video()), {"distorted": stream("distorted", video(noise=1))}, done.append)
    assert read == {"reference": 6, "distorted": 6}
    assert most_apart == 1
    assert done == [1, 2, 3, 4, 5, 6]


def test_several_videos_against_one_reference() -> None:
    clean, little, much = video(), video(noise=1), video(noise=4)
    got = compare_all([clean], {"much": [much], "little": [little]})
    assert list(got) == ["much", "little"]
    assert got["little"].scores == compare([clean], [little]).scores
    gains = frame_gains(got["much"], got["little"])
    assert len(gains) == 6
    assert min(gains) > 3
    assert gains[0] == pytest.approx(got["little"].scores[0].psnr_y - got["much"].scores[0].psnr_y)
    assert frame_gains(got["much"], got["little"], "ms_ssim") == []


def test_pooled_figures() -> None:
    values = [30.0, 40.0, 50.0, 20.0]
    pooled = pool(values)
    assert pooled is not None
    assert pooled.mean == 35
    assert pooled.harmonic_mean == pytest.approx(4 / (1 / 30 + 1 / 40 + 1 / 50 + 1 / 20))
    assert pooled.percentile_5 == pytest.approx(21.5)
    assert pooled.minimum == 20
    assert pool([0.5, -0.1]).harmonic_mean is None  # type: ignore[union-attr]
    assert pool([]) is None


def test_identical_videos_have_finite_json() -> None:
    comparison = compare([video()], [video()])
    data = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert data["pooled"]["psnr_y"] == pytest.approx({"mean": 100, "harmonic_mean": 100, "p5": 100, "min": 100})
    assert data["pooled"]["ms_ssim"] is None
    assert "161" in data["missing"]["ms_ssim"]
    assert data["per_frame"]["psnr"] == [100] * 6
    assert data["per_frame"]["time_s"] == [t / 25 for t in range(6)]
    assert "ms_ssim" not in data["per_frame"]
    assert set(data["pooled"]) == set(PIXEL_METRICS)


def test_different_bit_depths_are_compared_at_8_bits() -> None:
    comparison = compare([video(bit_depth=10)], [video(bit_depth=8)])
    assert "10-bit" in comparison.missing["psnr_luma"]
    assert comparison.pooled("psnr_luma") is None
    assert comparison.pooled("psnr").mean == 100  # type: ignore[union-attr]


def test_times_that_drift_are_reported() -> None:
    comparison = compare([video(period=25)], [video(period=20)])
    assert comparison.max_time_offset == 5 * (Fraction(1, 20) - Fraction(1, 25))
    late = video()
    shifted = Clip(late.planes, tuple(t + 3 for t in late.times), late.durations, late.color)
    assert compare([video()], [shifted]).max_time_offset == 0


def test_different_numbers_of_frames_are_an_error_that_says_which() -> None:
    with pytest.raises(UsageError, match="short ends after 4 frames, the reference goes on") as caught:
        compare_all([video()], {"same": [video()], "short": [video(4)]})
    assert "--start" in caught.value.hint
    with pytest.raises(UsageError, match="the reference ends after 4 frames, distorted goes on"):
        compare([video(4)], [video()])
    with pytest.raises(UsageError, match="no frames"):
        compare([], [])


def test_different_sizes_are_an_error_that_says_where() -> None:
    with pytest.raises(ShapeError, match="distorted, frame 0: the reference is 48x36 and the other video 24x36"):
        compare([video()], [video(size=(36, 24))])


def test_evaluation_report_names_the_best() -> None:
    comparisons: dict[str, Comparison] = compare_all([video()], {"a.mp4": [video(noise=3)], "b.mp4": [video(noise=1)]})
    report = EvaluationReport("ref.mp4", comparisons)
    assert report.best("psnr") == "b.mp4"
    assert report.best("ms_ssim") is None
    data = report.to_json()
    assert data["format"] == "revivid-evaluation/1"
    assert [entry["name"] for entry in data["distorted"]] == ["a.mp4", "b.mp4"]
    assert len(data["distorted"][1]["per_frame"]["ssim_y"]) == 6
    equal = EvaluationReport("ref.mp4", compare_all([video()], {"a": [video()], "b": [video()]}))
    assert equal.best("psnr") is None


def test_interpolated_frames_are_paired_by_time() -> None:
    """Each third of a second, against thirds that carry two more frames in between, and against a coarser grid."""

    def marked(times: list[Fraction]) -> list[Clip]:
        return [
            Clip((np.full((1, 2, 2), i, np.uint8), *2 * (np.zeros((1, 1, 1), np.uint8),)), (time,), (Fraction(1, 9),))
            for i, time in enumerate(times)
        ]

    reference = marked([Fraction(t, 3) for t in range(5)])
    finer = marked([Fraction(1, 50) + Fraction(t, 9) for t in range(15)])
    assert [int(clip.planes[0][0, 0, 0]) for clip in nearest_in_time(finer, reference)] == [0, 3, 6, 9, 12]
    coarser = marked([Fraction(t, 2) for t in range(3)])
    assert [int(clip.planes[0][0, 0, 0]) for clip in nearest_in_time(coarser, reference)] == [0, 1, 1, 2, 2]
    assert list(nearest_in_time([], reference)) == []
