"""Latents to bytes and back: a range coder with one table per channel (docs/FORMAT.md, section 5).

    motion (C, h, w) and residual (C, h, w), integers -> which channels hold only zeros -> one bit for each channel
                                                      -> the others one by one, each by its own table -> 32-bit words, little-endian

Most channels hold only zeros at low rates. They would cost next to no bits, but as much time as the others.

`constriction` codes; the tables are integers, so decoding is exact on every machine. A CRC-32 of the integers tells a decoder
that it got what the encoder put in.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import constriction  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from .gop import CodedFrame

_stream: Any = constriction.stream  # pyright: ignore[reportAttributeAccessIssue]

#: Tables are cumulative counts out of 2^16.
TOTAL = 1 << 16
#: Symbols of one table at most.
_MOST_SYMBOLS = 1 << 12
#: constriction spends a little on every symbol's smallest share; bits are compared with so much to spare.
_SLACK_BITS = 64


@dataclass(frozen=True)
class Tables:
    """The distribution of each channel of a latent; raises `ValueError` for tables that no coder can use.

    Channel c has the symbols offset[c] ... offset[c] + length[c] - 1; the i-th has (cdf[c, i+1] - cdf[c, i]) / 2^16 as its
    probability.
    """

    #: int32 (C, L+1), rising from 0 to 2^16 over the first length[c] + 1 entries of a row; what follows them means nothing.
    cdf: np.ndarray
    #: int32 (C,) each.
    offset: np.ndarray
    length: np.ndarray
    _models: list[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        models = []
        for cdf, length in zip(self.cdf, self.length, strict=True):
            row = cdf[: length + 1].astype(np.int64)
            if not 1 <= length <= min(_MOST_SYMBOLS, len(cdf) - 1) or row[0] != 0 or row[-1] != TOTAL or (np.diff(row) <= 0).any():
                raise ValueError("a table of the model does not rise from 0 to 65536")
            models.append(sharing(np.diff(row)) if length > 1 else None)
        object.__setattr__(self, "_models", models)

    @property
    def channels(self) -> int:
        return len(self.cdf)

    def to_bytes(self) -> bytes:
        """All that matters of them, in one row: what a CRC tells apart."""
        parts = []
        for cdf, offset, length in zip(self.cdf, self.offset, self.length, strict=True):
            parts.append(np.concatenate(([offset, length], cdf[: length + 1])).astype("<i4").tobytes())
        return b"".join(parts)

    def encode(self, coder: Any, latent: np.ndarray, zeros: np.ndarray) -> None:
        """Append a latent (C, h, w) without the channels of `zeros` (C,). Raises `ValueError` for a value beside its table."""
        for channel, zero, offset, length, model in zip(latent, zeros, self.offset, self.length, self._models, strict=True):
            if zero:
                continue
            symbols = channel.reshape(-1).astype(np.int32) - np.int32(offset)
            if symbols.min(initial=0) < 0 or symbols.max(initial=0) >= length:
                raise ValueError("a latent is outside its table")
            if model is not None:
                coder.encode(symbols, model)

    def decode(self, coder: Any, shape: Sequence[int], zeros: np.ndarray) -> np.ndarray:
        """The next latent (C, h, w) as int32; channels of `zeros` (C,) are not in the data."""
        count = int(np.prod(shape[1:]))
        latent = np.zeros((self.channels, count), np.int32)
        for channel, zero, offset, model in zip(latent, zeros, self.offset, self._models, strict=True):
            if not zero:
                channel[...] = offset if model is None else coder.decode(model, count) + np.int32(offset)
        return latent.reshape(tuple(shape))

    def bits(self, latent: np.ndarray) -> float:
        """What the latent costs by the tables alone."""
        total = 0.0
        for channel, cdf, offset in zip(latent, self.cdf, self.offset, strict=True):
            symbols = channel.reshape(-1) - offset
            total -= np.log2((cdf[symbols + 1] - cdf[symbols]) / TOTAL).sum()
        return float(total)

    @cached_property
    def least_bits(self) -> np.ndarray:
        """What the cheapest integer of each channel costs (C,)."""
        rows = zip(self.cdf, self.length, strict=True)
        return np.array([-np.log2(np.diff(cdf[: length + 1]).max() / TOTAL) for cdf, length in rows])


@dataclass(frozen=True)
class LatentCoder:
    """Codes the two latents of one predicted frame; shapes follow from the header and the model, never from the stream."""

    motion: Tables
    residual: Tables
    #: (C, h, w) of each.
    motion_shape: tuple[int, ...]
    residual_shape: tuple[int, ...]

    def encode(self, motion: np.ndarray, residual: np.ndarray) -> CodedFrame:
        """Raises `ValueError` for another shape, or a value beside its table."""
        if motion.shape != self.motion_shape or residual.shape != self.residual_shape:
            wanted = f"{self.motion_shape} and {self.residual_shape}"
            raise ValueError(f"latents of {motion.shape} and {residual.shape}, {wanted} expected")
        return CodedFrame(pack([(self.motion, motion), (self.residual, residual)]), latent_crc(motion, residual))

    def decode(self, frame: CodedFrame) -> tuple[np.ndarray, np.ndarray]:
        """Motion and residual as int32. Raises `ValueError` where the bytes hold no such latents."""
        zeros, words, coder = unpack(frame.data, [self.motion.channels, self.residual.channels])
        area = int(np.prod(self.motion_shape[1:]))
        check_length(len(words), [(self.motion, zeros[0], area), (self.residual, zeros[1], area)])
        with decoding():
            motion = self.motion.decode(coder, self.motion_shape, zeros[0])
            residual = self.residual.decode(coder, self.residual_shape, zeros[1])
        if latent_crc(motion, residual) != frame.crc:
            raise ValueError("a predicted frame decodes to other integers than were encoded (CRC)")
        return motion, residual

    def group(self) -> PlainGroup:
        """For the predicted frames of one group of pictures."""
        return PlainGroup(self)

    def bits(self, motion: np.ndarray, residual: np.ndarray) -> float:
        """What a frame costs by the tables alone; the coder adds a bit for each channel and a few bytes."""
        return self.motion.bits(motion) + self.residual.bits(residual)

    def tables_crc(self) -> int:
        """Tells models apart that were rounded differently: with other tables a stream decodes to noise."""
        return zlib.crc32(self.residual.to_bytes(), zlib.crc32(self.motion.to_bytes()))


class PlainGroup:
    """The predicted frames of one group of pictures, each coded by itself. `bits`: what the tables say of those encoded so far."""

    def __init__(self, coder: LatentCoder) -> None:
        self.bits = 0.0
        self._coder = coder

    def encode(self, motion: np.ndarray, residual: np.ndarray) -> CodedFrame:
        """As `LatentCoder.encode`."""
        self.bits += self._coder.bits(motion, residual)
        return self._coder.encode(motion, residual)

    def decode(self, frame: CodedFrame) -> tuple[np.ndarray, np.ndarray]:
        """As `LatentCoder.decode`."""
        return self._coder.decode(frame)


def pack(parts: Sequence[tuple[Tables, np.ndarray]]) -> bytes:
    """Latents, one behind the other: a bit for each channel that holds only zeros, then the range coder's words."""
    zeros = [np.array([not channel.any() for channel in latent]) for _, latent in parts]
    coder = range_encoder()
    for (tables, latent), zero in zip(parts, zeros, strict=True):
        tables.encode(coder, latent, zero)
    flags = np.packbits(np.concatenate(zeros), bitorder="little").tobytes()
    return flags + coder.get_compressed().astype("<u4").tobytes()


