"""`bench rd`: curves of every stream, deltas clip by clip, the plot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from moving import moving_clip, write_master

from revivid.bench import arms, jobs
from revivid.bench.rd import Options, compare, rate_distortion
from revivid.bench.settings import TASKS
from revivid.errors import UsageError


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
    delta = found["1/2 size + super-resolve"]["bd_rate"]["psnr_y"]
    assert delta["mean"] == pytest.approx((-20 - 10 + 10) / 3, abs=0.01)
    assert delta["clips"] == 3
    assert delta["better"] == 0.667
    low, high = delta["interval"]
    assert -20 <= low < delta["mean"] < high <= 10
    assert found["1/4 size + super-resolve"]["bd_rate"]["psnr_y"]["better"] == 0
    together = found["1/2 or 1/4 size + super-resolve"]
    assert together["bd_rate"]["psnr_y"]["mean"] == delta["mean"]
    assert found["1/2 size + super-resolve"]["bd_rate_low"]["psnr_y"]["mean"] == pytest.approx(delta["mean"], abs=0.01)
    assert found["1/2 size + super-resolve"]["bd_quality"]["psnr_y"]["mean"] > 0
    assert found["x265"]["points"][0] == {"crf": 22, "bpp": 0.16, "psnr_y": 40, "ssim_y": 0.95}
    assert "bd_rate" not in found["x265"]


def test_curves_without_overlap_are_said_so() -> None:
    clips = {"a": {"x265": points(1), "x265 + deartifact": points(1, gain=-20)}}
    delta = compare(clips)["curves"]["x265 + deartifact"]
    assert delta["bd_rate"]["psnr_y"] is None
    assert delta["bd_quality"]["psnr_y"]["mean"] == pytest.approx(-20)


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
