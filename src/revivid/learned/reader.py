"""`.bvc` files as `media.read.VideoReader` reads others: Clips with exact times, from a file or from a pipe.

    header -> [index: jump to the group that holds the start] -> groups -> decoder -> planes -> [cut] -> [sample at fps] -> Clip
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..codecs.bvc import beside
from ..codecs.bvc.gop import GopReader
from ..codecs.bvc.header import Header
from ..codecs.bvc.keyframe import codec_of
from ..codecs.bvc.records import GOP, SIDE, Index, Record, RecordReader
from ..errors import CorruptStream
from ..layers.side_by_side import intra_op_threads
from ..media.frames import working_format
from ..media.probe import streams_beside
from ..media.reader import CLIP_LENGTH, Reader
from ..media.source import check_file, is_pipe
from ..media.timing import Timed
from ..types import Clip, VideoInfo
from .decoder import CONCEAL, DROP, RAISE, Decoder, nothing_decodes
from .model import Model, load_for
from .pictures import planes_of


class BvcReader(Reader):
    """The reader of one BVC stream (`-`: on standard input).

    `weights` names the model's weight file where the package has none of that name, `intra_weights` that of its keyframes; `model`
    is one that is loaded already.
    `conceal` repeats the last good frame in place of damaged ones, `allow_damaged` leaves them out; either counts them in `damage`.
    Otherwise damage raises `CorruptStream`.
    Raises `MissingWeights` where the stream was made with another model.
    """

    carried_alone = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: Fraction | float | None = None,
        duration: Fraction | float | None = None,
        fps: Fraction | float | None = None,
        clip_length: int = CLIP_LENGTH,
        allow_damaged: bool = False,
        conceal: bool = False,
        weights: str | os.PathLike[str] | None = None,
        intra_weights: str | os.PathLike[str] | None = None,
        model: Model | None = None,
    ) -> None:
        super().__init__(path, start, duration, fps, clip_length, allow_damaged or conceal)
        self._on_damage = CONCEAL if conceal else DROP if allow_damaged else RAISE
        self._stream = open_stream(path)
        self._records = RecordReader(self._stream, self.path, forgiving=self._on_damage != RAISE)
        self.header = self._records.header
        self._index = None if is_pipe(path) else self._find_index()
        self.carried_from = self._extract()
        self.info = describe(self.path, self.header, self._index, self.carried_from)
        self._threads = 1
        self._model = model or load_for(self.header, self.path, weights, intra_weights)

    def __iter__(self) -> Iterator[Clip]:
        with contextlib.nullcontext() if is_pipe(self.path) else self._stream:
            decoder = Decoder(self._model, self.header, self.path, self._on_damage)
            self._threads = decoder.threads
            yield from self._wanted(self._decoded(decoder))

    def _find_index(self) -> Index:
        try:
            return self._records.index()
        except CorruptStream:
            if self._on_damage == RAISE:
                raise
            self.damage.errors += 1
            return self._records.scan()

    def _extract(self) -> str | None:
        if self._index is None or not self._index.of(SIDE):
            return None
        folder = tempfile.mkdtemp(prefix="revivid-beside-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        target = Path(folder) / "beside.mkv"
        try:
            return str(target) if beside.extract(self._records, self._index, target) else None
        except CorruptStream as fault:
            if self._on_damage == RAISE:
                raise
            self.damage.errors += 1
            self.notices.append(f"audio and all else beside the picture is left out: {fault.message}")
            return None

    def _groups(self) -> Iterator[tuple[int, Record]]:
        """GOP records with their numbers, from the one that holds the start."""
        if self._index is None:
            yield from enumerate(record for record in self._records if record.kind == GOP)
            return
        entries = self._index.of(GOP)
        base = self.header.time_base
        first = max((n for n, entry in enumerate(entries) if entry.pts * base <= self.start), default=0)
        for number, entry in enumerate(entries[first:], first):
            if self.length is not None and entry.pts * base >= self.start + self.length:
                return
            if self._on_damage != RAISE or number == first:
                self._records.jump(self._index, entry)
            try:
                yield number, next(record for record in self._records if record.kind == GOP)
            except (CorruptStream, StopIteration):
                if self._on_damage == RAISE:
                    raise
                yield number, Record(GOP, number, entry.offset, entry.frames, b"", intact=False)

    def _decoded(self, decoder: Decoder) -> Iterator[Timed]:
        frame = None
        for number, record in self._groups():
            damaged = decoder.damaged
            for frame in decoder.group(record, number):
                yield frame
            self.damage.errors += decoder.damaged - damaged
        if not self._records.ended and self._index is None:
            self.damage.errors += 1
        if frame is None:
            raise nothing_decodes(self.path)

    def _clip(self, batch: list[Timed]) -> Clip:
        header = self.header
        with intra_op_threads(self._threads):
            pictures = [planes_of(item.frame, header.width, header.height, header.color) for item in batch]
        y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
        self.frames += len(batch)
        return Clip((y, u, v), tuple(i.time for i in batch), tuple(i.duration for i in batch), header.color)


def open_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """The bytes of a file, or of standard input for `-`. Raises `InputNotReadable`."""
    if is_pipe(path):
        return sys.stdin.buffer
    check_file(path)
    return Path(path).open("rb")


def probe_bvc(path: str | os.PathLike[str]) -> VideoInfo:
    """What a BVC file says about itself; no model is needed. Raises `CorruptStream` and `InputNotReadable`."""
    with open_stream(path) as stream, tempfile.TemporaryDirectory(prefix="revivid-beside-") as folder:
        records = RecordReader(stream, os.fspath(path))
        index = records.index()
        target = Path(folder) / "beside.mkv"
        return describe(os.fspath(path), records.header, index, str(target) if beside.extract(records, index, target) else None)


def describe(path: str, header: Header, index: Index | None, carried_from: str | None) -> VideoInfo:
    """`VideoInfo` of a stream; of a pipe, which has no index yet, without its length."""
    streams, chapters, tags = streams_beside(carried_from) if carried_from else ((), 0, {})
    return VideoInfo(
        path=path,
        container="bvc",
        codec="bvc",
        width=header.width,
        height=header.height,
        pixel_format=working_format(header.color.bit_depth),
        color=header.color,
        frame_rate=header.frame_rate,
        time_base=header.time_base,
        duration=index.end * header.time_base if index and index.end else None,
        frames=index.frames if index else None,
        size_bytes=0 if is_pipe(path) else Path(path).stat().st_size,
        sample_aspect=header.sample_aspect,
        hdr=header.hdr,
        streams=streams,
        chapters=chapters,
        metadata=tags,
    )


def bvc_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What only a BVC stream has to say: model, quality, mode, GOP."""
    with open_stream(path) as stream:
        records = RecordReader(stream, os.fspath(path), forgiving=True)
        header = records.header
        first = next((record for record in records if record.kind == GOP and record.intact), None)
    return {
        "model": header.model,
        "sha256": header.sha256.hex(),
        "quality": header.quality,
        "gop": header.gop,
        "mode": "preserve" if header.preserve else "sharpen",
        "keyframes": _keyframes_of(first) if header.intra is None else header.intra.name,
    }


def _keyframes_of(group: Record | None) -> str:
    """What codes a group's keyframe, where no network does."""
    with contextlib.suppress(ValueError):
        return "unknown" if group is None else codec_of(GopReader(group.payload, group.frames).frame().data)
    return "unknown"
