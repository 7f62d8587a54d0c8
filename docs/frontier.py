"""Draws docs/frontier.svg from results/candidates.json: what candidates for x4 gain and cost. python docs/frontier.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "candidates.json"
PICTURE = ROOT / "docs" / "frontier.svg"


def frontier(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that nothing cheaper beats, by rising cost."""
    best: list[dict[str, Any]] = []
    for candidate in sorted(candidates, key=lambda one: (one["ms"], -one["gain_db"])):
        if not best or candidate["gain_db"] > best[-1]["gain_db"]:
            best.append(candidate)
    return best


def draw() -> None:
    """Make the picture."""
    matplotlib.rcParams["svg.hashsalt"] = "revivid"
    candidates = json.loads(RESULTS.read_text(encoding="utf-8"))["candidates"]
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    best = frontier(candidates)
    costs, gains = ([one[key] for one in best] for key in ("ms", "gain_db"))
    axes.plot(costs, gains, drawstyle="steps-post", color="tab:orange", label="frontier")
    for one in candidates:
        axes.plot(one["ms"], one["gain_db"], "o", color="tab:blue")
        axes.annotate(one["name"], (one["ms"], one["gain_db"]), (6, -4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="ms per 1280x720 frame, one thread, float32", xlim=(30, 145))
    axes.set(ylabel="gain over bicubic in dB, held out, CRF 26-32")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    draw()
