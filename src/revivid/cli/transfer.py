"""How far a download is, on stderr: a bar on a terminal, a line every few seconds elsewhere; with `--json` events on stdout."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from .common import emit, human_bytes, say

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ..weights.download import Progress


class TransferDisplay:
    """A context for one download; entering it gives the function that `weights.fetch` calls with bytes here and in all."""

    #: Seconds between two log lines, and between two events.
    LINE_INTERVAL, EVENT_INTERVAL = 5.0, 1.0

    def __init__(self, name: str, as_json: bool) -> None:
        self._name, self._json = name, as_json
        self._interval = self.EVENT_INTERVAL if as_json else self.LINE_INTERVAL
        self._last = time.monotonic()
        self._bar: tuple[RichProgress, TaskID] | None = None

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar[0].stop()

    def _show(self, here: int, whole: int | None) -> None:
        if not self._json and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            if self._bar is None:
                self._bar = _bar(self._name)
            self._bar[0].update(self._bar[1], completed=here, total=whole)
            return
        now = time.monotonic()
        if now - self._last < self._interval and here != whole:
            return
        self._last = now
        if self._json:
            emit("progress", step="download", name=self._name, bytes=here, total_bytes=whole)
        else:
            say(f"{self._name}: {human_bytes(here)}" + (f" of {human_bytes(whole)}" if whole is not None else ""))


def _bar(name: str) -> tuple[RichProgress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.start()
    return bar, bar.add_task(name, total=None)
