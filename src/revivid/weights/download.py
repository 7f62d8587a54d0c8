"""One file over HTTP(S) to disk, so that what was interrupted goes on where it stopped.

The part that has come lies in `part`, and beside it in `part`.json from where, which version (ETag or Last-Modified) and how
long the whole is. A second attempt asks for the rest of that very version; a server that has another one, or can't say, sends
all of it. Every wait is bounded: connecting and reading by `limits.NETWORK_TIMEOUT_S`, trickling by a least speed, attempts
by number, size by `limits.MAX_CHECKPOINT_BYTES`. Redirections stay within HTTP(S) and never leave HTTPS.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .. import __version__, limits
from ..errors import LimitExceeded, MissingWeights, OutputNotWritable, RevividError, UsageError

#: Called with the bytes that are here and the bytes of the whole (None: the server doesn't say).
Progress = Callable[[int, "int | None"], None]

#: Attempts in a row that bring less than `_HEADWAY` bytes, and attempts in all.
ATTEMPTS, _ALL_ATTEMPTS = 4, 50
_HEADWAY = 1 << 20
#: Bytes that must come within `limits.NETWORK_TIMEOUT_S`.
_LEAST = 1 << 12
_BLOCK = 1 << 16
#: Answers after which trying again may help.
_PASSING = (408, 416, 425, 429, 500, 502, 503, 504)


class _TryAgain(Exception):
    """An attempt ended early for a reason that may pass."""


def download(address: str, part: Path, progress: Progress | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
    """Bring `address` whole into `part`, going on from what is there.

    Raises `MissingWeights` where it can't be had, `LimitExceeded` where it is too large, `OutputNotWritable` where the disk is
    full, and `UsageError` for addresses that are not HTTP(S).
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise UsageError(f"{address} is no http or https address")
    failures, reason = 0, ""
    for _ in range(_ALL_ATTEMPTS):
        before = _size(part)
        try:
            return _attempt(address, part, progress)
        except _TryAgain as fault:
            failures = 1 if _size(part) - before >= _HEADWAY else failures + 1
            reason = str(fault)
        if failures >= ATTEMPTS:
            break
        sleep(2.0 ** (failures - 1))
    raise MissingWeights(f"{address} can't be reached: {reason}")


def discard(part: Path) -> None:
    """Remove a part and what is known about it."""
    with _writing(part):
        part.unlink(missing_ok=True)
        _note_path(part).unlink(missing_ok=True)


def _attempt(address: str, part: Path, progress: Progress | None) -> None:
    start, note = _resumable(part, address)
    if start and start == note.get("whole"):
        return
    headers = {"User-Agent": f"revivid/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": note["version"]}
    try:
        request = urllib.request.Request(address, headers=headers)
        with _opener().open(request, timeout=limits.NETWORK_TIMEOUT_S) as response:
            whole = _begin(address, part, response, start)
            _copy(response, part, whole, progress)
    except urllib.error.HTTPError as fault:
        if fault.code == 416:  # no such range: what is here is no part of what is there
            discard(part)
        if fault.code in _PASSING:
            raise _TryAgain(f"the server answers {fault.code} {fault.reason}") from fault
        raise MissingWeights(f"{address} can't be had: the server answers {fault.code} {fault.reason}") from fault
    except RevividError:
        raise
    except (OSError, http.client.HTTPException) as fault:
        raise _TryAgain(str(getattr(fault, "reason", fault)) or type(fault).__name__) from fault
    if whole is not None and _size(part) != whole:
        raise _TryAgain(f"the connection ended after {_size(part):,} of {whole:,} bytes")


def _begin(address: str, part: Path, response: Any, start: int) -> int | None:
    """Read the answer's headers, cut `part` to where the answer begins, and return the bytes of the whole."""
    if response.headers.get_content_type() == "text/html":
        raise MissingWeights(f"{address} answers with a web page instead of a file")
    length = response.headers.get("Content-Length", "")
    whole = int(length) if length.isdecimal() else None
    if response.status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != start:
            discard(part)
            raise _TryAgain("the server sends another range than it was asked for")
        whole = int(span[2])
    else:
        start = 0
        discard(part)
    if whole is not None and whole > limits.MAX_CHECKPOINT_BYTES:
        raise _too_large(address, whole)
    etag = response.headers.get("ETag", "")
    # A weak tag names no bytes: If-Range may not use it.
    version = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    with _writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(part.parent).free
        _note_path(part).write_text(json.dumps({"address": address, "version": version, "whole": whole}), encoding="utf-8")
    if whole is not None and free < whole - start:
        raise OutputNotWritable(f"{part.parent} has no room for {whole - start:,} bytes", hint="Free some, or set REVIVID_WEIGHTS.")
    return whole


def _copy(response: Any, part: Path, whole: int | None, progress: Progress | None) -> None:
    here = _size(part)
    since, mark = time.monotonic(), here
    with _writing(part):
        out = part.open("ab")
    with out:
        while block := response.read1(_BLOCK):
            here += len(block)
            if here > limits.MAX_CHECKPOINT_BYTES:
                raise _too_large(response.url, here)
            with _writing(part):
                out.write(block)
                out.flush()
            if progress is not None:
                progress(here, whole)
            if time.monotonic() - since >= limits.NETWORK_TIMEOUT_S:
                if here - mark < _LEAST:
                    raise _TryAgain("the server all but stopped sending")
                since, mark = time.monotonic(), here


@contextlib.contextmanager
def _writing(part: Path) -> Iterator[None]:
    """A fault of the disk is not one of the network: it is not tried again."""
    try:
        yield
    except OSError as fault:
        raise OutputNotWritable(f"{part} can't be written: {fault.strerror}", hint="Check the free space.") from fault


def _too_large(address: str, size: int) -> LimitExceeded:
    return LimitExceeded(
        f"{address} has {size:,} bytes or more, over the limit of {limits.MAX_CHECKPOINT_BYTES:,}",
        hint="Raise revivid.limits.MAX_CHECKPOINT_BYTES if you trust it.",
    )


def _resumable(part: Path, address: str) -> tuple[int, dict[str, Any]]:
    """How much of `part` can be kept, and what is known about it."""
    try:
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
        kept = bool(note["version"]) and note["address"] == address
    except (OSError, ValueError, TypeError, KeyError):
        kept, note = False, {}
    return (_size(part), note) if kept else (0, {})


def _note_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections as long as they don't lead out of HTTP(S) or from HTTPS to HTTP."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise MissingWeights(f"{req.full_url} leads to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """What `urlopen` uses, without its handlers for file:, ftp: and data:."""
    web, opener = urllib.request, urllib.request.OpenerDirector()
    plain = (web.ProxyHandler, web.UnknownHandler, web.HTTPHandler, web.HTTPSHandler, web.HTTPDefaultErrorHandler)
    for handler in (*plain, _Redirections, web.HTTPErrorProcessor):
        opener.add_handler(handler())
    return opener
