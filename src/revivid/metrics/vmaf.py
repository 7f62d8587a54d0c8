"""VMAF (Li et al., Netflix 2016; model vmaf_v0.6.1) by libvmaf, which the `vmaf` extra brings."""

from __future__ import annotations

import json

from ..errors import ShapeError
from ..media import program
from ..types import Clip, join

#: Bytes of luma that a `VmafMeter` keeps of each video before it has them measured.
_CHUNK_BYTES = 48 << 20

def vmaf(reference: Clip, distorted: Clip) -> list[float]:
    """VMAF of each frame, 0 to 100; the clips are consecutive frames, for motion counts.

    Raises `MissingTool` without the `vmaf` extra, `ShapeError` where sizes, lengths or bit depths differ.
    """
    shapes = [(len(clip), clip.width, clip.height, clip.color.bit_depth) for clip in (reference, distorted)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"VMAF compares equal frames, not {shapes[0]} and {shapes[1]} (frames, width, height, bits)")
    libvmaf = "[1:v][0:v]libvmaf=log_fmt=json:log_path=scores.json"  # the distorted one is its first input
    scores = json.loads(program.run([reference, distorted], ["-lavfi", libvmaf, "-f", "null", "-"], "scores.json"))
    return [frame["metrics"]["vmaf"] for frame in scores["frames"]]


class VmafMeter:
    """VMAF of two videos frame by frame, a chunk at a time, so that memory and disk don't grow with their length.

    Motion is told from the frame before and the frame behind: each chunk takes them along, and the scores are those of the whole.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[Clip, Clip]] = []
        self._begins = 0
        self._scores: list[float] = []

    def add(self, reference: Clip, distorted: Clip) -> None:
        """One frame of each, in order. Raises what `vmaf` raises."""
        self._pending.append((_kept(reference), _kept(distorted)))
        room = max(8, _CHUNK_BYTES // self._pending[0][0].planes[0].nbytes)
        if len(self._pending) >= room:
            self._measure(len(self._pending) - 1)
            # The last two stay: one was not measured yet, and the one before it is its neighbour.
            self._pending, self._begins = self._pending[-2:], 1

    def scores(self) -> list[float]:
        """Of all frames; the meter is empty afterwards."""
        if len(self._pending) > self._begins:
            self._measure(len(self._pending))
        found, self._pending, self._begins, self._scores = self._scores, [], 0, []
        return found

    def _measure(self, end: int) -> None:
        pair = (join(clips) for clips in zip(*self._pending, strict=True))
        self._scores += vmaf(*pair)[self._begins : end]


def _kept(clip: Clip) -> Clip:
    """A copy: what is read may be a view of something larger."""
    y, u, v = (plane.copy() for plane in clip.planes)
    return clip.with_planes(y, u, v)
