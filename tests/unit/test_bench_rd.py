"""`bench rd`: curves of every stream, deltas clip by clip, the plot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from moving import moving_clip, write_master

from revivid.bench import arms, jobs
from revivid.bench.arms import Arm
from revivid.bench.masters import Source
from revivid.bench.rd import Options, compare, planned, rate_distortion
from revivid.bench.scores import score
from revivid.bench.settings import TASKS
from revivid.bench.streams import stream_of, task_named
from revivid.errors import MissingWeights, UsageError


def points(factor: float, gain: float = 0.0) -> list[dict[str, float]]:
    """A curve that takes `factor` times the bits."""
    return [
        {"crf": crf, "bpp": factor * 0.16 * 2**-k, "psnr_y": 40 - 2.5 * k + gain, "ssim_y": 0.95 - 0.05 * k, "frames": 8}
        for k, crf in enumerate((22, 28, 34, 40))
    ]


def test_deltas_are_means_over_clips() -> None:
    clips = {
        name: {"x265": points(1), "1/2 size + super-resolve": points(factor), "1/4 size + super-resolve": points(2 * factor)}
        for name, factor in (("a", 0.8), ("b", 0.9), ("c", 1.1))
    }
    found = compare(clips)["curves"]
    against = {name: curve["against"]["x265"]["psnr_y"] for name, curve in found.items() if name != "x265"}
    half, delta = against["1/2 size + super-resolve"], against["1/2 size + super-resolve"]["bd_rate"]
    assert delta["mean"] == pytest.approx((-20 - 10 + 10) / 3, abs=0.01)
    assert delta["clips"] == 3
    assert delta["better"] == 0.667
    low, high = delta["interval"]
    assert -20 <= low < delta["mean"] < high <= 10
    assert against["1/4 size + super-resolve"]["bd_rate"]["better"] == 0
    assert against["1/2 or 1/4 size + super-resolve"]["bd_rate"]["mean"] == delta["mean"]
    assert half["bd_rate_low"]["mean"] == pytest.approx(delta["mean"], abs=0.01)
    assert half["bd_quality"]["mean"] > 0
    assert half["at_bpp"]["0.05"]["mean"] > 0
    assert half["bits_for_its_quality"]["0.05"]["mean"] == pytest.approx((0.8 * 0.9 * 1.1) ** (1 / 3), abs=0.01)
    assert found["x265"]["points"][0] == {"crf": 22, "bpp": 0.16, "psnr_y": 40, "ssim_y": 0.95}
    assert "against" not in found["x265"]


def test_curves_without_overlap_are_said_so() -> None:
    clips = {"a": {"x265": points(1), "x265 + deartifact": points(1, gain=-20)}}
    found = compare(clips)["curves"]["x265 + deartifact"]["against"]["x265"]["psnr_y"]
    assert found["bd_rate"] is None
    assert found["bd_quality"]["mean"] == pytest.approx(-20)
    assert found["at_bpp"]["0.1"]["mean"] == pytest.approx(-20)


def test_every_anchor_is_compared_with() -> None:
    """Each encoder at full size; a clip whose frames are too small for a metric doesn't count for it."""
    clips = {"a": {"x265:medium:zerolatency": points(1.2), "x265:veryslow": points(0.8), "x265:medium@1/2+bicubic": points(1)}}
    clips["b"] = {name: [{**point, "ms_ssim_y": point["ssim_y"]} for point in curve] for name, curve in clips["a"].items()}
    curves = compare(clips, ["x265:medium:zerolatency", "x265:veryslow"])["curves"]
    against = curves["x265:medium@1/2+bicubic"]["against"]
    assert [against[anchor]["psnr_y"]["bd_rate"]["mean"] for anchor in against] == pytest.approx([-100 / 6, 25], abs=0.01)
    assert against["x265:veryslow"]["ms_ssim_y"]["bd_rate"]["clips"] == 1
    assert list(curves["x265:veryslow"]["against"]) == ["x265:medium:zerolatency"]


def test_arms_are_streams_and_who_restores_them() -> None:
    arms = ("default", "x265:veryslow", "svtav1:6@1/2+bicubic", "x265:medium@1/2+compactsr-x2", "x265@1/4+vrt-sr-reds-6")
    lines, missing = planned(arms, [])
    found = {line.name: line for line in lines}
    assert found["x265:veryslow"].arm == Arm("decoded")
    assert found["svtav1:6@1/2+bicubic"].task == "svtav1:6@1/2"
    assert found["x265:medium@1/2+compactsr-x2"].arm.name == "compactsr-x2"
    assert {"x265", "1/4 size + super-resolve"} <= set(found)
    assert "x265@1/4+vrt-sr-reds-6" in missing


