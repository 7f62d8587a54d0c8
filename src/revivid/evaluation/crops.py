"""Which frames and which parts of them to look at, as lossless PNG pictures side by side.

    scores -> choose_frames -> numbers -> extract_frames, a second pass over each video -> crop_row -> PNG

The median frame is known only when all are measured, so pictures come from a second pass; it stops after the last of them.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..color import rgb_8bit
from ..errors import ShapeError, UsageError
from ..types import Clip
from .compare import frames_of

#: Width and height of a crop in pixels of the video.
CROP_SIZE = (160, 120)
#: Every pixel of the video becomes a square of this many pixels.
ZOOM = 2
_GAP = 4


@dataclass(frozen=True)
class Pick:
    """A frame worth looking at."""

    #: worst, median or best
    label: str
    #: Its number, from 0.
    frame: int
    #: What it was chosen by: the gain in PSNR-Y, in dB.
    value: float


@dataclass(frozen=True)
class Window:
    """Part of a frame, in pixels from the top left."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class CropRow:
    """The same part of the same frame of several videos."""

    pick: Pick
    window: Window
    zoom: int
    #: By video name, uint8 RGB (height, width, 3), not enlarged yet.
    pictures: dict[str, np.ndarray]

    def png(self, name: str) -> bytes:
        """One picture, enlarged."""
        return encode_png(enlarge(self.pictures[name], self.zoom))

    def side_by_side(self) -> bytes:
        """All pictures in one PNG, enlarged, in order, with a white gap between them."""
        enlarged = [enlarge(picture, self.zoom) for picture in self.pictures.values()]
        gap = np.full((enlarged[0].shape[0], _GAP, 3), 255, np.uint8)
        parts = [part for picture in enlarged for part in (gap, picture)][1:]
        return encode_png(np.concatenate(parts, axis=1))


def choose_frames(gains: Sequence[float]) -> list[Pick]:
    """The worst, median and best frame by `gains` (see `compare.frame_gains`); fewer picks where there are fewer frames."""
    order = sorted(range(len(gains)), key=lambda number: (gains[number], number))
    if not order:
        return []
    wanted = {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}
    if len(order) == 2:
        del wanted["median"]
    elif len(order) == 1:
        wanted = {"median": order[0]}
    return [Pick(label, number, float(gains[number])) for label, number in wanted.items()]


def extract_frames(clips: Iterable[Clip], numbers: Collection[int]) -> dict[int, Clip]:
    """The frames of these numbers, each a clip of its own; reads no further than the last of them.

    Raises `UsageError` where the video ends before.
    """
    wanted = set(numbers)
    found: dict[int, Clip] = {}
    if wanted:
        for number, frame in enumerate(frames_of(clips)):
            if number in wanted:
                y, u, v = (plane.copy() for plane in frame.planes)
                found[number] = frame.with_planes(y, u, v)
            if len(found) == len(wanted):
                return found
    if wanted:
        absent = sorted(wanted - set(found))
        raise UsageError(f"the video ends before frame {absent[0]}", hint="It must be the video that was measured, whole.")
    return found


def detail_window(luma: np.ndarray, size: tuple[int, int] = CROP_SIZE) -> Window:
    """The window of `size` (width, height; cut to the frame's) with most gradient in a luma plane (H, W)."""
    frame_height, frame_width = luma.shape
    width, height = min(size[0], frame_width), min(size[1], frame_height)
    plane = luma.astype(np.int32)
    energy = np.zeros_like(plane)
    energy[:, 1:] += np.abs(np.diff(plane, axis=1))
    energy[1:] += np.abs(np.diff(plane, axis=0))
    sums = np.zeros((frame_height + 1, frame_width + 1), np.int64)
    sums[1:, 1:] = energy.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    detail = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    y, x = np.unravel_index(int(detail.argmax()), detail.shape)
    return Window(int(x), int(y), width, height)


def crop_row(
    pick: Pick, frames: Mapping[str, Clip], size: tuple[int, int] = CROP_SIZE, zoom: int = ZOOM, window: Window | None = None
) -> CropRow:
    """The same crop of one frame of each video, by name in the order of showing; the first is the original.

    Without a `window`, it is where the original has most detail. Raises `ShapeError` where the frames differ in size.
    """
    first = next(iter(frames.values()))
    sizes = {name: f"{clip.width}x{clip.height}" for name, clip in frames.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {value}" for name, value in sizes.items())
        raise ShapeError(f"frames of different size can't be put side by side: {shown}", hint="Scale them to one size first.")
    window = window or detail_window(first.planes[0][0], size)
    return CropRow(pick, window, zoom, {name: _cut(clip, window) for name, clip in frames.items()})


def enlarge(picture: np.ndarray, zoom: int) -> np.ndarray:
    """(H, W, 3) to (zoom * H, zoom * W, 3): each pixel a square, nothing interpolated."""
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def encode_png(picture: np.ndarray) -> bytes:
    """A lossless PNG of uint8 RGB (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cut(clip: Clip, window: Window) -> np.ndarray:
    rgb = rgb_8bit(clip)[0, :, window.y : window.y + window.height, window.x : window.x + window.width]
    return np.ascontiguousarray(rgb.permute(1, 2, 0).numpy().astype(np.uint8))
