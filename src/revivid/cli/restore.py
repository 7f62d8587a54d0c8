"""`revivid restore`: bring a video back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import bvc, common, job, tasks


def restore(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A compressed file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The restored file, or - for y4m.")],
    super_resolve: tasks.SuperResolve = None,
    deblur: tasks.Deblur = False,
    denoise: tasks.Denoise = None,
    deartifact: tasks.Deartifact = False,
    deconvolve: tasks.Deconvolve = None,
    interpolate: tasks.Interpolate = None,
    rate: tasks.Rate = None,
    auto: tasks.Auto = False,
    network: tasks.Networks = None,
    effort: tasks.Effort = "balanced",
    preset: common.Preset = None,
    memory: tasks.Memory = None,
    precision: tasks.Precision = "fp32",
    device: tasks.Device = "auto",
    backend: tasks.Backend = "auto",
    input_crf: tasks.InputCrf = None,
    out_codec: common.OutCodec = "auto",
    out_crf: common.OutCrf = None,
    out_preset: common.OutPreset = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="FFV1 in Matroska.")] = False,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    conceal: bvc.Conceal = False,
    bvc_weights: bvc.Weights = None,
    intra_weights: bvc.IntraWeights = None,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Bring a video back sharp.

    Follows the recipe that `revivid compress` left in the file, or does what is named here, in the order in which it is named,
    or with --auto what the video needs.
    """
    from ..workflows import restore as workflow

    options = common.chosen(ctx, "source", "output", "dry_run", "as_json")
    if output == "-" and not dry_run:
        _check_stdout(as_json)
    job.run(workflow.plan_restore, workflow.restore, source, output, options, dry_run=dry_run, as_json=as_json)


def _check_stdout(as_json: bool) -> None:
    from ..errors import UsageError

    if as_json:
        raise UsageError("-o - and --json both want standard output", hint="Write the video to a file, or leave --json away.")
    if sys.stdout is None or sys.stdout.isatty():
        raise UsageError("y4m would fill the terminal", hint="Pipe it into another program, or name a file: -o restored.mp4")
