"""What a file is: `probe(path) -> VideoInfo`. Reads headers and the first frame only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from .. import limits
from ..errors import CorruptInput, InputNotReadable, LimitExceeded
from ..types import ColorSpec, StreamInfo, VideoInfo
from . import frames, metadata
from .source import DECODER_OPTIONS, is_pipe, open_input, translated

_INTERLACED_ORDERS = (2, 3, 4, 5)
_AV_TIME_BASE = 1_000_000
#: Containers that always declare the frame's size; FFmpeg forgets it where it is over `limits.MAX_PIXELS`.
_SIZED = ("mov", "matroska", "avi")
_CRF = re.compile(r"\bcrf=([0-9.]+)")


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Facts about a video file. Raises the errors of `source.open_input`, and `InputNotReadable` where it holds no video."""
    with open_input(path) as container:
        return describe(container, os.fspath(path))


def streams_beside(path: str | os.PathLike[str]) -> tuple[tuple[StreamInfo, ...], int, dict[str, str]]:
    """Streams, number of chapters and tags of a file that holds only what stands beside a picture. Raises as `open_input`."""
    with open_input(path) as container:
        streams = tuple(_stream_info(s) for s in container.streams)
        return streams, len(container.chapters()), dict(container.metadata)


def main_video(container: av.container.InputContainer, where: str) -> VideoStream:
    """The first video stream that is not a cover picture; its declared size is checked against the limits."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise InputNotReadable(f"{where}: FFmpeg has no decoder for its video stream", hint="The file may be damaged.")
            limits.check_frame_size(stream.width, stream.height, where)
            stream.codec_context.options = dict(DECODER_OPTIONS)
            return stream
    raise InputNotReadable(f"{where} holds no video stream", hint="Audio alone can't be compressed or restored here.")


def describe(container: av.container.InputContainer, where: str) -> VideoInfo:
    """`VideoInfo` of an open container; decodes the first frame and leaves the read position after it."""
    stream = main_video(container, where)
    header = from_header(container, stream, where)
    with translated(where):
        first = _first_frame(container, stream)
    if first is None and not stream.width and container.format.name.startswith(_SIZED):
        raise LimitExceeded(
            f"{where} declares a frame of no size, or one over the limit of {limits.MAX_PIXELS:,} pixels",
            hint="Scale the video down first, or raise revivid.limits.MAX_PIXELS if you trust the file.",
        )
    if first is None:
        raise CorruptInput(f"{where}: not a single frame of its video decodes", hint="The file is damaged.")
    rotation = first.rotation // 90 * 90 % 360 if first.rotation % 90 == 0 else 0
    turned = rotation in (90, 270)
    width, height = (first.height, first.width) if turned else (first.width, first.height)
    aspect = header.sample_aspect
    return replace(
        header,
        width=width,
        height=height,
        pixel_format=first.format.name,
        color=_merged(frames.color_of(first), header.color),
        rotation=rotation,
        sample_aspect=1 / aspect if turned else aspect,
        interlaced=header.interlaced or first.interlaced_frame,
        alpha=header.alpha or frames.has_alpha(first.format.name),
        hdr=frames.hdr_of(first),
    )


def stream_crf(path: str | os.PathLike[str]) -> float | None:
    """The CRF that x264 or x265 wrote into the stream itself, 0 for codecs that lose nothing; None: nothing says."""
    if is_pipe(path):
        return None
    with open_input(path) as container, translated(os.fspath(path)):
        codec = main_video(container, os.fspath(path)).codec_context.codec
        if codec.lossless and not codec.lossy:
            return 0.0
        first = _first_frame(container, main_video(container, os.fspath(path)))
    found = _CRF.search(frames.encoder_settings_of(first)) if first is not None else None
    return float(found.group(1)) if found else None


def from_header(container: av.container.InputContainer, stream: VideoStream, where: str) -> VideoInfo:
    """`VideoInfo` without decoding anything: no rotation, no HDR metadata, colour as the container tags it."""
    context = stream.codec_context
    pixel_format = context.pix_fmt or "yuv420p"
    tags = {**container.metadata}
    return VideoInfo(
        path=where,
        container=container.format.name,
        codec=context.codec.canonical_name,
        width=stream.width,
        height=stream.height,
        pixel_format=pixel_format,
        color=ColorSpec(
            int(context.colorspace),
            int(context.color_primaries),
            int(context.color_trc),
            int(context.color_range) == 2 or pixel_format.startswith("yuvj"),
            frames.depth_of(pixel_format),
        ),
        frame_rate=frame_rate(stream),
        time_base=stream.time_base or Fraction(1, 90_000),
        duration=_duration(container, stream),
        frames=stream.frames or None,
        size_bytes=0 if is_pipe(where) else Path(where).stat().st_size,
        sample_aspect=_aspect(stream),
        interlaced=int(context.field_order) in _INTERLACED_ORDERS,
        alpha=frames.has_alpha(pixel_format) or _tag(stream.metadata, "alpha_mode") == "1",
        streams=tuple(_stream_info(s) for s in container.streams if s.index != stream.index),
        chapters=len(container.chapters()),
        recipe=metadata.extract_recipe(tags),
        start_time=start_of(container),
        metadata=tags,
    )


def start_of(container: av.container.InputContainer) -> Fraction:
    """The container's start in seconds: MPEG-TS rarely starts at zero."""
    rounded = Fraction(container.start_time or 0, _AV_TIME_BASE)
    exact = [s.start_time * s.time_base for s in container.streams if s.start_time is not None and s.time_base]
    # FFmpeg gives the container's start in whole microseconds; the stream that starts there knows it exactly.
    return min((e for e in exact if abs(e - rounded) < Fraction(2, _AV_TIME_BASE)), key=lambda e: abs(e - rounded), default=rounded)


