"""Video out: `VideoWriter` encodes Clips, carries the other streams along, and puts the file in place only when it is whole.

Clip -> frame with exact time -> encoder -> muxer <- audio, subtitles, attachments (see `passthrough`)
temporary file beside the target -> verified -> renamed
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import av.container
import av.error
from av.video.stream import VideoStream

from ..errors import MissingTool, OutputExists, OutputNotWritable, OutputTooLarge, RevividError, ShapeError, UsageError
from ..types import Clip, ColorSpec
from . import frames, metadata, unfinished
from .passthrough import Passthrough
from .scheduling import kept_priority
from .source import is_pipe

#: Suffix -> libavformat's muxer.
MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
#: x265 learns from its third frame how far decoding times lag behind; of fewer frames it hands out whatever lay in memory.
_X265_NO_DTS = 2
#: The movie's own clock counts edits, such as where audio begins before video: milliseconds, the default, would shift it.
_MOV_OPTIONS = {"movflags": "+faststart", "movie_timescale": "90000"}
_MUXER_OPTIONS = {"mp4": _MOV_OPTIONS, "mov": _MOV_OPTIONS}


class Writer(Protocol):
    """A context manager that takes Clips and makes a file of them: `VideoWriter`, or what another `Encoding` has."""

    #: Frames written, bytes that they took, and seconds at which the last one ends.
    frames: int
    video_bytes: int
    end: Fraction

    def write(self, clip: Clip) -> None: ...
    def __enter__(self) -> Writer: ...
    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...


@dataclass(frozen=True)
class Encoding:
    """How to encode: made by `revivid.codecs`, or lossless from here."""

    #: FFmpeg's encoder name, such as `libx265`.
    encoder: str
    #: The encoder's own options, such as `{"crf": "28", "preset": "medium"}`.
    options: Mapping[str, str] = field(default_factory=dict)
    #: Four-character code to write into MP4 (Apple's players want `hvc1` for HEVC).
    mp4_tag: str | None = None
    #: Bit depths that the encoder takes.
    bit_depths: tuple[int, ...] = (8, 10, 12)
    #: Whether odd widths and heights can be stored in 4:2:0.
    odd_sizes: bool = False
    #: The smallest width and height that it encodes.
    min_size: tuple[int, int] = (2, 2)
    #: Muxers that don't take its streams.
    not_in: tuple[str, ...] = ()

    def muxer(self, path: str | os.PathLike[str]) -> str:
        """libavformat's muxer of the output: what else it can carry depends on it. Raises as `muxer_for`, and `UsageError` for
        one that doesn't take what this encoder makes."""
        muxer = muxer_for(path)
        if muxer in self.not_in:
            raise UsageError(f"{os.fspath(path)}: {self.encoder} doesn't go into {muxer}", hint="Name a .mp4 or a .mkv file.")
        return muxer

    def writer(self, path: str | os.PathLike[str], target: Target, **options: Any) -> Writer:
        """What encodes Clips so into `path`; options as `VideoWriter`."""
        return VideoWriter(path, target, self, **options)

    def check(self, width: int, height: int, bit_depth: int) -> None:
        """Raise `UsageError` for what this encoder can't take; some take the process down instead of refusing."""
        if bit_depth not in self.bit_depths:
            raise UsageError(f"{self.encoder} can't encode {bit_depth}-bit video")
        if width < self.min_size[0] or height < self.min_size[1]:
            least = f"{self.min_size[0]}x{self.min_size[1]}"
            raise UsageError(
                f"{width}x{height} is too small for {self.encoder}: {least} at least",
                hint="Choose a larger --scale or --codec x264; for --codec hybrid x265 --scale 1 --enhance auto.",
            )
        if (width % 2 or height % 2) and not self.odd_sizes:
            raise UsageError(
                f"{self.encoder} can't store {width}x{height}: 4:2:0 has even sides only", hint="Pad or crop it, or choose ffv1."
            )


@dataclass(frozen=True)
class Target:
    """What the output's video stream says about itself."""

    width: int
    height: int
    color: ColorSpec
    frame_rate: Fraction
    time_base: Fraction
    sample_aspect: Fraction = Fraction(1)


def has_encoder(name: str) -> bool:
    """Whether this FFmpeg has the encoder."""
    return name in av.codecs_available


