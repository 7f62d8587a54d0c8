"""The course of a training, drawn from its log."""

from __future__ import annotations

import json
from pathlib import Path


def plot_log(log: Path, target: Path) -> None:
    """Draw loss and gain over iterations from the JSON lines of `log` into `target`, and the loss's terms where there are."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a second to import
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    iterations = [line["iteration"] for line in lines]
    terms = sorted({key for line in lines for key in line.get("terms", {})})
    figure = Figure(figsize=(15 if terms else 10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    loss, gain, *more = figure.subplots(1, 3 if terms else 2)
    loss.plot(iterations, [line["loss"] for line in lines])
    loss.set(title="training loss", xlabel="iteration", yscale="log")
    for name in sorted({key for line in lines for key in line["gain_db"]}):
        gain.plot(iterations, [line["gain_db"].get(name) for line in lines], label=name)
    gain.set(title="gain on held-out scenes (dB)", xlabel="iteration")
    gain.axhline(0, color="grey", linewidth=0.5)
    if gain.get_legend_handles_labels()[1]:
        gain.legend()
    for axes in more:
        for name in terms:
            axes.plot(iterations, [line.get("terms", {}).get(name) for line in lines], label=name)
        axes.set(title="terms of the loss (rates in bits per pixel)", xlabel="iteration", yscale="log")
        axes.legend()
    figure.savefig(target, dpi=100)
