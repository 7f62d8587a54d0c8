"""How each task's inputs are made, and what its baselines make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving import moving_clip

from revivid.bench import blur, settings
from revivid.bench.masters import Source
from revivid.bench.scores import score
from revivid.bench.settings import TASKS, Sample, tasks
from revivid.errors import ShapeError, UsageError


def sample_of(source: Source, task: str, setting: str) -> Sample:
    return TASKS[task].setting(setting).degrade(source)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source("moving", moving_clip(8), tmp_path)


@pytest.mark.parametrize("scale", [2, 4])
def test_super_resolution_of_any_size(tmp_path: Path, scale: int) -> None:
    clip = moving_clip(2, width=150, height=98)
    sample = sample_of(Source("odd", clip, tmp_path), f"super-resolve-x{scale}", "crf 28")
    assert sample.given.width == -(-150 // (2 * scale)) * 2
    assert sample.truth is clip
    assert sample.bytes
    (bicubic,) = TASKS[f"super-resolve-x{scale}"].setting("crf 28").baselines["bicubic"].variants.values()
    answer = bicubic(sample)
    assert (answer.width, answer.height) == (150, 98)
    assert score(sample.truth, answer)["psnr_y"] > 15


def test_deartifact_inputs_get_worse_with_the_crf(source: Source) -> None:
    found = [sample_of(source, "deartifact", f"crf {crf}") for crf in (22, 32, 42)]
    psnr = [score(sample.truth, sample.given)["psnr_y"] for sample in found]
    assert psnr == sorted(psnr, reverse=True)
    assert found[0].bytes > found[2].bytes  # type: ignore[operator]
    setting = TASKS["deartifact"].setting("crf 32")
    assert setting.crf == 32
    assert setting.baselines["decoded"].variants[""](found[1]) is found[1].given


def test_blur_along_a_clips_own_motion(source: Source) -> None:
    sample = sample_of(source, "deblur", "clip 7+3")
    assert len(sample.truth) == len(sample.given) == 5
    assert np.array_equal(sample.truth.planes[0], source.clip.planes[0][2:-1])
    assert 15 < score(sample.truth, sample.given)["psnr_y"] < 45
    coded = sample_of(source, "deblur", "clip 7+3 crf 28")
    assert coded.bytes
    assert score(coded.truth, coded.given)["psnr_y"] < score(sample.truth, sample.given)["psnr_y"]


def test_blur_of_shots(source: Source) -> None:
    samples = [sample_of(source, "deblur", f"shot {shutter}") for shutter in ("5+5", "7+3", "9+1")]
    assert all((len(sample.given), sample.given.width, sample.given.height) == (5, 64, 40) for sample in samples)
    psnr = [score(sample.truth, sample.given)["psnr_y"] for sample in samples]
    assert 40 > psnr[0] > psnr[1] > psnr[2] > 10
    assert samples[0].given.durations == source.clip.durations[:5]


def test_blur_is_made_once(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    blur.make(source)
    for name in ("slowed", "film_blurred"):
        monkeypatch.setattr(blur, name, lambda *_: pytest.fail("made twice"))
    for setting in TASKS["deblur"].settings:
        assert setting.degrade(source).truth.planes[0].shape[0] in (5, 8)
    blur.make(source)


def test_blur_in_blocks_keeps_frames_in_their_places(tmp_path: Path) -> None:
    sample = sample_of(Source("long", moving_clip(14), tmp_path), "deblur", "clip 7+3")
    assert len(sample.given) == 11
    for t in range(10):
        own, next_one = (score(sample.truth[k : k + 1], sample.given[t : t + 1])["psnr_y"] for k in (t, t + 1))
        assert own > max(15, next_one)


def test_sharp_input_is_its_own_truth(source: Source) -> None:
    sample = sample_of(source, "deblur", "sharp")
    assert sample.given is sample.truth is source.clip
    assert not TASKS["deblur"].setting("sharp").baselines


def test_blur_needs_four_frames(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="short"):
        sample_of(Source("short", moving_clip(3), tmp_path), "deblur", "clip 7+3")


@pytest.mark.parametrize("domain", ["yuv", "rgb"])
def test_noise_has_its_strength(source: Source, domain: str) -> None:
    sample = sample_of(source, "denoise", f"{domain} 10")
    difference = sample.given.planes[0].astype(float) - sample.truth.planes[0]
    expected = 10 if domain == "yuv" else 10 * 219 / 255 * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert difference.std() == pytest.approx(expected, rel=0.05)
    assert sample.bytes is None
    again = sample_of(source, "denoise", f"{domain} 10")
    assert np.array_equal(again.given.planes[0], sample.given.planes[0])


def test_denoisers_have_grids_around_sigma(source: Source) -> None:
    setting = TASKS["denoise"].setting("yuv 25")
    nlmeans = setting.baselines["nlmeans"]
    assert len(nlmeans.variants) == len(settings.NLMEANS_STRENGTHS) * len(settings.NLMEANS_PATCHES)
    assert len(TASKS["denoise"].setting("yuv 50").baselines["nlmeans"].variants) < len(nlmeans.variants)
    sample = setting.degrade(source)
    few = Sample(sample.given[:1], sample.truth[:1])
    cleaned = nlmeans.variants["s=7.5:p=3:r=15"](few)
    assert score(few.truth, cleaned)["psnr_y"] > score(few.truth, few.given)["psnr_y"] + 1
    assert {spec.options["sigma"] for spec in setting.specs.values()} == {25.0, "auto"}
    assert setting.crf == 0
    assert TASKS["denoise"].setting("yuv 25 crf 22").crf == 22


@pytest.mark.parametrize("frames", [7, 8])
def test_every_second_frame_is_dropped(tmp_path: Path, frames: int) -> None:
    clip = moving_clip(frames, speed=2)
    setting = TASKS["interpolate"].setting("x2")
    sample = setting.degrade(Source("moving", clip, tmp_path))
    assert sample.given.times == clip.times[::2]
    assert sample.given.durations[0] == 2 * clip.durations[0]
    assert sample.truth.times == clip.times[1 : 2 * len(sample.truth) : 2]
    assert len(sample.truth) == 3
    answers = {name: baseline.variants[""](sample) for name, baseline in setting.baselines.items()}
    psnr = {name: score(sample.truth, answer)["psnr_y"] for name, answer in answers.items()}
    assert psnr["minterpolate"] > psnr["averaging"] > 15
    left, right = sample.given.planes[0][:2].astype(int)
    assert np.array_equal(answers["averaging"].planes[0][0], (left + right + 1) // 2)


def test_restored_frames_between_are_the_dropped_ones(tmp_path: Path) -> None:
    whole = moving_clip(8)
    setting = TASKS["interpolate"].setting("x2")
    sample = setting.degrade(Source("moving", whole[:7], tmp_path))
    perfect = setting.answer(whole, sample)
    assert np.array_equal(perfect.planes[0], sample.truth.planes[0])


def test_two_frames_leave_nothing_between(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        TASKS["interpolate"].setting("x2").degrade(Source("short", moving_clip(2), tmp_path))


def test_tasks_by_name() -> None:
    assert [task.name for task in tasks([])] == list(TASKS)
    assert [task.name for task in tasks(["deblur", "super-resolve"])] == ["super-resolve-x4", "super-resolve-x2", "deblur"]
    assert [task.name for task in tasks(["super-resolve-x2"])] == ["super-resolve-x2"]
    with pytest.raises(UsageError, match="sharpen"):
        tasks(["sharpen"])


def test_every_task_has_a_quick_setting_and_a_timed_one() -> None:
    for task in TASKS.values():
        assert any(setting.quick for setting in task.settings)
        assert task.setting(task.timed).quick
        assert len({setting.name for setting in task.settings}) == len(task.settings)


def test_scores() -> None:
    clip = moving_clip(2)
    assert score(clip, clip) == {"psnr_y": 100.0, "ssim_y": pytest.approx(1)}
    y, u, v = clip.planes
    worse = clip.with_planes(y + 2, u, v)
    assert score(clip, worse)["psnr_y"] == pytest.approx(10 * np.log10(255**2 / 4))
    with pytest.raises(ShapeError):
        score(clip, clip[:1])
