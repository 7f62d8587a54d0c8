"""`bench bvc`: arms by their names, differences between curves, and a run with an untrained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving import moving_clip, write_master

from revivid import networks
from revivid.bench import bvc
from revivid.bench.bvc import Options, learned_codec, weight_files
from revivid.bench.bvc_arms import X265, Learned, SvtAv1, arm_of, stage_of
from revivid.bench.bvc_summary import compare
from revivid.bench.settings import CLEAN
from revivid.errors import MissingWeights, UsageError
from revivid.metrics.bd import bits_at
from revivid.weights import embedded
from revivid.workflows.compress import plan_compress
from revivid.workflows.options import make_compress


def write_weights(path: Path, network: str, **hyperparameters: Any) -> Path:
    made: Any = networks.build(network, **hyperparameters)
    made.update_tables()
    embedded.write(path, embedded.Metadata(network, hyperparameters, "none", 0, "2026-01-01", "none", "nothing"), made.state_dict())
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "untrained.safetensors", "bvc", venet=False)


def curve(factor: float, gain: float = 0.0, small: bool = False) -> list[dict[str, float]]:
    """Halving bits costs 2.5 dB."""
    psnr = [36 - 2.5 * k + gain for k in range(5)]
    points = [{"rate": k, "bpp": factor * 0.8 * 2**-k, "psnr": value, "psnr_y": value + 2} for k, value in enumerate(psnr)]
    return points if small else [{**point, "ms_ssim": point["psnr"] / 40} for point in points]


def test_an_arm_is_its_parts_in_their_order(model: Path) -> None:
    files = {"bvc": model, "gao": Path("gao.safetensors")}
    before, behind = arm_of("deblur+x265", files), arm_of("x265+deblur", files)
    assert (before.before, before.after) == (("deblur",), ())
    assert (behind.before, behind.after) == ((), ("deblur",))
    assert before.key() != behind.key()
    assert isinstance(behind.codec, X265)
    assert arm_of("x265", files).sharpens is False
    both = arm_of("gao+bvc", files)
    assert both.before == (Path("gao.safetensors"),)
    assert isinstance(both.codec, Learned)


def test_the_hybrid_is_deblurring_and_av1_and_what_refines_if_anything_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "names", lambda: ["deblurnet"])
    arm = arm_of("hybrid", {})
    assert (arm.before, arm.after, arm.codec) == (("deblur",), (), SvtAv1(str(make_compress({"codec": "hybrid"}).encoder_preset)))


def test_av1_has_a_curve() -> None:
    clip, arm = moving_clip(3, 64, 64), arm_of("av1", {})
    (fine, many), (coarse, few) = (arm.code(clip, rate) for rate in (arm.codec.rates[0], arm.codec.rates[-1]))
    assert many > few > 0
    wrong = [np.square(found.planes[0].astype(float) - clip.planes[0]).mean() for found in (fine, coarse)]
    assert wrong[0] < wrong[1] / 2
    assert arm.codec.crf(35.0) == pytest.approx(23.2)


def test_a_model_without_venet_has_the_package_sharpen(model: Path) -> None:
    sharpened, preserved = arm_of("bvc", {"bvc": model}), arm_of("bvc-preserve", {"bvc": model})
    assert (sharpened.before, preserved.before) == (("deblur-best",), ())
    assert sharpened.sharpens
    assert not preserved.sharpens
    named = arm_of("ours", {"ours": model})
    assert (named.name, named.before) == ("ours", ("deblur-best",))


def test_bench_and_command_sharpen_alike(tmp_path: Path) -> None:
    video = write_master(tmp_path / "clip.mkv", moving_clip(4))
    for codec, suffix in (("hybrid", "mp4"), ("bvc", "bvc")):
        place = {"enhance": "before"} if codec == "hybrid" else {}
        plan = plan_compress(video, tmp_path / f"out.{suffix}", sample=False, codec=codec, **place)
        (part,) = arm_of(codec, {}).before
        assert any(stage_of(str(part), CLEAN).describe() in step for step in plan.steps), plan.steps


def test_anchors_are_for_those_that_sharpen_alike() -> None:
    names = ["x265", "deblur+x265", "deblur-best+x265", "hybrid", "bvc", "gao+x265"]
    found = compare({"clip": {name: curve(1.0) for name in names}})["against"]
    assert list(found["x265"]) == names[1:]
    assert list(found["deblur+x265"]) == ["x265", "hybrid", "gao+x265"]
    assert list(found["deblur-best+x265"]) == ["x265", "bvc", "gao+x265"]


@pytest.mark.parametrize("order", ["dc", "cd"])
def test_a_cascades_file_is_an_arm(tmp_path: Path, order: str) -> None:
    file = write_weights(tmp_path / "joint.safetensors", "bvc_cascade", order=order, deblurrer="gao")
    arm = arm_of("joint", {"joint": file})
    assert (arm.before, arm.after) == (((file,), ()) if order == "dc" else ((), (file,)))
    clip = moving_clip(2, 64, 64)
    answer, size = arm.code(arm.prepare(clip), 1.0)
    assert answer.planes[0].shape == clip.planes[0].shape
    assert size > 0


@pytest.mark.parametrize("name", ["x264", "deblur", "x265+x265", "deblur+sharpen+x265"])
def test_unknown_arms_are_named(name: str) -> None:
    with pytest.raises(UsageError, match="arm"):
        arm_of(name, {})


def test_arms_without_weights_are_missing() -> None:
    with pytest.raises(MissingWeights, match="gao"):
        arm_of("gao+x265", {})
    with pytest.raises(UsageError, match="NAME=FILE"):
        weight_files(["bvc"])
    with pytest.raises(MissingWeights, match="weight file"):
        weight_files(["bvc=/none.safetensors"])


def test_differences_between_curves() -> None:
    clips = {
        "a": {"x265": curve(1), "half": curve(0.5), "far": curve(1, 20)},
        "b": {"x265": curve(1, small=True), "half": curve(0.5, small=True), "far": curve(1, 20, small=True)},
    }
    found = compare({**clips, "c": {**clips["a"], "half": curve(1, 1)}})
    assert found["against"]["x265"]["half"]["psnr"]["bd_quality"]["worst"] == pytest.approx(1)
    assert found["against"]["x265"]["half"]["psnr"]["bd_rate"]["worst"] == pytest.approx(-24.2, abs=0.1)
    found = compare(clips)
    half, far = (found["against"]["x265"][name]["psnr"] for name in ("half", "far"))
    assert half["bd_rate"]["mean"] == pytest.approx(-50, abs=0.1)
    assert half["at_bpp"]["0.2"]["mean"] == pytest.approx(2.5, abs=0.01)
    assert half["bits_for_its_quality"]["0.2"] == {"mean": 0.5, "clips": 2, "at_most": 0}
    assert "1" not in half["at_bpp"]
    # Curves without a quality in common still have bits in common.
    assert far["bd_rate"] is None
    assert far["bd_quality"]["mean"] == pytest.approx(20)
    assert far["bits_for_its_quality"]["0.4"] == {"mean": 0.125, "clips": 2, "at_most": 2}
    # What only large frames have is the mean over these.
    assert found["against"]["x265"]["half"]["ms_ssim"]["bd_rate"]["clips"] == 1
    assert found["arms"]["x265"]["points"][0]["ms_ssim"] == 0.9
    assert found["arms"]["x265"]["db_per_bpp"] == pytest.approx(10 / 0.75, abs=0.01)


def test_bits_at_a_quality() -> None:
    points = [(0.1, 30.0), (0.2, 33.0), (0.4, 36.0)]
    assert bits_at(points, 33.0) == pytest.approx(0.2)
    assert bits_at(points, 40.0) is None


def test_a_run(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_master(data / "one.mkv", moving_clip(5, width=96, height=96, speed=2))
    options = Options(
        data, tmp_path / "bvc.json", tmp_path / "cache", frames=5, quick=True, workers=1,
        arms=("x265", "bvc-preserve", "gao+x265"), files=(("bvc", model),),
    )  # fmt: skip
    said: list[str] = []
    results = learned_codec(options, said.append)
    assert json.loads((tmp_path / "bvc.json").read_text()) == json.loads(json.dumps(results))
    assert set(results["missing"]) == {"gao+x265"}
    assert (results["frames"], results["blur"]) == (2, {"one": "shot 5+5"})
    assert {test: set(figures["arms"]) for test, figures in results["tests"].items()} == {
        "blurry": {"x265"}, "sharp": {"x265", "bvc-preserve"}, "preserve": {"x265", "bvc-preserve"},
    }  # fmt: skip
    points = results["tests"]["sharp"]["by_clip"]["one"]["x265"]
    assert [point["rate"] for point in points] == [14, 26, 38]
    assert points[0]["psnr"] > points[-1]["psnr"]
    assert min(point["seconds"] for point in points) > 0
    assert any("0 to go" in line for line in said)
    assert results["smoothness"]["arms"] == {}
    monkeypatch.setattr(bvc, "_measure", lambda coding: pytest.fail(f"measured {coding} twice"))
    assert learned_codec(options, said.append)["tests"] == results["tests"]
