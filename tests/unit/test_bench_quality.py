"""`bench quality`: what is measured once stays measured, what is reported follows from the scores, speeds are taken alone."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from moving import moving_clip, write_master

from revivid.bench import arms, jobs, speed
from revivid.bench.arms import Arm, Weights, weights_of
from revivid.bench.masters import Source
from revivid.bench.quality import Options, quality
from revivid.bench.settings import CLEAN, TASKS, Baseline, Sample, Setting, Task
from revivid.bench.speed import speed_of, timed_sample
from revivid.bench.store import Store
from revivid.bench.summary import summarise
from revivid.degrade.noise import Noise
from revivid.errors import MissingWeights, UsageError
from revivid.recipe import StageSpec
from revivid.restoration.stage import Stage
from revivid.types import Clip


class Soften(Stage):
    """Stands for a denoiser of the package: the mean of each luma sample and its four neighbours."""

    name = "denoise"
    weights = "cellnet-denoise"
    calls = 0

    def process(self, clip):
        Soften.calls += len(clip)
        y = clip.planes[0].astype(np.float32)
        mean = (y + np.roll(y, 1, 1) + np.roll(y, -1, 1) + np.roll(y, 1, 2) + np.roll(y, -1, 2)) / 5
        return clip.with_planes(mean.round().astype(np.uint8), *clip.planes[1:])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed, name in enumerate(("one", "two")):
        write_master(folder / f"{name}.mkv", moving_clip(8, speed=1, seed=seed))
    return folder


def scaled(sample: Sample, part: float) -> Clip:
    """A baseline that is quick: nearer to grey."""
    y, u, v = sample.given.planes
    return sample.given.with_planes((128 + part * (y - 128.0)).round().astype(np.uint8), u, v)


def light_task() -> Task:
    """Denoising in two settings, compared with baselines that take no time."""

    def setting(sigma: float, quick: bool) -> Setting:
        specs = {"": StageSpec("denoise", {"sigma": sigma}), "auto": StageSpec("denoise", {"sigma": "auto"})}
        variants = {f"part={part}": partial(scaled, part=part) for part in (0.5, 0.8, 0.9, 0.95, 1.0)}
        baselines = {"fade": Baseline(variants, slice(0, 4)), "noisy": Baseline({"": lambda sample: sample.given}, timed=False)}
        return Setting(f"yuv {sigma:g}", partial(noisy, sigma=sigma), specs, baselines, CLEAN, quick)

    return Task("denoise", (setting(25, True), setting(50, False)), "yuv 25")


def noisy(source: Source, sigma: float) -> Sample:
    return Sample(Noise(sigma).apply(source.clip), source.clip)


@pytest.fixture
def denoiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for denoising there is a network."""

    def build(spec, conditions):
        if spec.stage != "denoise" or spec.options.get("network", Soften.weights) != Soften.weights:
            raise UsageError(f"no network for {spec.stage}")
        assert conditions.crf == CLEAN
        return Soften()

    monkeypatch.setattr(arms, "build", build)
    monkeypatch.setattr(arms.embedded, "names", lambda: ["cellnet-denoise", "lumasr-x4"])
    monkeypatch.setattr(arms, "sha256", lambda name: f"digest of {name}")
    monkeypatch.setitem(TASKS, "denoise", light_task())
    monkeypatch.setattr(Soften, "calls", 0)


def options(data: Path, **changes: object) -> Options:
    folder = data.parent
    told = {"tasks": ("denoise",), "quick": True, "workers": 1, "timing": False, **changes}
    return Options(data=data, out=folder / "out" / "quality.json", cache=folder / "cache", **told)  # type: ignore[arg-type]


@pytest.mark.usefixtures("denoiser")
def test_a_run_and_what_it_writes(data: Path) -> None:
    said: list[str] = []
    results = quality(options(data), said.append)
    assert results == json.loads((data.parent / "out" / "quality.json").read_text())
    section = results["tasks"]["denoise"]
    assert section["weights"] == {"cellnet-denoise": {"sha256": "digest of cellnet-denoise", "default": True}}
    assert set(section["clips"]) == {"one", "two"}
    assert section["quick"]
    assert section["command"] == "revivid bench quality denoise --data DATA --quick"
    figures = section["settings"]["yuv 25"]
    told, auto = figures["arms"]["cellnet-denoise"], figures["arms"]["cellnet-denoise auto"]
    assert told["mean"] == auto["mean"]
    gain = told["mean"]["psnr_y"] - figures["arms"][figures["against"]]["mean"]["psnr_y"]
    assert told["gain"]["psnr_y"] == pytest.approx(gain, abs=2e-4)
    assert figures["arms"]["fade"]["variant"] == "part=0.9"
    assert list(section["settings"]) == ["yuv 25"]
    assert any("0 to go" in line for line in said)


