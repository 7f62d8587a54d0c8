"""FFmpeg frames to planes and back: 4:2:0 at 8, 10 or 12 bits, any size, rotation undone. Nothing is scaled here."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.plane import VideoPlane

from ..types import MATRICES, ColorSpec, HdrMetadata

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]

_FULL_RANGE = 2
_BY_DEPTH = {8: "yuv420p", 10: "yuv420p10le", 12: "yuv420p12le"}
_GREY_PREFIXES = ("gray", "ya8", "ya16", "yaf")
_ALPHA_PREFIXES = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "yaf", "ayuv", "vuya", "pal8")


def working_format(bit_depth: int) -> str:
    """The FFmpeg pixel format of a Clip of this depth."""
    return _BY_DEPTH[bit_depth]


def depth_of(pixel_format: str) -> int:
    """The depth in which a source format is kept: 8, 10 or 12 bits (deeper sources are reduced to 12)."""
    bits = max((component.bits for component in av.VideoFormat(pixel_format).components), default=8)
    return 8 if bits <= 8 else 10 if bits <= 10 else 12


def has_alpha(pixel_format: str) -> bool:
    return pixel_format.startswith(_ALPHA_PREFIXES)


def is_420(pixel_format: str) -> bool:
    return pixel_format.startswith(("yuv420p", "yuvj420p", "yuva420p", "nv12", "nv21", "p010", "p012"))


def color_of(frame: av.VideoFrame) -> ColorSpec:
    """The frame's own tags. RGB sources get the matrix that `to_planes` converts them with."""
    name = frame.format.name
    rgb = frame.format.is_rgb
    full = (not rgb) and (name.startswith("yuvj") or int(frame.color_range) == _FULL_RANGE)
    matrix = int(frame.colorspace)
    if rgb:
        matrix = MATRICES["bt709"] if frame.height >= 720 else MATRICES["smpte170m"]
    return ColorSpec(
        matrix=matrix,
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        full_range=full,
        bit_depth=depth_of(name),
    )


def to_planes(frame: av.VideoFrame, color: ColorSpec, rotation: int) -> Planes:
    """Y (H, W) and U, V (ceil(H/2), ceil(W/2)) in the code values of `color`, turned by `rotation` degrees counterclockwise."""
    wanted = working_format(color.bit_depth)
    name = frame.format.name
    if name != wanted and not (name == "yuvj420p" and wanted == "yuv420p"):
        frame = _converted(frame, wanted, color)
    y, u, v = (_plane(frame.planes[i], color) for i in range(3))
    turns = rotation // 90 % 4
    if turns:
        y, u, v = (np.rot90(plane, turns) for plane in (y, u, v))
    return y, u, v


def _converted(frame: av.VideoFrame, wanted: str, color: ColorSpec) -> av.VideoFrame:
    if frame.format.name.startswith(_GREY_PREFIXES):
        return _gray_as_420(frame, color)
    sws_range = "JPEG" if color.full_range else "MPEG"
    if frame.format.is_rgb:
        matrix = "ITU709" if color.matrix == MATRICES["bt709"] else "ITU601"
        return frame.reformat(format=wanted, dst_colorspace=matrix, dst_color_range=sws_range, interpolation="BICUBIC")
    return frame.reformat(format=wanted, src_color_range=sws_range, dst_color_range=sws_range, interpolation="BICUBIC")


def _gray_as_420(frame: av.VideoFrame, color: ColorSpec) -> av.VideoFrame:
    """Luma as it is, neutral chroma: swscale would stretch a grey frame's range."""
    grey = {8: "gray", 10: "gray10le", 12: "gray12le"}[color.bit_depth]
    source = frame if frame.format.name == grey else frame.reformat(format=grey)
    luma = _plane(source.planes[0], color)
    chroma = np.full((-(-frame.height // 2), -(-frame.width // 2)), 1 << (color.bit_depth - 1), color.dtype)
    return from_planes((luma, chroma, chroma), color)


def _plane(plane: VideoPlane, color: ColorSpec) -> np.ndarray:
    dtype = np.dtype(color.dtype)
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, abs(plane.line_size) // dtype.itemsize)
    if plane.line_size < 0:  # stored bottom up, as some AVI files are
        rows = rows[::-1]
    return rows[:, : plane.width]


def from_planes(planes: Sequence[np.ndarray], color: ColorSpec) -> av.VideoFrame:
    """A new FFmpeg frame around copies of the planes, tagged with `color`."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, working_format(color.bit_depth))
    for target, source in zip(frame.planes, planes, strict=True):
        _plane_view(target, color)[...] = source
    frame.color_range = _FULL_RANGE if color.full_range else 1
    frame.colorspace = color.matrix
    frame.color_primaries = color.primaries
    frame.color_trc = color.transfer
    return frame


def _plane_view(plane: VideoPlane, color: ColorSpec) -> np.ndarray:
    dtype = np.dtype(color.dtype)
    buffer = np.frombuffer(memoryview(plane), dtype)
    return buffer.reshape(plane.height, plane.line_size // dtype.itemsize)[:, : plane.width]


def hdr_of(frame: av.VideoFrame) -> HdrMetadata | None:
    """HDR10 static metadata that the decoder attached to a frame (AVMasteringDisplayMetadata, AVContentLightMetadata)."""
    primaries = luminance = light = None
    for item in _side_data(frame):
        kind = getattr(item.type, "name", "")
        if kind == "MASTERING_DISPLAY_METADATA":
            numbers = struct.unpack("=22i", bytes(item)[:88])
            ratios = [Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2)]
            if numbers[20]:
                primaries = tuple((ratios[i], ratios[i + 1]) for i in range(0, 8, 2))
            if numbers[21]:
                luminance = (ratios[8], ratios[9])
        elif kind == "CONTENT_LIGHT_LEVEL":
            high, average = struct.unpack("=2I", bytes(item)[:8])
            light = (high, average)
    if primaries is None and luminance is None and light is None:
        return None
    return HdrMetadata(primaries, luminance, light)


def _side_data(frame: av.VideoFrame) -> Iterator[Any]:
    # PyAV's annotations call the container a mapping by name; iterating gives the items themselves.
    return iter(frame.side_data)


def encoder_settings_of(frame: av.VideoFrame) -> str:
    """The text that x264 and x265 leave in the stream's user data (SEI): their version and options. Empty where there is none."""
    for item in _side_data(frame):
        if getattr(item.type, "name", "") == "SEI_UNREGISTERED":
            text = bytes(item)[16:].split(b"\0")[0].decode("latin-1", "replace")
            if text.startswith(("x264", "x265")):
                return text
    return ""
