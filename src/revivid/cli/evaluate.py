"""`revivid evaluate`: measure videos against a reference."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common
from .progress import ProgressDisplay


def evaluate(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The original.")],
    distorted: Annotated[list[str], typer.Argument(metavar="DIST...", help="One or more videos to measure against it.")],
    out: Annotated[
        list[str] | None,
        typer.Option("--out", "-o", metavar="FILE", help="Also write a report, .html, .json, .csv or .svg; may be repeated."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Of psnr,ssim,ms_ssim,psnr_y,ssim_y,psnr_luma,ssim_luma,vmaf; default: all but the last two."
        ),
    ] = None,
    vmaf: Annotated[bool, typer.Option("--vmaf", help="Measure VMAF too (needs the extra revivid[vmaf]).")] = False,
    align: Annotated[
        bool,
        typer.Option("--align", help="Correct offsets of frames and pixels, resize to REF's size, pair other frame rates by time."),
    ] = False,
    start: common.Start = None,
    duration: common.Duration = None,
    every: common.Every = 1,
    yes: common.Yes = False,
    as_json: common.Json = False,
) -> None:
    """Measure videos against a reference.

    Prints PSNR, SSIM, MS-SSIM, PSNR-Y and SSIM-Y: the mean over frames, the harmonic mean, the 5th percentile and the worst frame.
    """
    from ..metrics.frame import PIXEL_METRICS
    from ..workflows import evaluate as workflow

    chosen = PIXEL_METRICS if metrics is None else tuple(name.strip() for name in metrics.split(","))
    with ProgressDisplay(as_json) as progress:
        report = workflow.evaluate(
            reference,
            *distorted,
            start=common.seconds(start, "--start"),
            duration=common.seconds(duration, "--duration"),
            every=every,
            metrics=(*chosen, "vmaf") if vmaf else chosen,
            align=align,
            outputs=out or (),
            overwrite=yes,
            progress=progress,
        )
    common.notice(report.notices)
    if as_json:
        common.emit("result", **report.to_json())
    else:
        print(table(report))


def table(report) -> str:
    """One row per video and metric: mean, harmonic mean, 5th percentile, worst frame."""
    from ..metrics.frame import METRICS

    lines = []
    for name, comparison in report.distorted.items():
        lines.append(f"{name} against {report.reference}, {len(comparison.scores)} frames")
        lines.append(f"  {'':10} {'mean':>9} {'harmonic':>9} {'p5':>9} {'worst':>9}")
        for key in comparison.metrics:
            metric, pooled = METRICS[key], comparison.pooled(key)
            if pooled is None:
                lines.append(f"  {metric.label:10} not measured: {comparison.missing.get(key, '')}")
                continue
            figures = (pooled.mean, pooled.harmonic_mean, pooled.percentile_5, pooled.minimum)
            values = " ".join(f"{'-':>9}" if value is None else f"{value:9.{metric.digits}f}" for value in figures)
            lines.append(f"  {metric.label:10} {values} {metric.unit}".rstrip())
    return "\n".join(lines)
