"""`revivid degrade`: make a good video worse in known ways."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common, complete, job


def degrade(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A video file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The worse file: .mkv, or what --codec takes.")],
    blur: Annotated[
        int | None, typer.Option(metavar="N", help="Blur along the motion: shutter open for N tenths of each frame, 1 to 9.")
    ] = None,
    average: Annotated[
        str | None, typer.Option(metavar="N,M", help="Mean of N frames, then M left out; for high-speed video, such as 7,3.")
    ] = None,
    downscale: Annotated[int | None, typer.Option(metavar="N", help="Divide both sides by N.")] = None,
    noise: Annotated[float | None, typer.Option(metavar="SIGMA", help="Gaussian noise in 8-bit code values.")] = None,
    noise_domain: Annotated[str, typer.Option(help="Where noise is added: yuv or rgb.")] = "yuv",
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    gamma: Annotated[bool, typer.Option("--gamma", help="Average gamma-coded values instead of light.")] = False,
    codec: Annotated[
        str, typer.Option(help="ffv1 (lossless), x265, x264 or av1.", autocompletion=complete.codecs)
    ] = "ffv1",
    crf: common.Crf = None,
    encoder_preset: common.EncoderPreset = None,
    fps: common.Fps = None,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Make a good video worse in known ways.

    For testing and training what brings it back, in this order: blur, downscale, noise, codec. Equal options give equal frames.
    """
    from ..workflows import degrade as workflow

    options = common.chosen(ctx, "source", "output", "dry_run", "as_json")
    job.run(workflow.plan_degrade, workflow.degrade, source, output, options, dry_run=dry_run, as_json=as_json)
