"""`bench quality auto`: one pass for all is compared with the input and with each stage by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving import moving_clip, write_master

from revivid.bench import auto as bench_auto
from revivid.bench.arms import Arm, built, weights_of
from revivid.bench.masters import Source
from revivid.bench.quality import Options, network_arms, quality
from revivid.bench.settings import TASKS
from revivid.degrade.noise import Noise
from revivid.recipe import StageSpec
from revivid.restoration import auto
from revivid.restoration.auto import Choice

TASK = TASKS["auto"]


@pytest.fixture
def brightens(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the choice, which takes the largest networks: what is small is enlarged, the rest stays."""

    def choose(samples, conditions):
        del conditions
        small = samples[0].height <= auto.SMALL
        return Choice((StageSpec("super-resolve", {"scale": 4}),) if small else (), ())

    monkeypatch.setattr(auto, "choose", choose)


def test_arms_are_stages_and_the_choice() -> None:
    weights = weights_of(TASK, [])
    assert [one.name for one in weights] == ["auto", "denoise", "deblur", "super-resolve"]
    assert [one.name for one in weights if one.default] == ["auto"]
    assert len({one.sha256 for one in weights}) == 4
    assert [arm.label for arm in network_arms(TASK.setting("yuv 15"), weights)] == ["auto", "denoise", "deblur"]
    assert [arm.label for arm in network_arms(TASK.setting("1/4 crf 28"), weights)] == ["auto", "super-resolve"]
    assert built(TASK.setting("yuv 15"), "", "deblur").weights == "deblurnet"  # type: ignore[attr-defined]


def test_scores_are_of_this_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench_auto.digest("auto"), bench_auto.digest("denoise")
    monkeypatch.setattr(auto, "NOISY", 7.0)
    assert bench_auto.digest("auto") != before[0]
    assert bench_auto.digest("denoise") == before[1]


def test_it_looks_where_restore_does() -> None:
    clip = moving_clip(20, width=64, height=64)
    starts = [sample.times[0] for sample in bench_auto.samples(clip)]
    assert starts == [clip.times[2], clip.times[10], clip.times[15]]
    assert all(len(sample) == 5 for sample in bench_auto.samples(clip))
    assert [len(sample) for sample in bench_auto.samples(clip[:3])] == [3, 3, 3]


@pytest.mark.usefixtures("brightens")
@pytest.mark.parametrize("name", ["clean", "1/4 crf 28"])
def test_answers_have_the_size_of_the_truth(tmp_path: Path, name: str) -> None:
    setting = TASK.setting(name)
    for width, height in ((258, 162), (132, 130)):
        sample = setting.degrade(Source("moving", moving_clip(3, width=width, height=height), tmp_path))
        (chosen,) = [arm for arm in network_arms(setting, weights_of(TASK, [])) if arm.name == "auto"]
        answer = chosen.restore(setting, sample)
        assert answer.planes[0].shape == sample.truth.planes[0].shape
        error = np.abs(answer.planes[0].astype(float) - sample.truth.planes[0]).mean()
        assert error < 25
        assert (error == 0) == (name == "clean")  # where the truth is no larger, nothing is enlarged


def test_inputs_are_what_they_say(tmp_path: Path) -> None:
    source = Source("moving", moving_clip(3, width=160, height=160), tmp_path)
    assert TASK.setting("clean").baselines == {}
    coded = TASK.setting("yuv 15 crf 22").degrade(source)
    plain = TASK.setting("yuv 15").degrade(source)
    assert coded.bytes is not None
    assert np.array_equal(plain.given.planes[0], Noise(15.0, "yuv").apply(source.clip).planes[0])
    small = TASK.setting("1/4 crf 28").degrade(source)
    assert (small.given.width, small.truth.width) == (40, 160)


@pytest.mark.usefixtures("brightens")
def test_a_run_tells_what_is_left_of_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    write_master(tmp_path / "data" / "one.mkv", moving_clip(8, seed=1, width=160, height=160))
    only = [TASK.setting("yuv 15"), TASK.setting("clean")]
    monkeypatch.setattr("revivid.bench.quality.network_arms", lambda _, weights: [Arm("auto", "", weights[0])])
    monkeypatch.setattr("revivid.bench.session.Session.make_blur", lambda _: None)
    monkeypatch.setitem(TASKS, "auto", type(TASK)("auto", tuple(only), "yuv 15", blurred=True))
    options = Options(tmp_path / "data", tmp_path / "out.json", tmp_path / "cache", 8, tasks=("auto",), workers=1, timing=False)
    settings = quality(options, print)["tasks"]["auto"]["settings"]
    noisy, clean = settings["yuv 15"]["arms"], settings["clean"]["arms"]["auto"]
    assert noisy["input"]["mean"]["noise"] == pytest.approx(15, rel=0.2)
    assert noisy["auto"]["gain"]["psnr_y"] == 0
    assert noisy["input"]["mean"]["niqe"] == noisy["auto"]["mean"]["niqe"] != clean["mean"]["niqe"]
    assert noisy["auto"]["gain"]["niqe"] == {"mean": 0, "no_rise": 1, "worst": {"clip": "one", "niqe": 0}}
    assert clean["worst"]["psnr_y"] == 100
    assert "gain" not in clean
