"""Small files whole or not at all: reports, tables, pictures."""

from __future__ import annotations

import uuid
from pathlib import Path

from ..errors import OutputNotWritable


def write_whole(path: Path, data: bytes) -> Path:
    """Replace the file at `path` by one of these bytes. Raises `OutputNotWritable`."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputNotWritable(
            f"{path} can't be written: {error.strerror or error}", hint="Check the folder, its permissions and the free space."
        ) from error
    return path
