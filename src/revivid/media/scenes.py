"""Where a new scene starts, so that nothing is carried or blended across the cut: libavfilter's scdet.

    luma -> every few rows, 8 bits -> at most 192 x 108 by area -> scdet -> a frame comes out: it starts a scene

scdet's score is the smaller of two numbers, both in percent of the value range: how much a frame's luma differs from the frame
before, on average, and how much that differs from what it was one frame earlier. So a steady pan scores low, however fast it is.
"""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np

from ..types import Clip, ColorSpec
from .filters import filter_chain, ready

#: Of 300 joins of two real clips 299 are found, and none of 3,400 frames inside 38 clips is taken for one (6: 300 and one, 10: 296
#: and none). Of fades to black in 6, 12 and 24 frames 30, 2 and 0 of 38 hold a cut, of cross-fades in 4 to 12 frames none; of
#: pans that set in at once, by 2, 5 and 10 in 192 of the width per frame, 2, 12 and 24 of 38. Flashes of one frame: both ends.
THRESHOLD = 8.0
#: Frames are compared at about this size: noise, grain and fine texture in motion average out, and little is to be computed.
_WIDTH, _HEIGHT = 192, 108
#: Bytes of the widest vectors.
_VECTOR = 64


class CutDetector:
    """Fed with a video's clips in order, tells which frames start a scene.

    The answer for a frame comes with the frame itself: nothing is held back, and one small frame is remembered. `threshold` is
    scdet's score from which a frame starts a scene, 0 to 100.
    """

    def __init__(self, color: ColorSpec, threshold: float = THRESHOLD) -> None:
        self._shift = color.bit_depth - 8
        self._threshold = threshold
        self._graph: av.filter.Graph | None = None
        self._after_cut = False
        self._count = 0

    def __call__(self, clip: Clip) -> list[bool]:
        """For each frame whether it starts a scene; the very first frame does not."""
        return [self._starts_scene(luma) for luma in clip.planes[0]]

    def _starts_scene(self, luma: np.ndarray) -> bool:
        frame = self._reduced(luma)
        if self._graph is None:
            self._graph = _graph(frame, self._threshold)
        cut = _passes(self._graph, frame)
        # scdet takes the frame after a cut for more of the same motion. Starting anew, it sees that a flash is over, or that the
        # scene had one frame only; a second time in a row it may not, or a fast pan after a cut would be a cut at every frame.
        if cut and not self._after_cut:
            self._graph = _graph(frame, self._threshold)
            _passes(self._graph, frame)
        self._after_cut = cut and not self._after_cut
        return cut

    def _reduced(self, luma: np.ndarray) -> av.VideoFrame:
        rows = luma[:: max(1, luma.shape[0] // (2 * _HEIGHT))]
        if self._shift:
            rows = (rows >> self._shift).astype(np.uint8)
        # scdet compares whole vectors and would read what lies beyond the end of a row.
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % _VECTOR)), mode="edge")
        frame = av.VideoFrame.from_ndarray(rows, format="gray")
        frame.pts, frame.time_base = self._count, Fraction(1)
        self._count += 1
        return frame


def _graph(frame: av.VideoFrame, threshold: float) -> av.filter.Graph:
    """scdet writes scores into frame metadata, which PyAV 17 does not show; `sc_pass` lets out only frames that start a scene."""
    scale = ("scale", f"{min(_WIDTH, frame.width)}:{min(_HEIGHT, frame.height)}:flags=area")
    scdet = ("scdet", f"threshold={threshold:g}:sc_pass=1")
    return filter_chain(frame.width, frame.height, frame.format, Fraction(1), scale, scdet)


def _passes(graph: av.filter.Graph, frame: av.VideoFrame) -> bool:
    graph.vpush(frame)
    return any(True for _ in ready(graph))
