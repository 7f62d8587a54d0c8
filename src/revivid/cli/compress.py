"""`revivid compress`: make a video small."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common, tasks
from .progress import ProgressDisplay


def compress(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="IN", help="A video file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The small file: .mp4, .mkv or .mov.")],
    preset: common.Preset = None,
    crf: common.Crf = None,
    scale: common.Scale = None,
    codec: common.CodecName = None,
    encoder_preset: common.EncoderPreset = None,
    codec_params: common.CodecParams = None,
    network: tasks.Networks = None,
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
    if dry_run:
        common.print_plan(workflow.plan_compress(source, output, **options), as_json)
        return
    with ProgressDisplay(as_json) as progress:
        result = workflow.compress(source, output, progress=progress, **options)
    common.notice(result.notices)
    if as_json:
        common.emit("result", **result.to_json())
    else:
        common.say(
            f"{result.output}: {result.frames} frames, {result.width}x{result.height}, "
            f"{common.human_bytes(result.size_bytes)}, {result.fps:.1f} frames/s"
        )
