"""The golden BVC streams decode to the same integers for ever, with our decoder and with one that knows only docs/FORMAT.md.

`make_bvc.py` made them. The second decoder shares no line with the package: it is what another person would write.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import constriction  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest
from by_the_book import BlocksByTheBook, RangeDecoder

from context_tables import SHAPES, alike, random_coder
from revivid.codecs.bvc import adaptive as adaptive_tables
from revivid.codecs.bvc import keyframe
from revivid.codecs.bvc.context_coder import ContextCoder, ContextTables
from revivid.codecs.bvc.entropy import LatentCoder, Tables
from revivid.codecs.bvc.gop import GopReader
from revivid.codecs.bvc.picture import PictureCoder
from revivid.codecs.bvc.records import GOP, RecordReader
from revivid.learned.reader import BvcReader
from revivid.types import join
from revivid.weights import embedded

FOLDER = Path(__file__).parent / "bvc"
STREAM = (FOLDER / "golden.bvc").read_bytes()
SAID: dict[str, Any] = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))


def sha256(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.asarray(array).astype("<i4").tobytes() for array in arrays)).hexdigest()


def golden_coder() -> LatentCoder:
    motion, residual = (Tables(*(np.array(t[key], np.int32) for key in ("cdf", "offset", "length"))) for t in SAID["tables"])
    return LatentCoder(motion, residual, *(tuple(shape) for shape in SAID["shapes"]))


def test_our_decoder() -> None:
    coder = golden_coder()
    records = RecordReader(io.BytesIO(STREAM), "golden.bvc")
    assert records.header.tables == coder.tables_crc()
    groups = [record for record in records if record.kind == GOP]
    for record, said in zip(groups, SAID["groups"], strict=True):
        group = GopReader(record.payload, record.frames)
        assert [list(shown) for shown in group.shown] == said["shown"]
        key = group.frame()
        assert key.crc == said["key_crc"]
        assert keyframe.decode(key, *SAID["padded"]).shape == (3, 128, 192)
        latents = [coder.decode(group.frame()) for _ in group.shown[1:]]
        assert [sha256(*pair) for pair in latents] == said["latents"]
        group.finish()


def test_our_encoder_still_makes_the_same_bytes() -> None:
    coder = golden_coder()
    record = next(iter(RecordReader(io.BytesIO(STREAM), "golden.bvc")))
    group = GopReader(record.payload, record.frames)
    group.frame()
    for _ in group.shown[1:]:
        frame = group.frame()
        assert coder.encode(*coder.decode(frame)) == frame


def test_a_decoder_by_the_book() -> None:
    """docs/FORMAT.md, step by step, in plain Python."""
    _, version, length = struct.unpack_from("<8sHI", STREAM)
    body = STREAM[14 : 14 + length]
    assert (version, zlib.crc32(STREAM[: 14 + length])) == (1, int.from_bytes(STREAM[14 + length : 18 + length], "little"))
    assert list(struct.unpack_from("<II", body)) == SAID["size"]
    groups = [payload for kind, payload in records_by_the_book(STREAM, 18 + length) if kind == b"GOP "]
    for payload, said in zip(groups, SAID["groups"], strict=True):
        shown, frames = group_by_the_book(payload, len(said["shown"]))
        assert shown == said["shown"]
        assert frames[0][0] == said["key_crc"]
        decoded = []
        for crc, data in frames[1:]:
            zeros = [bool(data[0] >> bit & 1) for bit in range(7)]  # seven channels in all
            coder, halves = RangeDecoder(data[1:]), (zeros[:3], zeros[3:])
            parts = zip(SAID["tables"], SAID["shapes"], halves, strict=True)
            latents = [latent_by_the_book(coder, *part) for part in parts]
            integers = b"".join(struct.pack("<i", n) for latent in latents for n in latent)
            assert zlib.crc32(integers) == crc
            decoded.append(hashlib.sha256(integers).hexdigest())
        assert decoded == said["latents"]


def records_by_the_book(stream: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    crc, number, kind = zlib.crc32(stream[:place]), 0, b""
    while kind != b"END ":
        kind, found, _, length, stored, own = struct.unpack_from("<4sIIIII", stream, place)
        payload = stream[place + 24 : place + 24 + length]
        crc = zlib.crc32(payload, crc)
        assert (found, stored, own) == (number, crc, zlib.crc32(stream[place : place + 20]))
        yield kind, payload
        place, number = place + 24 + length, number + 1
    assert place == len(stream)
    assert stream.endswith(struct.pack("<I", 24 + length) + b"BVC.END\n")


def group_by_the_book(payload: bytes, count: int) -> tuple[list[list[int]], list[tuple[int, bytes]]]:
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = payload[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed() -> int:
        value = number()
        return -(value + 1) // 2 if value % 2 else value // 2

    pts, shown, frames = signed(), [], []
    while len(shown) < count:
        run, duration, gap = number(), number(), signed()
        for _ in range(run):
            shown.append([pts, duration])
            pts += duration + gap
    for _ in range(count):
        length = number()
        frames.append((int.from_bytes(payload[place : place + 4], "little"), payload[place + 4 : place + 4 + length]))
        place += 4 + length
    assert place == len(payload)
    return shown, frames


def latent_by_the_book(coder: RangeDecoder, tables: dict[str, Any], shape: list[int], zeros: list[bool]) -> list[int]:
    integers: list[int] = []
    for cdf, offset, length, zero in zip(tables["cdf"], tables["offset"], tables["length"], zeros, strict=True):
        if zero:
            integers += [0] * (shape[1] * shape[2])
            continue
        starts = [i + (cdf[i] * (2**24 - length) >> 16) for i in range(length)] + [2**24]
        integers += [offset + (coder.symbol(starts) if length > 1 else 0) for _ in range(shape[1] * shape[2])]
    return integers


def test_the_range_decoder_by_the_book_agrees_on_any_bytes() -> None:
    """Also on words that no encoder wrote."""
    data = np.random.default_rng(3).bytes(4000)
    book = latent_by_the_book(RangeDecoder(data), SAID["tables"][1], [4, 2, 2], [False] * 4)
    ours = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))  # pyright: ignore
    assert golden_coder().residual.decode(ours, (4, 2, 2), np.zeros(4, bool)).reshape(-1).tolist() == book


LEARNED: dict[str, Any] = json.loads((FOLDER / "learned.json").read_text(encoding="utf-8"))


def tables_of(said: dict[str, Any]) -> Tables:
    return Tables(*(np.array(said[key], np.int32) for key in ("cdf", "offset", "length")))


def test_learned_keyframes() -> None:
    """Version 2, by our decoder and by the book."""
    stream = (FOLDER / "learned.bvc").read_bytes()
    keys = LEARNED["keys"]
    coarse, classes, fine = tables_of(keys["coarse"]), tables_of(keys["classes"]), tuple(map(tables_of, keys["fine"]))
    coder = PictureCoder(coarse, classes, fine, *(tuple(shape) for shape in LEARNED["key_shapes"]))
    records = RecordReader(io.BytesIO(stream), "learned.bvc")
    assert records.header.intra is not None
    assert records.header.intra.tables == coder.tables_crc()
    assert int.from_bytes(stream[8:10], "little") == 2
    for record, said in zip(records, LEARNED["groups"], strict=True):
        frame = GopReader(record.payload, record.frames).frame()
        latents = coder.decode(frame)
        assert sha256(*latents) == said["latents"][0]
        assert coder.encode(*latents) == frame
        integers = b"".join(struct.pack("<i", n) for latent in keyframe_by_the_book(frame.data) for n in latent)
        assert zlib.crc32(integers) == frame.crc
        assert hashlib.sha256(integers).hexdigest() == said["latents"][0]


def keyframe_by_the_book(data: bytes) -> list[list[int]]:
    """Section 6: coarse, classes, then the places of each class."""
    keys, (coarse_shape, fine_shape) = LEARNED["keys"], LEARNED["key_shapes"]
    parts = [keys["coarse"], keys["classes"], *keys["fine"]]
    counts = [len(part["offset"]) for part in parts]
    flags = [bool(data[i // 8] >> i % 8 & 1) for i in range(sum(counts))]
    coder = RangeDecoder(data[-(-sum(counts) // 8) :])
    coarse = latent_by_the_book(coder, keys["coarse"], coarse_shape, flags[: counts[0]])
    classes = latent_by_the_book(coder, keys["classes"], [1, *fine_shape[1:]], flags[counts[0] : counts[0] + 1])
    area, done = fine_shape[1] * fine_shape[2], counts[0] + 1
    fine = [0] * (fine_shape[0] * area)
    for number, tables in enumerate(keys["fine"]):
        places = [place for place in range(area) if classes[place] == number]
        found = latent_by_the_book(coder, tables, [fine_shape[0], 1, len(places)], flags[done : done + fine_shape[0]])
        done += fine_shape[0]
        for index, value in enumerate(found):
            fine[index // len(places) * area + places[index % len(places)]] = value
    return [coarse, classes, fine]


CONTEXTS = np.load(FOLDER / "contexts.npz")


@pytest.mark.parametrize("adaptive", [False, True])
def test_predicted_frames_by_contexts(adaptive: bool) -> None:
    """Version 3, by our decoder and by the book, with tables that stay and tables that follow."""
    name = "adaptive" if adaptive else "contexts"
    stream, said = (FOLDER / f"{name}.bvc").read_bytes(), np.load(FOLDER / f"{name}.npz")["latents"].tolist()
    coder = contexts_coder(adaptive)
    records = RecordReader(io.BytesIO(stream), f"{name}.bvc")
    assert records.header.contexts
    assert records.header.tables == coder.tables_crc()
    assert int.from_bytes(stream[8:10], "little") == 3
    for record, latents in zip(records, said, strict=True):
        group, reading, writing = GopReader(record.payload, record.frames), coder.group(), coder.group()
        book = BlocksByTheBook(CONTEXTS, adaptive)
        group.frame()
        for sha in latents:
            frame = group.frame()
            pair = reading.decode(frame)
            assert sha256(*pair) == sha
            assert writing.encode(*pair) == frame
            assert hashlib.sha256(struct.pack(f"<{sum(p.size for p in pair)}i", *book.frame(frame.data))).hexdigest() == sha


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_halved_by_the_book(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a low limit, and quiet frames in which many tables rest."""
    monkeypatch.setattr(adaptive_tables, "MOST_COUNT", 300)
    coder = random_coder(seed, adaptive=True)
    names = [field.name for field in dataclasses.fields(ContextTables) if field.init]
    known = _Arrays({f"{part}_{name}": getattr(getattr(coder, part), name) for part in ("motion", "residual") for name in names})
    known["shapes"] = np.array(SHAPES)
    group, book = coder.group(), BlocksByTheBook(known, adaptive=True, most=300)
    for number, pair in enumerate(zip(*(alike(shape, 12, seed + i) for i, shape in enumerate(SHAPES)), strict=True)):
        motion, residual = (0 * latent if number % 3 == 2 else latent for latent in pair)
        data = group.encode(motion, residual).data
        assert book.frame(data) == [*motion.ravel().tolist(), *residual.ravel().tolist()]
    assert any(sum(counts) > 150 for counts in book.counts.values())


