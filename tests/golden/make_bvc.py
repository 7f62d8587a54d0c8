"""Makes the golden BVC streams and what they must decode to: `python tests/golden/make_bvc.py NAME`, once each; the files are
committed.

golden, learned: integers drawn at random from tables of different widths (one channel has a single symbol), so no network is
involved; learned has keyframes of the picture autoencoder. contexts: tables that what was decoded before chooses. compact: a moving
pattern, coded by the package's model of that time, whose tables are kept beside the stream.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from revivid.codecs.bvc import gop, keyframe
from revivid.codecs.bvc.entropy import LatentCoder, Tables
from revivid.codecs.bvc.header import Header, IntraModel
from revivid.codecs.bvc.picture import PictureCoder
from revivid.codecs.bvc.records import RecordReader, RecordWriter
from revivid.types import ColorSpec

FOLDER = Path(__file__).parent / "bvc"
WIDTH, HEIGHT, PADDED = 180, 120, (192, 128)
SHAPES = ((3, 8, 12), (4, 8, 12))
#: (first symbol, number of symbols, how fast chances fall) of each channel.
MOTION = ((-3, 7, 0.6), (0, 1, 1.0), (-20, 41, 5.0))
COARSE = ((-3, 7, 1.0), (-40, 81, 9.0))
CLASSES = ((0, 3, 2.0),)
FINE = (((-1, 3, 0.2), (0, 1, 1.0), (-2, 5, 0.5)), ((-6, 13, 2.0),) * 3, ((-60, 121, 20.0), (-9, 19, 3.0), (-30, 61, 9.0)))
KEY_SHAPES = ((2, 2, 3), (3, 4, 6))
PARTS = ("coarse", "classes", "fine")
RESIDUAL = ((-1, 3, 0.1), (-63, 127, 20.0), (5, 2, 0.3), (-10, 21, 0.05))


def tables(channels: tuple[tuple[int, int, float], ...]) -> Tables:
    longest = max(count for _, count, _ in channels)
    cdf = np.full((len(channels), longest + 1), 65536, np.int32)
    for row, (_, count, scale) in zip(cdf, channels, strict=True):
        chances = [math.exp(-abs(n - count // 2) / scale) for n in range(count)]
        counts = [1 + int(chance / sum(chances) * (65536 - count)) for chance in chances]
        counts[count // 2] += 65536 - sum(counts)
        row[: count + 1] = np.concatenate(([0], np.cumsum(counts)))
    return Tables(cdf, np.array([first for first, _, _ in channels], np.int32), np.array([c for _, c, _ in channels], np.int32))


def drawn(of: Tables, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    latent = np.empty(shape, np.int32)
    for channel, cdf, offset, length in zip(latent, of.cdf, of.offset, of.length, strict=True):
        chances = np.diff(cdf[: length + 1]) / 65536
        channel[...] = generator.choice(length, shape[1:], p=chances) + offset
    return latent


def sha256(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(array.astype("<i4").tobytes() for array in arrays)).hexdigest()


def golden() -> None:
    generator = np.random.default_rng(5)
    coder = LatentCoder(tables(MOTION), tables(RESIDUAL), *SHAPES)
    header = Header(
        WIDTH, HEIGHT, ColorSpec(1, 1, 1, False, 10), Fraction(24_000, 1001), Fraction(1, 24_000), "golden",
        hashlib.sha256(b"golden").digest(), coder.tables_crc(), quality=4.5, gop=3,
    )  # fmt: skip
    rows, columns = np.mgrid[0 : PADDED[1], 0 : PADDED[0]] / 20
    written = bytearray()
    writer = RecordWriter(written.extend, header)
    groups = []
    for number, shown in enumerate(([gop.Shown(0, 1001), gop.Shown(1001, 1001), gop.Shown(2002, 2002)], [gop.Shown(5005, 1)])):
        picture = np.stack([np.sin(rows + number), np.cos(columns), np.sin(rows * columns)]) / 2 + 0.5
        frames = [keyframe.encode(picture.astype(np.float32), 30, 10)]
        latents = [[drawn(t, s, generator) for t, s in zip((coder.motion, coder.residual), SHAPES, strict=True)] for _ in shown[1:]]
        for motion, residual in latents[1:]:  # a channel of zeros in each
            motion[0] = residual[3] = 0
        frames += [coder.encode(*pair) for pair in latents]
        writer.gop(gop.to_bytes(shown, frames), len(shown), shown[0].pts)
        writer.side(b"beside" * (1 - number))
        groups.append({"shown": shown, "key_crc": frames[0].crc, "latents": [sha256(*pair) for pair in latents]})
    writer.finish(5006)
    stored = [plain(t) for t in (coder.motion, coder.residual)]
    write("golden", written, {"size": [WIDTH, HEIGHT], "padded": PADDED, "shapes": SHAPES, "tables": stored, "groups": groups})


def learned() -> None:
    """A group of two keyframes' worth: one alone, one with a predicted frame behind it."""
    generator = np.random.default_rng(6)
    coder = LatentCoder(tables(MOTION), tables(RESIDUAL), *SHAPES)
    keys = PictureCoder(tables(COARSE), tables(CLASSES), tuple(map(tables, FINE)), *KEY_SHAPES)
    header = Header(
        WIDTH, HEIGHT, ColorSpec(1, 1, 1, False, 8), Fraction(25), Fraction(1, 25), "golden", hashlib.sha256(b"golden").digest(),
        coder.tables_crc(), quality=2.0, gop=2, intra=IntraModel("keys", hashlib.sha256(b"keys").digest(), keys.tables_crc()),
    )  # fmt: skip
    written = bytearray()
    writer = RecordWriter(written.extend, header)
    groups = []
    for shown in ([gop.Shown(0, 1), gop.Shown(1, 1)], [gop.Shown(2, 1)]):
        coarse, fine = drawn(keys.coarse, KEY_SHAPES[0], generator), np.zeros(KEY_SHAPES[1], np.int32)
        classes = drawn(keys.classes, (1, *KEY_SHAPES[1][1:]), generator)
        classes[classes == 2 * len(groups)] = 1  # a class that no place has in either keyframe
        for number, of in enumerate(keys.fine):
            places = classes[0] == number
            fine[:, places] = drawn(of, (of.channels, int(places.sum())), generator)
        pairs = [[drawn(t, s, generator) for t, s in zip((coder.motion, coder.residual), SHAPES, strict=True)] for _ in shown[1:]]
        frames = [keys.encode(coarse, classes, fine), *(coder.encode(*pair) for pair in pairs)]
        writer.gop(gop.to_bytes(shown, frames), len(shown), shown[0].pts)
        latents = [sha256(coarse, classes, fine), *(sha256(*pair) for pair in pairs)]
        groups.append({"shown": shown, "latents": latents})
    writer.finish(3)
    stored = {name: list(map(plain, getattr(keys, name))) if name == "fine" else plain(getattr(keys, name)) for name in PARTS}
    said = {"size": [WIDTH, HEIGHT], "tables": [plain(coder.motion), plain(coder.residual)], "shapes": SHAPES, "groups": groups}
    write("learned", written, said | {"keys": stored, "key_shapes": KEY_SHAPES})


