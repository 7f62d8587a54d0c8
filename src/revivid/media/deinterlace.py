"""Interlaced frames to progressive ones, with libavfilter's bwdif."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.filter

from .filters import filter_chain, ready


def deinterlaced(decoded: Iterable[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """One progressive frame for each interlaced one, at the same time.

    Where the decoder marks interlaced frames, the others pass untouched; where only the container knows, every frame is taken as
    interlaced. `time_base` is that of the frames' stamps.
    """
    graph: av.filter.Graph | None = None
    shape: tuple[int, int, str] | None = None
    which = ""
    for frame in decoded:
        current = (frame.width, frame.height, frame.format.name)
        if not which:
            which = "interlaced" if frame.interlaced_frame else "all"
        if graph is not None and current != shape:  # bwdif reads past the end of a frame that is smaller than its first
            yield from _drained(graph)
            graph = None
        if graph is None:
            graph, shape = _graph(frame, time_base, which), current
        graph.vpush(frame)
        yield from ready(graph)
    if graph is not None:
        yield from _drained(graph)


def _graph(frame: av.VideoFrame, time_base: Fraction, which: str) -> av.filter.Graph:
    bwdif = ("bwdif", f"mode=send_frame:parity=auto:deint={which}")
    return filter_chain(frame.width, frame.height, frame.format, time_base, bwdif)


def _drained(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from ready(graph)
