"""A Clip through filters of libavfilter, frame for frame: the restorers that everybody has, to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import numpy as np

from ..errors import MissingTool, ShapeError
from ..types import Clip
from .filters import filter_chain, ready
from .frames import from_planes, to_planes, working_format


def filtered(clip: Clip, *filters: tuple[str, str]) -> Clip:
    """What `filters`, each a name and its options, make of `clip`; they must give one frame of its size for each of its frames.

    Raises `MissingTool` where this build of FFmpeg lacks a filter or refuses its options, `ShapeError` where frames or pixels are
    added or go missing.
    """
    planes = [to_planes(frame, clip.color, rotation=0) for frame in _pass(clip, filters)]
    if len(planes) != len(clip) or any(y.shape != clip.planes[0].shape[1:] for y, _, _ in planes):
        raise ShapeError(f"{', '.join(name for name, _ in filters)}: not the same frames came out of it as went in")
    y, u, v = (np.stack([picture[i] for picture in planes]) for i in range(3))
    return clip.with_planes(y, u, v)


def _pass(clip: Clip, filters: tuple[tuple[str, str], ...]) -> Iterator[av.VideoFrame]:
    pixel_format = av.VideoFormat(working_format(clip.color.bit_depth))
    try:
        graph = filter_chain(clip.width, clip.height, pixel_format, Fraction(1), *filters)
    except (av.error.FFmpegError, ValueError) as fault:
        raise MissingTool(f"this build of FFmpeg can't filter by {filters}: {fault}", hint="Reinstall `av`.") from fault
    for t, picture in enumerate(zip(*clip.planes, strict=True)):
        frame = from_planes(picture, clip.color)
        frame.pts, frame.time_base = t, Fraction(1)
        graph.vpush(frame)
        yield from ready(graph)
    graph.vpush(None)
    yield from ready(graph)
