"""The course of a training, drawn from its log."""

from __future__ import annotations

import json
from pathlib import Path


def plot_log(log: Path, target: Path) -> None:
    """Draw loss and gain over iterations from the JSON lines of `log` into the picture `target`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: matplotlib takes a second to import
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    iterations = [line["iteration"] for line in lines]
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    loss, gain = figure.subplots(1, 2)
    loss.plot(iterations, [line["loss"] for line in lines])
    loss.set(title="training loss", xlabel="iteration", yscale="log")
    for name in sorted({key for line in lines for key in line["gain_db"]}):
        gain.plot(iterations, [line["gain_db"].get(name) for line in lines], label=name)
    gain.set(title="gain on held-out scenes (dB)", xlabel="iteration")
    gain.axhline(0, color="grey", linewidth=0.5)
    if gain.get_legend_handles_labels()[1]:
        gain.legend()
    figure.savefig(target, dpi=100)
