"""`revivid compress`: make a video small."""

from __future__ import annotations

from typing import Annotated

import typer

from . import bvc, common, job, tasks


def compress(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A video file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The small file: .mp4, .mkv, .mov; .bvc for bvc.")],
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
    fps: common.Fps = None,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Make a video small.

    Every player shows the small file, and `revivid restore` brings it back by the recipe inside it.
    """
    from ..workflows import compress as workflow

    options = common.chosen(ctx, "source", "output", "dry_run", "as_json")
    job.run(workflow.plan_compress, workflow.compress, source, output, options, dry_run=dry_run, as_json=as_json)
