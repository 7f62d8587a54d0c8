"""Frames that are restored together: scenes, mirrored ends, and overlapping windows that fade into one another."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from ..layers.frames import reflect

if TYPE_CHECKING:
    from .engine import Frame

T = TypeVar("T")


def scenes(frames: Iterator[Frame]) -> Iterator[Iterator[Frame]]:
    """The frames of each scene, lazily; a scene must be used up before the next."""
    number = itertools.count()
    current = next(number)

    def scene_of(frame: Frame) -> int:
        nonlocal current
        if frame.starts_scene:
            current = next(number)
        return current

    for _, scene in itertools.groupby(frames, scene_of):
        yield scene


def mirrored(frames: Iterator[T], before: int, after: int) -> Iterator[T]:
    """The frames with `before` in front and `after` behind, mirrored at the ends without repeating the end frame.

    Holds the first `before` + 1 frames at the start and the last `after` + 1 from then on. Nothing comes of nothing.
    """
    first = list(itertools.islice(frames, before + 1))
    if not first:
        return
    # A scene that is shorter than this is whole here; a longer one is long enough for no second turn.
    for t in range(-before, 0):
        yield first[reflect(t, len(first))]
    last: deque[T] = deque(maxlen=after + 1)
    count = 0
    for frame in itertools.chain(first, frames):
        last.append(frame)
        count += 1
        yield frame
    for t in range(count, count + after):
        yield last[reflect(t, count) - count]


def windowed(
    frames: Iterator[T],
    length: int,
    overlap: int,
    restore: Callable[[Sequence[T]], Tensor],
    *,
    multiple: int = 1,
    least: int = 1,
) -> Iterator[Tensor]:
    """Restore a scene of any length in windows of `length` frames and yield its pictures, as many as there were frames.

    `restore` takes a list of frames to pictures (T, ...). Of the `overlap` frames that two windows have in common, each window's
    outermost fourth, where it knows least of what lies beyond, is discarded, and the pictures between fade from one window to the
    next. The last window reaches back until its length is a multiple of `multiple`. A scene that fits one window is restored
    whole; one shorter than `least` frames is mirrored at its end for that. Holds `length` frames.
    """
    discard = overlap // 4
    window: deque[T] = deque(maxlen=length)
    held: Tensor | None = None
    while True:
        fresh = 0
        for frame in itertools.islice(frames, length - (overlap if held is not None else 0)):
            window.append(frame)
            fresh += 1
        if not fresh:
            break
        known = overlap if held is not None else 0
        wanted = min(-(-max(known + fresh, least) // multiple) * multiple, len(window))
        part = list(window)[-wanted:]
        out = restore([part[reflect(t, wanted)] for t in range(max(wanted, least))])[wanted - known - fresh : wanted]
        if held is not None:
            fade = len(held) - discard
            yield from crossfaded(held[:fade], out[discard : discard + fade])
            out = out[discard + fade :]
        if known + fresh < length:
            yield from out
            return
        # The copy lets go of the window that it is cut from.
        keep = overlap - discard
        yield from out[: len(out) - keep]
        held = out[len(out) - keep :].clone()
    if held is not None:
        yield from held


def crossfaded(old: Tensor, new: Tensor) -> Iterator[Tensor]:
    """Pictures (T, ...) that turn from `old` into `new` along a raised cosine."""
    for t, (before, after) in enumerate(zip(old, new, strict=True), start=1):
        yield torch.lerp(before, after, 0.5 - 0.5 * math.cos(math.pi * t / (len(old) + 1)))
