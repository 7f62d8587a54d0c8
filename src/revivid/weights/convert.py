"""Published checkpoints (pickles) to safetensors, in a process of its own (`unpickle`) with limits on memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .. import limits
from ..errors import CorruptWeights, LimitExceeded
from . import store
from .catalogue import Entry

#: What a conversion needs beside a few copies of the file.
_ROOM = 1 << 30


def convert(entry: Entry) -> Path:
    """Make the safetensors file of an entry whose published file is here; its sha256 is checked first.

    The result's header says of what it was made. Raises `MissingWeights`, `LimitExceeded`, and `CorruptWeights` where the file
    is not the published one or is no checkpoint: truncated, a bomb, or a pickle that wants to call something.
    """
    source, target = store.source(entry), store.converted(entry)
    if not source.is_file():
        raise store.missing(entry)
    size = source.stat().st_size
    if size > limits.MAX_CHECKPOINT_BYTES:
        raise LimitExceeded(f"{source} has {size:,} bytes, over the limit of {limits.MAX_CHECKPOINT_BYTES:,}")
    sha256 = store.sha256_of(source)
    store.check(entry, sha256, str(source))
    store.remember(entry, sha256=sha256)
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    task = {
        "source": str(source),
        "target": str(partial),
        "wrapper": list(entry.wrapper),
        "prefix": entry.prefix,
        "memory": 4 * size + _ROOM,
        "metadata": {
            "checkpoint": entry.name,
            "source": entry.file,
            "sha256": sha256,
            "licence": entry.licence,
            "network": entry.network,
            "hyperparameters": json.dumps(entry.hyperparameters, sort_keys=True),
        },
    }
    try:
        _run(json.dumps(task), source)
        partial.chmod(0o644)  # safetensors makes private files
        store.remember(entry, converted_sha256=store.sha256_of(partial))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _run(task: str, source: Path) -> None:
    # PYTHONSAFEPATH: no module of the folder that the user happens to be in. One thread: stacks count as memory.
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "revivid.weights.unpickle", task],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limits.CONVERT_TIMEOUT_S,
            env=environment,
            cwd=source.parent,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise _corrupt(source, f"converting it takes longer than {limits.CONVERT_TIMEOUT_S:.0f} s") from fault
    if done.returncode:
        words = done.stdout.strip() or done.stderr.strip() or f"the process ended with {done.returncode}"
        raise _corrupt(source, words.splitlines()[-1])


def _corrupt(source: Path, reason: str) -> CorruptWeights:
    return CorruptWeights(
        f"{source} can't be converted: {reason}",
        hint=f"It is damaged or not the published file. Delete the folder {source.parent}.",
    )
