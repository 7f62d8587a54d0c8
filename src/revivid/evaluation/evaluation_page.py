"""What `revivid evaluate` found out as a page: the best in bold, curves over bits, every frame, crops."""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics.frame import METRICS
from .blocks import over_time, what_is_measured
from .crops import CropRow
from .model import EvaluationReport, MeasuredFile
from .page import Block, Bullets, Chart, Charts, ClipEntry, Column, Compare, Page, Row, Section, Table, Text, what_was_run
from .plot import curves
from .words import format_bitrate, format_bytes, format_score

#: By which frames to look at are chosen: the first of them that was measured.
HEADLINES = ("psnr_y", "psnr_luma", "psnr", "vmaf", "ssim_y", "ssim", "ms_ssim")
#: What the reference is called among the pictures.
REFERENCE = "reference"


def evaluation_page(report: EvaluationReport, crops: Sequence[CropRow] = ()) -> Page:
    """The page; names are escaped."""
    scores = report.distorted
    frames = len(next(iter(scores.values())).scores)
    videos = "1 video" if len(scores) == 1 else f"{len(scores)} videos"
    sections = [
        Section("Notices" if report.notices else "", [Bullets(report.notices)] if report.notices else []),
        Section("Quality", [_summary(report), *what_is_measured(scores)]),
        Section("Rate and distortion", _rates(report)),
        Section("Frame by frame", over_time(scores)),
        Section("To look at", _pictures(report, crops)),
        what_was_run(
            command=report.command,
            environment=report.environment,
            clips=[ClipEntry(name, _in_words(file), file.sha256) for name, file in report.files.items()],
            options=report.options,
        ),
    ]
    return Page(
        report.reference,
        sections,
        kicker=" · ".join(filter(None, ["revivid evaluate", report.created])),
        lead=f"The reference of {videos}, measured over {frames} frames.",
    )


def headline(report: EvaluationReport) -> str | None:
    """The metric that frames to look at are chosen by; None where nothing could be measured."""
    return next((name for name in HEADLINES if any(each.values(name) for each in report.distorted.values())), None)


def _summary(report: EvaluationReport) -> Table:
    columns = [
        Column(METRICS[name].label, METRICS[name].digits, METRICS[name].unit, better="higher", meaning=METRICS[name].meaning)
        for name in report.metrics
    ]
    rows = []
    for name, comparison in report.distorted.items():
        pooled = [comparison.pooled(metric) for metric in report.metrics]
        rate = format_bitrate(report.files[name].bitrate) if name in report.files else None
        rows.append(Row(name, [*(each.mean if each else None for each in pooled), rate]))
    return Table([*columns, Column("bitrate")], rows, corner="mean over frames")


def _rates(report: EvaluationReport) -> list[Block]:
    """Every metric over the bitrate; files of one codec are joined."""
    rates = {name: file.bitrate for name, file in report.files.items() if name in report.distorted and file.bitrate}
    if len(set(rates.values())) < 2:
        return []
    charts = []
    for metric in report.metrics:
        lines: dict[str, list[tuple[float, float]]] = {}
        labels: dict[str, list[str]] = {}
        for name, rate in rates.items():
            pooled = report.distorted[name].pooled(metric)
            if pooled and rate:
                lines.setdefault(report.files[name].codec, []).append((rate / 1000, pooled.mean))
                labels.setdefault(report.files[name].codec, []).append(name)
        if lines:
            plot = curves(lines, labels, lambda value, metric=metric: format_score(value, metric))
            charts.append(Chart(METRICS[metric].label, plot, x="kbit/s of the whole file", y=METRICS[metric].unit))
    return [Charts(charts), Text("Each dot is a file; files of one codec are joined by a line.")]


def _pictures(report: EvaluationReport, crops: Sequence[CropRow]) -> list[Block]:
    metric = headline(report)
    if not crops or metric is None:
        return []
    words = f"Where the reference has most detail, every pixel enlarged {crops[0].zoom} times, nothing interpolated."
    blocks: list[Block] = [Text(words)]
    several = ", mean of the videos" if len(report.distorted) > 1 else ""
    for row in crops:
        value = format_score(row.pick.value, metric, unit=True)
        title = f"{row.pick.label.capitalize()} frame: number {row.pick.frame}, {METRICS[metric].label} {value}{several}"
        names = list(row.pictures)
        blocks.append(Compare(row, title, names[-2], names[-1]))
    return blocks


def _in_words(file: MeasuredFile) -> str:
    return f"{file.codec}, {file.width}×{file.height}, {float(file.frame_rate):.6g} frames/s, {format_bytes(file.size_bytes)}"
