"""report.html, report.json and the crops of a roundtrip: one page that needs no network, prints well and fits a phone.

RoundtripReport + CropRows -> render_html -> report.html (inline CSS, SVG and PNG, no script)
                           -> to_json     -> report.json, the same numbers and one row a frame
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..errors import OutputNotWritable
from ..metrics.frame import METRICS
from ..metrics.pixel import PSNR_CAP
from .crops import CropRow
from .machine import VERSION
from .model import RoundtripReport, VideoFile
from .plot import plot

#: The metric that the page plots, and by which frames to look at are best chosen.
HEADLINE_METRIC = "psnr_y"


def write_report(report: RoundtripReport, crops: Sequence[CropRow], folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write report.html, report.json and crop-LABEL.png into an existing folder, each whole or not at all.

    Files of these names are replaced. Returns their paths by name; raises `OutputNotWritable`.
    """
    contents = {
        "report.html": render_html(report, crops).encode("utf-8", "replace"),
        "report.json": (json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n").encode(),
    }
    contents |= {f"crop-{row.pick.label}.png": row.side_by_side() for row in crops}
    return {name: _write(Path(folder) / name, data) for name, data in contents.items()}


def render_html(report: RoundtripReport, crops: Sequence[CropRow] = ()) -> str:
    """The page. Names and options are escaped; its own policy forbids scripts and the network."""
    environment = Environment(
        loader=PackageLoader("revivid.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": format_bytes,
        "bitrate": format_bitrate,
        "score": format_score,
        "gain": format_gain,
        "seconds": format_seconds,
        "base64": lambda data: base64.b64encode(data).decode(),
    }
    bicubic, restored = report.bicubic_scores, report.restored_scores
    times = [float(time) for time in bicubic.times]
    columns = {"bicubic": bicubic.values(HEADLINE_METRIC), "restored": restored.values(HEADLINE_METRIC)}
    return environment.get_template("report.html.j2").render(
        report=report,
        version=VERSION,
        files={"original": report.source, "compressed": report.compressed, "restored": report.restored},
        bpp=lambda file: _bits_per_pixel(file, report.pixels),
        rows=_metric_rows(report),
        missing=bicubic.missing | restored.missing,
        plot=plot(times, columns),
        crops=crops,
        cap=PSNR_CAP,
        timings=report.timings.to_json(report.source.frames),
    )


def format_bytes(count: int | None) -> str:
    """Decimal units: `1.23 MB`."""
    if count is None:
        return "–"
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def format_bitrate(bits_per_second: float | None) -> str:
    """`820 kbit/s` or `1.23 Mbit/s`."""
    if bits_per_second is None:
        return "–"
    if bits_per_second < 1e6:
        return f"{bits_per_second / 1e3:.3g} kbit/s"
    return f"{bits_per_second / 1e6:.3g} Mbit/s" if bits_per_second < 1e8 else f"{bits_per_second / 1e6:.0f} Mbit/s"


def format_score(value: float | None, metric: str, *, unit: bool = False) -> str:
    """A metric's value with the digits that mean something."""
    if value is None:
        return "–"
    kind = METRICS[metric]
    return f"{value:.{kind.digits}f}" + (f" {kind.unit}" if unit and kind.unit else "")


def format_gain(value: float | None, metric: str, *, unit: bool = False) -> str:
    """A difference, always with its sign."""
    if value is None:
        return "–"
    shown = format_score(abs(value), metric, unit=unit)
    return f"{'−' if value < 0 else '+'}{shown}"


def format_seconds(seconds: float) -> str:
    """`4.2 s` or `12 min 30 s`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _bits_per_pixel(file: VideoFile, pixels: int) -> str:
    return f"{8 * file.size_bytes / pixels:.3g}"


def _metric_rows(report: RoundtripReport) -> list[dict[str, Any]]:
    """One row a metric: label, meaning, pooled figures of both videos, gain, which mean is the better as shown."""
    rows = []
    for name, metric in METRICS.items():
        bicubic, restored = report.bicubic_scores.pooled(name), report.restored_scores.pooled(name)
        shown = [format_score(pooled.mean if pooled else None, name) for pooled in (bicubic, restored)]
        gain = report.gain(name)
        best = "" if gain is None or shown[0] == shown[1] else "restored" if gain > 0 else "bicubic"
        pooled: Mapping[str, Any] = {"bicubic": bicubic, "restored": restored}
        rows.append({"name": name, "metric": metric, "pooled": pooled, "gain": gain, "best": best})
    return rows


def _write(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputNotWritable(
            f"{path} can't be written: {error.strerror or error}", hint="Check the folder, its permissions and the free space."
        ) from error
    return path
