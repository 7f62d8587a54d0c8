"""Which frames a window takes where it reaches past the ends of a clip."""

from __future__ import annotations


def reflect(index: int, count: int) -> int:
    """The frame that stands for `index` in a clip of `count`: mirrored at both ends without repeating the end frame.

    ... 2 1 0 1 2 ... count-1 count-2 ...; any distance, and a single frame stands for all.
    """
    period = max(1, 2 * count - 2)
    index %= period
    return index if index < count else period - index
