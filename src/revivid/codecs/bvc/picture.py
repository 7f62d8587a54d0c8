"""Keyframes of the picture autoencoder to bytes and back (docs/FORMAT.md, section 6): the range coder of `entropy`, with tables
that depend on each place's class.

    coarse (C, h, w) | classes (1, H, W) | fine (F, H, W), class by class: the places of class 0, those of class 1 ...

Each part is coded as a latent of `entropy.Tables`; places of one class are a latent (F, 1, number of places).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from .entropy import Tables, check_length, decoding, pack, unpack
from .gop import CodedFrame


@dataclass(frozen=True)
class PictureCoder:
    """Codes the integers of one keyframe; shapes follow from the header and the model, never from the stream."""

    coarse: Tables
    #: A single channel: the class of each place.
    classes: Tables
    #: Those of each class.
    fine: tuple[Tables, ...]
    #: (C, h, w) of the two latents.
    coarse_shape: tuple[int, ...]
    fine_shape: tuple[int, ...]

    def encode(self, coarse: np.ndarray, classes: np.ndarray, fine: np.ndarray) -> CodedFrame:
        """Integers of the shapes, `classes` (1, H, W). Raises `ValueError` for another shape, or a value beside its table."""
        wanted = (self.coarse_shape, (1, *self.fine_shape[1:]), self.fine_shape)
        if (coarse.shape, classes.shape, fine.shape) != wanted:
            raise ValueError(f"latents of {coarse.shape}, {classes.shape} and {fine.shape}, {wanted} expected")
        by_class = [(tables, fine[:, classes[0] == number]) for number, tables in enumerate(self.fine)]
        return CodedFrame(pack([(self.coarse, coarse), (self.classes, classes), *by_class]), picture_crc(coarse, classes, fine))

    def decode(self, frame: CodedFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coarse, classes and fine as int32. Raises `ValueError` where the bytes hold no such integers."""
        channels = [tables.channels for tables in (self.coarse, self.classes, *self.fine)]
        zeros, words, coder = unpack(frame.data, channels)
        areas = [int(np.prod(shape[1:])) for shape in (self.coarse_shape, self.fine_shape)]
        check_length(len(words), [(self.coarse, zeros[0], areas[0]), (self.classes, zeros[1], areas[1])])
        with decoding():
            coarse = self.coarse.decode(coder, self.coarse_shape, zeros[0])
            classes = self.classes.decode(coder, (1, *self.fine_shape[1:]), zeros[1])
            places = [classes[0] == number for number in range(len(self.fine))]
            parts = list(zip(self.fine, zeros[2:], places, strict=True))
            check_length(len(words), [(tables, zero, int(place.sum())) for tables, zero, place in parts])
            fine = np.zeros(self.fine_shape, np.int32)
            for tables, zero, place in parts:
                fine[:, place] = tables.decode(coder, (tables.channels, int(place.sum())), zero)
        if picture_crc(coarse, classes, fine) != frame.crc:
            raise ValueError("a keyframe decodes to other integers than were encoded (CRC)")
        return coarse, classes, fine

    def bits(self, coarse: np.ndarray, classes: np.ndarray, fine: np.ndarray) -> float:
        """What a picture costs by the tables alone; the coder adds a bit for each channel and a few bytes."""
        by_class = (tables.bits(fine[:, classes[0] == number]) for number, tables in enumerate(self.fine))
        return self.coarse.bits(coarse) + self.classes.bits(classes) + sum(by_class)

    def tables_crc(self) -> int:
        """Tells models apart that were rounded differently."""
        crc = 0
        for tables in (self.coarse, self.classes, *self.fine):
            crc = zlib.crc32(tables.to_bytes(), crc)
        return crc


def picture_crc(*latents: np.ndarray) -> int:
    """CRC-32 of all integers of a keyframe as 32-bit little-endian numbers: coarse, classes, fine."""
    crc = 0
    for latent in latents:
        crc = zlib.crc32(np.ascontiguousarray(latent, "<i4").data, crc)
    return crc
