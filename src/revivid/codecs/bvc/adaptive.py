"""Tables that follow what a group of pictures has coded so far (docs/FORMAT.md, section 9).

    a model's tables - a frame - counts of its symbols - tables of the next frame - ...

Counted on training scenes, a table fits no clip quite. Whoever encodes and whoever decodes know the frames before, so both count
their symbols and mix them in. All arithmetic is of integers, so every machine has the same tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .entropy import TOTAL, sharing

if TYPE_CHECKING:
    from .context_coder import ContextTables
    from .contexts import Group

#: For how many symbols the model's own table counts, by kind: what fitted seven training clips.
PACES = {"value": 240, "last": 50, "coefficient": 50}
#: Counts of a table are halved when they add up to more, which also keeps products within 64 bits.
MOST_COUNT = 1 << 20


class GroupTables:
    """The tables of one latent through one group of pictures; `adaptive` False: they stay what the model has."""

    def __init__(self, fixed: ContextTables, adaptive: bool) -> None:
        self.fixed = fixed
        self._kinds = {kind: _Kind(cdf, PACES[kind]) for kind, cdf in fixed.cdfs().items()} if adaptive else {}

    def cdf(self, group: Group) -> np.ndarray:
        """The group's tables (classes, symbols + 1)."""
        kind = self._kinds.get(group.kind)
        return self.fixed.cdf(group) if kind is None else kind.cdf[group.row]

    def model(self, group: Group, number: int) -> Any:
        """The table of a class as the range coder wants it."""
        kind = self._kinds.get(group.kind)
        learned = None if kind is None else kind.model(group.row, number)
        return self.fixed.model(group, number) if learned is None else learned

    def count(self, group: Group, classes: np.ndarray, symbols: np.ndarray) -> None:
        """A group of this frame was coded so; its tables change when the frame is done."""
        if self._kinds:
            self._kinds[group.kind].count(group.row, classes, symbols)

    def learn(self) -> None:
        """The frame is done."""
        for kind in self._kinds.values():
            kind.learn()

    def least_bits(self) -> float:
        """What a block costs at least: its cheapest number of coefficients."""
        cdf = self._kinds["last"].cdf if self._kinds else self.fixed.last_cdf
        return float(-np.log2(np.diff(cdf).max() / TOTAL))


class _Kind:
    """All tables of one kind, (rows, classes, symbols)."""

    def __init__(self, cdf: np.ndarray, pace: int) -> None:
        self.cdf, self._pace = cdf.copy(), pace
        self._counts = np.zeros_like(cdf[..., 1:], dtype=np.int64)
        self._prior = pace * np.diff(cdf).astype(np.int64)
        #: Tables with symbols that they don't know yet, and those that are no longer the model's.
        self._fresh = np.zeros(cdf.shape[:2], bool)
        self._learned = np.zeros(cdf.shape[:2], bool)
        self._models: dict[tuple[int, int], Any] = {}

    def model(self, row: int, number: int) -> Any:
        """None where it still is the model's own."""
        if not self._learned[row, number]:
            return None
        if (row, number) not in self._models:
            self._models[row, number] = sharing(np.diff(self.cdf[row, number]))
        return self._models[row, number]

    def count(self, row: int, classes: np.ndarray, symbols: np.ndarray) -> None:
        counts = self._counts[row]
        found = np.bincount(classes.astype(np.int64) * counts.shape[1] + symbols, minlength=counts.size).reshape(counts.shape)
        counts += found
        self._fresh[row] |= found.any(1)

    def learn(self) -> None:
        self.cdf[self._fresh, 1:] = mixed(self._prior[self._fresh], self._counts[self._fresh], self._pace).cumsum(-1)
        self._counts[self._fresh & (self._counts.sum(-1) > MOST_COUNT)] >>= 1
        self._learned |= self._fresh
        for place in zip(*np.nonzero(self._fresh), strict=True):
            self._models.pop((int(place[0]), int(place[1])), None)
        self._fresh[:] = False


def mixed(prior: np.ndarray, counts: np.ndarray, pace: int) -> np.ndarray:
    """Frequencies (n, symbols) that add up to `TOTAL`, of `pace` times a model's own and of counts, int64; none is 0.

    What rounding leaves over goes to the first of the most frequent symbols.
    """
    symbols = prior.shape[-1]
    weights, total = prior + TOTAL * counts, TOTAL * (pace + counts.sum(-1, keepdims=True))
    frequencies = 1 + (TOTAL - symbols) * weights // total
    most = frequencies.argmax(-1)[:, None]
    left = TOTAL - frequencies.sum(-1, keepdims=True)
    np.put_along_axis(frequencies, most, np.take_along_axis(frequencies, most, -1) + left, -1)
    return frequencies
