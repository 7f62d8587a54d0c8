"""Outputs on their way: a temporary file beside the target, which takes the target's place when it is whole, or goes away."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from ..errors import OutputNotWritable

_unfinished: set[Path] = set()


def begin(target: Path) -> Path:
    """A new name in the target's folder, with its suffix; to be ended by `place` or `discard`."""
    name = os.fsencode(target.stem)[:80].decode(errors="ignore")  # file systems count bytes
    temporary = target.with_name(f".{name}.partial-{uuid.uuid4().hex[:8]}{target.suffix}")
    _unfinished.add(temporary)
    return temporary


def place(temporary: Path, target: Path) -> None:
    """The file is whole: it gets its name. Raises `OutputNotWritable`."""
    try:
        temporary.replace(target)
    except OSError as exc:
        raise OutputNotWritable(f"{target}: {exc.strerror}") from exc
    _unfinished.discard(temporary)


def discard(temporary: Path) -> None:
    """The file is not wanted any more."""
    with contextlib.suppress(OSError):
        temporary.unlink()
    _unfinished.discard(temporary)


def remove_all() -> None:
    """Remove the files of all writers at work, for a process that has to end without waiting for them."""
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            path.unlink()
