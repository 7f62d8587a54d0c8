"""Makes the golden BVC stream and what it must decode to: `python tests/golden/make_bvc.py`. Run once; the files are committed.

The latents are drawn at random from tables of different widths (one channel has a single symbol), so no network is involved.
"""

from __future__ import annotations

import hashlib
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np

from revivid.codecs.bvc import gop, keyframe
from revivid.codecs.bvc.entropy import LatentCoder, Tables
from revivid.codecs.bvc.header import Header
from revivid.codecs.bvc.records import RecordWriter
from revivid.types import ColorSpec

FOLDER = Path(__file__).parent / "bvc"
WIDTH, HEIGHT, PADDED = 180, 120, (192, 128)
SHAPES = ((3, 8, 12), (4, 8, 12))
#: (first symbol, number of symbols, how fast chances fall) of each channel.
MOTION = ((-3, 7, 0.6), (0, 1, 1.0), (-20, 41, 5.0))
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


def main() -> None:
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
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "golden.bvc").write_bytes(written)
    stored = [{name: getattr(t, name).tolist() for name in ("cdf", "offset", "length")} for t in (coder.motion, coder.residual)]
    said = {"size": [WIDTH, HEIGHT], "padded": PADDED, "shapes": SHAPES, "tables": stored, "groups": groups}
    (FOLDER / "golden.json").write_text(json.dumps(said) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
