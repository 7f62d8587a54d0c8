"""report.html, report.json and the crops of a roundtrip: one page that needs no network, prints well and fits a phone.

RoundtripReport + CropRows -> roundtrip_page -> report.html
                           -> to_json        -> report.json, the same numbers and one row a frame
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ..metrics.frame import METRICS
from .blocks import over_time, what_is_measured
from .crops import CropRow
from .model import RoundtripReport, VideoFile
from .page import (
    Block,
    Bullets,
    Cell,
    ClipEntry,
    Column,
    Compare,
    Facts,
    Page,
    Row,
    Section,
    Table,
    Text,
    Tone,
    what_was_run,
)
from .words import format_bitrate, format_bytes, format_gain, format_score, format_seconds
from .write import write_whole

#: The metric that leads the page, and by which frames to look at are best chosen.
HEADLINE_METRIC = "psnr_y"
RESTORED_LABEL = "decoded + restored"


def write_report(report: RoundtripReport, crops: Sequence[CropRow], folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write report.html, report.json and crop-LABEL.png into an existing folder, each whole or not at all.

    Files of these names are replaced. Returns their paths by name; raises `OutputNotWritable`.
    """
    contents = {
        "report.html": render_html(report, crops).encode("utf-8", "replace"),
        "report.json": (json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n").encode(),
    }
    contents |= {f"crop-{row.pick.label}.png": row.side_by_side() for row in crops}
    return {name: write_whole(Path(folder) / name, data) for name, data in contents.items()}


def render_html(report: RoundtripReport, crops: Sequence[CropRow] = ()) -> str:
    """The page. Names and options are escaped; its own policy forbids the network and every script but the slider's."""
    return roundtrip_page(report, crops).html()


def roundtrip_page(report: RoundtripReport, crops: Sequence[CropRow] = ()) -> Page:
    """What a roundtrip found out, as a page."""
    sections = [
        Section("Notices" if report.notices else "", [Bullets(report.notices)] if report.notices else []),
        Section("Quality against the original", _quality(report)),
        Section("Over time", over_time({RESTORED_LABEL: report.restored_scores, report.baseline_label: report.bicubic_scores})),
        Section("To look at", _pictures(report, crops)),
        Section("Files", _files(report)),
        what_was_run(
            command=report.command,
            environment=report.environment,
            clips=[ClipEntry(report.source.name, _in_words(report.source), report.source.sha256)],
            options=report.options,
            others=[_timings(report), *([Facts(report.recipe, "Recipe")] if report.recipe else [])],
        ),
    ]
    return Page(
        report.source.name,
        sections,
        kicker=" · ".join(filter(None, ["revivid roundtrip", report.created])),
        lead=_lead(report),
        tiles=_tiles(report),
    )


def _lead(report: RoundtripReport) -> str:
    small = report.compressed
    asked = f"CRF {small.crf:g}" if small.crf is not None else f"quality {small.quality:g}"
    side = "" if small.scale == 1 else f" and {small.scale} of the side"
    return (
        f"Compressed from {format_bytes(report.source.size_bytes)} to {format_bytes(small.size_bytes)} with {small.codec} "
        f"at {asked}{side}, then restored to {report.restored.width}×{report.restored.height}."
    )


def _tiles(report: RoundtripReport) -> list[tuple[str, str, Tone]]:
    restored, gain = report.restored_scores.pooled(HEADLINE_METRIC), report.gain(HEADLINE_METRIC)
    tone: Tone = "" if not gain else "good" if gain > 0 else "bad"
    return [
        ("smaller by", f"{report.ratio:.1f}×", ""),
        ("compressed size", format_bytes(report.compressed.size_bytes), ""),
        ("bitrate", format_bitrate(report.compressed.bitrate), ""),
        ("bits per original pixel", _bits_per_pixel(report.compressed, report.pixels), ""),
        ("PSNR-Y restored", format_score(restored.mean if restored else None, HEADLINE_METRIC, unit=True), ""),
        (f"gain over {report.baseline_label}", format_gain(gain, HEADLINE_METRIC, unit=True), tone),
    ]


def _quality(report: RoundtripReport) -> list[Block]:
    """One row a metric: both means, the better of them as shown in bold, and the gain."""
    rows = []
    for metric, words in METRICS.items():
        pooled = [scores.pooled(metric) for scores in (report.bicubic_scores, report.restored_scores)]
        if metric not in report.restored_scores.metrics:
            continue
        shown = [format_score(value.mean if value else None, metric) for value in pooled]
        gain = report.gain(metric)
        better = "" if gain is None or shown[0] == shown[1] else "good" if gain > 0 else "bad"
        cells = [Cell(shown[0], best=better == "bad"), Cell(shown[1], best=better == "good")]
        rows.append(Row(words.label, [*cells, Cell(format_gain(gain, metric), tone=better)], note=words.unit))
    columns = [Column(report.baseline_label), Column(RESTORED_LABEL), Column("gain")]
    table = Table(columns, rows, corner=f"mean of {len(report.restored_scores.scores)} frames")
    scores = {report.baseline_label: report.bicubic_scores, RESTORED_LABEL: report.restored_scores}
    return [table, *what_is_measured(scores)]


def _pictures(report: RoundtripReport, crops: Sequence[CropRow]) -> list[Block]:
    if not crops:
        return []
    words = f"Where the original has most detail, every pixel enlarged {crops[0].zoom} times, nothing interpolated."
    blocks: list[Block] = [Text(words)]
    for row in crops:
        gain = format_gain(row.pick.value, HEADLINE_METRIC, unit=True)
        title = f"{row.pick.label.capitalize()} gain: frame {row.pick.frame}, {gain} PSNR-Y"
        blocks.append(Compare(row, title, report.baseline_label, RESTORED_LABEL))
    return blocks


def _files(report: RoundtripReport) -> list[Block]:
    videos = {"original": report.source, "compressed": report.compressed, "restored": report.restored}
    lines = {
        "name": [file.name for file in videos.values()],
        "codec": [file.codec for file in videos.values()],
        "pixels": [f"{file.width}×{file.height}" for file in videos.values()],
        "frames": [str(file.frames) for file in videos.values()],
        "duration": [format_seconds(float(file.duration)) for file in videos.values()],
        "file size": [format_bytes(file.size_bytes) for file in videos.values()],
        "video stream alone": [format_bytes(file.video_bytes) for file in videos.values()],
        "bitrate": [format_bitrate(file.bitrate) for file in videos.values()],
        "bits per original pixel": [_bits_per_pixel(file, report.pixels) for file in videos.values()],
    }
    alone = f" The video stream alone is {report.video_ratio:.1f} times smaller." if report.video_ratio else ""
    note = (
        "Bitrate and bits per pixel count the whole file, headers and audio included; pixels are the original's width × height × "
        f"frames for every file.{alone}"
    )
    return [Table([Column(label) for label in videos], [Row(name, values) for name, values in lines.items()]), Text(note)]


def _timings(report: RoundtripReport) -> Table:
    timings = report.timings.to_json(report.source.frames)
    rows = []
    for part in ("compress", "restore", "evaluate"):
        rate = timings["fps"][part]
        rows.append(Row(part, [format_seconds(timings[f"{part}_s"]), f"{rate:.3g}" if rate else None]))
    return Table([Column("time"), Column("frames/s")], rows)


def _in_words(file: VideoFile) -> str:
    return f"{file.codec}, {file.width}×{file.height}, {file.frames} frames, {format_bytes(file.size_bytes)}"


def _bits_per_pixel(file: VideoFile, pixels: int) -> str:
    return f"{8 * file.size_bytes / pixels:.3g}"
