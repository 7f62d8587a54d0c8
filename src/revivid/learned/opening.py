"""Any video file, whichever codec made it: BVC streams are known by how they begin, raw video by its name, the rest by FFmpeg.

Light to import: the learned codec's libraries come with its first stream.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..codecs.bvc.header import MAGIC
from ..errors import UsageError
from ..media.raw import RawReader, is_raw
from ..media.read import VideoReader
from ..media.reader import Reader
from ..media.source import is_pipe
from ..types import VideoInfo


def open_video(
    path: str | os.PathLike[str],
    *,
    conceal: bool = False,
    weights: str | os.PathLike[str] | None = None,
    intra_weights: str | os.PathLike[str] | None = None,
    **options: object,
) -> Reader:
    """Open a video (`-`: standard input, as y4m or BVC) and iterate over the result for `Clip`s.

    A `.yuv` says in its name what it is (see `media.raw`), as those of UVG and MCL-JCV do. Options as `media.read.VideoReader`;
    `conceal`, `weights` and `intra_weights` as `BvcReader`, for BVC streams.
    """
    if is_bvc(path):
        from .reader import BvcReader

        return BvcReader(path, conceal=conceal, weights=weights, intra_weights=intra_weights, **options)  # type: ignore[arg-type]
    if conceal:
        raise UsageError("--conceal is for BVC streams only", hint="--allow-damaged keeps what decodes of other files.")
    if is_raw(path):
        options.pop("allow_damaged", None)  # nothing of it can fail to decode
        return RawReader(path, **options)  # type: ignore[arg-type]
    return VideoReader(path, **options)  # type: ignore[arg-type]


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Facts about a video file, by its headers. Raises the errors of `media.probe.probe`, and `CorruptStream` for BVC."""
    if is_bvc(path):
        from .reader import probe_bvc

        return probe_bvc(path)
    if is_raw(path):
        return RawReader(path).info
    from ..media import probe as headers

    return headers.probe(path)


def is_bvc(path: str | os.PathLike[str]) -> bool:
    """Whether a file, or what waits on standard input, begins as a BVC stream does. What can't be opened is none."""
    if is_pipe(path):
        if sys.stdin is None or sys.stdin.isatty():
            return False
        front = sys.stdin.buffer.peek(len(MAGIC))[: len(MAGIC)]  # type: ignore[attr-defined]
    else:
        try:
            if not Path(path).is_file():  # opening a named pipe would wait for who writes into it
                return False
            with Path(path).open("rb") as file:
                front = file.read(len(MAGIC))
        except (OSError, ValueError):
            return False
    return bool(front) and MAGIC.startswith(front)
