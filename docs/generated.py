"""How the scripts here end: the page that they make is written, or with --check compared with what is there."""

from __future__ import annotations

import sys
from pathlib import Path


def write_or_check(path: Path, wanted: str) -> int:
    """The exit code: 1 where --check finds that `path` says something else."""
    if "--check" in sys.argv:
        return 0 if path.exists() and path.read_text(encoding="utf-8") == wanted else 1
    path.write_text(wanted, encoding="utf-8")
    return 0
