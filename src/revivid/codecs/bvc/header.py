"""The first bytes of a BVC stream: all that a decoder has to know before the first frame (docs/FORMAT.md, section 2)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction

from ... import limits
from ...types import ColorSpec, HdrMetadata
from .varint import Cursor

#: As in PNG: a byte that is no ASCII, the name, and line ends that a transfer in text mode would change.
MAGIC = b"\x8fBVC\r\n\x1a\n"
#: Versions: 1 has keyframes in HEVC; 2 says which network codes them. 3 is 1, and 4 is 2, with predicted frames coded by contexts.
_BASE, _LEARNED_KEYS, _CONTEXTS, _LATEST = 1, 1, 2, 4
#: Bytes of the whole header.
MAX_BYTES = 64 * 1024
#: The worst and the best quality, and how finely it is stored.
QUALITIES = (1.0, 8.0)
_QUALITY_STEPS = 100
#: Frames of one group of pictures.
MAX_GOP = 600

_FRONT = struct.Struct("<8sHI")
_FIXED = struct.Struct("<IIBBBBBHHIIIIIII32s")
_FULL_RANGE, _PRESERVE, _PRIMARIES, _LUMINANCE, _LIGHT = 1, 2, 4, 8, 16
_SHA256 = 32
_FLAGS = _FULL_RANGE | _PRESERVE | _PRIMARIES | _LUMINANCE | _LIGHT
_UINT32 = (1 << 32) - 1


@dataclass(frozen=True)
class IntraModel:
    """The picture autoencoder that keyframes were coded with: name, SHA-256 of its weight file, CRC-32 of its tables."""

    name: str
    sha256: bytes
    tables: int


@dataclass(frozen=True)
class Header:
    """What a stream says about itself."""

    #: Size of the picture in pixels; padding to the network's multiple is the decoder's own affair.
    width: int
    height: int
    #: How the source's samples are to be read, its bit depth included: decoded planes are made so.
    color: ColorSpec
    #: Mean frames per second, for players and estimates; the frames have times of their own.
    frame_rate: Fraction
    #: Seconds per tick: frames are timed in ticks.
    time_base: Fraction
    #: Name of the model, the SHA-256 of its weight file, and the CRC-32 of the tables that the entropy coder used.
    model: str
    sha256: bytes
    tables: int
    #: 1 (smallest) to 8 (best), in hundredths.
    quality: float
    #: The most frames between two keyframes, the first included.
    gop: int = 12
    #: The input's blur is kept; otherwise the frames were sharpened before they were coded. Decoders needn't care.
    preserve: bool = False
    #: Width of a stored sample against its height.
    sample_aspect: Fraction = Fraction(1)
    hdr: HdrMetadata | None = None
    #: What keyframes are coded with; None: HEVC.
    intra: IntraModel | None = None
    #: Predicted frames are coded by what is known before each integer (`context_coder`).
    contexts: bool = False

    @property
    def version(self) -> int:
        """Of the format."""
        return _BASE + _LEARNED_KEYS * (self.intra is not None) + _CONTEXTS * self.contexts

    def to_bytes(self) -> bytes:
        """The header as it is stored, CRC included."""
        color, flags = self.color, _FULL_RANGE * self.color.full_range | _PRESERVE * self.preserve
        tail = b""
        for flag, part in _hdr_parts(self.hdr):
            flags, tail = flags | flag, tail + part
        name = self.model.encode()
        body = _FIXED.pack(
            self.width, self.height, color.bit_depth, color.matrix, color.primaries, color.transfer, flags,
            round(self.quality * _QUALITY_STEPS), self.gop,
            *_ratio(self.frame_rate), *_ratio(self.time_base), *_ratio(self.sample_aspect), self.tables, self.sha256,
        )  # fmt: skip
        body += bytes([len(name)]) + name + tail
        if self.intra is not None:
            name = self.intra.name.encode()
            body += self.intra.tables.to_bytes(4, "little") + self.intra.sha256 + bytes([len(name)]) + name
        stored = _FRONT.pack(MAGIC, self.version, len(body)) + body
        return stored + zlib.crc32(stored).to_bytes(4, "little")


def body_length(front: bytes) -> int:
    """Bytes that follow the first `FRONT_BYTES`, CRC included. Raises `ValueError` where this is no header."""
    if len(front) < _FRONT.size:
        raise ValueError("it ends within its first bytes")
    magic, version, length = _FRONT.unpack(front)
    if magic != MAGIC:
        raise ValueError("it does not begin as a BVC stream does")
    if length + _FRONT.size + 4 > MAX_BYTES:
        raise ValueError(f"its header claims {length:,} bytes")
    if not _BASE <= version <= _LATEST:
        raise ValueError(f"it is of format version {version}; this revivid reads versions {_BASE} to {_LATEST}")
    return length + 4


#: Bytes that `body_length` wants.
FRONT_BYTES = _FRONT.size


def parse(stored: bytes) -> Header:
    """The header of the bytes that `Header.to_bytes` made. Raises `ValueError` for all that it can't have made."""
    if zlib.crc32(stored[:-4]) != int.from_bytes(stored[-4:], "little"):
        raise ValueError("its header is damaged (CRC)")
    cursor = Cursor(stored[FRONT_BYTES:-4])
    (
        width, height, depth, matrix, primaries, transfer, flags, quality, gop, *ratios, tables, sha256,
    ) = _FIXED.unpack(cursor.take(_FIXED.size))  # fmt: skip
    name = cursor.take(cursor.fixed(1)).decode()
    frame_rate, time_base, aspect = (_positive(*ratios[i : i + 2]) for i in (0, 2, 4))
    hdr = _parse_hdr(cursor, flags)
    _, version, _ = _FRONT.unpack(stored[:FRONT_BYTES])
    intra = _parse_intra(cursor) if (version - _BASE) & _LEARNED_KEYS else None
    if cursor.left:
        raise ValueError("its header is longer than what it says")
    _check_size(width, height)
    if flags & ~_FLAGS:
        raise ValueError(f"its header has flags that mean nothing ({flags})")
    if depth not in (8, 10, 12) or not 1 <= gop <= MAX_GOP or not QUALITIES[0] <= quality / _QUALITY_STEPS <= QUALITIES[1]:
        raise ValueError(f"its header is out of range: {depth} bits, quality {quality / _QUALITY_STEPS}, {gop} frames a GOP")
    return Header(
        width=width,
        height=height,
        color=ColorSpec(matrix, primaries, transfer, bool(flags & _FULL_RANGE), depth),
        frame_rate=frame_rate,
        time_base=time_base,
        model=name,
        sha256=sha256,
        tables=tables,
        quality=quality / _QUALITY_STEPS,
        gop=gop,
        preserve=bool(flags & _PRESERVE),
        sample_aspect=aspect,
        hdr=hdr,
        intra=intra,
        contexts=bool((version - _BASE) & _CONTEXTS),
    )


