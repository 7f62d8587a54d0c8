"""`revivid degrade`: make a good video worse in known ways."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from . import common, complete, job

#: The command that is meant where the first word after `revivid degrade` is none of its commands.
_DEFAULT = "video"


class _WithDefault(TyperGroup):
    """`revivid degrade IN ...` stands for `revivid degrade video IN ...`."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_WithDefault, no_args_is_help=True, help="Make a good video worse in known ways.")


@app.command(_DEFAULT)
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
    """Make a good video worse in known ways; what `revivid degrade IN` does.

    For testing and training what brings it back, in this order: blur, downscale, noise, codec. Equal options give equal frames.
    """
    from ..workflows import degrade as workflow

    options = common.chosen(ctx, "source", "output", "dry_run", "as_json")
    job.run(workflow.plan_degrade, workflow.degrade, source, output, options, dry_run=dry_run, as_json=as_json)


@app.command("blur")
def blur(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="A video of 120 frames/s or more, a folder of pictures, raw video (.yuv), or a photograph."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="BLURRY", help="The blurry file: .mkv, lossless.")],
    truth: Annotated[str, typer.Option("--truth", metavar="SHARP", help="The sharp file: .mkv, lossless; the middle frames.")],
    frames: Annotated[int, typer.Option(help="Consecutive frames that are averaged, an odd number.", min=1)] = 7,
    gap: Annotated[int, typer.Option(help="Frames that are left out after them.", min=0)] = 3,
    linear_light: Annotated[
        bool, typer.Option("--linear-light/--gamma", help="Average light, as sensors do, or code values, as the paper does.")
    ] = False,
    rate: Annotated[str | None, typer.Option(help="Frames per second of a folder of pictures, or of raw video.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size of raw video whose name doesn't say it.")] = None,
    seconds: Annotated[float, typer.Option(help="How long a camera moves over a photograph.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Seed of the camera's way.")] = 0,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Make pairs of blurry and sharp video from footage of a high rate.

    Each blurry frame is the mean of some consecutive ones, its truth the one in the middle; 7 of 10 frames of 240 a second make
    24 (second paper, section 4.1; it takes 5, 7 and 9 of 10).
    """
    from ..workflows import blur as workflow

    options = common.chosen(ctx, "source", "output", "dry_run", "as_json")
    job.run(workflow.plan_blur, workflow.blur, source, output, options, dry_run=dry_run, as_json=as_json)