class _Arrays(dict[str, np.ndarray]):
    """As `numpy.load` has them."""

    @property
    def files(self) -> list[str]:
        return list(self)


def contexts_coder(adaptive: bool) -> ContextCoder:
    names = [field.name for field in dataclasses.fields(ContextTables) if field.init]
    motion, residual = (ContextTables(**{name: CONTEXTS[f"{part}_{name}"] for name in names}) for part in ("motion", "residual"))
    motion_shape, residual_shape = (tuple(shape) for shape in CONTEXTS["shapes"].tolist())
    return ContextCoder(motion, residual, motion_shape, residual_shape, (450 - 75) // 50, adaptive)


def test_a_stream_of_the_compact_model() -> None:
    """It decodes to the same integers for ever, whatever model comes after; while that model is in the package, to pictures too."""
    said = np.load(FOLDER / "compact.npz")
    parts = (tuple(said[f"{name}_{key}"] for key in ("cdf", "offset", "length")) for name in ("motion", "residual"))
    shapes = (tuple(said[f"{name}_shape"].tolist()) for name in ("motion", "residual"))
    coder = LatentCoder(*(Tables(*part) for part in parts), *shapes)
    records = RecordReader(io.BytesIO((FOLDER / "compact.bvc").read_bytes()), "compact.bvc")
    assert records.header.tables == coder.tables_crc()
    latents = []
    for record in records:
        group = GopReader(record.payload, record.frames)
        assert keyframe.decode(group.frame(), 128, 64).shape == (3, 64, 128)
        for _ in group.shown[1:]:
            frame = group.frame()
            pair = coder.decode(frame)
            assert coder.encode(*pair) == frame
            latents.append(sha256(*pair))
    assert latents == said["latents"].tolist()
    assert len(latents) == 3
    weights = embedded.folder() / "bvc-compact.safetensors"
    if hashlib.sha256(weights.read_bytes()).digest() == records.header.sha256:
        shown = join(list(BvcReader(FOLDER / "compact.bvc")))
        assert len(shown) == 5
