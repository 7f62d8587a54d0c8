"""`revivid restore`: bring a video back."""

from __future__ import annotations

from typing import Annotated

import typer

from . import common


def restore(
    source: Annotated[str, typer.Argument(metavar="IN", help="A compressed file, or - for y4m on standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The restored file, or - for y4m.")],
    super_resolve: Annotated[int | None, typer.Option(help="Upscale by 2 or 4 instead of following the file's recipe.")] = None,
    network: Annotated[str | None, typer.Option("--with", help="Weights by name; see `revivid weights list`.")] = None,
    input_crf: Annotated[float | None, typer.Option(help="CRF of the input; default: recipe, stream, else 28.")] = None,
    out_codec: common.OutCodec = "auto",
    out_crf: common.OutCrf = None,
    out_preset: common.OutPreset = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="FFV1 in Matroska.")] = False,
    start: common.Start = None,
    duration: common.Duration = None,
    no_audio: common.NoAudio = False,
    allow_damaged: common.AllowDamaged = False,
    yes: common.Yes = False,
    dry_run: common.DryRun = False,
    as_json: common.Json = False,
) -> None:
    """Restore a video: by the recipe that `revivid compress` left in it, or by the stages named here."""
    from ..workflows import restore as workflow

    options = {
        "super_resolve": super_resolve,
        "network": network,
        "input_crf": input_crf,
        "out_codec": out_codec,
        "out_crf": out_crf,
        "out_preset": out_preset,
        "lossless": lossless,
        "start": common.seconds(start, "--start"),
        "duration": common.seconds(duration, "--duration"),
        "audio": not no_audio,
        "allow_damaged": allow_damaged,
        "overwrite": yes,
    }
    if dry_run:
        common.print_plan(workflow.plan_restore(source, output, **options), as_json)
        return
    with common.ProgressDisplay(as_json) as progress:
        result = workflow.restore(source, output, progress=progress, **options)
    common.notice(result.notices)
    if as_json:
        common.emit("result", **result.to_json())
    else:
        common.say(
            f"{result.output}: {result.frames} frames, {result.width}x{result.height}, "
            f"{common.human_bytes(result.size_bytes)}, {result.fps:.1f} frames/s"
        )
