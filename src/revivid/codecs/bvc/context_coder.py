"""Latents to bytes and back with tables that `contexts` chooses: versions 3 and 4 of the stream (docs/FORMAT.md, section 9)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from .adaptive import GroupTables
from .contexts import LOW, SYMBOLS, TURNS, Group, Layout, Memory, disagreement, predicted, walk, wrapped
from .entropy import TOTAL, decoding, latent_crc, range_decoder, range_encoder, sharing
from .gop import CodedFrame

#: constriction spends a little on every symbol's smallest share; bits are compared with so much to spare.
_SLACK_BITS = 64
#: Measures that tell classes apart are no larger.
_MOST_LIMIT = 1 << 20
#: Coefficients of a block beside the leading ones: the magnitudes of so many, of eight blocks, still add up in 16 bits.
_MOST_OTHERS = 132
#: Tables of one kind: their numbers are bytes.
_MOST_TABLES = 256


@dataclass(frozen=True)
class ContextTables:
    """All that a model knows of one latent's integers, int32; raises `ValueError` for what no coder can use.

    With K coefficients, P of them leading and Q = K - P others, V, N and C tables of each kind: `scale` (Q+1,);
    `value_weights` (P,4,2,5), `value_spread` (P,4,2,4), `value_limits` (P,V-1), `value_cdf` (P,V,257);
    `last_weights` (4,2,7), `last_limits` (4,N-1), `last_cdf` (4,N,Q+2);
    `numbers` (Q,Q+1), `coefficient_weights` (Q,5), `coefficient_limits` (Q,C-2), `coefficient_cdf` (Q,C,257).
    Axes of 4 and 2: turns, and whether no frame was predicted before. The last of C tables is that of a block's last coefficient.
    """

    order: np.ndarray
    #: (2,): `fold` and `leading` of the layout.
    shape: np.ndarray
    scale: np.ndarray
    value_weights: np.ndarray
    value_spread: np.ndarray
    value_limits: np.ndarray
    value_cdf: np.ndarray
    last_weights: np.ndarray
    last_limits: np.ndarray
    last_cdf: np.ndarray
    numbers: np.ndarray
    coefficient_weights: np.ndarray
    coefficient_limits: np.ndarray
    coefficient_cdf: np.ndarray
    _models: dict[tuple[str, int, int], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check_shapes()
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError("a model's coefficients have no order")
        limits = (self.value_limits, self.last_limits, self.coefficient_limits)
        if any((np.diff(each) < 0).any() or abs(each).max(initial=0) > _MOST_LIMIT for each in limits):
            raise ValueError("limits of the model's classes don't rise, or are too far")
        for cdf in self.cdfs().values():
            if (cdf[..., 0] != 0).any() or (cdf[..., -1] != TOTAL).any() or (np.diff(cdf) <= 0).any():
                raise ValueError("a table of the model does not rise from 0 to 65536")

    def _check_shapes(self) -> None:
        if self.shape.shape != (2,) or self.order.ndim != 1:
            raise ValueError("a model's layout is not two numbers and an order")
        (fold, leading), count = self.shape.tolist(), len(self.order)
        others = count - leading
        if fold not in (1, 2) or leading < 0 or not 1 <= others <= _MOST_OTHERS:
            raise ValueError(f"no blocks have {count} coefficients, {leading} of them leading, {fold} a side")
        values, numbers, coefficients = (cdf.shape[-2] for cdf in self.cdfs().values())
        if min(values, numbers, coefficients - 2) < 1 or max(values, numbers, coefficients) > _MOST_TABLES:
            raise ValueError(f"no model has {values}, {numbers} and {coefficients} tables")
        turns, states = len(TURNS), 2
        wanted = {
            "scale": (others + 1,),
            "value_weights": (leading, turns, states, 5),
            "value_spread": (leading, turns, states, 4),
            "value_limits": (leading, values - 1),
            "value_cdf": (leading, values, SYMBOLS + 1),
            "last_weights": (turns, states, 7),
            "last_limits": (turns, numbers - 1),
            "last_cdf": (turns, numbers, others + 2),
            "numbers": (others, others + 1),
            "coefficient_weights": (others, 5),
            "coefficient_limits": (others, coefficients - 2),
            "coefficient_cdf": (others, coefficients, SYMBOLS + 1),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"a model's {name} is {getattr(self, name).shape}, not {shape}")

    @property
    def layout(self) -> Layout:
        return Layout(self.order, int(self.shape[0]), int(self.shape[1]))

    def crc(self, before: int) -> int:
        """CRC-32 of all arrays in the order above as 32-bit little-endian numbers, continued from `before`."""
        for one in fields(self):
            if one.init:
                before = zlib.crc32(np.ascontiguousarray(getattr(self, one.name), "<i4").data, before)
        return before

    def classes(self, group: Group, features: np.ndarray) -> np.ndarray:
        """Which of the group's tables each integer (n,) has."""
        if group.kind == "value":
            spread = self.value_spread[group.index, group.turn, int(group.first)]
            return np.searchsorted(self.value_limits[group.index], disagreement(spread, features), "right")
        if group.kind == "last":
            measure = self.last_weights[group.turn, int(group.first)] @ features
            return np.searchsorted(self.last_limits[group.turn], measure, "right")
        last, (least, classes) = features[0], self._classes_of_measures[group.index]
        measure = self.numbers[group.index][last] + self.coefficient_weights[group.index] @ features[1:]
        found = classes.take(measure - least, mode="clip")
        found[last == group.index + 1] = self.coefficient_limits.shape[1] + 1
        return found

    @cached_property
    def _classes_of_measures(self) -> list[tuple[int, np.ndarray]]:
        """Of each coefficient: a measure with class 0, and the classes from there to where they stay the last, as bytes. They are
        looked up, since a search takes ten times as long."""
        found = []
        for limits in self.coefficient_limits:
            least = int(limits[0]) - 1
            found.append((least, np.searchsorted(limits, np.arange(least, limits[-1] + 1), "right").astype(np.uint8)))
        return found

    def foretold(self, group: Group, features: np.ndarray) -> np.ndarray | int:
        """What is taken from an integer before it becomes a symbol."""
        if group.kind == "value":
            return predicted(self.value_weights[group.index, group.turn, int(group.first)], features)
        return 0

    def cdf(self, group: Group) -> np.ndarray:
        """The group's tables (classes, symbols + 1)."""
        return self.cdfs()[group.kind][group.row]

    def cdfs(self) -> dict[str, np.ndarray]:
        """All tables by kind (rows, classes, symbols + 1)."""
        return {"value": self.value_cdf, "last": self.last_cdf, "coefficient": self.coefficient_cdf}

    def model(self, group: Group, number: int) -> Any:
        """The table of a class as the range coder wants it."""
        key = (group.kind, group.row, number)
        if key not in self._models:
            self._models[key] = sharing(np.diff(self.cdf(group)[number]))
        return self._models[key]


