"""`revivid compress`: make a video small."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common
from .progress import ProgressDisplay


def compress(
    source: Annotated[str, typer.Argument(metavar="IN", help="A video file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The small file: .mp4, .mkv or .mov.")],
    crf: common.Crf = None,
    scale: common.Scale = "1/4",
    codec: common.CodecName = "x265",
    preset: common.EncoderPreset = None,
    codec_params: common.CodecParams = "",
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

    options = {
        "crf": crf,
        "scale": scale,
        "codec": codec,
        "preset": preset,
        "codec_params": codec_params,
        "fps": fps,
        "start": common.seconds(start, "--start"),
        "duration": common.seconds(duration, "--duration"),
        "audio": not no_audio,
        "allow_damaged": allow_damaged,
        "overwrite": yes,
    }
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
