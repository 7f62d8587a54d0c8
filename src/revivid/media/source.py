"""Opening hostile files: the only place that calls `av.open` for reading.

Containers are taken from an allow-list (no playlists, no concat scripts, no network protocols), the declared frame size is
checked before any decoder allocates, and every FFmpeg error becomes one of ours.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
import av.error

from .. import limits
from ..errors import CorruptInput, InputNotReadable, LimitExceeded, RevividError

#: libavformat demuxers that hold media themselves. Playlists and scripts (hls, dash, concat, ffmetadata ...) are not here.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,yuv4mpegpipe,mxf,nut,ivf,obu,h264,hevc,m4v,"
    "gif,apng,rm,dv,wtv,gxf,vc1,image2,png_pipe,jpeg_pipe,webp_pipe,tiff_pipe,bmp_pipe"
)

#: A frame beyond the cap fails in the decoder too, before it allocates: headers inside the stream may contradict the container.
DECODER_OPTIONS = {"max_pixels": str(limits.MAX_PIXELS)}

_Y4M_SIZE = re.compile(rb"YUV4MPEG2 W(\d{1,9}) H(\d{1,9})")
#: What `-` reads: y4m is the one raw format that says its own size, rate and range.
PIPE = "-"


def is_pipe(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path) == PIPE


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise `InputNotReadable` for what can't be a video file: missing, a folder, empty, a playlist."""
    file = Path(path)
    try:
        if file.is_dir():
            raise InputNotReadable(f"{file} is a folder, not a video", hint="Name one file of it.")
        if file.exists() and not file.is_file():
            raise InputNotReadable(f"{file} is a pipe or device", hint="Name a file; - reads y4m from standard input.")
        with file.open("rb") as stream:
            head = stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
            size = os.fstat(stream.fileno()).st_size
    except InputNotReadable:
        raise
    except FileNotFoundError as exc:
        hint = "Check the spelling; paths are taken from the current folder."
        raise InputNotReadable(f"{file}: no such file", hint=hint) from exc
    except PermissionError as exc:
        hint = "Change the file's permissions or copy it."
        raise InputNotReadable(f"{file}: permission denied", hint=hint) from exc
    except (OSError, ValueError) as exc:
        raise InputNotReadable(f"{path!r} can't be opened: {getattr(exc, 'strerror', None) or exc}") from exc
    declared = _Y4M_SIZE.match(head)
    if declared:  # FFmpeg's own message for a huge one is "device busy"
        limits.check_frame_size(int(declared[1]), int(declared[2]), str(file))
    if not size:
        raise InputNotReadable(f"{file} is empty", hint="The copy or download that made it did not finish.")
    if head.startswith((b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml")):
        raise InputNotReadable(
            f"{file} is a playlist or script, not a video",
            hint="revivid opens no playlists, since they make it read other files and addresses. Give it the video itself.",
        )


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn FFmpeg's errors into ours; `where` names the input."""
    try:
        yield
    except RevividError:
        raise
    except av.error.FFmpegError as exc:
        raise CorruptInput(
            f"{where}: FFmpeg can't go on: {exc.strerror}", hint="The file is damaged; --allow-damaged keeps what decodes."
        ) from exc


@contextmanager
def open_input(path: str | os.PathLike[str]) -> Iterator[av.container.InputContainer]:
    """Open a file, or standard input as y4m for `-`.

    Raises `InputNotReadable` where there is no video in it, `CorruptInput` where a video's index is broken, and
    `LimitExceeded` where it declares a frame or a stream count beyond `revivid.limits`.
    """
    container = open_container(path)
    try:
        yield container
    finally:
        container.close()


def open_container(path: str | os.PathLike[str]) -> av.container.InputContainer:
    """As `open_input`, for those who close it themselves."""
    container = _open(path)
    if len(container.streams) > limits.MAX_STREAMS:
        container.close()
        raise LimitExceeded(f"{path}: more than {limits.MAX_STREAMS} streams")
    return container


def _open(path: str | os.PathLike[str]) -> av.container.InputContainer:
    # "none": a picture called shot%03d.png is that one file, not a pattern over its folder.
    options = {"protocol_whitelist": "file,pipe", "format_whitelist": DEMUXERS, "pattern_type": "none"}
    arguments: dict[str, Any] = {
        "options": DECODER_OPTIONS,
        "container_options": options,
        "metadata_errors": "replace",
        "timeout": (limits.OPEN_TIMEOUT_S, None),
    }
    if is_pipe(path):
        if sys.stdin is None or sys.stdin.isatty():
            raise InputNotReadable("nothing is piped in", hint="Pipe y4m, for example: ffmpeg -i in.mp4 -f yuv4mpegpipe - | ...")
        return _attempt(sys.stdin.buffer, "standard input", {**arguments, "format": "yuv4mpegpipe"})
    check_file(path)
    return _attempt(f"file:{os.fspath(path)}", os.fspath(path), arguments)


def _attempt(target: Any, where: str, arguments: dict[str, Any]) -> av.container.InputContainer:
    try:
        opened = av.open(target, mode="r", **arguments)
        assert isinstance(opened, av.container.InputContainer)
        return opened
    except av.error.InvalidDataError as exc:
        if _looks_like_media(where):
            raise CorruptInput(
                f"{where}: the container's index is missing or broken, probably because the file was cut off",
                hint="Copy or download it again. An MP4 without its index (moov) can't be played by anything.",
            ) from exc
        raise InputNotReadable(f"{where} is not a video that FFmpeg knows", hint="See what it is with `file`.") from exc
    except av.error.ArgumentError as exc:
        raise InputNotReadable(
            f"{where}: this container is not among those that revivid opens", hint="Remux it to MP4 or Matroska first."
        ) from exc
    except (av.error.FFmpegError, OSError) as exc:
        raise InputNotReadable(f"{where}: {exc.strerror or exc}") from exc


def _looks_like_media(where: str) -> bool:
    try:
        with Path(where).open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return False
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide") or head[:4] == b"\x1aE\xdf\xa3" or head[:4] == b"RIFF"