def muxer_for(path: str | os.PathLike[str]) -> str:
    """libavformat's muxer by the file's suffix; `UsageError` for suffixes that can't hold what revivid writes."""
    if is_pipe(path):
        return "yuv4mpegpipe"
    suffix = Path(path).suffix.lower()
    if suffix not in MUXERS:
        raise UsageError(
            f"{os.fspath(path)}: can't tell the container from the suffix {suffix!r}", hint=f"Use one of {', '.join(MUXERS)}."
        )
    return MUXERS[suffix]


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False, inputs: tuple[str | os.PathLike[str], ...] = ()) -> None:
    """Raise before any work where the output can't or mustn't be written: it exists, it is an input, its folder is missing."""
    if is_pipe(path):
        return
    target = Path(path)
    for source in inputs:
        if not is_pipe(source) and target.exists() and Path(source).exists() and target.samefile(source):
            raise OutputExists(f"{target} is the input itself", hint="Choose another output; the input is never overwritten.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint="Name the file to write.")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} exists already", hint="Pass -y to overwrite it.")
    if not target.parent.is_dir():
        raise OutputNotWritable(f"{target.parent} is not a folder", hint="Create it first.")
    if not os.access(target.parent, os.W_OK):
        raise OutputNotWritable(f"{target.parent}: permission denied", hint="Choose a folder that you may write to.")


