"""Scores that were measured once are kept, one small file each, so that an interrupted run goes on where it stopped.

The key says all that a score depends on: how it was measured, the frames (sha256), the setting, and the weights (sha256).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Raise it when anything about degrading or scoring changes.
VERSION = 1


@dataclass(frozen=True)
class Store:
    """A folder of scores."""

    folder: Path

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was put under this key; None where nothing was, or only half of it."""
        try:
            found = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found["value"]

    def put(self, key: Mapping[str, Any], value: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"key": dict(key), "value": dict(value)}), encoding="utf-8")
        partial.replace(path)

    def _path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({"version": VERSION, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
