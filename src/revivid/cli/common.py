"""What all commands share: options, progress on stderr, results on stdout, and how errors end the process.

Data goes to stdout and everything else to stderr, so that output can be piped. With `--json` stdout carries one JSON object a
line, each with an `event` field (docs/json.md).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ..pipeline import Progress, ProgressFunction

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Overwrite outputs that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Newline-delimited JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")]
Start = Annotated[str | None, typer.Option(help="Begin here: seconds or HH:MM:SS.")]
Duration = Annotated[str | None, typer.Option(help="Take this much: seconds or HH:MM:SS.")]
Fps = Annotated[float | None, typer.Option(help="Sample frames at this rate (the paper takes 15); default: every frame.")]
AllowDamaged = Annotated[bool, typer.Option("--allow-damaged", help="Keep what decodes of a damaged input; exit code 7.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave audio out.")]
Crf = Annotated[float | None, typer.Option(help="Constant rate factor; default: x265 28, x264 23, av1 35.")]
Scale = Annotated[str, typer.Option(help="Side of the small picture: 1/4, 1/2 or 1.")]
CodecName = Annotated[str, typer.Option("--codec", help="x265, x264 or av1.")]
EncoderPreset = Annotated[
    str | None, typer.Option("--x265-preset", "--encoder-preset", help="The encoder's speed preset; default: medium (av1: 8).")
]
CodecParams = Annotated[str, typer.Option(help="The encoder's own parameters, key=value:key=value.")]
OutCodec = Annotated[str, typer.Option(help="Codec of the restored file: auto, x264, x265, av1, ffv1.")]
OutCrf = Annotated[float | None, typer.Option(help="CRF of the restored file; auto: x264 16 (10-bit: x265 18).")]
OutPreset = Annotated[str | None, typer.Option(help="Encoder preset of the restored file; auto: veryfast.")]


def seconds(text: str | None, name: str) -> float | None:
    """`90`, `1:30` or `00:01:30.5` as seconds."""
    if text is None:
        return None
    from ..errors import UsageError

    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts):
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


class ProgressDisplay:
    """A context that shows `pipeline.Progress`: a bar on a terminal, a line every few seconds elsewhere, events with `--json`."""

    #: Seconds between lines or events.
    INTERVAL = 5.0

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._last = 0.0
        self._bar: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressFunction:
        if not self._json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description:8}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        if self._bar is not None:
            if progress.step not in self._tasks:
                self._tasks[progress.step] = self._bar.add_task(progress.step, total=progress.total, rate="")
            self._bar.update(self._tasks[progress.step], completed=progress.frames, rate=f"{progress.fps:6.1f} frames/s")
            return
        now = time.monotonic()
        if now - self._last < self.INTERVAL:
            return
        self._last = now
        if self._json:
            emit(
                "progress",
                step=progress.step,
                frames=progress.frames,
                total=progress.total,
                fps=round(progress.fps, 2),
                eta_s=None if progress.eta is None else round(progress.eta, 1),
            )
            return
        eta = "" if progress.eta is None else f", {human_time(progress.eta)} left"
        say(f"{progress.step}: {progress.frames}/{progress.total or '?'} frames, {progress.fps:.1f} frames/s{eta}")
