"""Chains of libavfilter's filters, fed with frames one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import av.filter


def filter_chain(
    width: int, height: int, pixel_format: av.VideoFormat, time_base: Fraction, *filters: tuple[str, str]
) -> av.filter.Graph:
    """A graph that passes frames of this kind through `filters`, each a name and its options, in order."""
    graph = av.filter.Graph()
    chain = [
        graph.add_buffer(width=width, height=height, format=pixel_format, time_base=time_base),
        *(graph.add(name, options) for name, options in filters),
        graph.add("buffersink"),
    ]
    for source, target in itertools.pairwise(chain):
        source.link_to(target)
    graph.configure()
    return graph


def ready(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    """The frames that the graph can give without being fed more."""
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
