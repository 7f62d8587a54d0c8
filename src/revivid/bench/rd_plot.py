"""Rate-distortion curves drawn from the results of `bench rd`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .scores import METRICS

#: Of the curves by the way in which their frames come to full size.
_COLOURS = {"x265": "black", "1/2 size": "tab:blue", "1/4 size": "tab:orange"}


def plot(results: Mapping[str, Any], target: Path) -> None:
    """Every metric against bits per pixel (logarithmic), means over clips, into `target` (.svg or .png)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a second to import
    from matplotlib.figure import Figure

    curves = {name: curve["points"] for name, curve in results["curves"].items() if "points" in curve}
    metrics = [metric for metric in METRICS if all(metric in point for points in curves.values() for point in points)]
    figure = Figure(figsize=(5.2 * len(metrics), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        for name, points in curves.items():
            stream, _, restored = name.partition(" + ")
            style = "--" if restored == "bicubic" else ":" if not restored else "-"
            bits, quality = ([point[key] for point in points] for key in ("bpp", metric))
            axes.plot(bits, quality, style, color=_COLOURS[stream], marker=".", label=name)
        axes.set(xscale="log", xlabel="bits per pixel of the original", title=METRICS[metric][0])
        axes.grid(which="both", linewidth=0.3)
    figure.axes[0].legend()
    frames = f"{len(results['clips'])} clips, up to {results['frames']} frames each, x265 medium, means over clips by CRF"
    figure.suptitle(frames, fontsize="small")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