def unpack(data: bytes, channels: Sequence[int]) -> tuple[list[np.ndarray], bytes, Any]:
    """Of what `pack` made: which channels of each part hold only zeros, the words, and a decoder of them."""
    total = sum(channels)
    flags, words = data[: -(-total // 8)], data[-(-total // 8) :]
    if len(words) % 4 or 8 * len(flags) < total:
        raise ValueError("the bytes of a frame are no whole words")
    zeros = np.unpackbits(np.frombuffer(flags, np.uint8), bitorder="little").astype(bool)
    if zeros[total:].any():
        raise ValueError("a frame has flags of no channel")
    return np.split(zeros[:total], np.cumsum(channels)[:-1]), words, range_decoder(words)


def check_length(words: int, parts: Sequence[tuple[Tables, np.ndarray, int]]) -> None:
    """Raises `ValueError` where parts of so many integers a channel can't be in so many bytes; a little less is believed, for the
    coder's rounding."""
    least = sum(tables.least_bits[~zeros].sum() * area for tables, zeros, area in parts) * (1 - 2**-8)
    if 8 * words < least - _SLACK_BITS:
        raise ValueError(f"{words} bytes are fewer than such a frame takes")


def sharing(frequencies: np.ndarray) -> Any:
    """A table of frequencies that add up to `TOTAL`, as the range coder wants it."""
    # Exact: probabilities are multiples of 2^-16, and constriction sums them in double precision.
    return _stream.model.Categorical(frequencies / TOTAL, perfect=False)


def range_encoder() -> Any:
    """`encode(symbols, sharing(...))`, then `get_compressed()`: 32-bit words."""
    return _stream.queue.RangeEncoder()


def range_decoder(words: bytes) -> Any:
    """`decode(sharing(...), count)` of an encoder's words, little-endian."""
    return _stream.queue.RangeDecoder(np.frombuffer(words, "<u4").astype(np.uint32))


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Bytes that no encoder made are a `ValueError`."""
    try:
        yield
    except AssertionError as fault:  # constriction's word for them
        raise ValueError("the bytes of a frame don't decode") from fault


def latent_crc(motion: np.ndarray, residual: np.ndarray) -> int:
    """CRC-32 of all integers of a frame as 32-bit little-endian numbers, motion first."""
    first, second = (np.ascontiguousarray(latent, "<i4").data for latent in (motion, residual))  # no copy of what is so already
    return zlib.crc32(second, zlib.crc32(first))
