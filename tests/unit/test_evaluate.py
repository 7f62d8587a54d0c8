"""`evaluate` on small files: metrics by choice, alignment, other sizes and rates, reports by suffix, VMAF in pieces."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from skimage.metrics import structural_similarity

import revivid
from revivid.errors import InputNotReadable, MissingTool, OutputExists, ShapeError, UsageError
from revivid.evaluation.compare import Comparison, compare_all
from revivid.evaluation.evaluation_page import evaluation_page
from revivid.evaluation.model import EvaluationReport, MeasuredFile
from revivid.evaluation.outputs import figure
from revivid.media import program
from revivid.metrics import vmaf as vmaf_module
from revivid.metrics.vmaf import VmafMeter, vmaf
from revivid.types import Clip, ColorSpec
from revivid.workflows.evaluate import evaluate

DOCS = Path(__file__).parents[2] / "docs" / "report-json.md"
HOSTILE = "<script>$x_{1</script>\x07.mp4"
LUMA = ("psnr_luma",)
rows, columns = np.mgrid[0:64, 0:96]


def pictures(count: int, *, late: float = 0, right: int = 0, noise: float = 0, step: float = 1) -> np.ndarray:
    """(T, 64, 96) of waves that move on their own ways; every frame is another."""
    rng = np.random.default_rng(4)
    frames = []
    for t in np.arange(count) * step - late:
        x = columns - right
        wave = 125 + 45 * np.sin((x + 3 * t) / 7) * np.cos((rows - 2 * t) / 9) + 30 * np.sin((x - rows - 5 * t) / 5)
        frames.append(wave + noise * rng.normal(0, 1, wave.shape))
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def write(path: Path, luma: np.ndarray, rate: int = 24) -> Path:
    """FFV1 in Matroska: what is written is what is read."""
    with av.open(f"file:{path}", "w") as out:
        stream = out.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *luma.shape[1:], "yuv420p"
        for t, picture in enumerate(luma):
            grey = np.full((picture.shape[0] // 2, picture.shape[1]), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.vstack([picture, grey]), "yuv420p")
            frame.pts, frame.time_base = t, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("evaluate")
    write(made / "ref.mkv", pictures(24))
    write(made / "noisy.mkv", pictures(24, noise=5))
    write(made / "late.mkv", pictures(24, late=2, noise=2))
    write(made / "right.mkv", pictures(24, right=3, noise=2))
    write(made / "fast.mkv", pictures(48, noise=2, step=0.5), rate=48)
    write(made / "large.mkv", pictures(24).repeat(2, axis=1).repeat(2, axis=2))
    return made


def only(report: EvaluationReport) -> Comparison:
    (comparison,) = report.distorted.values()
    return comparison


def mean(report: EvaluationReport) -> float:
    pooled = only(report).pooled("psnr_luma")
    assert pooled is not None
    return pooled.mean


def test_only_what_was_asked_for_is_measured(folder: Path) -> None:
    report = evaluate(folder / "ref.mkv", folder / "noisy.mkv", metrics=("ssim", "psnr"), every=4)
    comparison = only(report)
    assert comparison.metrics == ("psnr", "ssim")
    assert len(comparison.values("ssim")) == 6
    assert comparison.values("psnr_y") == []
    assert set(comparison.to_json()["pooled"]) == {"psnr", "ssim"}  # type: ignore[call-overload]
    assert report.notices == ["one frame in 4 was measured"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("psnr", "psnrr")}, "psnrr"),
        ({"metrics": ()}, "nothing"),
        ({"every": 0}, "every 0"),
        ({"metrics": ("vmaf",), "every": 2}, "motion|imageio"),
    ],
)
def test_what_can_not_work_is_said_before_anything_is_read(options: dict, message: str) -> None:
    with pytest.raises((UsageError, MissingTool), match=message):
        evaluate("missing.mkv", "missing.mkv", **options)


def test_an_offset_in_frames_is_said_and_corrected(folder: Path) -> None:
    as_it_is = evaluate(folder / "ref.mkv", folder / "late.mkv", metrics=LUMA)
    assert any("2 frames later: --align corrects it" in notice for notice in as_it_is.notices)
    aligned = evaluate(folder / "ref.mkv", folder / "late.mkv", metrics=LUMA, align=True)
    assert aligned.alignments["late.mkv"].frames == 2
    assert len(only(aligned).scores) == 22
    assert mean(aligned) > 40 > 25 > mean(as_it_is)
    assert any("22 of 24 frames" in notice for notice in aligned.notices)


def test_a_shift_is_said_and_corrected_for_all_videos_alike(folder: Path) -> None:
    names = [folder / name for name in ("ref.mkv", "right.mkv", "late.mkv", "noisy.mkv")]
    report = evaluate(*names, metrics=LUMA, align=True)
    assert [alignment.shift for alignment in report.alignments.values()] == [(3, 0), (0, 0), (0, 0)]
    means = [each.pooled("psnr_luma").mean for each in report.distorted.values()]  # type: ignore[union-attr]
    assert min(means[:2]) > 40
    assert 32 < means[2] < 36
    assert {len(each.scores) for each in report.distorted.values()} == {22}
    assert only(evaluate(*names[::3], metrics=LUMA)).max_time_offset == 0


def test_another_size_names_align_and_is_resized_with_it(folder: Path) -> None:
    with pytest.raises(ShapeError, match=r"large.mkv is 192x128, the reference 96x64(.|\n)*--align"):
        evaluate(folder / "ref.mkv", folder / "large.mkv")
    report = evaluate(folder / "ref.mkv", folder / "large.mkv", metrics=LUMA, align=True)
    assert "resized from 192x128 to the reference's 96x64 (bicubic)" in report.notices[0]
    assert mean(report) > 35


def test_another_rate_names_align_and_is_paired_by_time_with_it(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"fast.mkv has 48 frames per second, the reference 24(.|\n)*--align"):
        evaluate(folder / "ref.mkv", folder / "fast.mkv")
    report = evaluate(folder / "ref.mkv", folder / "fast.mkv", metrics=LUMA, align=True)
    assert "paired with the nearest in time" in report.notices[0]
    assert len(only(report).scores) == 24
    assert mean(report) > 40


def test_reports_by_suffix(folder: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"scores{suffix}" for suffix in (".json", ".csv", ".svg", ".html")]
    names = (folder / name for name in ("ref.mkv", "noisy.mkv", "late.mkv"))
    report = revivid.evaluate(*names, metrics=("psnr_y", "ssim_y"), outputs=paths, every=3)
    data = json.loads(paths[0].read_text())
    assert data == json.loads(json.dumps(report.to_json()))
    documented = {part for term in re.findall(r"`([^`]+)`", DOCS.read_text(encoding="utf-8")) for part in term.split(".")}
    first = data["distorted"][0]
    assert {*data, *first, *first["alignment"], *data["files"][0]} <= documented
    assert len(data["files"][1]["sha256"]) == 64
    with paths[1].open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["video"] for line in lines] == ["noisy.mkv"] * 8 + ["late.mkv"] * 8
    assert float(lines[9]["ssim_y"]) == report.distorted["late.mkv"].values("ssim_y")[1]
    assert ElementTree.parse(paths[2]).getroot().tag.endswith("svg")
    html = paths[3].read_text(encoding="utf-8")
    assert html.count("data:image/png") == 9
    assert "1 frame in" not in html
    assert data["files"][1]["sha256"] in html
    with pytest.raises(OutputExists, match="exists already"):
        evaluate(folder / "ref.mkv", folder / "noisy.mkv", outputs=paths[:1])
    with pytest.raises(OutputExists, match="one of the inputs"):
        evaluate("a.html", "b.mkv", outputs=["a.html"], overwrite=True)
    with pytest.raises(UsageError, match=r"\.html"):
        evaluate("a.mkv", "b.mkv", outputs=["a.pdf"])
    with pytest.raises(InputNotReadable):
        evaluate("missing.mkv", "missing.mkv", outputs=paths[:1], overwrite=True)


def clip(luma: np.ndarray) -> Clip:
    chroma = np.full((len(luma), luma.shape[1] // 2, luma.shape[2] // 2), 128, np.uint8)
    times = tuple(Fraction(t, 24) for t in range(len(luma)))
    return Clip((luma, chroma, chroma), times, (Fraction(1, 24),) * len(luma), ColorSpec(matrix=1))


def test_luma_as_coded_needs_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revivid.metrics.frame.rgb_8bit", None)
    clean, noisy = clip(pictures(1)), clip(pictures(1, noise=12))
    scores = compare_all([clean], {"x": [noisy]}, metrics=("psnr_luma", "ssim_luma"))["x"]
    x, y = clean.planes[0][0], noisy.planes[0][0]
    published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = structural_similarity(x, y, data_range=255, full=True, **published)[1]
    assert scores.values("ssim_luma") == [pytest.approx(theirs[5:-5, 5:-5].mean(), abs=1e-5)]
    assert scores.values("psnr_luma") == [pytest.approx(10 * np.log10(255**2 / np.mean((x.astype(float) - y) ** 2)), abs=1e-4)]


def test_hostile_names_and_curves_over_bits() -> None:
    worse = {name: [clip(pictures(3, noise=noise))] for name, noise in ((HOSTILE, 4), ("b", 9), ("c", 2))}
    scores = compare_all([clip(pictures(3))], worse, metrics=LUMA)
    files = {name: MeasuredFile("h264", 96, 64, Fraction(24), Fraction(1), 4000 * k) for k, name in enumerate(scores, 1)}
    report = EvaluationReport(HOSTILE, scores, files=files, command=f"revivid evaluate {HOSTILE}")
    html = evaluation_page(report).html()
    assert "<script" not in html
    assert html.count('class="dot') == 3
    assert "kbit/s of the whole file" in html
    assert 'class="best"' in html
    ElementTree.fromstring(figure(report))
    alone = EvaluationReport("a", {"b": scores["b"]}, files={"b": files["b"]})
    assert "Rate and distortion" not in evaluation_page(alone).html()


@pytest.mark.skipif(not program.available(), reason="needs the vmaf extra")
def test_vmaf_in_pieces_is_vmaf_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, noisy = clip(pictures(11)), clip(pictures(11, noise=25))
    whole = vmaf(clean, noisy)
    monkeypatch.setattr(vmaf_module, "_CHUNK_BYTES", 0)  # pieces of eight frames
    meter = VmafMeter()
    for t in range(11):
        meter.add(clean[t : t + 1], noisy[t : t + 1])
    assert meter.scores() == pytest.approx(whole, abs=1e-5)
    assert len(set(whole)) > 5
    small = compare_all([clip(pictures(2)[:, :16])], {"x": [clip(pictures(2, noise=9)[:, :16])]}, metrics=("vmaf",))["x"]
    assert "32 pixels a side" in small.missing["vmaf"]