@dataclass(frozen=True)
class ContextCoder:
    """Codes the two latents of predicted frames; shapes follow from the header and the model, never from the stream."""

    motion: ContextTables
    residual: ContextTables
    #: (C, h, w) of each.
    motion_shape: tuple[int, ...]
    residual_shape: tuple[int, ...]
    #: Half steps of quality above the lowest.
    step: int
    #: Whether tables follow the frames of a group of pictures (`adaptive`).
    adaptive: bool = False

    def group(self) -> ContextGroup:
        """For the predicted frames of one group of pictures, in their order."""
        return ContextGroup(self)

    def tables_crc(self) -> int:
        """Tells models apart."""
        return self.residual.crc(self.motion.crc(0))


class ContextGroup:
    """The predicted frames of one group of pictures: each is coded by what the ones before it were.

    `bits`: what the tables say that the frames encoded so far take.
    """

    def __init__(self, coder: ContextCoder) -> None:
        self.bits = 0.0
        self._coder = coder
        self._memories: list[Memory | None] = [None, None]
        self._tables = [GroupTables(tables, coder.adaptive) for tables in (coder.motion, coder.residual)]

    def encode(self, motion: np.ndarray, residual: np.ndarray) -> CodedFrame:
        """Raises `ValueError` for another shape, or a value that is not -128 to 127."""
        shapes = (self._coder.motion_shape, self._coder.residual_shape)
        if (motion.shape, residual.shape) != shapes:
            raise ValueError(f"latents of {motion.shape} and {residual.shape}, {shapes[0]} and {shapes[1]} expected")
        if any(latent.min(initial=0) < LOW or latent.max(initial=0) >= LOW + SYMBOLS for latent in (motion, residual)):
            raise ValueError("a latent is outside its table")
        writing = _Writing()
        self._walk([motion, residual], writing)
        self.bits += writing.bits
        self._learn()
        return CodedFrame(writing.coder.get_compressed().astype("<u4").tobytes(), latent_crc(motion, residual))

    def decode(self, frame: CodedFrame) -> tuple[np.ndarray, np.ndarray]:
        """Motion and residual as int32. Raises `ValueError` where the bytes hold no such latents."""
        if len(frame.data) % 4:
            raise ValueError("the bytes of a frame are no whole words")
        least = sum(tables.least_bits() * blocks for tables, blocks in self._parts()) * (1 - 2**-8)
        if 8 * len(frame.data) < least - _SLACK_BITS:
            raise ValueError(f"{len(frame.data)} bytes are fewer than such a frame takes")
        with decoding():
            motion, residual = self._walk([None, None], _Reading(frame.data))
        if latent_crc(motion, residual) != frame.crc:
            raise ValueError("a predicted frame decodes to other integers than were encoded (CRC)")
        self._learn()
        return motion, residual

    def _learn(self) -> None:
        for tables in self._tables:
            tables.learn()

    def _parts(self) -> list[tuple[GroupTables, int]]:
        shapes = (self._coder.motion_shape, self._coder.residual_shape)
        pairs = zip(self._tables, shapes, strict=True)
        return [(tables, int(tables.fixed.shape[0]) ** 2 * shape[1] * shape[2]) for tables, shape in pairs]

    def _walk(self, known: list[np.ndarray | None], task: _Writing | _Reading) -> tuple[np.ndarray, np.ndarray]:
        coder, found = self._coder, []
        activity = np.zeros(coder.motion_shape[1:], np.int32)
        for number, (tables, shape) in enumerate(zip(self._tables, (coder.motion_shape, coder.residual_shape), strict=True)):
            layout, known_blocks = tables.fixed.layout, None
            if (latent := known[number]) is not None:
                known_blocks = layout.blocks(latent)
            size = (layout.fold * shape[1], layout.fold * shape[2])
            activity = activity.repeat(size[0] // len(activity), 0).repeat(size[1] // activity.shape[1], 1)
            blocks, self._memories[number], activity = walk(
                layout, tables.fixed.scale, size, known_blocks, self._memories[number], activity,
                coder.step, lambda group, features, wanted, tables=tables: task(tables, group, features, wanted),
            )  # fmt: skip
            found.append(layout.latent(blocks))
        return found[0], found[1]


class _Writing:
    """Encodes what `walk` comes by."""

    def __init__(self) -> None:
        self.coder, self.bits = range_encoder(), 0.0

    def __call__(self, tables: GroupTables, group: Group, features: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        assert known is not None
        foretold, classes = tables.fixed.foretold(group, features), tables.fixed.classes(group, features)
        symbols = _symbols(group, known - foretold)
        cdf = tables.cdf(group)
        self.bits -= float(np.log2((cdf[classes, symbols + 1] - cdf[classes, symbols]) / TOTAL).sum())
        order, parts = _by_class(classes)
        for number, part in parts:
            self.coder.encode(symbols[order[part]].astype(np.int32), tables.model(group, number))
        tables.count(group, classes, symbols)
        return known


class _Reading:
    """Decodes it."""

    def __init__(self, data: bytes) -> None:
        self.coder = range_decoder(data)

    def __call__(self, tables: GroupTables, group: Group, features: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        del known
        foretold, classes = tables.fixed.foretold(group, features), tables.fixed.classes(group, features)
        symbols, sorted_ones = np.empty((2, len(classes)), np.int32)
        order, parts = _by_class(classes)
        for number, part in parts:
            sorted_ones[part] = self.coder.decode(tables.model(group, number), part.stop - part.start)
        symbols[order] = sorted_ones
        tables.count(group, classes, symbols)
        if group.kind == "value":
            return wrapped(symbols + LOW + foretold)
        return symbols if group.kind == "last" else symbols + LOW


def _symbols(group: Group, differences: np.ndarray) -> np.ndarray:
    return differences if group.kind == "last" else wrapped(differences) - LOW


def _by_class(classes: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """The places class by class, each class's in their order, and where each class is among them."""
    counts = np.bincount(classes)
    ends = np.cumsum(counts)
    parts = [(number, slice(end - count, end)) for number, (end, count) in enumerate(zip(ends, counts, strict=True)) if count]
    # Bytes are sorted by counting them.
    return np.argsort(classes.astype(np.uint8, copy=False), kind="stable"), parts
