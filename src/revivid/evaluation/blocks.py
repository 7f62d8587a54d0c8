"""What the pages of `roundtrip` and `evaluate` have in common: scores over time, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from ..metrics.frame import METRICS
from ..metrics.pixel import PSNR_CAP
from .compare import Comparison
from .page import Block, Chart, Charts, Column, Details, Facts, Row, Table, Text
from .plot import plot
from .words import format_score


def over_time(scores: Mapping[str, Comparison]) -> list[Block]:
    """Every metric of each frame, by name of the video, as charts; they share their times."""
    charts = []
    times = [float(time) for time in next(iter(scores.values())).times]
    for metric, words in METRICS.items():
        columns = {name: values for name, comparison in scores.items() if (values := comparison.values(metric))}
        if columns:
            charts.append(Chart(words.label, plot(times, columns), x="s", y=words.unit))
    return [Charts(charts)] if charts else []


def what_is_measured(scores: Mapping[str, Comparison]) -> list[Block]:
    """Folded away: the metrics in words, and their pooled figures; open: what is missing."""
    missing = {metric: reason for comparison in scores.values() for metric, reason in comparison.missing.items()}
    columns = [Column("mean", 4), Column("harmonic mean", 4), Column("5th percentile", 4), Column("worst frame", 4)]
    rows = []
    for metric, words in METRICS.items():
        for name, comparison in scores.items():
            pooled = comparison.pooled(metric)
            if pooled:
                figures = (pooled.mean, pooled.harmonic_mean, pooled.percentile_5, pooled.minimum)
                cells = [format_score(value, metric) for value in figures]
                rows.append(Row(name, cells, group=f"{words.label} {words.unit}".strip()))
    meanings = Facts({words.label: words.meaning for metric, words in METRICS.items() if _known(metric, scores)})
    return [
        *(Text(f"No {METRICS[metric].label}: {reason}.") for metric, reason in missing.items()),
        Details(
            "What is measured, and the worst frames",
            [
                meanings,
                Text(f"Identical frames count as {PSNR_CAP:g} dB. SSIM: 11×11 Gaussian window, sigma 1.5."),
                Table(columns, rows),
            ],
        ),
    ]


def _known(metric: str, scores: Mapping[str, Comparison]) -> bool:
    return any(comparison.values(metric) for comparison in scores.values())