class VideoWriter:
    """Encode Clips into one file; a context manager. Leaving it normally finishes, verifies and renames; an exception removes all.

    `-` writes y4m to standard output: planes only, no other streams, no tags. A file of more than `max_bytes` is not kept: leaving
    raises `OutputTooLarge`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        target: Target,
        encoding: Encoding,
        *,
        overwrite: bool = False,
        passthrough: Passthrough | None = None,
        tags: Mapping[str, str] | None = None,
        recipe: str | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.target = target
        self.encoding = encoding
        self.overwrite = overwrite
        self.frames = 0
        self.video_bytes = 0
        self._passthrough = passthrough
        self._tags = dict(tags or {})
        self._recipe = recipe
        self._max_bytes = max_bytes
        self._pipe = is_pipe(path)
        self._muxer = muxer_for(path)
        self._rate = target.frame_rate.limit_denominator(1001 * 1000)
        # y4m has no times: its frames are one tick apart, and its header says the tick.
        self._time_base = 1 / self._rate if self._pipe else target.time_base
        #: What the container's times are multiples of: Matroska counts milliseconds.
        self._step = max(self._time_base, Fraction(1, 1000) if self._muxer in ("matroska", "webm") else self._time_base)
        self._last_tick: int | None = None
        self._last_stamp: int | None = None
        self._durations: dict[int, int] = {}
        self._first_tick = 0
        #: Seconds at which the last written frame ends.
        self.end = Fraction(0)
        if not self._pipe:
            encoding.check(target.width, target.height, target.color.bit_depth)
        self._temporary = Path(self.path)

    def __enter__(self) -> VideoWriter:
        check_output(self.path, overwrite=self.overwrite)
        with self._reported():
            if self._pipe:
                # FFmpeg calls y4m above 8 bits an extension and wants to be asked for it.
                options = {"strict": "-1"}
                self._output = av.open(_Unseekable(sys.stdout.buffer), mode="w", format="yuv4mpegpipe", options=options)
            else:
                self._temporary = unfinished.begin(Path(self.path))
                options = _MUXER_OPTIONS.get(self._muxer, {})
                self._output = av.open(f"file:{self._temporary}", mode="w", format=self._muxer, container_options=options)
            try:
                self._stream = self._add_video()
                if self._passthrough is not None and not self._pipe:
                    self._passthrough.attach(self._output)
                self._output.metadata.update(self._all_tags())
                self._open_encoder()
            except BaseException:
                self._discard()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException:
            self._discard()
            raise

    def write(self, clip: Clip) -> None:
        """Encode a clip's frames. Raises `ShapeError` where its size is not the target's."""
        expected = (self.target.width, self.target.height)
        if (clip.width, clip.height) != expected:
            raise ShapeError(f"a clip of {clip.width}x{clip.height} for an output of {expected[0]}x{expected[1]}")
        for index, (time, duration) in enumerate(zip(clip.times, clip.durations, strict=True)):
            frame = frames.from_planes([plane[index] for plane in clip.planes], self.target.color)
            tick = self._next_tick(time)
            frame.pts, frame.time_base = tick, self._time_base
            self._durations[tick] = max(1, round(duration / self._time_base))
            if not self.frames:
                self._first_tick = tick
            self._last_tick, self.end = tick, time + duration
            with self._reported():
                if self._passthrough is not None and not self._pipe:
                    self._mux_others(time)
                self._mux(self._stream.encode(frame))
            self.frames += 1

    def _next_tick(self, time: Fraction) -> int:
        """A frame's time in ticks of the encoder. They only rise, also once the container has rounded them to its own step."""
        stamp = round(time / self._step)
        if self._last_stamp is not None and stamp <= self._last_stamp:
            stamp = self._last_stamp + 1
            time = stamp * self._step
        self._last_stamp = stamp
        return round(time / self._time_base)

    def _add_video(self) -> VideoStream:
        target = self.target
        name = "rawvideo" if self._pipe else self.encoding.encoder
        rate = self._rate
        try:
            stream = self._output.add_stream(name, rate=rate)
        except (av.error.FFmpegError, ValueError) as exc:
            if has_encoder(name):
                raise UsageError(f"{self.path}: {self._muxer} can't hold what {name} makes", hint="Name the output .mkv.") from exc
            raise MissingTool(
                f"this FFmpeg has no encoder {name}", hint="Install PyAV from PyPI: its wheels carry the encoders."
            ) from exc
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = target.width, target.height
        stream.pix_fmt = frames.working_format(target.color.bit_depth)
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.framerate = rate
        context.sample_aspect_ratio = target.sample_aspect
        context.color_range = 2 if target.color.full_range else 1
        context.colorspace = target.color.matrix
        context.color_primaries = target.color.primaries
        context.color_trc = target.color.transfer
        if not self._pipe:
            context.options = dict(self.encoding.options)
        if self.encoding.mp4_tag and self._muxer in ("mp4", "mov"):
            context.codec_tag = self.encoding.mp4_tag
        return stream

    def _open_encoder(self) -> None:
        """Ahead of the first frame, so that options which the encoder refuses are told from a disk that is full."""
        try:
            with kept_priority():
                self._stream.codec_context.open()
        except (av.error.FFmpegError, ValueError) as exc:
            options = " ".join(f"{key}={value}" for key, value in self.encoding.options.items())
            raise UsageError(
                f"{self.encoding.encoder} refuses {self.target.width}x{self.target.height} with {options}",
                hint="Check --codec-params and the preset.",
            ) from exc

    def _all_tags(self) -> dict[str, str]:
        if self._pipe:
            return {}
        recipe = metadata.recipe_tag(self._muxer, self._recipe, self._tags) if self._recipe else {}
        return {**self._tags, **recipe}

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            self.video_bytes += packet.size
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
            self._output.mux(packet)

    def _mux_others(self, time: Fraction | None) -> None:
        assert self._passthrough is not None
        for packet in self._passthrough.until(time):
            try:
                self._output.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError) as exc:  # the packet's fault, not the disk's
                self._passthrough.refused(f"a packet of stream {packet.stream_index} can't be stored: {exc.strerror}", exc)

    def _finish(self) -> None:
        with self._reported():
            if self.frames:
                for packet in self._stream.encode_lazy(None):  # one by one, so that Ctrl-C is heard between two
                    if self.frames <= _X265_NO_DTS:
                        packet.dts = packet.pts
                    self._mux([packet])
            if self._passthrough is not None and not self._pipe:
                self._mux_others(None)
            self._output.close()
        if self._pipe:
            sys.stdout.buffer.flush()
            return
        self._verify()
        size = self._temporary.stat().st_size
        if self._max_bytes is not None and size > self._max_bytes:
            raise OutputTooLarge(self.path, size, self.video_bytes, self._max_bytes)
        unfinished.place(self._temporary, Path(self.path))

    def _verify(self) -> None:
        """Count what is really in the file: a full disk may show only here."""
        try:
            with av.open(f"file:{self._temporary}") as written:
                stream = written.streams.video[0]
                packets = written.demux(stream)
                times = [p.pts * p.time_base for p in packets if p.size and p.pts is not None and p.time_base]
        except av.error.FFmpegError as exc:
            raise OutputNotWritable(f"{self.path}: the written file can't be read back: {exc.strerror}") from exc
        wrote = ((self._last_tick or 0) - self._first_tick) * self._time_base
        read = max(times, default=Fraction(0)) - min(times, default=Fraction(0))
        # Matroska rounds to milliseconds.
        if len(times) != self.frames or abs(read - wrote) > Fraction(2, 1000):
            raise OutputNotWritable(
                f"{self.path}: wrote {self.frames} frames in {float(wrote):.3f} s, read back {len(times)} in {float(read):.3f} s",
                hint="Is the disk full?",
            )

    def _discard(self) -> None:
        with contextlib.suppress(Exception):
            self._output.close()
        if not self._pipe:
            unfinished.discard(self._temporary)

    @contextlib.contextmanager
    def _reported(self):
        try:
            yield
        except BrokenPipeError as exc:
            raise OutputNotWritable("the program that reads our output went away") from exc
        except (av.error.FFmpegError, OSError) as exc:
            if isinstance(exc, RevividError):
                raise
            reason = getattr(exc, "strerror", None) or str(exc)
            raise OutputNotWritable(
                f"{self.path}: can't be written: {reason}", hint="Nothing of it was kept. Check the free space and the folder."
            ) from exc


class _Unseekable:
    """Standard output as libavformat wants a stream: only `write`, so that it never tries to seek back."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self.name = "standard output"

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        return len(data)
