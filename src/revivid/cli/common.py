"""What all commands share: options, what goes to stdout and stderr, and how sizes and times are written.

Data goes to stdout and everything else to stderr, so that output can be piped. With `--json` stdout carries one JSON object a
line, each with an `event` field (docs/json.md).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from . import complete

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Overwrite outputs that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Newline-delimited JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]
Start = Annotated[str | None, typer.Option(help="Begin here: seconds or HH:MM:SS.")]
Duration = Annotated[str | None, typer.Option(help="Take this much: seconds or HH:MM:SS.")]
Fps = Annotated[float | None, typer.Option(help="Sample frames at this rate (the paper takes 15); default: every frame.")]
Every = Annotated[int, typer.Option("--measure-every", "--every", help="Measure one frame in N; measuring is slow.", min=1)]
AllowDamaged = Annotated[bool, typer.Option("--allow-damaged", help="Keep what decodes of a damaged input; exit code 7.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave audio out.")]
Crf = Annotated[float | None, typer.Option(help="Constant rate factor; default: x265 28, x264 23, av1 35.")]
TargetPsnr = Annotated[float | None, typer.Option(help="In place of a CRF: mean PSNR-Y of the restored video in dB.")]
TargetVmaf = Annotated[float | None, typer.Option(help="In place of a CRF: mean VMAF of the restored video.")]
Size = Annotated[str | None, typer.Option(help="In place of a CRF: the small file takes at most this, such as 20MB.")]
Bitrate = Annotated[str | None, typer.Option(help="In place of a CRF: bits per second of the picture, such as 800k.")]
Share = Annotated[
    float | None, typer.Option(help="In place of a CRF: this part of what the codec takes at full size and its default CRF.")
]
Preset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A named recipe: smallest, small, balanced, paper.", autocompletion=complete.recipes),
]
Scale = Annotated[
    str | None,
    typer.Option(help="Side of the small picture: 1/4, 1/2, 1 or auto; default: 1/4.", autocompletion=complete.scales),
]
CodecName = Annotated[
    str | None,
    typer.Option(
        "--codec",
        help="x265, x264, av1, bvc (learned) or hybrid (av1 of blurry video, sharpened); default: x265.",
        autocompletion=complete.codecs,
    ),
]
Enhance = Annotated[
    str | None,
    typer.Option(
        help="Sharpen blurry video before or after compressing it, or auto: where it serves this video; at scale 1.",
        autocompletion=complete.places,
    ),
]
EncoderPreset = Annotated[
    str | None,
    typer.Option(
        "--x265-preset",
        "--encoder-preset",
        help="The encoder's speed preset; default: medium (av1: 8).",
        autocompletion=complete.presets,
    ),
]
CodecParams = Annotated[str | None, typer.Option(help="The encoder's own parameters, key=value:key=value.")]
OutCodec = Annotated[
    str, typer.Option(help="Codec of the restored file: auto, x264, x265, av1, ffv1.", autocompletion=complete.out_codecs)
]
OutCrf = Annotated[float | None, typer.Option(help="CRF of the restored file; auto: x264 16 (10-bit: x265 18).")]
OutPreset = Annotated[
    str | None,
    typer.Option(help="Encoder preset of the restored file; auto: veryfast.", autocompletion=complete.out_presets),
]


def chosen(ctx: typer.Context, *others: str) -> dict[str, Any]:
    """The workflow's options as given on the command line, in that order; `others` are the command's own arguments.

    What was left at None is left out, so that a preset can say it.
    """
    given = {name: value for name, value in ctx.params.items() if name not in others and value is not None}
    for name in {"start", "duration"} & set(given):
        given[name] = seconds(given[name], f"--{name}")
    given["audio"] = not given.pop("no_audio")
    given["overwrite"] = given.pop("yes")
    return given


def seconds(text: str | None, name: str) -> float | None:
    """`90`, `1:30` or `00:01:30.5` as seconds."""
    if text is None:
        return None
    from ..errors import UsageError

    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < math.inf for part in parts):
        raise UsageError(f"{name} {text!r} is no time", hint="Write seconds (90.5) or HH:MM:SS (00:01:30.5).")
    total = 0.0
    for part in parts:
        total = 60 * total + part
    return total


def emit(event: str, **fields: Any) -> None:
    """One line of `--json` output."""
    print(json.dumps({"event": event, **fields}, default=str, allow_nan=False), flush=True)


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def notice(notices: Iterable[str]) -> None:
    for text in notices:
        say(f"note: {text}")


def print_plan(plan: Any, as_json: bool) -> None:
    """What a dry run answers, on stdout."""
    if as_json:
        emit("plan", **plan.to_json())
        return
    print(f"{plan.source} -> {plan.output}")
    for step in plan.steps:
        print(f"  {step}")
    frames = "unknown" if plan.frames is None else str(plan.frames)
    print(f"frames: {frames}; memory: about {plan.memory_bytes / 2**20:.0f} MiB above Python and its libraries")
    if plan.estimated_seconds is not None:
        size = "" if plan.estimated_bytes is None else f", about {human_bytes(plan.estimated_bytes)}"
        print(f"estimated from a few frames: about {human_time(plan.estimated_seconds)}{size}")
    for text in plan.notices:
        print(f"note: {text}")
    for text in plan.missing:
        print(f"missing: {text}")


def human_bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def human_time(value: float) -> str:
    whole = round(value)
    if whole < 60:
        return f"{value:.1f} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
