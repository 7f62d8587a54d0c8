"""Readers of frames that are known by number and come at one steady rate: pictures in a folder, raw video, made-up shots."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ..errors import UsageError
from ..limits import MAX_FRAME_RATE
from ..types import Clip, VideoInfo
from .frames import Planes
from .reader import CLIP_LENGTH, Reader, exact
from .timing import Timed


class SteadyReader(Reader):
    """Frame k of `info.frames` is shown at k / `info.frame_rate`; pictures are made or read only where they are wanted."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: VideoInfo,
        *,
        start: Fraction | float | None = None,
        duration: Fraction | float | None = None,
        fps: Fraction | float | None = None,
        clip_length: int = CLIP_LENGTH,
    ) -> None:
        super().__init__(path, start, duration, fps, clip_length, allow_damaged=False)
        self.info = info

    def __iter__(self) -> Iterator[Clip]:
        step = 1 / self.info.frame_rate
        yield from self._wanted(Timed(k, k * step, step) for k in range(self.info.frames or 0))

    @abstractmethod
    def _picture(self, number: int) -> Planes:
        """The frame of this number, in the code values of `info.color`."""

    def _clip(self, batch: list[Timed]) -> Clip:
        pictures = [self._picture(item.frame) for item in batch]
        y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
        self.frames += len(batch)
        return Clip((y, u, v), tuple(i.time for i in batch), tuple(i.duration for i in batch), self.info.color)


def steady_rate(rate: Fraction | float | str | None, where: str) -> Fraction:
    """Frames per second as a fraction. Raises `UsageError` where nobody said it, or where it is none."""
    if rate is None:
        raise UsageError(f"{where}: nothing says how many frames a second it has", hint="Say it: --rate 240.")
    known = exact(rate, "fps", positive=True)
    assert known is not None
    if known > MAX_FRAME_RATE:
        raise UsageError(f"{where}: {float(known):g} frames per second are more than {MAX_FRAME_RATE}")
    return known
