"""report.html and report.json: whole, self-contained, safe with hostile names, documented."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from revivid.errors import OutputNotWritable
from revivid.evaluation.compare import compare_all, frame_gains
from revivid.evaluation.crops import CropRow, choose_frames, crop_row, extract_frames
from revivid.evaluation.machine import cpu_name, describe_machine, usable_cores
from revivid.evaluation.model import CompressedFile, RoundtripReport, Timings, VideoFile
from revivid.evaluation.plot import plot
from revivid.evaluation.report import render_html, write_report
from revivid.evaluation.words import format_bitrate, format_bytes, format_gain, format_seconds
from revivid.types import Clip, ColorSpec

HOSTILE = "a<script>alert('1')</script>\"><img src=x onerror=alert(2)>&amp;\u202egpj.mp4"
DOCS = Path(__file__).parents[2] / "docs" / "report-json.md"
VOID = {"meta", "img", "line", "polyline", "br", "hr", "link", "input"}


def video(noise: float, count: int = 5) -> Clip:
    rng = np.random.default_rng(2)
    y = 120 + 50 * np.sin(np.arange(64) / 3) * np.ones((count, 48, 64)) + noise * rng.normal(0, 1, (count, 48, 64))
    chroma = np.full((count, 24, 32), 128, np.uint8)
    times = tuple(Fraction(t, 25) for t in range(count))
    return Clip((y.round().astype(np.uint8), chroma, chroma), times, (Fraction(1, 25),) * count, ColorSpec(matrix=1))


@pytest.fixture(scope="module")
def report() -> RoundtripReport:
    scores = compare_all([video(0)], {"bicubic": [video(9)], "restored": [video(4)]})
    duration = Fraction(1, 5)
    return RoundtripReport(
        source=VideoFile(HOSTILE, "h264", 64, 48, 5, duration, 100_000, 90_000),
        compressed=CompressedFile(
            "small.mp4", "hevc", 16, 12, 5, duration, 1_920, 960, crf=28, scale=Fraction(1, 4), preset="fast"
        ),
        restored=VideoFile("restored.mp4", "h264", 64, 48, 5, duration, 50_000),
        bicubic_scores=scores["bicubic"],
        restored_scores=scores["restored"],
        timings=Timings(compress=0.5, restore=2.0, evaluate=0.0),
        environment=describe_machine(),
        recipe={"codec": "x265", "stages": [{"stage": "</script><script>alert(3)</script>"}]},
        options={"crf": 28, "note": HOSTILE, "unset": None},
        notices=["Colour tags are missing: <b>BT.601</b> was assumed."],
        created="2026-02-03T04:05:06+00:00",
    )


@pytest.fixture(scope="module")
def crops(report: RoundtripReport) -> list[CropRow]:
    picks = choose_frames(frame_gains(report.bicubic_scores, report.restored_scores))
    numbers = {pick.frame for pick in picks}
    videos = {"original": video(0), "decoded + bicubic": video(9), "decoded + restored": video(4)}
    frames = {name: extract_frames([clip], numbers) for name, clip in videos.items()}
    return [crop_row(pick, {name: found[pick.frame] for name, found in frames.items()}, (32, 24)) for pick in picks]


class Page(HTMLParser):
    """Elements, attributes and text of a page; notes tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.bold: list[str] = []
        self.scripts: list[str] = []
        self.faults: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} left open" for tag, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop()[0] != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "script":
            self.scripts.append(data)
        elif self._open and self._open[-1][0] != "style":
            self.text.append(data)
        if self._open and "best" in self._open[-1][1].split():
            self.bold.append(data)


