"""What is known of a latent's integers before they are decoded, and tables chosen by it (docs/FORMAT.md, section 9).

    blocks of coefficients (K, H, W), most frequent first
      leading ones (motion's means)   difference to what neighbours in place and time say      table by how far those disagree
      last (H, W)                     how many of a block's other coefficients are sent        table by neighbours' numbers
      coefficients, one by one        in the blocks that have them                             table by magnitudes around

`walk` goes through a latent in the one order there is and asks a visitor for each group of integers: the visitor encodes them,
decodes them, or (in training) learns the tables. All arithmetic is of integers, so every machine chooses the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: Integers are -128 to 127; differences wrap around.
LOW, SYMBOLS = -128, 256
#: A frame's blocks are decoded in four turns, by the parity of row and column: later ones know more neighbours.
TURNS = ((0, 0), (1, 1), (0, 1), (1, 0))
#: Magnitudes and activities count no further.
MOST_MAGNITUDE, MOST_ACTIVITY = 31, 31
#: Weights of numbers are in 64ths, others in multiples of that (`train.contexts`); predictions of leading coefficients, which
#: features have in 16ths, in 1024ths.
UNIT, _VALUE_BITS = 64, 10


class Features(NamedTuple):
    """How many numbers a visitor gets of each integer, by kind (`walk`)."""

    value: int = 5
    last: int = 7
    coefficient: int = 6


FEATURES = Features()


class Group(NamedTuple):
    """Integers that are coded together: `kind` value, last or coefficient; the number of the leading coefficient or of the other
    one; the turn; and whether no frame was predicted before in this group of pictures."""

    kind: str
    index: int
    turn: int
    first: bool

    @property
    def row(self) -> int:
        """Of its kind's tables: those of numbers are one for each turn, those of leading coefficients one for all."""
        return self.turn if self.kind == "last" else self.index


#: Group, features (F, n) and, when encoding, the integers themselves (n,) -> the integers (n,).
Visitor = Callable[[Group, np.ndarray, "np.ndarray | None"], np.ndarray]


