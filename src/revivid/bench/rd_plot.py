"""Rate-distortion curves drawn from the results of `bench rd`: means over clips, and clip by clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .scores import METRICS

_COLOURS = ("black", "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:olive", "tab:cyan")
_COLUMNS = 5


def plot(results: Mapping[str, Any], target: Path) -> None:
    """Every metric against bits per pixel (logarithmic), means over clips, into `target` (.svg or .png)."""
    curves = {name: curve["points"] for name, curve in results["curves"].items() if "points" in curve}
    metrics = [metric for metric in METRICS if all(metric in point for points in curves.values() for point in points)]
    frames = f"{len(results['clips'])} clips, up to {results['frames']} frames each, means over clips by CRF"
    _draw([(METRICS[metric][0], metric, curves) for metric in metrics], frames, target, 5.2, len(metrics))


def plot_clips(results: Mapping[str, Any], target: Path) -> None:
    """PSNR-Y against bits per pixel of every clip, into `target`."""
    panels = [(clip, "psnr_y", curves) for clip, curves in results["by_clip"].items()]
    _draw(panels, "PSNR-Y, clip by clip", target, 3.6, _COLUMNS)


def _draw(panels: Sequence[tuple[str, str, Mapping[str, Any]]], title: str, target: Path, width: float, columns: int) -> None:
    """One picture of (title, metric, points by curve) each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a second to import
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(width * columns, 0.85 * width * rows), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, (name, metric, curves) in zip(places, panels, strict=False):
        for curve, points in curves.items():
            bits, quality = ([point[key] for point in points] for key in ("bpp", metric))
            axes.plot(bits, quality, _style(curve), color=_colour(curve, list(curves)), marker=".", label=curve)
        axes.set(xscale="log", xlabel="bits per pixel of the original", title=name)
        axes.grid(which="both", linewidth=0.3)
    for axes in places[len(panels) :]:
        axes.axis("off")
    places[0].legend(fontsize="small")
    figure.suptitle(title, fontsize="small")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)


def _style(curve: str) -> str:
    """Drawn out for networks, dashed for bicubic, dotted for streams that nobody restores."""
    restorer = curve.partition("+")[2].strip()
    return "--" if restorer == "bicubic" else "-" if restorer else ":"


def _colour(curve: str, curves: Sequence[str]) -> str:
    """One by stream."""
    streams = list(dict.fromkeys(name.partition("+")[0].strip() for name in curves))
    return _COLOURS[streams.index(curve.partition("+")[0].strip()) % len(_COLOURS)]