def test_the_page_is_well_formed_and_needs_nothing_from_outside(report: RoundtripReport, crops: list[CropRow]) -> None:
    html = render_html(report, crops)
    page = Page(html)
    assert page.faults == []
    assert not {"link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on"), name
        if name in ("src", "href", "srcset", "action", "data"):
            assert value.startswith("data:image/png;base64,")
    assert "url(" not in html
    assert "@import" not in html
    policies = [value for name, value in page.attributes if name == "content" and "default-src" in value]
    assert page.tags.count("script") == len(page.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"]
    assert page.tags.count("img") == 9


def test_a_page_without_pictures_has_no_script(report: RoundtripReport) -> None:
    html = render_html(report)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" in html
    assert Page(html).scripts == []


def test_hostile_names_are_text(report: RoundtripReport) -> None:
    html = render_html(report)
    page = Page(html)
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    text = "".join(page.text)
    assert text.count(HOSTILE) >= 3
    assert "alert(3)" in text


def test_the_page_says_the_numbers(report: RoundtripReport, crops: list[CropRow]) -> None:
    page = Page(render_html(report, crops))
    text = " ".join(" ".join(page.text).split())
    assert "52.1×" in text  # 100000 / 1920
    assert "76.8 kbit/s" in text  # 8 * 1920 / 0.2
    assert " 1 " in text  # bits per pixel: 8 * 1920 / (64 * 48 * 5)
    assert "1.92 kB" in text
    gain = report.gain("psnr_y")
    assert gain is not None
    assert gain > 5
    assert f"+{gain:.2f} dB" in text
    restored = report.restored_scores.pooled("psnr_y")
    assert restored is not None
    assert f"{restored.mean:.2f}" in page.bold
    assert "No MS-SSIM: MS-SSIM needs 161 pixels a side" in text
    assert "<b>BT.601</b> was assumed" in text
    assert all(label in text for label in ("Worst gain", "Median gain", "Best gain"))


def test_a_loss_is_shown_as_a_loss(report: RoundtripReport) -> None:
    worse = replace(report, bicubic_scores=report.restored_scores, restored_scores=report.bicubic_scores)
    html = render_html(worse)
    assert f"−{-worse.gain('psnr_y'):.2f} dB" in html  # type: ignore[operator]
    page = Page(html)
    better = worse.bicubic_scores.pooled("psnr_y")
    assert better is not None
    assert f"{better.mean:.2f}" in page.bold


def test_equal_means_are_nobodys_best(report: RoundtripReport) -> None:
    assert Page(render_html(replace(report, bicubic_scores=report.restored_scores))).bold == []


def test_full_size_compression_is_not_called_bicubic(report: RoundtripReport) -> None:
    whole = replace(report, compressed=replace(report.compressed, scale=Fraction(1)))
    assert whole.baseline_label == "decoded"
    assert "decoded + bicubic" not in render_html(whole)


def test_json_has_every_documented_field(report: RoundtripReport) -> None:
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    documented = {part for term in re.findall(r"`([^`]+)`", DOCS.read_text(encoding="utf-8")) for part in term.split(".")}

    def keys(value: object, skip: tuple[str, ...]) -> set[str]:
        if not isinstance(value, dict):
            return set()
        return {key for key in value if key not in skip} | {
            key for name, inner in value.items() if name not in skip for key in keys(inner, skip)
        }

    for key in keys({k: v for k, v in data.items() if k not in ("recipe", "options")}, ("packages",)):
        assert key in documented
    assert data["compressed"]["bpp"] == 1.0
    assert data["compressed"]["video_bpp"] == 0.5
    assert data["restored"]["video_bytes"] is None
    assert data["restored"]["video_bpp"] is None
    assert data["compressed"]["scale"] == "1/4"
    assert data["ratio"] == pytest.approx(100_000 / 1_920)
    assert data["video_ratio"] == pytest.approx(90_000 / 960)
    assert data["timings"]["fps"] == {"compress": 10, "restore": 2.5, "evaluate": None}
    means = [data["metrics"][side]["pooled"]["psnr"]["mean"] for side in ("bicubic", "restored")]
    assert data["gains"]["psnr"] == pytest.approx(means[1] - means[0])
    assert data["gains"]["ms_ssim"] is None
    assert len(data["per_frame"]["restored"]["psnr_y"]) == 5
    assert data["per_frame"]["bicubic"]["time_s"] == [0, 0.04, 0.08, 0.12, 0.16]


def test_files_are_written_whole(report: RoundtripReport, crops: list[CropRow], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    written = write_report(report, crops, tmp_path)
    expected = {"report.html", "report.json", "crop-worst.png", "crop-median.png", "crop-best.png"}
    assert set(written) == expected
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert written["report.html"].read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(written["report.json"].read_text())["source"]["name"] == HOSTILE
    assert written["crop-best.png"].read_bytes().startswith(b"\x89PNG")


def test_a_name_that_is_no_unicode_can_be_written(report: RoundtripReport, tmp_path: Path) -> None:
    odd = replace(report, source=replace(report.source, name="caf\udce9.mp4"))
    written = write_report(odd, [], tmp_path)
    assert "caf?.mp4" in written["report.html"].read_text(encoding="utf-8")
    assert json.loads(written["report.json"].read_text())["source"]["name"] == "caf\udce9.mp4"


def test_a_folder_that_is_not_there_is_a_typed_error(report: RoundtripReport, tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match=r"report\.html can't be written"):
        write_report(report, [], tmp_path / "missing")


def test_plot_covers_its_box_and_marks_round_numbers() -> None:
    drawn = plot([0.0, 0.5, 1.0], {"a": [30.0, 31.0, 32.0], "b": [28.1, 28.2, 28.3]})
    points = [tuple(map(float, point.split(","))) for point in drawn.lines["a"].split()]
    assert [x for x, _ in points] == [0, 50, 100]
    assert points[0][1] > points[1][1] > points[2][1]
    assert all(0 <= y <= 100 for line in drawn.lines.values() for y in (float(p.split(",")[1]) for p in line.split()))
    assert [tick.label for tick in drawn.y_ticks] == ["28", "29", "30", "31", "32"]
    assert drawn.y_ticks[0].percent == 100
    assert drawn.y_ticks[-1].percent == 0
    assert [tick.label for tick in drawn.x_ticks] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_plot_of_one_frame_and_of_equal_values() -> None:
    drawn = plot([0.0], {"a": [100.0]})
    assert len(drawn.lines["a"].split()) == 2
    flat = plot([0.0, 1.0], {"a": [100.0, 100.0]})
    assert len({point.split(",")[1] for point in flat.lines["a"].split()}) == 1


def test_plot_of_a_long_video_stays_small() -> None:
    times = [t / 25 for t in range(10_000)]
    drawn = plot(times, {"a": [30.0 + (t % 2) for t in range(10_000)]})
    assert drawn.frames_per_point == 21
    assert len(drawn.lines["a"].split()) <= 480


def test_formats() -> None:
    assert format_bytes(999) == "999 bytes"
    assert format_bytes(1_234_567) == "1.23 MB"
    assert format_bytes(123_456_789) == "123 MB"
    assert format_bytes(None) == "–"
    assert format_bitrate(820_000) == "820 kbit/s"
    assert format_bitrate(1_230_000) == "1.23 Mbit/s"
    assert format_bitrate(123_000_000) == "123 Mbit/s"
    assert format_gain(-0.123, "psnr", unit=True) == "−0.12 dB"
    assert format_gain(0.0012, "ssim") == "+0.0012"
    assert format_seconds(4.2) == "4.2 s"
    assert format_seconds(750) == "12 min 30 s"


def test_machine_is_described_in_json() -> None:
    machine = json.loads(json.dumps(describe_machine()))
    assert machine["cpu"] == cpu_name() != ""
    assert machine["cores"] == usable_cores() >= 1
    assert machine["packages"]["numpy"] == np.__version__
    assert machine["threads"] >= 1
