"""A CRF for a target: what is asked is what comes out, or an error before anything is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clips import Film, Library, make
from revivid.errors import MissingTool, OutputTooLarge, UnreachableTarget, UsageError
from revivid.media import program
from revivid.media.probe import probe
from revivid.recipe import Recipe
from revivid.workflows import target
from revivid.workflows.compress import compress, plan_compress
from revivid.workflows.evaluate import evaluate
from revivid.workflows.options import make_compress
from revivid.workflows.restore import restore
from revivid.workflows.target import PROBES, Encode, Found, Goal, Probe

FAST = {"encoder_preset": "ultrafast"}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"crf": 28, "size": "1MB"}, "--crf and --size contradict"),
        ({"target_psnr": 30, "target_vmaf": 80}, "--target-psnr and --target-vmaf contradict"),
        ({"target_psnr": 0}, "target_psnr"),
        ({"target_psnr": "good"}, "target_psnr"),
        ({"target_vmaf": 101}, "target_vmaf"),
        ({"target_vmaf": float("nan")}, "target_vmaf"),
        ({"size": "small"}, "small"),
        ({"size": 0}, "size"),
        ({"size": "20 MB/s"}, "size"),
    ],
)
def test_contradictions_and_nonsense(options: dict[str, Any], word: str, library: Library, tmp_path: Path) -> None:
    for refused in (compress, plan_compress):
        with pytest.raises(UsageError, match=word):
            refused(library("silent"), tmp_path / "x.mp4", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_has_no_samples(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pipe"):
        compress("-", tmp_path / "x.mp4", size="1MB")


def test_a_target_takes_the_place_of_a_presets_crf() -> None:
    assert make_compress({"preset": "paper"}).crf == 28
    assert make_compress({"preset": "paper", "size": "1MB"}).crf is None
    assert make_compress({"size": "1.5MB"}).size == 1_500_000
    found = make_compress({"target_psnr": 30}).at_crf(31.5)
    assert (found.crf, found.has_target) == (31.5, False)
    with pytest.raises(UsageError, match="contradict"):
        make_compress({"preset": "paper", "crf": 20, "size": "1MB"})


@pytest.mark.parametrize(("codec", "preset"), [("x265", "ultrafast"), ("x264", "ultrafast"), ("av1", "13")])
def test_size(codec: str, preset: str, library: Library, tmp_path: Path) -> None:
    options = {"codec": codec, "encoder_preset": preset, "scale": "1/2"}
    free = compress(library("plain"), tmp_path / "free.mp4", **options).size_bytes
    asked = free + 3000
    result = compress(library("plain"), tmp_path / "x.mp4", size=asked, **options)
    assert result.target is not None
    assert free < result.size_bytes <= asked
    assert result.size_bytes == (tmp_path / "x.mp4").stat().st_size == result.target["encodes"][-1]["size_bytes"]
    assert 1 <= len(result.target["probes"]) <= PROBES
    recipe = Recipe.from_json(probe(tmp_path / "x.mp4").recipe or "")
    assert recipe.crf == result.target["crf"] == result.target["encodes"][-1]["crf"]
    assert any(f"CRF {recipe.crf:g}" in notice for notice in result.notices)


def test_psnr_of_the_restored_video(library: Library, tmp_path: Path) -> None:
    source = library("silent")
    small, restored = tmp_path / "x.mp4", tmp_path / "back.mkv"
    free = plan_compress(source, small, sample=False, target_psnr=1, **FAST).target
    assert free is not None
    first = free["probes"][0]  # at the codec's own CRF
    asked = first["score"] - 1
    result = compress(source, small, target_psnr=asked, **FAST)
    assert result.target is not None
    restore(small, restored, lossless=True)
    (comparison,) = evaluate(source, restored).distorted.values()
    pooled = comparison.pooled("psnr_y")
    assert pooled is not None
    scores = {probe["crf"]: probe["score"] for probe in result.target["probes"]}
    assert pooled.mean == pytest.approx(scores[result.target["crf"]], abs=0.02)  # all of so short a video was sampled
    assert pooled.mean >= asked - 0.02
    assert scores[result.target["crf"] + 0.5] < asked


def test_a_plan_shows_the_probes_and_writes_nothing(library: Library, tmp_path: Path) -> None:
    plan = plan_compress(library("silent"), tmp_path / "x.mp4", target_psnr=5, **FAST)
    assert plan.target is not None
    crf = plan.target["crf"]
    assert [step for step in plan.steps if step.startswith("probe CRF 28: PSNR-Y")]
    assert any(f"choose CRF {crf:g}" in step for step in plan.steps)
    assert any(f"crf={crf:g}" in step for step in plan.steps)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target_psnr": 99}, ["PSNR-Y 99.00", "the most is", "larger --scale"]),
        ({"target_psnr": 99, "scale": "1", "duration": 0.2}, ["PSNR-Y 99.00", "Ask for less"]),
        ({"size": 2000, "audio": False}, ["2,000 bytes", "CRF 51"]),
        ({"size": 1000}, ["beside the picture", "--no-audio"]),
    ],
)
def test_targets_out_of_reach(options: dict[str, Any], words: list[str], library: Library, tmp_path: Path) -> None:
    with pytest.raises(UnreachableTarget) as caught:
        compress(library("plain"), tmp_path / "x.mp4", **FAST, **options)
    assert all(word in str(caught.value) for word in words)
    assert list(tmp_path.iterdir()) == []


def test_vmaf_needs_its_extra(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "available", lambda: False)
    with pytest.raises(MissingTool, match="VMAF") as caught:
        compress(library("silent"), tmp_path / "x.mp4", target_vmaf=80)
    assert "revivid[vmaf]" in caught.value.hint


def test_vmaf_is_what_the_search_compares(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from revivid.workflows import judge

    monkeypatch.setattr(program, "available", lambda: True)
    asked_of = []

    def falling(original: Any, restored: Any) -> list[float]:
        assert (restored.width, restored.height, len(restored)) == (original.width, original.height, len(original))
        asked_of.append(len(original))
        return [90.0 - 5 * len(asked_of)] * len(original)

    monkeypatch.setattr(judge, "vmaf", falling)
    plan = plan_compress(library("silent"), tmp_path / "x.mp4", sample=False, target_vmaf=84.5, **FAST)
    assert plan.target is not None
    assert plan.target["probes"][0]["score"] == 85.0
    assert plan.target["probes"][1]["score"] == 80.0


class FakeJob:
    """A job whose file takes `sizes[crf]` bytes, 1000 of them beside the picture."""

    sizes: dict[float, int]
    tried: list[float]

    def __init__(self, crf: float) -> None:
        self.crf, self.notices, self.max_bytes = crf, [], 0

    def run(self, step: str, report: object) -> Any:
        del step, report
        self.tried.append(self.crf)
        size = self.sizes[self.crf]
        if size > self.max_bytes:
            raise OutputTooLarge("x.mp4", size, size - 1000, self.max_bytes)
        return target.JobResult("x.mp4", 1, size, size - 1000, 1, 1, 1.0, 1.0, tuple(self.notices))


def found(asked: int) -> Found:
    probes = (Probe(20.0, 200.0, 21_000), Probe(22.0, 100.0, 11_000))  # a factor of two in two CRFs
    return Found(Goal("size_bytes", asked), 20.0, probes, 10, "x265")


def run(asked: int, sizes: dict[float, int], monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], Any]:
    tried: list[float] = []
    monkeypatch.setattr(FakeJob, "sizes", sizes, raising=False)
    monkeypatch.setattr(FakeJob, "tried", tried, raising=False)
    return tried, lambda: target.encode(found(asked), FakeJob)  # type: ignore[arg-type]


def test_too_large_a_file_is_encoded_again_at_a_higher_crf(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, encode = run(21_000, {20.0: 29_284, 21.0: 21_001, 22.0: 15_000}, monkeypatch)
    result = encode()
    assert tried == [20.0, 21.0, 22.0]  # the square root of two is one CRF; then the least step, and one to spare
    assert result.size_bytes == 15_000
    made = [Encode(20.0, 29_284), Encode(21.0, 21_001), Encode(22.0, 15_000)]
    assert result.target["encodes"] == [encode._asdict() for encode in made]
    assert sum("encoded again" in notice for notice in result.notices) == 2


def test_a_file_that_stays_too_large_is_an_error_after_three_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, encode = run(21_000, dict.fromkeys((20 + i / 2 for i in range(63)), 30_000), monkeypatch)
    with pytest.raises(UnreachableTarget, match="nothing was kept"):
        encode()
    assert len(tried) == 3
    assert tried == sorted(set(tried))


def test_samples_of_a_longer_video_foretell_its_size(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mkv", Film(frames=400, size=(128, 128)))
    result = compress(film, tmp_path / "x.mp4", size=60_000, scale="1", **FAST)
    assert result.target is not None
    assert result.target["sampled_frames"] < 400
    assert 0.7 * 60_000 < result.size_bytes <= 60_000


def test_a_size_needs_no_torch(library: Library, tmp_path: Path) -> None:
    code = (
        "import sys; from revivid.workflows.compress import compress; "
        f"compress({str(library('silent'))!r}, {str(tmp_path / 'x.mp4')!r}, size='20kB', encoder_preset='ultrafast'); "
        "print('torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "False"