@pytest.mark.parametrize("arm", ["x266", "x265:slowest", "x265@1/3", "x265:medium@", "x265:a:b:c", "x265@1/2+nobody"])
def test_unknown_arms_are_named(arm: str) -> None:
    with pytest.raises(UsageError, match=r"stream|preset|nobody"):
        planned((arm,), [])


def test_streams_share_what_the_tasks_measured() -> None:
    assert task_named("x265:medium@1/2") is TASKS["super-resolve-x2"]
    stream = stream_of("svtav1@1/4")
    assert (stream.name, stream.crfs()[0]) == ("svtav1:8@1/4", 12)
    assert stream_of("svtav1:6").crfs()[-1] == 63
    assert task_named("x264:slow").curve[0].crf == pytest.approx(20)
    zerolatency = stream_of("x265:medium:zerolatency").loop(28)
    assert zerolatency.options == {"tune": "zerolatency", "x265-params": "info=0"}


@pytest.mark.parametrize("name", ["x264:ultrafast", "svtav1:12@1/2", "x265:ultrafast:zerolatency"])
def test_a_streams_setting_codes(tmp_path: Path, name: str) -> None:
    setting = task_named(name).curve[1]
    sample = setting.degrade(Source("moving", moving_clip(3, width=162, height=134), tmp_path))
    (baseline,) = setting.baselines.values()
    answer = baseline.variants[""](sample)
    assert answer.planes[0].shape == sample.truth.planes[0].shape
    assert score(sample.truth, answer)["psnr_y"] > 20
    assert sample.bytes
    assert len(answer) == 3


def test_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a network for x4 only; x265 is measured without one for its artefacts."""
    data = tmp_path / "data"
    data.mkdir()
    write_master(data / "one.mkv", moving_clip(5, width=128, height=128, speed=1))
    build = arms.build

    def only_x4(spec, conditions):
        if spec.options.get("scale") != 4:
            raise UsageError("no network")
        return build(spec, conditions)

    monkeypatch.setattr(arms, "build", only_x4)
    plot = tmp_path / "rd.svg"
    options = Options(data, tmp_path / "rd.json", tmp_path / "cache", quick=True, workers=1, plot=plot)
    said: list[str] = []
    results = rate_distortion(options, said.append)
    assert json.loads((tmp_path / "rd.json").read_text()) == results
    assert set(results["curves"]) == {"x265", "1/2 size + bicubic", "1/4 size + bicubic", "1/4 size + super-resolve"}
    assert set(results["missing"]) == {"x265 + deartifact", "1/2 size + super-resolve"}
    curve = results["by_clip"]["one"]["x265"]
    assert [point["crf"] for point in curve] == [setting.crf for setting in TASKS["deartifact"].curve[::2]]
    assert [point["bpp"] for point in curve] == sorted((point["bpp"] for point in curve), reverse=True)
    assert b"<svg" in plot.read_bytes()
    assert "frames" not in curve[0]
    assert any("0 to go" in line for line in said)
    monkeypatch.setattr(jobs, "measure", lambda job: pytest.fail(f"measured {job} twice"))
    assert rate_distortion(options, said.append)["curves"] == results["curves"]


def test_chosen_arms_on_frames_that_are_large_enough_for_ms_ssim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_master(data / "one.mkv", moving_clip(4, width=192, height=176, speed=1))
    arms = ("x265:ultrafast", "x265:ultrafast@1/2+bicubic")
    options = Options(
        data, tmp_path / "rd.json", tmp_path / "cache", quick=True, workers=1, arms=arms, plot=tmp_path / "rd.png"
    )
    results = rate_distortion(options, print)
    assert results["anchors"] == ["x265:ultrafast"]
    assert results["command"].endswith("--quick --arms x265:ultrafast,x265:ultrafast@1/2+bicubic")
    against = results["curves"]["x265:ultrafast@1/2+bicubic"]["against"]["x265:ultrafast"]
    assert set(against) == {"psnr_y", "ssim_y", "ms_ssim_y"}
    assert (tmp_path / "rd-clips.png").is_file()
    monkeypatch.setattr(jobs, "measure", lambda job: pytest.fail(f"measured {job} twice"))
    rate_distortion(options, print)
    with pytest.raises(MissingWeights, match="no arm"):
        rate_distortion(replace(options, arms=("x265@1/4+vrt-sr-reds-6",)), print)
