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


class RangeDecoder:
    """Section 5 of docs/FORMAT.md."""

    def __init__(self, data: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.low, self.range = 0, 2**64 - 1
        self.point = self.word() << 32 | self.word()

    def word(self) -> int:
        return self.words.pop(0) if self.words else 0

    def symbol(self, starts: list[int]) -> int:
        """`starts`: where each symbol's share of 2^24 begins, and 2^24 itself."""
        scale = self.range >> 24
        place = (self.point - self.low) % 2**64 // scale
        index = max(i for i, start in enumerate(starts[:-1]) if start <= place)
        self.low = (self.low + scale * starts[index]) % 2**64
        self.range = scale * (starts[index + 1] - starts[index])
        if self.range < 2**32:
            self.low, self.range = (self.low << 32) % 2**64, self.range << 32
            self.point = (self.point << 32) % 2**64 | self.word()
        return index


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


def test_predicted_frames_by_contexts() -> None:
    """Version 3, by our decoder and by the book."""
    stream = (FOLDER / "contexts.bvc").read_bytes()
    coder = contexts_coder()
    records = RecordReader(io.BytesIO(stream), "contexts.bvc")
    assert records.header.contexts
    assert records.header.tables == coder.tables_crc()
    assert int.from_bytes(stream[8:10], "little") == 3
    for record, said in zip(records, CONTEXTS["latents"].tolist(), strict=True):
        group, reading, writing, book = GopReader(record.payload, record.frames), coder.group(), coder.group(), BlocksByTheBook()
        group.frame()
        for sha in said:
            frame = group.frame()
            pair = reading.decode(frame)
            assert sha256(*pair) == sha
            assert writing.encode(*pair) == frame
            assert hashlib.sha256(struct.pack(f"<{sum(p.size for p in pair)}i", *book.frame(frame.data))).hexdigest() == sha


def contexts_coder() -> ContextCoder:
    names = [field.name for field in dataclasses.fields(ContextTables) if field.init]
    motion, residual = (ContextTables(**{name: CONTEXTS[f"{part}_{name}"] for name in names}) for part in ("motion", "residual"))
    motion_shape, residual_shape = (tuple(shape) for shape in CONTEXTS["shapes"].tolist())
    return ContextCoder(motion, residual, motion_shape, residual_shape, (450 - 75) // 50)


Place = tuple[int, int]
Plane = dict[Place, int]


class BlocksByTheBook:
    """Section 9 of docs/FORMAT.md: the predicted frames of one group, place by place."""

    def __init__(self) -> None:
        self.before: dict[str, dict[str, Any]] = {}

    def frame(self, data: bytes) -> list[int]:
        self.coder, integers = RangeDecoder(data), []
        shown: Plane = {}
        for part, shape in zip(("motion", "residual"), CONTEXTS["shapes"].tolist(), strict=True):
            self.said = {key[len(part) + 1 :]: CONTEXTS[key].tolist() for key in CONTEXTS.files if key.startswith(part)}
            fold, self.leading = self.said["shape"]
            self.size = (fold * shape[1], fold * shape[2])
            ratio = self.size[0] // CONTEXTS["shapes"][0][1]
            activity = {(y, x): shown[y // ratio, x // ratio] if shown else 0 for y, x in self.places()}
            self.old = self.before.get(part)
            planes, shown = self.planes(activity)
            order, square = self.said["order"], fold * fold
            by_coefficient = dict(zip(order, planes, strict=True))
            for channel in range(shape[0]):
                i, j = channel % square // fold, channel % fold
                plane = by_coefficient[channel // square]
                integers += [plane[fold * y + i, fold * x + j] for y in range(shape[1]) for x in range(shape[2])]
            self.before[part] = {"planes": planes, "numbers": self.numbers}
        return integers

    def planes(self, activity: Plane) -> tuple[list[Plane], Plane]:
        surprise = dict.fromkeys(self.places(), 0)
        leading = [self.value(index, surprise) for index in range(self.leading)]
        activity = {p: min(31, activity[p] + surprise[p]) for p in self.places()}
        self.numbers = self.number(activity)
        others, total = self.others(), len(self.said["scale"]) - 1
        sums = {p: sum(min(31, abs(others[k][p])) for k in range(total)) for p in self.places()}
        return leading + others, {p: min(31, surprise[p] + sums[p]) for p in self.places()}

    def value(self, index: int, surprise: Plane) -> Plane:
        old, values, first = self.plane_before(index), {}, int(self.old is None)
        for turn in range(4):
            features = {}
            for p in self.places(turn):
                near = [values[q] for q in around(p) if q in values]
                cross = [values[q] for q in around(p) if q in values and (q[0] == p[0] or q[1] == p[1])]
                inside = [old[q] for q in around(p) if q in old]
                b, r = 16 * old[p], 16 * (sum(inside) + old[p]) // (1 + len(inside))
                g = 16 * sum(near) // len(near) if near else b
                c = 16 * sum(cross) // len(cross) if cross else g
                s = sum(abs(16 * value - g) for value in near) // max(len(near), 1)
                features[p] = (b, r, c, g, s)
            z, w = self.said["value_spread"][index][turn][first], self.said["value_weights"][index][turn][first]
            measures = {p: z[0] * s + z[1] * abs(b - g) + z[2] * abs(b - r) + z[3] for p, (b, r, _, g, s) in features.items()}
            symbols = self.group(measures, self.said["value_limits"][index], self.said["value_cdf"][index])
            for p, symbol in symbols.items():
                b, r, c, g, _ = features[p]
                found = symbol - 128 + ((w[0] * b + w[1] * r + w[2] * c + w[3] * g + w[4] + 512) >> 10)
                values[p] = (found + 128) % 256 - 128
                surprise[p] += min(31, abs(16 * values[p] - g) // 16)
        return values

    def number(self, activity: Plane) -> Plane:
        scale, first = self.said["scale"], int(self.old is None)
        then = {p: 0 if self.old is None else scale[self.old["numbers"][p]] for p in self.places()}
        numbers: Plane = {}
        for turn in range(4):
            measures = {}
            for p in self.places(turn):
                near = {q: scale[numbers[q]] for q in around(p) if q in numbers}
                cross = sum(value for q, value in near.items() if q[0] == p[0] or q[1] == p[1])
                parts = (then[p], sum(then.get(q, 0) for q in around(p)), cross, sum(near.values()) - cross, activity[p], 7, 1)
                measures[p] = sum(w * part for w, part in zip(self.said["last_weights"][turn][first], parts, strict=True))
            numbers |= self.group(measures, self.said["last_limits"][turn], self.said["last_cdf"][turn])
        return numbers

    def others(self) -> list[Plane]:
        count, found = len(self.said["scale"]) - 1, []
        so_far = dict.fromkeys(self.places(), 0)
        for k in range(count):
            old = {p: min(31, abs(value)) for p, value in self.plane_before(self.leading + k).items()}
            limits, weights = self.said["coefficient_limits"][k], self.said["coefficient_weights"][k]
            measures: dict[Place, int | None] = {}
            for p in self.places():
                if self.numbers[p] <= k:
                    continue
                total = sum(min(31, abs(self.plane_before(self.leading + n)[p])) for n in range(count))
                parts = (old[p], self.ring(old, p), so_far[p], self.ring(so_far, p), total)
                measure = self.said["numbers"][k][self.numbers[p]] + sum(w * part for w, part in zip(weights, parts, strict=True))
                measures[p] = None if self.numbers[p] == k + 1 else measure
            symbols = self.group(measures, limits, self.said["coefficient_cdf"][k])
            found.append({p: symbols[p] - 128 if p in symbols else 0 for p in self.places()})
            for p in symbols:
                so_far[p] += min(31, abs(found[-1][p]))
        return found

    def group(self, measures: Any, limits: list[int], tables: list[list[int]]) -> Plane:
        """Class by class; a measure of None has the last one."""
        classes = {p: len(tables) - 1 if m is None else sum(limit <= m for limit in limits) for p, m in measures.items()}
        found = {}
        for number, cdf in enumerate(tables):
            length = len(cdf) - 1
            starts = [i + (cdf[i] * (2**24 - length) >> 16) for i in range(length)] + [2**24]
            found |= {p: self.coder.symbol(starts) for p, own in classes.items() if own == number}
        return found

    def places(self, turn: int | None = None) -> list[Place]:
        parity = None if turn is None else ((0, 0), (1, 1), (0, 1), (1, 0))[turn]
        every = [(y, x) for y in range(self.size[0]) for x in range(self.size[1])]
        return [p for p in every if parity is None or (p[0] % 2, p[1] % 2) == parity]

    def plane_before(self, index: int) -> Plane:
        return dict.fromkeys(self.places(), 0) if self.old is None else self.old["planes"][index]

    def ring(self, plane: Plane, place: Place) -> int:
        return sum(plane.get(q, 0) for q in around(place))


def around(place: Place) -> list[Place]:
    return [(place[0] + dy, place[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


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