def _parse_intra(cursor: Cursor) -> IntraModel:
    tables, sha256 = cursor.fixed(4), cursor.take(_SHA256)
    return IntraModel(cursor.take(cursor.fixed(1)).decode(), sha256, tables)


def _check_size(width: int, height: int) -> None:
    if not (0 < width <= limits.MAX_SIDE and 0 < height <= limits.MAX_SIDE and width * height <= limits.MAX_PIXELS):
        raise ValueError(f"a frame of {width}x{height} pixels is none that revivid writes")


def _ratio(value: Fraction) -> tuple[int, int]:
    near = value if max(value.numerator, value.denominator) <= _UINT32 else value.limit_denominator(1_000_000)
    return near.numerator, near.denominator


def _positive(numerator: int, denominator: int) -> Fraction:
    if not numerator or not denominator:
        raise ValueError(f"{numerator}/{denominator} in its header is no rate")
    return Fraction(numerator, denominator)


def _ratios(values: tuple[Fraction, ...]) -> bytes:
    return b"".join(struct.pack("<II", *_ratio(value)) for value in values)


def _hdr_parts(hdr: HdrMetadata | None) -> list[tuple[int, bytes]]:
    """Each part of HDR10's metadata that there is, with its flag."""
    parts = []
    if hdr is not None and hdr.primaries is not None:
        parts.append((_PRIMARIES, _ratios(tuple(number for point in hdr.primaries for number in point))))
    if hdr is not None and hdr.luminance is not None:
        parts.append((_LUMINANCE, _ratios(hdr.luminance)))
    if hdr is not None and hdr.light_level is not None:
        parts.append((_LIGHT, struct.pack("<II", *hdr.light_level)))
    return parts


def _parse_hdr(cursor: Cursor, flags: int) -> HdrMetadata | None:
    def ratios(count: int) -> list[Fraction]:
        pairs = [(cursor.fixed(4), cursor.fixed(4)) for _ in range(count)]
        return [Fraction(numerator, denominator or 1) for numerator, denominator in pairs]

    primaries = luminance = light = None
    if flags & _PRIMARIES:
        numbers = ratios(8)
        primaries = tuple((numbers[i], numbers[i + 1]) for i in range(0, 8, 2))
    if flags & _LUMINANCE:
        low, high = ratios(2)
        luminance = (low, high)
    if flags & _LIGHT:
        light = (cursor.fixed(4), cursor.fixed(4))
    return HdrMetadata(primaries, luminance, light) if primaries or luminance or light else None
