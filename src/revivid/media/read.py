"""Video in: `open_video(path)` gives Clips with exact times, whatever the container.

demux -> decode -> [bwdif] -> reorder times -> [cut to start/duration] -> [sample at fps] -> planes -> Clip
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av
import av.container
import av.error
import numpy as np
from av.video.stream import VideoStream

from ..errors import CorruptInput, TruncatedInput, UsageError
from ..types import Clip, VideoInfo
from . import frames
from .deinterlace import deinterlaced
from .integrity import missing_bytes
from .probe import from_header, main_video, probe, start_of
from .seek import from_key_frame, seek_point
from .source import check_file, is_pipe, open_container, open_input, translated
from .timing import Timed, in_order, sampled

#: Frames per Clip unless asked otherwise: small, so that memory and latency stay small.
CLIP_LENGTH = 4


@dataclass
class Damage:
    """What went wrong while reading; empty for a healthy file."""

    #: Packets that did not decode, or frames that the decoder marked as damaged.
    errors: int = 0
    #: Bytes that the container promises beyond the file's end.
    missing_bytes: int = 0
    #: Seconds of video that the header promised and that never came.
    missing_seconds: Fraction = field(default_factory=Fraction)

    def __bool__(self) -> bool:
        return bool(self.errors or self.missing_bytes or self.missing_seconds)

    def describe(self) -> str:
        parts = []
        if self.errors:
            parts.append(f"{self.errors} packets or frames did not decode")
        if self.missing_bytes:
            parts.append(f"{self.missing_bytes:,} bytes are missing at the end")
        if self.missing_seconds:
            parts.append(f"{float(self.missing_seconds):.2f} s of the promised video never came")
        return ", ".join(parts)


class Reader(Protocol):
    """What a job reads from: `VideoReader`, or what reads another kind of file in the same way."""

    path: str
    info: VideoInfo
    start: Fraction
    length: Fraction | None
    fps: Fraction | None
    clip_length: int
    allow_damaged: bool
    damage: Damage
    frames: int
    notices: list[str]
    #: What a `Passthrough` carries the other streams from, and whether that file holds nothing else; None: nothing to carry.
    carried_from: str | None
    carried_alone: bool

    def __iter__(self) -> Iterator[Clip]: ...
    @property
    def frame_rate(self) -> Fraction: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def expected_frames(self) -> int | None: ...


class VideoReader:
    """An iterable of Clips over one file (or y4m on standard input for `-`); iterate once.

    `info` is what the headers say, `notices` what was changed on the way and why, `damage` what failed so far, `frames` how
    many frames came out so far. Without `allow_damaged` the first damage raises `CorruptInput` or `TruncatedInput`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: Fraction | float | None = None,
        duration: Fraction | float | None = None,
        fps: Fraction | float | None = None,
        clip_length: int = CLIP_LENGTH,
        allow_damaged: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.start = exact(start, "start", minimum=0) or Fraction(0)
        self.length = exact(duration, "duration", positive=True)
        self.fps = exact(fps, "fps", positive=True)
        if clip_length < 1:
            raise UsageError(f"clip_length is {clip_length}, it must be at least 1")
        self.clip_length = clip_length
        self.allow_damaged = allow_damaged
        self.damage = Damage()
        self.frames = 0
        self.notices: list[str] = []
        self._pipe = is_pipe(path)
        self.carried_from = None if self._pipe else self.path
        self.carried_alone = False
        self._container: av.container.InputContainer | None = None
        self._check_bytes()
        if self._pipe:
            # A pipe can be read only once: y4m's header says all that is needed, so no frame is decoded for it here.
            self._container = open_container(path)
            self.info = from_header(self._container, main_video(self._container, self.path), self.path)
        else:
            self.info = probe(path)
        self._note_conversions()

    def __iter__(self) -> Iterator[Clip]:
        opened = contextlib.nullcontext(self._container) if self._container is not None else open_input(self.path)
        with opened as container:
            stream = main_video(container, self.path)
            decoded = self._decoded(container, stream)
            tick = stream.time_base or self.info.time_base
            if self.info.interlaced:
                decoded = deinterlaced(decoded, tick)
            timed = self._cut(in_order(decoded, start_of(container), 1 / self.info.frame_rate, tick, self.path))
            if self.fps:
                timed = sampled(timed, self.fps, self.path)
            yield from self._clips(timed)

    @property
    def frame_rate(self) -> Fraction:
        """Mean frames per second of what comes out."""
        return self.fps or self.info.frame_rate

    @property
    def time_base(self) -> Fraction:
        """A time base in which every time of what comes out is a whole number (unless a start cuts between ticks)."""
        return 1 / self.fps if self.fps else self.info.time_base

    @property
    def expected_frames(self) -> int | None:
        """How many frames will come, by the headers; for progress bars only."""
        return expected(self.info, self.frame_rate, self.start, self.length)

    def _check_bytes(self) -> None:
        if self._pipe:
            return
        check_file(self.path)
        missing = missing_bytes(self.path)
        if missing and not self.allow_damaged:
            raise TruncatedInput(
                f"{self.path} was cut off: its container promises {missing:,} bytes more than there are",
                hint="Copy or download it again, or pass --allow-damaged to keep what is there.",
            )
        self.damage.missing_bytes = missing

    def _note_conversions(self) -> None:
        info = self.info
        if info.alpha:
            self.notices.append("transparency is ignored: HEVC, AVC and AV1 carry none")
        if not frames.is_420(info.pixel_format):
            self.notices.append(f"{info.pixel_format} is converted to 4:2:0, which every player shows")
        if info.interlaced:
            self.notices.append("the input is interlaced: deinterlaced with bwdif, one frame per frame")
        if info.rotation:
            self.notices.append(f"the picture is turned upright ({info.rotation} degrees counterclockwise) and stored so")

    def _decoded(self, container: av.container.InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        stream.thread_type = "AUTO"
        # Without "explode" FFmpeg conceals damage and says nothing; with it the packet fails and can be counted.
        stream.codec_context.options = {**stream.codec_context.options, "err_detect": "explode"}
        packets: Iterator[av.Packet] = self._packets(container, stream)
        if self.start and not self._pipe and (tick := seek_point(self.path, self.start)) is not None:
            with translated(self.path):
                container.seek(tick, stream=stream)
            packets = from_key_frame(packets)
        for packet in packets:
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as exc:
                self._count(f"a packet at {packet.pts if packet.pts is not None else '?'} does not decode", exc)
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    self._count("the decoder marks a frame as damaged", None)
                yield frame

    def _packets(self, container: av.container.InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as exc:
                self._count(f"reading stopped: {exc.strerror}", exc)
                return
            yield packet

    def _count(self, what: str, cause: Exception | None) -> None:
        self.damage.errors += 1
        if not self.allow_damaged:
            raise CorruptInput(
                f"{self.path}: after {self.frames} frames, {what}", hint="Pass --allow-damaged to keep what decodes."
            ) from cause

    def _cut(self, timed: Iterator[Timed]) -> Iterator[Timed]:
        end = None
        for item in timed:
            end = item.time + item.duration
            if self.length is not None and item.time >= self.start + self.length:
                return
            if not self.start or item.time >= self.start:
                yield Timed(item.frame, item.time - self.start, item.duration)
        self._check_duration(end)

    def _check_duration(self, end: Fraction | None) -> None:
        promised = self.info.duration
        lone = not any(s.kind == "audio" for s in self.info.streams)
        if self._pipe or promised is None or not (self.info.frames or lone):
            return  # the container's duration may be that of its longest audio track
        slack = max(Fraction(1, 10), 3 / self.info.frame_rate)
        missing = promised - (end or 0)
        if missing <= slack:
            return
        self.damage.missing_seconds = missing
        if not self.allow_damaged:
            raise TruncatedInput(
                f"{self.path} ends {float(missing):.2f} s before the {float(promised):.2f} s that its header promises",
                hint="Copy or download it again, or pass --allow-damaged to keep what is there.",
            )

    def _clips(self, timed: Iterator[Timed]) -> Iterator[Clip]:
        batch: list[Timed] = []
        for item in timed:
            batch.append(item)
            if len(batch) == self.clip_length:
                yield self._clip(batch)
                batch = []
        if batch:
            yield self._clip(batch)
        if not self.frames and self.damage:
            raise CorruptInput(f"{self.path}: not a single frame can be kept: {self.damage.describe()}")
        if not self.frames:
            raise nothing_between(self)

    def _clip(self, batch: list[Timed]) -> Clip:
        color = self.info.color
        pictures = [frames.to_planes(self._same_size(item.frame), color, self.info.rotation) for item in batch]
        y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
        self.frames += len(batch)
        return Clip((y, u, v), tuple(i.time for i in batch), tuple(i.duration for i in batch), color)

    def _same_size(self, frame: av.VideoFrame) -> av.VideoFrame:
        turned = self.info.rotation in (90, 270)
        width, height = (self.info.height, self.info.width) if turned else (self.info.width, self.info.height)
        if (frame.width, frame.height) == (width, height):
            return frame
        notice = f"the picture changes size inside the stream: all frames are scaled to {self.info.width}x{self.info.height}"
        if notice not in self.notices:
            self.notices.append(notice)
        return frame.reformat(width=width, height=height, interpolation="BICUBIC")


def nothing_between(reader: Reader) -> UsageError:
    """The error for a start and a duration between which no frame is shown."""
    end = "the end" if reader.length is None else f"{float(reader.start + reader.length):g} s"
    return UsageError(
        f"{reader.path}: no frame lies between {float(reader.start):g} s and {end}",
        hint=f"The video is {float(reader.info.duration or 0):.2f} s long.",
    )


def expected(info: VideoInfo, rate: Fraction, start: Fraction, length: Fraction | None) -> int | None:
    """How many frames will come at `rate` of what lies between, by the headers."""
    if info.duration is None and info.frames is None:
        return None
    whole = info.frames or round((info.duration or 0) * info.frame_rate)
    if rate == info.frame_rate and not length and not start:
        return whole
    seconds = (info.duration or whole / info.frame_rate) - start
    return max(0, round((min(seconds, length) if length else seconds) * rate))


def open_video(path: str | os.PathLike[str], **options: object) -> VideoReader:
    """Open a video for reading; options as `VideoReader`. Iterate over the result for `Clip`s."""
    return VideoReader(path, **options)  # type: ignore[arg-type]


def exact(
    value: Fraction | float | str | None, name: str, *, minimum: int | None = None, positive: bool = False
) -> Fraction | None:
    """Seconds, or frames per second for the name `fps`, as a fraction. Raises `UsageError` for what is none, or out of range."""
    if value is None:
        return None
    try:
        number = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, TypeError, ZeroDivisionError) as exc:
        unit = "frames per second" if name == "fps" else "seconds"
        raise UsageError(f"{name} is {value!r}, it must be a number of {unit}") from exc
    if (positive and number <= 0) or (minimum is not None and number < minimum):
        raise UsageError(f"{name} is {float(number):g}, it must be {'positive' if positive else f'at least {minimum}'}")
    return number
