"""`revivid roundtrip`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import bvc, common, tasks
from .progress import ProgressDisplay


def roundtrip(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A video file.")],
    folder: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for all outputs; default: IN-roundtrip, without IN's suffix."),
    ] = None,
    preset: common.Preset = None,
    crf: common.Crf = None,
    target_psnr: common.TargetPsnr = None,
    target_vmaf: common.TargetVmaf = None,
    size: common.Size = None,
    bitrate: common.Bitrate = None,
    share: common.Share = None,
    scale: common.Scale = None,
    codec: common.CodecName = None,
    enhance: common.Enhance = None,
    encoder_preset: common.EncoderPreset = None,
    codec_params: common.CodecParams = None,
    network: tasks.Networks = None,
    quality: bvc.Quality = None,
    gop: bvc.Gop = None,
    preserve: bvc.Preserve = None,
    intra: bvc.Intra = None,
    bvc_weights: bvc.Weights = None,
    intra_weights: bvc.IntraWeights = None,
    out_codec: common.OutCodec = "auto",
    out_crf: common.OutCrf = None,
    memory: tasks.Memory = None,
    device: tasks.Device = "auto",
    fps: common.Fps = None,
    measure_every: common.Every = 1,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Compress, restore, measure and report: all in one.

    Both files, report.html, report.json and pictures of what was gained go into one folder.
    """
    from ..workflows import roundtrip as workflow

    target = folder or str(Path(source).with_suffix("")) + "-roundtrip"
    back = {"out_codec": out_codec, "out_crf": out_crf, "memory": memory, "device": device}
    options = common.chosen(ctx, "source", "folder", "measure_every", "dry_run", "as_json", *back)
    if dry_run:
        common.print_plan(workflow.plan_roundtrip(source, target, **options), as_json)
        return
    with ProgressDisplay(as_json) as progress:
        result = workflow.roundtrip(source, target, restore_options=back, measure_every=measure_every, progress=progress, **options)
    report = result.report
    common.notice(report.notices)
    if as_json:
        data = report.to_json()
        data.pop("per_frame")
        common.emit("result", small=str(result.small), restored=str(result.restored), target=result.target, report=data)
        return
    print(summary(result))


def summary(result) -> str:
    """The headline table, as text."""
    from ..metrics.frame import METRICS

    report = result.report
    bpp = 8 * report.compressed.size_bytes / report.pixels
    lines = [
        f"original   {report.source.width}x{report.source.height}, {report.source.frames} frames, "
        f"{common.human_bytes(report.source.size_bytes)}",
        f"compressed {report.compressed.width}x{report.compressed.height}, {common.human_bytes(report.compressed.size_bytes)}, "
        f"{bpp:.4f} bits per original pixel, {report.ratio:.1f} times smaller",
        "",
        f"{'':10} {report.baseline_label:>18} {'restored':>12} {'gain':>9}",
    ]
    for name in report.restored_scores.metrics:
        metric = METRICS[name]
        before, after = report.bicubic_scores.pooled(name), report.restored_scores.pooled(name)
        if before is None or after is None:
            reason = report.restored_scores.missing.get(name, "")
            lines.append(f"{metric.label:10} not measured: {reason}")
            continue
        digits = metric.digits
        gain = after.mean - before.mean
        lines.append(f"{metric.label:10} {before.mean:18.{digits}f} {after.mean:12.{digits}f} {gain:+9.{digits}f} {metric.unit}")
    lines += ["", *(str(path) for path in (result.small, result.restored, result.files["report.html"]))]
    return "\n".join(lines)
