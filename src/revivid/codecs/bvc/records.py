"""A BVC stream as a row of records with a running CRC, written in one go and read from a file or a pipe.

    header | GOP | SIDE | GOP | ... | END (frames in all, end of the video, lengths of all records)

Each record's CRC continues that of the record before it, from the header's on, so a record fits at one place of one stream only:
swapped, doubled and foreign ones are found without decoding anything. The lengths in END let a reader jump to any GOP.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ...errors import CorruptStream, InputNotReadable
from . import header as headers
from .header import Header
from .varint import MAX_NUMBER, Cursor, signed, unsigned

GOP, SIDE, END = b"GOP ", b"SIDE", b"END "
#: Kind, number of the record, frames in it, bytes of its payload, CRC-32 of the payload, CRC-32 of these fields.
_RECORD = struct.Struct("<4sIIIII")
#: The last bytes of a stream: those of the whole END record, and a mark.
_TRAILER = struct.Struct("<I8s")
_MARK = b"BVC.END\n"
#: Payloads of more bytes are not written, and not believed.
MAX_PAYLOAD = 1 << 27
#: How much is read at a time: a claim of many bytes costs no memory before they are there.
_PORTION = 1 << 20


@dataclass(frozen=True)
class Record:
    """One record that was read, its CRCs checked."""

    kind: bytes
    #: Its number among all records, and its first byte's place in the stream.
    number: int
    offset: int
    frames: int
    payload: bytes
    #: Whether the payload is what was written; always, unless the reader was told to go on.
    intact: bool = True


@dataclass(frozen=True)
class Entry:
    """What END says about one record."""

    kind: bytes
    #: Place of its first byte in the stream, and bytes with its head.
    offset: int
    length: int
    #: CRC-32 of the stream's payloads up to its end.
    crc: int
    #: Frames, and the tick at which the first is shown; 0 for SIDE.
    frames: int = 0
    pts: int = 0


@dataclass(frozen=True)
class Index:
    """All records of a whole stream, its number of frames and the tick at which the last one ends."""

    entries: tuple[Entry, ...]
    frames: int
    end: int

    def of(self, kind: bytes) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]


@contextlib.contextmanager
def located(where: str, offset: int | None, gop: int | None) -> Iterator[None]:
    """Turn the `ValueError`s of parsing into `CorruptStream`; `where` names the input."""
    try:
        yield
    except CorruptStream:
        raise
    except (ValueError, struct.error) as fault:
        raise corrupt(where, str(fault), offset, gop) from fault


def corrupt(where: str, what: str, offset: int | None, gop: int | None) -> CorruptStream:
    """The one error for what is wrong in a stream."""
    place = ", ".join(
        [*([] if offset is None else [f"byte {offset:,}"]), *([] if gop is None else [f"group of pictures {gop}"])]
    )
    return CorruptStream(
        f"{where}: {what}" + (f" ({place})" if place else ""),
        offset=offset,
        gop=gop,
        hint="Copy it again. --conceal repeats the last good frame in place of what is damaged, --allow-damaged leaves it out.",
    )


class RecordWriter:
    """Writes a stream through `write`; `finish` ends it. `size` counts the bytes."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write = write
        stored = header.to_bytes()
        self.size = 0
        self.frames = 0
        self._crc = zlib.crc32(stored)
        self._entries = bytearray()
        self._count = 0
        self._last_pts = 0
        self._put(stored)

    def gop(self, payload: bytes, frames: int, pts: int) -> None:
        """A group of `frames` pictures whose first is shown at tick `pts`."""
        self._add(GOP, frames, payload)
        self._entries += unsigned(frames) + signed(pts - self._last_pts)
        self.frames, self._last_pts = self.frames + frames, pts

    def side(self, payload: bytes) -> None:
        """The next piece of the Matroska file that carries the other streams."""
        for start in range(0, len(payload), MAX_PAYLOAD):
            self._add(SIDE, 0, payload[start : start + MAX_PAYLOAD])

    def finish(self, end: int) -> None:
        """The last record; `end` is the tick at which the last frame is over."""
        listed = unsigned(self.frames) + signed(end) + unsigned(self._count) + bytes(self._entries)
        length = _RECORD.size + len(listed) + _TRAILER.size
        self._add(END, 0, listed + _TRAILER.pack(length, _MARK))

    def _add(self, kind: bytes, frames: int, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a record of {len(payload):,} bytes: choose shorter groups of pictures")
        self._crc = zlib.crc32(payload, self._crc)
        fields = _RECORD.pack(kind, self._count, frames, len(payload), self._crc, 0)[:-4]
        self._put(fields + zlib.crc32(fields).to_bytes(4, "little") + payload)
        if kind != END:
            self._entries += (b"\x01" if kind == GOP else b"\x00") + unsigned(len(payload)) + self._crc.to_bytes(4, "little")
        self._count += 1

    def _put(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)


class RecordReader:
    """Reads a stream record by record from anything with `read`; with `seek` where it can, it finds records by the index.

    `forgiving` hands out records whose payload is damaged, marked as such, and ends where no record begins any more.
    Raises `InputNotReadable` where the header is none, `CorruptStream` for everything else that is wrong.
    """

    def __init__(self, stream: BinaryIO, where: str, *, forgiving: bool = False) -> None:
        self._stream = stream
        self.where = where
        self.forgiving = forgiving
        self.header, stored = self._read_header()
        self._crc = self._header_crc = zlib.crc32(stored)
        self._position = self._first = len(stored)
        self._number = 0
        self._gops = 0
        #: Frames that GOPs promised so far, and what END said; None until it was seen.
        self.frames = 0
        self.ended = False

    def __iter__(self) -> Iterator[Record]:
        """GOP and SIDE records up to the end; END itself is checked."""
        while not self.ended:
            try:
                record = self._next()
            except CorruptStream:
                if self.forgiving:
                    return
                raise
            if record.kind == END:
                self._check_end(record)
                return
            if record.kind == GOP:
                self._gops += 1
                self.frames += record.frames
            yield record

    def index(self) -> Index:
        """What END lists, from the end of a file; reading goes on where it was. Raises `CorruptStream` where the end is missing."""
        self._stream.seek(0, io.SEEK_END)
        size = self._stream.tell()
        try:
            with located(self.where, size, None):
                return self._read_index(size)
        finally:
            self._stream.seek(self._position)

    def scan(self) -> Index:
        """The same from the records' heads, up to the first that is none; for files whose end is missing."""
        entries: list[Entry] = []
        offset, frames = self._first, 0
        try:
            while True:
                self._stream.seek(offset)
                kind, count, length, crc = self._fields(self._read(_RECORD.size), len(entries))
                if kind == END:
                    break
                pts = Cursor(self._read(min(length, MAX_NUMBER))).signed() if kind == GOP else 0
                entries.append(Entry(kind, offset, _RECORD.size + length, crc, count, pts))
                offset, frames = offset + _RECORD.size + length, frames + count
        except ValueError:
            pass
        finally:
            self._stream.seek(self._position)
        return Index(tuple(entries), frames, 0)

    def jump(self, index: Index, entry: Entry) -> None:
        """Go on reading at this record; what lies between is not looked at."""
        number = index.entries.index(entry)
        before = index.entries[:number]
        self._crc = before[-1].crc if before else self._header_crc
        self._number, self.ended = number, False
        self._gops = sum(other.kind == GOP for other in before)
        self.frames = sum(other.frames for other in before)
        self._position = entry.offset
        self._stream.seek(self._position)

    def _read_header(self) -> tuple[Header, bytes]:
        front = self._stream.read(headers.FRONT_BYTES)
        if front[: len(headers.MAGIC)] != headers.MAGIC[: len(front)] or not front:
            raise InputNotReadable(f"{self.where} is no BVC stream", hint="Such files are made by `revivid compress --codec bvc`.")
        self._position = 0
        with located(self.where, 0, None):
            rest = self._read(headers.body_length(front))
            return headers.parse(front + rest), front + rest

    def _next(self) -> Record:
        offset = self._position
        with located(self.where, offset, self._gops):
            kind, frames, length, crc = self._fields(self._read(_RECORD.size), self._number)
            payload = self._read(length)
            intact = zlib.crc32(payload, self._crc) == crc
            if not intact and not self.forgiving:
                raise ValueError(f"record {self._number} is damaged, or belongs elsewhere (CRC)")
            record = Record(kind, self._number, offset, frames, payload, intact)
            self._crc, self._number = crc, self._number + 1
            self._position = offset + _RECORD.size + length
            return record

    def _fields(self, stored: bytes, number: int) -> tuple[bytes, int, int, int]:
        kind, found, frames, length, crc, own = _RECORD.unpack(stored)
        if zlib.crc32(stored[:-4]) != own:
            raise ValueError(f"the head of record {number} is damaged (CRC)")
        if found != number:
            raise ValueError(f"record {found} stands where record {number} belongs")
        limit = self.header.gop if kind == GOP else 0
        if kind not in (GOP, SIDE, END) or length > MAX_PAYLOAD or frames > limit or (kind == GOP and not frames):
            raise ValueError(f"record {number} is none that revivid writes")
        return kind, frames, length, crc

    def _check_end(self, record: Record) -> None:
        self.ended = True
        if self.forgiving:
            return
        with located(self.where, record.offset, None):
            frames = Cursor(record.payload).unsigned()
            if frames != self.frames:
                raise ValueError(f"{frames} frames were written and {self.frames} came")

    def _read(self, count: int) -> bytes:
        portions = []
        while count:
            portion = self._stream.read(min(count, _PORTION))
            if not portion:
                raise ValueError("it was cut off here")
            portions.append(portion)
            count -= len(portion)
        return b"".join(portions)

    def _read_index(self, size: int) -> Index:
        if size < self._first + _RECORD.size + _TRAILER.size:
            raise ValueError("it was cut off: its last record is missing")
        self._stream.seek(size - _TRAILER.size)
        length, mark = _TRAILER.unpack(self._read(_TRAILER.size))
        if mark != _MARK or not _RECORD.size + _TRAILER.size < length <= size - self._first:
            raise ValueError("it was cut off: its last record is missing")
        self._stream.seek(size - length)
        stored, payload = self._read(_RECORD.size), self._read(length - _RECORD.size)
        cursor = Cursor(payload[: -_TRAILER.size])
        frames, end, count = cursor.unsigned(), cursor.signed(), cursor.unsigned()
        kind, *_, crc = self._fields(stored, count)
        entries = self._entries(cursor, count)
        ends = entries[-1].offset + entries[-1].length if entries else self._first
        if kind != END or ends != size - length or sum(entry.frames for entry in entries) != frames:
            raise ValueError("its index does not fit it")
        if zlib.crc32(payload, entries[-1].crc if entries else self._header_crc) != crc:
            raise ValueError("its index is damaged (CRC)")
        return Index(tuple(entries), frames, end)

    def _entries(self, cursor: Cursor, count: int) -> list[Entry]:
        entries: list[Entry] = []
        offset, pts = self._first, 0
        for _ in range(count):
            kind = GOP if cursor.fixed(1) else SIDE
            length = _RECORD.size + cursor.unsigned()
            crc = cursor.fixed(4)
            if kind == GOP:
                frames, pts = cursor.unsigned(), pts + cursor.signed()
                entries.append(Entry(kind, offset, length, crc, frames, pts))
            else:
                entries.append(Entry(kind, offset, length, crc))
            offset += length
        if cursor.left:
            raise ValueError("its index is longer than what it lists")
        return entries
