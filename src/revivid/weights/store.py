"""Where checkpoints lie on this machine, and what is known about each: one folder per entry of the catalogue.

    <root>/<name>/<file as published>     downloaded or put there by hand
    <root>/<name>/<name>.safetensors      made of it by `convert`; what networks are loaded from
    <root>/<name>/record.json             sha256 and origin, written when the file was first seen (trust on first use)
    <root>/accepted-licences.json

The root is the user's cache folder, or REVIVID_WEIGHTS. A root served over HTTP is a mirror (`fetch`).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import CorruptWeights, MissingWeights
from . import catalogue
from .catalogue import Entry

#: Digits of a sha256.
_WHOLE = 64


def root() -> Path:
    """The folder of all checkpoints; it need not exist."""
    chosen = os.environ.get("REVIVID_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("revivid")) / "weights"


def source(entry: Entry) -> Path:
    """Where the published file is, or should be put."""
    return root() / entry.name / entry.file


def converted(entry: Entry) -> Path:
    """Where the safetensors file made of it is, or will be."""
    return root() / entry.name / f"{entry.name}.safetensors"


def find(name: str) -> Path:
    """The file that the checkpoint `name` is loaded from: the converted one, else the published one.

    Raises `MissingWeights` where neither is here, with the command that brings it and the place where it can be put by hand.
    """
    entry = catalogue.entry(name)
    for path in (converted(entry), source(entry)):
        if path.is_file():
            return path
    raise missing(entry)


def missing(entry: Entry, why: str = "") -> MissingWeights:
    """The error that says what to do for an entry that is not here."""
    return MissingWeights(f"the weights {entry.name} are not on this machine{why}", hint=how_to_get(entry))


def how_to_get(entry: Entry) -> str:
    """What to do for a checkpoint that is not here, in words."""
    by_hand = f"save it as {source(entry)} and run: revivid weights convert {entry.name}"
    if entry.address is None:
        return f"No program can download it. {entry.by_hand} Get it from {entry.page}, {by_hand}"
    return f"Run: revivid weights fetch {entry.name}\nOr by hand: get {entry.address}, {by_hand}"


@dataclass(frozen=True)
class Record:
    """What was seen when a checkpoint came to this machine."""

    file: str
    #: Of the published file; empty where only a converted one was ever here.
    sha256: str = ""
    #: Where it was downloaded from; empty: put there by hand.
    address: str = ""
    #: ISO date and time of the first time, UTC.
    seen: str = ""
    #: Of the converted file; empty until there is one.
    converted_sha256: str = ""


def record(entry: Entry) -> Record | None:
    """The record of an entry; None where there is none yet. Raises `CorruptWeights` where it can't be read."""
    path = _record_path(entry)
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as fault:
        raise CorruptWeights(f"{path} is damaged: {fault}", hint="Delete it; the next `weights verify` makes it anew.") from fault


def remember(entry: Entry, **seen: str) -> None:
    """Record fields of `Record` (sha256, address, converted_sha256); what was recorded before and is not given stays."""
    known = record(entry) or Record(entry.file)
    now = known.seen or datetime.now(timezone.utc).isoformat(timespec="seconds")
    _write_json(_record_path(entry), asdict(replace(known, seen=now, **seen)))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check(entry: Entry, sha256: str, where: str) -> str:
    """How far a file with this sha256 can be trusted: `published`, `published beginning`, `recorded` or `first seen`.

    Raises `CorruptWeights` where it contradicts the published sha256, or that of the first time.
    """
    if entry.sha256 and not sha256.startswith(entry.sha256):
        raise _differs(entry, where, sha256, entry.sha256, "was published")
    if len(entry.sha256) == _WHOLE:
        return "published"
    known = record(entry)
    if known is None or not known.sha256:
        return "published beginning" if entry.sha256 else "first seen"
    if known.sha256 != sha256:
        raise _differs(entry, where, sha256, known.sha256, f"was seen first, {known.seen}")
    return "recorded"


@dataclass(frozen=True)
class Verdict:
    """The outcome of `verify` for one file."""

    path: Path
    sha256: str
    #: As `check` says; for converted files always `recorded` or `first seen`.
    trust: str


def verify(entry: Entry) -> list[Verdict]:
    """Check every file of an entry against what was published or recorded; what is seen for the first time is recorded.

    Raises `MissingWeights` where there is none, and `CorruptWeights`.
    """
    verdicts = []
    path = source(entry)
    if path.is_file():
        sha256 = sha256_of(path)
        trust = check(entry, sha256, str(path))
        remember(entry, sha256=sha256)
        verdicts.append(Verdict(path, sha256, trust))
    path = converted(entry)
    if path.is_file():
        sha256 = sha256_of(path)
        known = record(entry)
        expected = known.converted_sha256 if known is not None else ""
        if expected and sha256 != expected:
            raise _differs(entry, str(path), sha256, expected, "was here first")
        remember(entry, converted_sha256=sha256)
        verdicts.append(Verdict(path, sha256, "recorded" if expected else "first seen"))
    if not verdicts:
        raise missing(entry)
    return verdicts


def accepted(entry: Entry) -> bool:
    """Whether this user may fetch the entry: its licence is a free one or was accepted before."""
    return not entry.noncommercial or _licence_key(entry) in _accepted()


def accept(entry: Entry) -> None:
    """Remember that the user accepted the entry's licence."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    _write_json(root() / "accepted-licences.json", {**_accepted(), _licence_key(entry): now})


def _accepted() -> dict[str, str]:
    try:
        table = json.loads((root() / "accepted-licences.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _licence_key(entry: Entry) -> str:
    return f"{entry.licence} of {entry.page}"


def _differs(entry: Entry, where: str, sha256: str, expected: str, what: str) -> CorruptWeights:
    return CorruptWeights(
        f"{where} is not the file that it should be: its sha256 is {sha256}, and {expected} {what}",
        hint=f"It is damaged or was exchanged. To begin anew, delete the folder {root() / entry.name} and fetch again.",
    )


def _record_path(entry: Entry) -> Path:
    return root() / entry.name / "record.json"


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
