"""Self-ensemble: a network sees a picture turned four ways, twice with time running backwards, and the mean is what it says.

Its mistakes differ between them, what it is right about does not (Timofte et al., "Seven ways to improve example-based single
image super resolution", CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .neighbours import Planes, Window

#: Quarter turns; after odd ones, time is reversed.
TURNS = (0, 1, 2, 3)


def ensemble(restore: Callable[[Window], Planes], frames: Window) -> Planes:
    """The mean of what `restore` makes of the middle one of `frames`, seen each way; as many before it as after."""
    height, width = frames[0][0].shape
    even = [_even(frame) for frame in frames]
    found = [_turned(restore([_turned(frame, turn) for frame in even[:: -1 if turn % 2 else 1]]), -turn) for turn in TURNS]
    y, u, v = (np.rint(np.mean(planes, 0)).astype(planes[0].dtype) for planes in zip(*found, strict=True))
    return y[:height, :width], u, v


def _even(frame: Planes) -> Planes:
    """With luma for every sample of chroma, so that it can be turned."""
    y, u, v = frame
    return np.pad(y, [(0, side % 2) for side in y.shape], mode="edge"), u, v


def _turned(frame: Planes, turn: int) -> Planes:
    y, u, v = (np.ascontiguousarray(np.rot90(plane, turn)) for plane in frame)
    return y, u, v
