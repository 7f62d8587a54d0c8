"""Interlaced frames to progressive ones, with libavfilter's bwdif."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.error
import av.filter


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
        yield from _ready(graph)
    if graph is not None:
        yield from _drained(graph)


def _graph(frame: av.VideoFrame, time_base: Fraction, which: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    bwdif = graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _drained(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from _ready(graph)
