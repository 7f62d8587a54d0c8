"""How far a job is, on stderr: a bar on a terminal, a line every few seconds elsewhere; with `--json` events on stdout."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from .common import emit, human_time, say

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ..pipeline import Progress, ProgressFunction


class ProgressDisplay:
    """A context that shows `pipeline.Progress`; entering it gives the function that a workflow calls."""

    #: Seconds between two log lines, and between two events.
    LINE_INTERVAL, EVENT_INTERVAL = 5.0, 1.0

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._interval = self.EVENT_INTERVAL if as_json else self.LINE_INTERVAL
        self._last = time.monotonic()
        self._bar: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressFunction:
        if not self._json and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._bar = _bar()
            self._bar.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        if self._bar is not None:
            self._update(self._bar, progress)
            return
        now = time.monotonic()
        if now - self._last < self._interval and not progress.done:
            return
        self._last = now
        if self._json:
            _emit(progress)
        else:
            say(_line(progress))

    def _update(self, bar: RichProgress, progress: Progress) -> None:
        if progress.step not in self._tasks:
            self._tasks[progress.step] = bar.add_task(progress.step, total=progress.total, rate="", left="")
        left = "?" if progress.eta is None else human_time(progress.eta)
        bar.update(
            self._tasks[progress.step],
            completed=progress.frames,
            total=progress.total,
            rate=f"{progress.fps:6.1f} frames/s",
            left=f"ETA {left}",
        )


def _bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description:8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
    )


def _emit(progress: Progress) -> None:
    emit(
        "progress",
        step=progress.step,
        frames=progress.frames,
        total=progress.total,
        fps=round(progress.fps, 2),
        eta_s=None if progress.eta is None else round(progress.eta, 1),
    )


def _line(progress: Progress) -> str:
    left = "" if progress.eta is None else f", {human_time(progress.eta)} left"
    if progress.done:
        left = f", done in {human_time(progress.elapsed)}"
    return f"{progress.step}: {progress.frames}/{progress.total or '?'} frames, {progress.fps:.1f} frames/s{left}"
