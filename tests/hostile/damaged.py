"""What is done to BVC streams in these tests, and how what comes of it is judged."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from revivid.codecs.bvc.header import Header
from revivid.codecs.bvc.records import GOP, Entry, Index, RecordReader, RecordWriter
from revivid.errors import CorruptStream
from revivid.learned.model import Model
from revivid.learned.reader import BvcReader
from revivid.types import Clip, join

#: What an answer may take.
SECONDS = 1.0
MEMORY = 512 << 20


def decoded(data: bytes, model: Model, **options: bool) -> Clip:
    """Read as from a pipe: record by record, without the index."""
    stdin = sys.stdin
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)  # type: ignore[assignment]
    try:
        return join(list(BvcReader("-", model=model, **options)))  # type: ignore[arg-type]
    finally:
        sys.stdin = stdin


def refused(work: Callable[[], object]) -> CorruptStream:
    """The error that `work` ends with, in time."""
    started = time.process_time()  # other processes may hold ours up
    with pytest.raises(CorruptStream) as caught:
        work()
    assert time.process_time() - started < SECONDS
    return caught.value


def index_of(data: bytes) -> Index:
    return RecordReader(io.BytesIO(data), "it").index()


def groups_of(data: bytes) -> list[Entry]:
    return index_of(data).of(GOP)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(data: bytes) -> list[bytes]:
    """Header, groups, end."""
    places = [entry.offset for entry in groups_of(data)]
    last = groups_of(data)[-1]
    ends = [*places, last.offset + last.length, len(data)]
    return [data[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def forged(data: bytes, header: Callable[[Header], Header] = lambda h: h, payload: Callable[[bytes], bytes] = lambda p: p) -> bytes:
    """The stream with another header and other payloads, all CRCs right."""
    records = RecordReader(io.BytesIO(data), "it")
    written = io.BytesIO()
    writer = RecordWriter(written.write, header(records.header))
    for record in records:
        writer.gop(payload(record.payload), record.frames, 0)
    writer.finish(0)
    return written.getvalue()
