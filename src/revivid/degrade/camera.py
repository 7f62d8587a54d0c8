"""Moving pictures from a photograph: a seeded camera glides and zooms over it, and every frame is an area-filtered view.

    photograph -> window (centre and zoom, smooth in time, sub-pixel) -> exact area filter -> frame

The area filter at two or more source pixels per output pixel also removes what JPEG left in the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import ShapeError
from ..types import Clip


@dataclass(frozen=True)
class CameraMove:
    """Where the camera starts and where it arrives: (top, left, zoom), in source pixels and source pixels per output pixel."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]

    def at(self, progress: float) -> tuple[float, float, float]:
        """Top, left and zoom at `progress` in 0..1, accelerating and slowing down smoothly (3t^2 - 2t^3)."""
        eased = progress * progress * (3 - 2 * progress)
        top, left, zoom = (a + (b - a) * eased for a, b in zip(self.start, self.end, strict=True))
        return top, left, zoom


def random_move(
    picture: tuple[int, int], view: tuple[int, int], rng: np.random.Generator, *, max_shift: float, zooms: tuple[float, float]
) -> CameraMove:
    """A move of a `view` (height, width) over a `picture` (height, width) that never looks over its edge.

    `max_shift`: how far the upper left corner may travel, in output pixels; `zooms`: smallest and largest source pixels per
    output pixel. Raises `ShapeError` where the view doesn't fit at the smallest zoom.
    """
    largest = min(zooms[1], picture[0] / view[0], picture[1] / view[1])
    if largest < zooms[0]:
        raise ShapeError(f"a view of {view} at {zooms[0]} pixels per pixel doesn't fit a picture of {picture}")
    ends: list[tuple[float, float, float]] = []
    for _ in range(2):
        zoom = rng.uniform(zooms[0], largest)
        room = [size - zoom * out for size, out in zip(picture, view, strict=True)]
        if ends:
            reach = max_shift * zoom
            corner = [np.clip(rng.uniform(p - reach, p + reach), 0, r) for p, r in zip(ends[0][:2], room, strict=True)]
        else:
            corner = [rng.uniform(0, r) for r in room]
        ends.append((float(corner[0]), float(corner[1]), float(zoom)))
    return CameraMove(ends[0], ends[1])


def film(photo: Clip, move: CameraMove, view: tuple[int, int], frames: int, rate: Fraction = Fraction(24)) -> Clip:
    """`frames` views of size `view` (height, width, both even) of the first picture of `photo` along `move`."""
    if view[0] % 2 or view[1] % 2:
        raise ShapeError(f"a view of {view}: both sizes must be even")
    views: list[list[np.ndarray]] = [[], [], []]
    for t in range(frames):
        top, left, zoom = move.at(t / max(frames - 1, 1))
        for i, plane in enumerate(photo.planes):
            part = 1 if i == 0 else 2
            window = area_view(plane[0], top / part, left / part, zoom, (view[0] // part, view[1] // part))
            views[i].append(np.clip(window + 0.5, 0, photo.color.peak).astype(photo.color.dtype))
    y, u, v = (np.stack(plane) for plane in views)
    times = tuple(t / rate for t in range(frames))
    return Clip((y, u, v), times, (1 / rate,) * frames, photo.color)


def area_view(plane: np.ndarray, top: float, left: float, step: float, size: tuple[int, int]) -> np.ndarray:
    """Mean of `plane` (H, W) over squares of `step` pixels, the first at (top, left), not rounded: `size` (h, w) float32."""
    rows = _overlaps(plane.shape[0], top, step, size[0])
    columns = _overlaps(plane.shape[1], left, step, size[1])
    return rows @ plane.astype(np.float32) @ columns.T


def _overlaps(length: int, start: float, step: float, count: int) -> np.ndarray:
    """(count, length): the share of each input sample in each output interval [start + i step, start + (i + 1) step)."""
    low = start + step * np.arange(count)[:, None]
    cell = np.arange(length)[None, :]
    overlap = np.clip(np.minimum(low + step, cell + 1) - np.maximum(low, cell), 0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