def contexts(adaptive: bool = False) -> None:
    sys.path.insert(0, str(FOLDER.parents[1]))
    from context_tables import SHAPES as SMALL
    from context_tables import alike, random_coder

    coder, frames = random_coder(3, step=7, adaptive=adaptive), 4 if adaptive else 2
    header = Header(
        128, 64, ColorSpec(1, 1, 1, False, 8), Fraction(25), Fraction(1, 25), "golden", hashlib.sha256(b"golden").digest(),
        coder.tables_crc(), quality=4.5, gop=1 + frames, contexts=True,
    )  # fmt: skip
    written = bytearray()
    writer, groups = RecordWriter(written.extend, header), []
    for number in range(2):
        pairs = list(zip(*(alike(shape, frames, 7 * number + part) for part, shape in enumerate(SMALL)), strict=True))
        coding, shown = coder.group(), [gop.Shown((1 + frames) * number + t, 1) for t in range(1 + frames)]
        key = keyframe.encode(np.full((3, 64, 128), 0.5, np.float32), 30, 8)
        writer.gop(gop.to_bytes(shown, [key, *(coding.encode(*pair) for pair in pairs)]), 1 + frames, (1 + frames) * number)
        groups.append([sha256(*pair) for pair in pairs])
    writer.finish(2 * (1 + frames))
    if adaptive:  # with the same tables
        (FOLDER / "adaptive.bvc").write_bytes(written)
        np.savez_compressed(FOLDER / "adaptive.npz", latents=np.array(groups))
        return
    (FOLDER / "contexts.bvc").write_bytes(written)
    parts = {"motion": coder.motion, "residual": coder.residual}
    stored = {f"{name}_{field.name}": getattr(of, field.name) for name, of in parts.items() for field in fields(of) if field.init}
    np.savez_compressed(FOLDER / "contexts.npz", latents=np.array(groups), shapes=np.array(SMALL), **stored)


def plain(of: Tables) -> dict[str, list[Any]]:
    return {name: getattr(of, name).tolist() for name in ("cdf", "offset", "length")}


def write(name: str, stream: bytes, said: dict[str, Any]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.bvc").write_bytes(stream)
    (FOLDER / f"{name}.json").write_text(json.dumps(said) + "\n", encoding="utf-8")


def compact() -> None:
    sys.path.insert(0, str(FOLDER.parents[1]))
    from revivid.learned import model
    from revivid.learned.writer import BvcEncoding, BvcWriter
    from revivid.media.write import Target
    from tiny_bvc import moving_clip

    chosen, clip = model.load(), moving_clip(5, 120, 60, cut_at=3)
    FOLDER.mkdir(exist_ok=True)
    encoding = BvcEncoding("bvc", model=chosen, quality=5, gop=3)
    target = Target(clip.width, clip.height, clip.color, Fraction(25), Fraction(1, 25))
    with BvcWriter(FOLDER / "compact.bvc", target, encoding, overwrite=True) as writer:
        writer.write(clip)
    coder = chosen.coder(clip.width, clip.height, 5.0)
    latents = []
    with (FOLDER / "compact.bvc").open("rb") as stream:
        for record in RecordReader(stream, "compact.bvc"):
            group = gop.GopReader(record.payload, record.frames)
            group.frame()
            latents += [sha256(*coder.decode(group.frame())) for _ in group.shown[1:]]
    parts = {"motion": coder.motion, "residual": coder.residual}
    stored = {f"{name}_{field}": getattr(of, field) for name, of in parts.items() for field in ("cdf", "offset", "length")}
    shapes = {"motion_shape": np.array(coder.motion_shape), "residual_shape": np.array(coder.residual_shape)}
    np.savez_compressed(FOLDER / "compact.npz", latents=np.array(latents), **stored, **shapes)


if __name__ == "__main__":
    makers = {"golden": golden, "learned": learned, "contexts": contexts, "adaptive": partial(contexts, True), "compact": compact}
    makers[sys.argv[1]]()