@pytest.mark.usefixtures("denoiser")
def test_nothing_is_measured_twice(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = quality(options(data), print)
    calls = Soften.calls
    second = quality(options(data), print)
    assert Soften.calls == calls == 32
    assert first["tasks"]["denoise"]["settings"] == second["tasks"]["denoise"]["settings"]
    monkeypatch.setattr(arms, "sha256", "of other weights {}".format)
    measured: list[Arm] = []
    monkeypatch.setattr(Arm, "restore", recorded(Arm.restore, measured))
    quality(options(data), print)
    assert Soften.calls == 2 * calls
    assert {arm.name for arm in measured} == {"cellnet-denoise"}


@pytest.mark.usefixtures("denoiser")
def test_fields_are_documented(data: Path) -> None:
    section = quality(options(data, timing=True), print)["tasks"]["denoise"]
    text = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    documented = text.split("## `result` of `bench quality`")[1].split("\n## ")[0]
    figures = section["settings"]["yuv 25"]
    arm = figures["arms"]["cellnet-denoise"]
    speeds = section["speed"]
    assert set(speeds) == {"fade", "cellnet-denoise", "cellnet-denoise auto"}
    named = {*section, *figures, *arm, *arm["gain"], *figures["arms"]["fade"], *speeds["fade"], "missing", "bpp", "path"}
    assert not [name for name in named if f"`{name}`" not in documented]


def recorded(function, seen):
    def record(arm, *rest):
        seen.append(arm)
        return function(arm, *rest)

    return record


@pytest.mark.usefixtures("denoiser")
def test_an_interrupted_run_goes_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure, done = jobs.measure, []

    def interrupted(job):
        if done:
            raise KeyboardInterrupt
        done.append(job)
        return measure(job)

    monkeypatch.setattr(jobs, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quality(options(data), print)
    calls = Soften.calls
    monkeypatch.setattr(jobs, "measure", measure)
    said: list[str] = []
    quality(options(data), said.append)
    assert Soften.calls == 2 * calls
    assert [line.split(",")[1].strip() for line in said if "to go" in line] == ["two"]


@pytest.mark.usefixtures("denoiser")
def test_the_best_variant_of_a_baseline_is_searched(data: Path) -> None:
    said: list[str] = []
    run = options(data, quick=False, frames=8)
    section = quality(run, said.append)["tasks"]["denoise"]
    store = Store(run.cache / "scores")
    for setting, figures in section["settings"].items():
        variant = figures["arms"]["fade"]["variant"]
        assert any(f"{setting}: best of 5 is fade {variant}" in line for line in said)
        key = {"task": "denoise", "setting": setting, "weights": None, "search": True}
        means = {
            text: sum(store.get({**key, "clip": digest, "arm": f"fade {text}"})["psnr_y"] for digest in section["clips"].values())
            for text in TASKS["denoise"].setting(setting).baselines["fade"].variants
        }
        assert max(means, key=lambda text: means[text]) == variant
    assert len(section["settings"]) == 2


@pytest.mark.usefixtures("denoiser")
def test_no_network(data: Path) -> None:
    said: list[str] = []
    results = quality(options(data, tasks=("deblur", "denoise")), said.append)
    assert list(results["tasks"]) == ["deblur", "denoise"]
    assert "no network" in results["tasks"]["deblur"]["missing"]
    assert any("deblur: no network" in line for line in said)


@pytest.mark.usefixtures("denoiser")
def test_sections_of_other_tasks_and_speeds_stay(data: Path) -> None:
    run = options(data)
    quality(run, print)
    stored = json.loads(run.out.read_text())
    stored["tasks"]["interpolate"] = {"missing": "kept"}
    stored["tasks"]["denoise"]["speed"] = {"cellnet-denoise": {"fps": 1.0}}
    run.out.write_text(json.dumps(stored))
    results = quality(run, print)
    assert results["tasks"]["interpolate"] == {"missing": "kept"}
    assert results["tasks"]["denoise"]["speed"] == {"cellnet-denoise": {"fps": 1.0}}


@pytest.mark.parametrize("text", ["[]", "{}", "nonsense"])
@pytest.mark.usefixtures("denoiser")
def test_other_files_are_not_overwritten(data: Path, text: str) -> None:
    run = options(data)
    run.out.parent.mkdir()
    run.out.write_text(text)
    with pytest.raises(UsageError, match="something else"):
        quality(run, print)
    assert run.out.read_text() == text


def test_few_frames(data: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        options(data, frames=3)


def test_half_written_scores_are_measured_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get({"a": 1}) is None
    store.put({"a": 1}, {"psnr_y": 1.0})
    assert store.get({"a": 1}) == {"psnr_y": 1.0}
    assert store.get({"a": 2}) is None
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text()[:9])
    assert store.get({"a": 1}) is None


def test_summary() -> None:
    baselines = {"weak": clips(30, 32), "strong": clips(31, 33)}
    found = summarise(baselines, {"net": clips(33, 32.5)})
    assert found["against"] == "strong"
    assert found["bpp"] == 0.1
    net = found["arms"]["net"]
    assert net["mean"] == {"psnr_y": 32.75, "ssim_y": 0.5}
    assert net["gain"] == {"psnr_y": 0.75, "ssim_y": 0.0, "improved": 0.5, "worst": {"clip": "b", "psnr_y": -0.5}}
    assert net["gains"] == {"weak": 1.75, "strong": 0.75}


def test_summary_of_what_needs_no_truth() -> None:
    def natural(*niqe: float) -> dict[str, dict[str, float]]:
        return {name: {**scores, "niqe": value} for (name, scores), value in zip(clips(30, 32).items(), niqe, strict=True)}

    gain = summarise({"input": natural(5, 6)}, {"net": natural(4, 6.5)})["arms"]["net"]["gain"]
    assert gain["niqe"] == {"mean": -0.25, "no_rise": 0.5, "worst": {"clip": "b", "niqe": 0.5}}


def test_summary_without_a_baseline() -> None:
    found = summarise({}, {"net": clips(50, 46)})
    assert found["arms"]["net"]["worst"] == {"clip": "b", "psnr_y": 46}
    assert "against" not in found


def clips(*psnr: float) -> dict[str, dict[str, float]]:
    return {name: {"psnr_y": value, "ssim_y": 0.5, "bpp": 0.1} for name, value in zip("ab", psnr, strict=False)}


def test_weights_are_those_that_the_stage_takes() -> None:
    found = weights_of(TASKS["super-resolve-x4"], [])
    assert found[0].default
    assert {weights.name for weights in found} >= {"lumasr-x4", "lumasr-x4-hq", "compactsr-x4"}
    assert all(len(weights.sha256) == 64 and not weights.name.endswith("x2") for weights in found)
    (only,) = weights_of(TASKS["super-resolve-x4"], ["compactsr-x4", "compactsr-x2"])
    assert only.name == "compactsr-x4"
    assert not only.default
    with pytest.raises((UsageError, MissingWeights)):
        weights_of(TASKS["super-resolve-x4"], ["compactsr-x2"])


def test_speed(tmp_path: Path) -> None:
    task = TASKS["super-resolve-x2"]
    sample = timed_sample(task, Source("moving", moving_clip(5), tmp_path), 5, (128, 64))
    assert (sample.given.width, sample.truth.width) == (64, 128)
    network = speed_of(task, Arm("compactsr-x2", "", Weights("compactsr-x2", "")), sample, 1)
    assert network["fps"] > 0
    assert network["ms"] == pytest.approx(1e3 / network["fps"], rel=0.1)
    assert speed_of(task, Arm("bicubic"), sample, 1)["fps"] > 0
    assert speed.SIZE == (1280, 720)


def test_jobs_in_other_processes() -> None:
    done = []
    jobs.run(abs, [-1.0, 2.0, -3.0], 2, lambda item, result: done.append((item, result)))
    assert sorted(done) == [(-3.0, 3.0), (-1.0, 1.0), (2.0, 2.0)]