@dataclass(frozen=True)
class Layout:
    """How a latent's channels are blocks of coefficients.

    `fold` 2: a place of the latent holds 2x2 blocks, coefficient k of block (i, j) in channel 4 k + 2 i + j; 1: a single one.
    `order` (K,): coefficients in the order of coding. `leading`: how many of them have means worth predicting.
    """

    order: np.ndarray
    fold: int
    leading: int

    @property
    def others(self) -> int:
        return len(self.order) - self.leading

    def blocks(self, latent: np.ndarray) -> np.ndarray:
        """(C, h, w) -> (K, fold h, fold w) in the order of coding."""
        f, (_, h, w) = self.fold, latent.shape
        folded = latent.reshape(-1, f, f, h, w).transpose(0, 3, 1, 4, 2).reshape(-1, f * h, f * w)
        return folded[self.order].astype(np.int32)

    def latent(self, blocks: np.ndarray) -> np.ndarray:
        """And back, int32."""
        f, (count, height, width) = self.fold, blocks.shape
        found = np.empty_like(blocks)
        found[self.order] = blocks
        parted = found.reshape(count, height // f, f, width // f, f).transpose(0, 2, 4, 1, 3)
        return np.ascontiguousarray(parted.reshape(-1, height // f, width // f), np.int32)


@dataclass(frozen=True)
class Memory:
    """What the next frame's contexts take from this one: leading integers (P, H, W), numbers of coefficients (H, W), magnitudes of
    the others (K - P, H, W) as bytes, which the sum of eight of them still is."""

    values: np.ndarray
    last: np.ndarray
    magnitudes: np.ndarray

    @classmethod
    def empty(cls, layout: Layout, size: tuple[int, int]) -> Memory:
        """Before the first predicted frame."""
        return cls(
            np.zeros((layout.leading, *size), np.int32), np.zeros(size, np.int32), np.zeros((layout.others, *size), np.uint8)
        )


def walk(
    layout: Layout,
    scale: np.ndarray,
    size: tuple[int, int],
    known: np.ndarray | None,
    memory: Memory | None,
    activity: np.ndarray,
    step: int,
    visit: Visitor,
) -> tuple[np.ndarray, Memory, np.ndarray]:
    """Go through one latent's blocks (K, H, W): `known` when encoding, None when decoding.

    `scale` (K - leading + 1,): numbers of coefficients as features have them. `memory`: of the frame before. `activity` (H, W): of
    the latent decoded before this one, 0 where there is none. `step`: half steps of quality from 0. Returns the blocks, the
    memory for the next frame, and the activity (H, W) that this latent shows.
    """
    first = memory is None
    before = memory or Memory.empty(layout, size)
    blocks = np.zeros((len(layout.order), *size), np.int32)
    surprise = np.zeros(size, np.int32)
    for index in range(layout.leading):
        wanted = None if known is None else known[index]
        blocks[index] = _values(index, wanted, before.values[index], first, surprise, visit)
    activity = np.minimum(activity + surprise, MOST_ACTIVITY)
    others = None if known is None else known[layout.leading :]
    last = _last(None if others is None else _numbers(others), before.last, scale, activity, step, first, visit)
    rest, magnitudes = _coefficients(others, last, before, visit)
    blocks[layout.leading :] = rest
    shown = np.minimum(surprise + magnitudes.sum(0, dtype=np.int32), MOST_ACTIVITY)
    return blocks, Memory(blocks[: layout.leading].copy(), last, magnitudes), shown


def wrapped(values: np.ndarray) -> np.ndarray:
    """Into -128 to 127, modulo 256."""
    return (values - LOW) % SYMBOLS + LOW


def predicted(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The leading integers (n,) that features (5, n) foretell; `weights` (5,): of the first four, and what is added."""
    return (weights[:4] @ features[:4] + weights[4] + (1 << (_VALUE_BITS - 1))) >> _VALUE_BITS


def disagreement(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """How far off such a prediction may be (n,), by weights (4,)."""
    before, around, _, near, spread = features
    return weights[0] * spread + weights[1] * abs(before - near) + weights[2] * abs(before - around) + weights[3]


def _values(
    index: int, known: np.ndarray | None, before: np.ndarray, first: bool, surprise: np.ndarray, visit: Visitor
) -> np.ndarray:
    """One leading coefficient (H, W), in four turns; adds to `surprise` by how much each was off its neighbours.

    Features, in 16ths: the frame before, its mean around, the mean of the nearest and of all neighbours that are known, how
    far those differ.
    """
    values, there = np.zeros_like(before), np.zeros_like(before)
    around = 16 * (ring(before) + before) // (ring(np.ones_like(before)) + 1)
    for turn, (i, j) in enumerate(TURNS):
        at = np.s_[i::2, j::2]
        cross_sum, cross_count = _cross(values)[at], _cross(there)[at]
        ring_sum, ring_count = ring(values)[at], ring(there)[at]
        then = 16 * before[at]
        nearest = np.where(cross_count > 0, 16 * cross_sum // np.maximum(cross_count, 1), then)
        near = np.where(ring_count > 0, 16 * ring_sum // np.maximum(ring_count, 1), then)
        nearest = np.where(cross_count > 0, nearest, near)
        spread = sum(shown * abs(16 * value - near) for value, shown in _neighbours(values, there, at)) // np.maximum(ring_count, 1)
        features = np.stack([part.reshape(-1) for part in (then, around[at], nearest, near, spread)])
        wanted = None if known is None else known[at].reshape(-1)
        found = visit(Group("value", index, turn, first), features, wanted).reshape(then.shape)
        values[at], there[at] = found, 1
        surprise[at] += np.minimum(abs(16 * found - near) // 16, MOST_ACTIVITY)
    return values


def _last(
    known: np.ndarray | None, before: np.ndarray, scale: np.ndarray, activity: np.ndarray, step: int, first: bool, visit: Visitor
) -> np.ndarray:
    """How many coefficients each block has (H, W), in four turns."""
    last, shown = np.zeros_like(before), np.zeros_like(before)
    then, around = scale[before], ring(scale[before])
    for turn, (i, j) in enumerate(TURNS):
        at = np.s_[i::2, j::2]
        nearest = _cross(shown)
        parts = (then, around, nearest, ring(shown) - nearest, activity)
        features = np.stack([*(part[at].reshape(-1) for part in parts), *np.broadcast_arrays(step, 1, then[at].reshape(-1))[:2]])
        wanted = None if known is None else known[at].reshape(-1)
        found = visit(Group("last", 0, turn, first), features, wanted).reshape(then[at].shape)
        last[at], shown[at] = found, scale[found]
    return last


def _coefficients(known: np.ndarray | None, last: np.ndarray, before: Memory, visit: Visitor) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients (K', H, W), each in the blocks that have it, and their magnitudes.

    Features: the block's number of coefficients, the same magnitude in the frame before and around there, the sum of what is
    decoded of the block and around it, the block's sum in the frame before.
    """
    found = np.zeros(before.magnitudes.shape, np.int32)
    magnitudes = np.zeros_like(before.magnitudes)
    around, total = ring(before.magnitudes), before.magnitudes.sum(0, dtype=np.int16)
    so_far = np.zeros(last.shape, np.int16)
    for k in range(int(last.max(initial=0))):
        at = np.flatnonzero(last > k)
        features = np.empty((FEATURES.coefficient, len(at)), np.int32)
        for row, part in enumerate((last, before.magnitudes[k], around[k], so_far, ring(so_far), total)):
            features[row] = part.reshape(-1).take(at)
        wanted = None if known is None else known[k].reshape(-1)[at]
        integers = visit(Group("coefficient", k, 0, False), features, wanted)
        found[k].reshape(-1)[at] = integers
        np.minimum(abs(found[k]), MOST_MAGNITUDE, out=magnitudes[k], casting="unsafe")
        so_far += magnitudes[k]
    return found, magnitudes


def _numbers(blocks: np.ndarray) -> np.ndarray:
    """One more than the index of each block's last coefficient that is not 0 (H, W)."""
    there = blocks != 0
    return np.where(there.any(0), len(blocks) - np.argmax(there[::-1], axis=0), 0).astype(np.int32)


def ring(planes: np.ndarray) -> np.ndarray:
    """Sum of the eight neighbours (..., H, W), those outside counting 0, in the integers that came."""
    padded = _padded(planes)
    rows = padded[..., :-2, :] + padded[..., 1:-1, :]
    rows += padded[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1]
    sums += rows[..., 2:]
    sums -= planes
    return sums


def _cross(plane: np.ndarray) -> np.ndarray:
    padded = _padded(plane)
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]


def _padded(planes: np.ndarray) -> np.ndarray:
    """With a rim of zeros; `numpy.pad` takes several times as long."""
    padded = np.zeros((*planes.shape[:-2], planes.shape[-2] + 2, planes.shape[-1] + 2), planes.dtype)
    padded[..., 1:-1, 1:-1] = planes
    return padded


def _neighbours(values: np.ndarray, there: np.ndarray, at: tuple[slice, slice]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each of the eight neighbours of the places `at`, and whether it is known."""
    height, width = values.shape
    padded, shown = _padded(values), _padded(there)
    for y in range(3):
        for x in range(3):
            if (y, x) != (1, 1):
                window = np.s_[y : y + height, x : x + width]
                yield padded[window][at], shown[window][at]
