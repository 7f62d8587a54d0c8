"""Changing the size of a Clip's pictures: scale with swscale, pad by edge replication, crop."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import ShapeError, UsageError
from ..limits import check_frame_size
from ..types import Clip
from .frames import from_planes, to_planes

#: swscale's names of the filters that make sense for video.
Method = Literal["BICUBIC", "BILINEAR", "AREA", "LANCZOS", "SPLINE", "POINT"]
METHODS: tuple[Method, ...] = ("BICUBIC", "BILINEAR", "AREA", "LANCZOS", "SPLINE", "POINT")


def resize(clip: Clip, width: int, height: int, method: Method = "BICUBIC") -> Clip:
    """Scale every plane as a centred image, the way swscale treats planar 4:2:0 (chroma siting is left as it is).

    Raises `UsageError` for an unknown method and `LimitExceeded` for a size over the caps.
    """
    if method not in METHODS or width < 1 or height < 1:
        raise UsageError(f"can't resize to {width}x{height} by {method!r}", hint=f"Methods: {', '.join(METHODS)}; sizes from 1.")
    check_frame_size(width, height, "resize")
    y = np.empty((len(clip), height, width), clip.color.dtype)
    u, v = (np.empty((len(clip), -(-height // 2), -(-width // 2)), clip.color.dtype) for _ in range(2))
    for t, picture in enumerate(zip(*clip.planes, strict=True)):
        frame = from_planes(picture, clip.color).reformat(width=width, height=height, interpolation=method)
        y[t], u[t], v[t] = to_planes(frame, clip.color, rotation=0)
    return clip.with_planes(y, u, v)


def pad_to_multiple(clip: Clip, multiple: int) -> Clip:
    """Repeat the last row and column until width and height are multiples of `multiple`, an even number."""
    if multiple < 2 or multiple % 2:
        raise UsageError(f"can't pad 4:2:0 video to multiples of {multiple}", hint="The multiple must be even.")
    height, width = (-(-size // multiple) * multiple for size in (clip.height, clip.width))
    if (height, width) == (clip.height, clip.width):
        return clip
    sizes = [(height, width)] + 2 * [(height // 2, width // 2)]
    planes = [
        np.pad(plane, ((0, 0), (0, h - plane.shape[1]), (0, w - plane.shape[2])), mode="edge")
        for plane, (h, w) in zip(clip.planes, sizes, strict=True)
    ]
    return clip.with_planes(*planes)


def crop(clip: Clip, width: int, height: int) -> Clip:
    """Keep the upper left `width` x `height`; what `pad_to_multiple` added goes away. Planes are views."""
    if not (0 < width <= clip.width and 0 < height <= clip.height):
        raise ShapeError(f"can't crop {clip.width}x{clip.height} to {width}x{height}")
    y, u, v = clip.planes
    chroma = (slice(None), slice(-(-height // 2)), slice(-(-width // 2)))
    return clip.with_planes(y[:, :height, :width], u[chroma], v[chroma])
