"""The words that every other file uses: `Clip`, `ColorSpec`, `VideoInfo`. No torch, no PyAV here.

A `Clip` holds the stream's own integer planes (Y, U, V in 4:2:0), not RGB floats: what no stage touches comes out bit for bit
as it went in, 10-bit stays 10-bit, and the restorers that work on planes never pay for a colour conversion (12-18 ms a frame
at 1280x720). `revivid.color` makes RGB tensors for the networks that want them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .errors import ShapeError

#: H.273 code points (the same numbers as FFmpeg's), for the names that people know.
MATRICES = {"rgb": 0, "bt709": 1, "unknown": 2, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "ycgco": 8, "bt2020nc": 9}
TRANSFERS = {"bt709": 1, "unknown": 2, "gamma22": 4, "gamma28": 5, "smpte170m": 6, "linear": 8, "srgb": 13, "pq": 16, "hlg": 18}
PRIMARIES = {"bt709": 1, "unknown": 2, "bt470m": 4, "bt470bg": 5, "smpte170m": 6, "bt2020": 9, "p3": 12}


def code_name(table: dict[str, int], code: int) -> str:
    """The name of an H.273 code point, or the number itself as text."""
    return next((name for name, value in table.items() if value == code), str(code))


@dataclass(frozen=True)
class HdrMetadata:
    """HDR10 static metadata (SMPTE ST 2086 and CTA-861.3)."""

    #: Red, green, blue and white point as (x, y) CIE 1931 coordinates; None where the stream carries no mastering primaries.
    primaries: tuple[tuple[Fraction, Fraction], ...] | None = None
    #: Minimum and maximum mastering luminance in cd/m2.
    luminance: tuple[Fraction, Fraction] | None = None
    #: Maximum content light level and maximum frame-average light level in cd/m2.
    light_level: tuple[int, int] | None = None


@dataclass(frozen=True)
class ColorSpec:
    """How the numbers of a frame are to be read: H.273 code points, range and bit depth."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    #: True: 0..2^n-1 ("pc"); False: luma 16..235 at 8 bits ("tv").
    full_range: bool = False
    #: Bits per sample, 8, 10 or 12. Planes are uint8 at 8 bits and uint16 above.
    bit_depth: int = 8

    @property
    def peak(self) -> int:
        """The largest code value, 255 at 8 bits."""
        return (1 << self.bit_depth) - 1

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        return np.uint8 if self.bit_depth == 8 else np.uint16

    def resolved_matrix(self, height: int) -> int:
        """The matrix, guessed as players do where the stream does not say: BT.601 under 720 lines, BT.709 from there."""
        if self.matrix not in (0, 2):
            return self.matrix
        return MATRICES["bt709"] if height >= 720 else MATRICES["smpte170m"]

    def describe(self) -> str:
        """For people: `10-bit limited bt2020nc/bt2020/pq`."""
        names = (code_name(MATRICES, self.matrix), code_name(PRIMARIES, self.primaries), code_name(TRANSFERS, self.transfer))
        return f"{self.bit_depth}-bit {'full' if self.full_range else 'limited'} {'/'.join(names)}"


@dataclass(frozen=True, eq=False)
class Clip:
    """A few consecutive frames with their times. Immutable; stages return new ones.

    `planes` are Y (T, H, W) and U, V (T, ceil(H/2), ceil(W/2)) in the stream's own code values.
    """

    planes: tuple[np.ndarray, np.ndarray, np.ndarray]
    #: Presentation time of each frame in seconds, exact and strictly increasing; zero is the start of the container.
    times: tuple[Fraction, ...]
    #: How long each frame is shown, in seconds.
    durations: tuple[Fraction, ...]
    color: ColorSpec = field(default_factory=ColorSpec)

    def __post_init__(self) -> None:
        y, u, v = self.planes
        count, height, width = y.shape
        chroma = (count, -(-height // 2), -(-width // 2))
        if u.shape != chroma or v.shape != chroma:
            raise ShapeError(f"chroma planes {u.shape} and {v.shape} don't fit luma {y.shape}: 4:2:0 wants {chroma}")
        if len(self.times) != count or len(self.durations) != count:
            raise ShapeError(f"{count} frames with {len(self.times)} times and {len(self.durations)} durations")
        if any(plane.dtype != self.color.dtype for plane in self.planes):
            raise ShapeError(f"planes are {y.dtype}, a {self.color.bit_depth}-bit clip wants {np.dtype(self.color.dtype)}")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[2])

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[1])

    def __getitem__(self, frames: slice) -> Clip:
        """Frames by slice; planes are views, not copies."""
        y, u, v = (plane[frames] for plane in self.planes)
        return replace(self, planes=(y, u, v), times=self.times[frames], durations=self.durations[frames])

    def with_planes(self, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> Clip:
        """The same times and colour around other pictures."""
        return replace(self, planes=(y, u, v))


def join(clips: Sequence[Clip]) -> Clip:
    """One clip from several of the same size and colour, in order."""
    if not clips:
        raise ShapeError("no clips to join")
    y, u, v = (np.concatenate([clip.planes[i] for clip in clips]) for i in range(3))
    times = tuple(t for clip in clips for t in clip.times)
    durations = tuple(d for clip in clips for d in clip.durations)
    return replace(clips[0], planes=(y, u, v), times=times, durations=durations)


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a container that is not the main video: audio, subtitle, data, attachment, cover picture."""

    index: int
    #: audio, subtitle, data, attachment, video (further video streams and covers)
    kind: str
    #: FFmpeg's codec name, such as `aac`, `subrip`, `ttf`.
    codec: str
    language: str | None = None
    title: str | None = None
    #: Disposition flags by FFmpeg's names, such as `default`, `forced`.
    disposition: tuple[str, ...] = ()
    #: Audio only: samples per second and channels.
    sample_rate: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class VideoInfo:
    """What a file's headers promise about its main video. Promises, not measurements: count frames to be sure."""

    path: str
    #: FFmpeg's demuxer name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    container: str
    codec: str
    #: Size in pixels as displayed: after rotation, before the sample aspect ratio.
    width: int
    height: int
    #: Pixel format as stored, such as `yuv420p10le`.
    pixel_format: str
    color: ColorSpec
    #: Mean frame rate in frames per second.
    frame_rate: Fraction
    #: The container's time base of the video stream, in seconds.
    time_base: Fraction
    #: Seconds that the header promises for the main video (None: it says nothing).
    duration: Fraction | None
    #: Frames that the header promises (None: it says nothing; Matroska never does).
    frames: int | None
    #: Bytes of the file.
    size_bytes: int
    #: Width of a stored sample against its height (as displayed); 1 for square pixels.
    sample_aspect: Fraction = Fraction(1)
    #: Degrees counterclockwise by which players turn the stored picture; undone on reading.
    rotation: int = 0
    #: Stored as fields; revivid deinterlaces such input with bwdif.
    interlaced: bool = False
    #: The picture carries transparency, which revivid does not.
    alpha: bool = False
    hdr: HdrMetadata | None = None
    streams: tuple[StreamInfo, ...] = ()
    chapters: int = 0
    #: The recipe that `compress` left in the file, as JSON text.
    recipe: str | None = None
    #: Start of the container in seconds; times in Clips count from here.
    start_time: Fraction = Fraction(0)
    #: Tags of the container.
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits of the whole file, headers and audio included, per pixel of video."""
        if not self.frames:
            return None
        return 8 * self.size_bytes / (self.frames * self.width * self.height)
