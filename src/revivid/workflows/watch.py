"""Measuring restored frames on their way from the network to the encoder: nothing is restored twice."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from ..evaluation.compare import Comparer, Comparison, check_ended, frames_of, next_frame
from ..media import scale
from ..types import Clip


class Watch:
    """Stands between two stages, passes clips on as they are, and scores them against the original.

    `original` gives the same frames, and `others` by name are scored beside what passes, which is called `name`. What passes may
    be larger than the original by what padding added. With `every` N only the frames 0, N, 2N ... are scored.
    """

    def __init__(self, name: str, original: Iterable[Clip], others: Mapping[str, Iterable[Clip]], every: int = 1) -> None:
        self.name = name
        self._every = every
        self._original = frames_of(original)
        self._others = {other: frames_of(clips) for other, clips in others.items()}
        self._comparer = Comparer([*others, name])
        #: Seconds spent on reading the others and on scoring.
        self.seconds = 0.0

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        number = 0
        for clip in clips:
            started = time.monotonic()
            for frame in frames_of([clip]):
                self._take(frame, number)
                number += 1
            self.seconds += time.monotonic() - started
            yield clip
        check_ended(self._original, "the original", number)

    def scores(self) -> dict[str, Comparison]:
        """Of the others and of what passed, by name. Raises `UsageError` where nothing passed."""
        return self._comparer.result()

    def _take(self, frame: Clip, number: int) -> None:
        reference = next_frame(self._original, "the original", number)
        others = {name: next_frame(frames, name, number) for name, frames in self._others.items()}
        if number % self._every == 0:
            self._comparer.add(reference, {**others, self.name: scale.crop(frame, reference.width, reference.height)})
