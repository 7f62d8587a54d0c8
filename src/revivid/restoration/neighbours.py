"""Frames with their neighbours in time, within scenes: for networks that look at a few frames to restore one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from ..media.scenes import CutDetector
from ..types import Clip

#: Y (H, W), U and V (ceil(H/2), ceil(W/2)) of a frame in code values.
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]
Window = list[Planes]


def with_neighbours(clips: Iterator[Clip], before: int, after: int) -> Iterator[tuple[Clip, list[Window]]]:
    """Each clip with a window for each of its frames: `before` frames, the frame itself, `after` frames.

    Beyond the ends of the video and of a scene, its last frame is repeated. Clips come out as soon as their last frame has the
    `after` frames that follow it.
    """
    detector: CutDetector | None = None
    waiting, frames = deque[Clip](), _Frames(before, after)
    for clip in clips:
        if before or after:
            detector = detector or CutDetector(clip.color)
        cuts = detector(clip) if detector else [False] * len(clip)
        for t, cut in enumerate(cuts):
            frames.add(clip, t, cut)
        waiting.append(clip)
        while waiting and frames.ready(len(waiting[0])):
            done = waiting.popleft()
            yield done, frames.take(len(done))
    while waiting:
        done = waiting.popleft()
        yield done, frames.take(len(done))


class _Frames:
    """The frames that windows are still to be made of, with the number of their scene."""

    def __init__(self, before: int, after: int) -> None:
        self.before, self.after = before, after
        self._held: deque[tuple[Planes, int]] = deque()
        #: How many held frames have had their windows.
        self._done = 0
        self._scene = 0

    def add(self, clip: Clip, t: int, cut: bool) -> None:
        self._scene += cut
        y, u, v = (plane[t] for plane in clip.planes)
        self._held.append(((y, u, v), self._scene))

    def ready(self, count: int) -> bool:
        """Whether the next `count` frames have all that follow them."""
        return self._done + count + self.after <= len(self._held)

    def take(self, count: int) -> list[Window]:
        """The windows of the next `count` frames."""
        windows = [self._window(index) for index in range(self._done, self._done + count)]
        self._done += count
        while self._done > self.before:
            self._held.popleft()
            self._done -= 1
        return windows

    def _window(self, index: int) -> Window:
        own, scene = self._held[index]
        window = [own]
        for place in range(index - 1, index - 1 - self.before, -1):
            window.insert(0, self._held[place][0] if place >= 0 and self._held[place][1] == scene else window[0])
        for place in range(index + 1, index + 1 + self.after):
            there = place < len(self._held) and self._held[place][1] == scene
            window.append(self._held[place][0] if there else window[-1])
        return window