def frame_rate(stream: VideoStream) -> Fraction:
    """Mean frames per second; FFmpeg's guess where the header gives none, 25 where there is not even that."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return Fraction(25)


def _duration(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    tag = _tag(stream.metadata, "DURATION")
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag) if tag else None
    if found:
        hours, minutes, seconds = found.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    return Fraction(container.duration, _AV_TIME_BASE) if container.duration else None


def _aspect(stream: VideoStream) -> Fraction:
    for aspect in (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio):
        if aspect and aspect > 0:
            return Fraction(aspect)
    return Fraction(1)


def _first_frame(container: av.container.InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    # On slices, not on frames: one frame is wanted, and frame threads would decode a dozen ahead.
    stream.thread_type = "SLICE"
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.error.InvalidDataError:
            continue
    return None


def _stream_info(stream: Stream) -> StreamInfo:
    context = stream.codec_context
    return StreamInfo(
        index=stream.index,
        kind=stream.type if stream.type != "unknown" else "data",
        codec=context.codec.canonical_name if context is not None else "unknown",
        language=stream.language,
        title=_tag(stream.metadata, "title"),
        disposition=_flags(stream.disposition),
        sample_rate=getattr(context, "sample_rate", None) if stream.type == "audio" else None,
        channels=getattr(context, "channels", None) if stream.type == "audio" else None,
    )


def _flags(disposition: Disposition) -> tuple[str, ...]:
    return tuple(flag.name or "" for flag in Disposition if disposition & flag)


def _tag(tags: dict[str, str], name: str) -> str | None:
    """Container tags differ in case between formats."""
    return next((value for key, value in tags.items() if key.lower() == name.lower()), None)


def _merged(frame: ColorSpec, header: ColorSpec) -> ColorSpec:
    """The frame's tags, completed by the container's where the stream says "unknown"."""
    return replace(
        frame,
        matrix=header.matrix if frame.matrix == 2 else frame.matrix,
        primaries=header.primaries if frame.primaries == 2 else frame.primaries,
        transfer=header.transfer if frame.transfer == 2 else frame.transfer,
    )


def audio_codecs(streams: Iterable[StreamInfo]) -> list[str]:
    """Codec names of the audio streams, in order."""
    return [stream.codec for stream in streams if stream.kind == "audio"]
