"""The second paper's figures from the results of `bench bvc`: rate and distortion of each test, and temporal smoothness."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Test -> what its panel is called (Fig. 3a-c, 3d below, 3d above).
TITLES = {
    "blurry": "blurry clips, against the sharp frames",
    "sharp": "sharp clips",
    "preserve": "blurry clips that stay blurry",
}
METRICS = {"psnr": "PSNR, dB", "ms_ssim": "MS-SSIM"}


def plot(results: Mapping[str, Any], target: Path) -> None:
    """Every test's mean curves, and T(l) where it was measured, into `target` (.svg or .png)."""
    from matplotlib import colormaps  # late: matplotlib takes a second to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = {(test, metric): _curves(figures, metric) for test, figures in results["tests"].items() for metric in METRICS}
    panels = [key for key, found in curves.items() if found]
    smooth = results["smoothness"]["arms"]
    count = len(panels) + bool(smooth)
    columns = min(2, count)
    figure = Figure(figsize=(5.6 * columns, 4.2 * math.ceil(count / columns)), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(math.ceil(count / columns), columns, squeeze=False).flatten()
    colours = {arm: colormaps["tab20"](k % 20) for k, arm in enumerate(results["arms"])}
    for axes, (test, metric) in zip(places, panels, strict=False):
        for arm, points in curves[test, metric].items():
            axes.plot(*zip(*points, strict=True), color=colours[arm], marker=".", label=arm)
        axes.set(xscale="log", xlabel="bits per pixel", ylabel=METRICS[metric], title=TITLES[test])
    if smooth:
        axes = places[len(panels)]
        for arm, found in smooth.items():
            axes.plot(range(len(found["t"])), [math.nan if t is None else t for t in found["t"]], color=colours[arm], label=arm)
        title = f"temporal smoothness near {results['smoothness']['near_bpp']:g} bits per pixel; lower is better"
        axes.set(xlabel="length of the error l, pixels", ylabel="T(l)", title=title)
    for axes in places[:count]:
        axes.grid(which="both", linewidth=0.3)
        axes.legend(fontsize="x-small")
    for axes in places[count:]:
        axes.axis("off")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)


def _curves(figures: Mapping[str, Any], metric: str) -> dict[str, list[tuple[float, float]]]:
    """By arm (bits per pixel, quality) of the mean points that have the metric."""
    means = {arm: facts["points"] for arm, facts in figures["arms"].items()}
    found = {arm: [(point["bpp"], point[metric]) for point in points if metric in point] for arm, points in means.items()}
    return {arm: points for arm, points in found.items() if points}
