"""More frames between the frames of a video, by libavfilter's motion-compensated minterpolate.

For making training data out of clips of ordinary rate; what restores video for people is `restoration`'s interpolation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from ..errors import ShapeError, UsageError
from ..types import Clip
from .filters import filter_chain, ready
from .frames import from_planes, to_planes

#: minterpolate looks at blocks of this size.
_MIN_SIDE = 32


def slowed(clip: Clip, factor: int) -> Clip:
    """`clip` with factor - 1 new frames between every two: (T - 1) factor + 1 frames, the original ones unchanged among them.

    Times are those of the original frames and exact parts between them: the clip is finer, not longer. Across what the filter
    takes for a scene cut nothing is interpolated: the nearer frame is repeated. Raises `UsageError` for factors below 1 and more
    than 8 bits, `ShapeError` for pictures under 32 pixels.
    """
    if not isinstance(factor, int) or factor < 1 or clip.color.bit_depth != 8:
        raise UsageError(f"can't slow {clip.color.bit_depth}-bit video {factor!r} times", hint="8 bits and a whole factor, please.")
    if min(clip.height, clip.width) < _MIN_SIDE:
        raise ShapeError(f"{clip.width}x{clip.height} is too small to find motion in; {_MIN_SIDE} pixels a side are needed")
    count = (len(clip) - 1) * factor + 1
    if factor == 1 or count < 2:
        return clip
    pictures = itertools.islice(_interpolated(clip, factor), count)
    planes = [to_planes(frame, clip.color, rotation=0) for frame in pictures]
    y, u, v = (np.stack([picture[i] for picture in planes]) for i in range(3))
    steps = [(b - a) / factor for a, b in itertools.pairwise(clip.times)]
    times = [start + k * step for start, step in zip(clip.times, steps, strict=False) for k in range(factor)]
    durations = [step for step in steps for _ in range(factor)]
    return Clip((y, u, v), (*times, clip.times[-1]), (*durations, clip.durations[-1]), clip.color)


def _interpolated(clip: Clip, factor: int) -> Iterator[av.VideoFrame]:
    minterpolate = ("minterpolate", f"fps={factor}:mi_mode=mci")
    graph = filter_chain(clip.width, clip.height, av.VideoFormat("yuv420p"), Fraction(1), minterpolate)
    # The filter wants to see one frame beyond the last two between which it interpolates.
    for t in range(len(clip) + 1):
        y, u, v = (plane[min(t, len(clip) - 1)] for plane in clip.planes)
        frame = from_planes((y, u, v), clip.color)
        frame.pts, frame.time_base = t, Fraction(1)
        graph.vpush(frame)
        yield from ready(graph)
    graph.vpush(None)
    yield from ready(graph)
