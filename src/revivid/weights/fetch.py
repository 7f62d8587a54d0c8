"""Bringing a checkpoint of the catalogue to this machine: licence, download, sha256, and only then its place.

REVIVID_MIRROR: a prefix; files are asked for as <prefix>/<name>/<file>, the layout of a weights folder, so that any such
folder served over HTTP is a mirror. REVIVID_OFFLINE=1: nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ..errors import MissingWeights, OutputNotWritable, UsageError
from . import store
from .catalogue import Entry
from .download import Progress, discard, download

try:
    import fcntl
except ImportError:  # Windows: two downloads of the same file at the same time are the user's to avoid
    fcntl = None


def fetch(entry: Entry, progress: Progress | None = None, *, offline: bool = False) -> store.Verdict:
    """Download a checkpoint, unless it is here already; either way its sha256 is checked.

    Raises `UsageError` where its licence wasn't accepted (`store.accept`), `MissingWeights` where it can't be had,
    `CorruptWeights` where it is another file than the published one, and what `download` raises.
    """
    target = store.source(entry)
    with _only_one(target):
        if target.is_file() or store.converted(entry).is_file():
            return store.verify(entry)[0]
        address = _address(entry, offline)
        if not store.accepted(entry):
            raise UsageError(
                f"the licence of {entry.name}, {entry.licence}, forbids commercial use and was not accepted yet",
                hint=f"Read it at {entry.page}, then add --accept-licence.",
            )
        part = target.with_name(target.name + ".part")
        try:
            download(address, part, progress)
        except MissingWeights as fault:
            raise MissingWeights(fault.message, hint=store.how_to_get(entry)) from fault
        sha256 = store.sha256_of(part)
        try:
            trust = store.check(entry, sha256, address)
        except BaseException:
            discard(part)
            raise
        part.replace(target)
        discard(part)
        store.remember(entry, sha256=sha256, address=address)
        return store.Verdict(target, sha256, trust)


def _address(entry: Entry, offline: bool) -> str:
    if offline or os.environ.get("REVIVID_OFFLINE", "0") not in ("", "0"):
        raise store.missing(entry, ", and nothing is downloaded offline")
    mirror = os.environ.get("REVIVID_MIRROR")
    if mirror:
        return f"{mirror.rstrip('/')}/{quote(entry.name)}/{quote(entry.file)}"
    if entry.address is None:
        raise store.missing(entry)
    return entry.address


@contextlib.contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Wait until no other process downloads the same file. The system drops the lock of a process that ends in any way."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(".lock").open("w")
    except OSError as fault:
        raise OutputNotWritable(f"{target.parent} can't be written: {fault.strerror}", hint="Set REVIVID_WEIGHTS.") from fault
    with lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
