"""What `revivid evaluate` writes, by the file's suffix: .json, .csv, .html or .svg, each file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..errors import OutputExists, UsageError
from ..metrics.frame import METRICS
from .blocks import over_time
from .crops import CropRow
from .evaluation_page import evaluation_page
from .model import EvaluationReport
from .page import Charts, render
from .write import write_whole

SUFFIXES = (".json", ".csv", ".html", ".svg")


def check_outputs(paths: Iterable[str | os.PathLike[str]], inputs: Iterable[str | os.PathLike[str]], overwrite: bool) -> list[Path]:
    """The paths, where all of them can be written in the end. Raises `UsageError` for another suffix, `OutputExists`."""
    found = [Path(path) for path in paths]
    sources = {Path(path).resolve() for path in inputs}
    for path in found:
        if path.suffix.lower() not in SUFFIXES:
            hint = f"Reports end in {', '.join(SUFFIXES)}."
            raise UsageError(f"{path}: no report is written as {path.suffix or 'a file without suffix'}", hint=hint)
        if path.resolve() in sources:
            raise OutputExists(f"{path} is one of the inputs", hint="Choose another name.")
        if path.exists() and not overwrite:
            raise OutputExists(f"{path} exists already", hint="Pass -y to overwrite, or choose another name.")
    return found


def write_outputs(report: EvaluationReport, paths: Sequence[Path], crops: Callable[[], Sequence[CropRow]]) -> None:
    """Write each of the paths; `crops` is asked for only where a page shows them. Raises `OutputNotWritable`."""
    for path in paths:
        suffix = path.suffix.lower()
        if suffix == ".json":
            text = json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n"
        elif suffix == ".csv":
            text = per_frame(report)
        elif suffix == ".svg":
            text = figure(report)
        else:
            text = evaluation_page(report, crops()).html()
        write_whole(path, text.encode("utf-8", "replace"))


def per_frame(report: EvaluationReport) -> str:
    """CSV: a row for each frame of each video, `frame` counting those that were measured; what is missing is empty."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["video", "frame", "time_s", *report.metrics])
    for name, comparison in report.distorted.items():
        columns = [comparison.values(metric) or [""] * len(comparison.times) for metric in report.metrics]
        for number, (time, *values) in enumerate(zip(comparison.times, *columns, strict=True)):
            rows.writerow([name, number, float(time), *values])
    return text.getvalue()


def figure(report: EvaluationReport) -> str:
    """SVG: every metric over time."""
    charts = [chart for block in over_time(report.distorted) if isinstance(block, Charts) for chart in block.charts]
    names = list(report.distorted)
    return render("figure.svg.j2", charts=charts, names=names, title=report.reference, metrics=METRICS)
