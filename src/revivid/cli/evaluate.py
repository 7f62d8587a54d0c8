"""`revivid evaluate`: measure videos against a reference."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common
from .progress import ProgressDisplay


def evaluate(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The original.")],
    distorted: Annotated[list[str], typer.Argument(metavar="DIST...", help="One or more videos to measure against it.")],
    start: common.Start = None,
    duration: common.Duration = None,
    every: common.Every = 1,
    as_json: common.Json = False,
) -> None:
    """Measure videos against a reference.

    Prints PSNR, SSIM, MS-SSIM, PSNR-Y and SSIM-Y: the mean over frames, the 5th percentile and the worst frame.
    """
    from ..workflows import evaluate as workflow

    with ProgressDisplay(as_json) as progress:
        report = workflow.evaluate(
            reference,
            *distorted,
            start=common.seconds(start, "--start"),
            duration=common.seconds(duration, "--duration"),
            every=every,
            progress=progress,
        )
    if as_json:
        common.emit("result", **report.to_json())
    else:
        print(table(report))


def table(report) -> str:
    """One row per video and metric: mean, 5th percentile, worst frame."""
    from ..metrics.frame import METRICS

    lines = []
    for name, comparison in report.distorted.items():
        lines.append(f"{name} against {report.reference}, {len(comparison.scores)} frames")
        lines.append(f"  {'':10} {'mean':>9} {'p5':>9} {'worst':>9}")
        for key, metric in METRICS.items():
            pooled = comparison.pooled(key)
            if pooled is None:
                lines.append(f"  {metric.label:10} not measured: {comparison.missing.get(key, '')}")
                continue
            values = " ".join(f"{v:9.{metric.digits}f}" for v in (pooled.mean, pooled.percentile_5, pooled.minimum))
            lines.append(f"  {metric.label:10} {values} {metric.unit}".rstrip())
    return "\n".join(lines)
