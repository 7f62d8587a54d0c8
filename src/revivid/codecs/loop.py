"""A video encoder and its decoder back to back, in memory: what a Clip looks like after compression, and what it costs.

    Clip -> encoder -> packets (their bytes are counted) -> decoder -> Clip of the same frames and times

Training needs this thousands of times on short clips, so no container and no file is involved.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av
import av.error
import numpy as np

from ..errors import CorruptInput, MissingTool, ShapeError, UsageError
from ..media.frames import from_planes, to_planes, working_format
from ..media.scheduling import kept_priority
from ..types import Clip

#: Encoder -> the decoder of its stream.
DECODERS = {"libx265": "hevc", "libx264": "h264", "libsvtav1": "libdav1d"}
#: Below this width x265 4.1's vectorised CU-tree writes past its rows (glibc: "free(): invalid next size", measured at up to 48
#: pixels), which ends the whole process; so CU-tree is switched off there.
X265_CUTREE_MIN_WIDTH = 64


@dataclass(frozen=True)
class LoopSettings:
    """How the encoder is to work; the defaults are those of `revivid compress`."""

    encoder: str = "libx265"
    #: Constant rate factor, in the encoder's own range; fractions are allowed for x264 and x265.
    crf: float = 28.0
    preset: str = "medium"
    #: Further options of the encoder by FFmpeg's names.
    options: dict[str, str] = field(default_factory=dict)
    #: Threads of the encoder and of the decoder each; one, where many clips are worked on side by side.
    threads: int = 1


def encode_decode(clip: Clip, settings: LoopSettings | None = None) -> tuple[Clip, int]:
    """The clip as a viewer would get it, and the bytes of the elementary stream.

    Raises `MissingTool` where this build of FFmpeg lacks the encoder, `UsageError` where the encoder refuses the options and
    `CorruptInput` where not every frame comes back.
    """
    settings = settings or LoopSettings()
    packets = _encode(clip, settings)
    frames = _decode(packets, settings)
    if len(frames) != len(clip):
        raise CorruptInput(f"{settings.encoder} gave back {len(frames)} of {len(clip)} frames")
    planes = [to_planes(frame, clip.color, rotation=0) for frame in frames]
    y, u, v = (np.stack(plane) for plane in zip(*planes, strict=True))
    return clip.with_planes(y, u, v), sum(packet.size for packet in packets)


def _encode(clip: Clip, settings: LoopSettings) -> list[av.Packet]:
    if not len(clip):
        raise ShapeError("no frames to encode")
    encoder = _context(settings.encoder, "w")
    # Frame numbers, not the clip's times: the rate control must not depend on how a clip was cut out of its video.
    rate = 1 / (clip.durations[0] or Fraction(1, 25))
    rate = Fraction(rate).limit_denominator(1001)
    encoder.width, encoder.height, encoder.pix_fmt = clip.width, clip.height, working_format(clip.color.bit_depth)
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.thread_count = settings.threads
    encoder.options = _options(settings, clip.width)
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its settings to stderr past libavutil's log; 1 leaves errors only
    packets: list[av.Packet] = []
    try:
        with kept_priority():
            encoder.open()
        for t, picture in enumerate(zip(*clip.planes, strict=True)):
            frame = from_planes(picture, clip.color)
            frame.pts, frame.time_base = t, 1 / rate
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
    except (av.error.FFmpegError, ValueError) as fault:
        raise UsageError(
            f"{settings.encoder} can't encode {clip.width}x{clip.height} at crf {settings.crf} ({settings.preset}): {fault}",
            hint="Sizes must be even, for x265 at least 16; check the preset's name and the range of the crf.",
        ) from fault
    return packets


def _decode(packets: list[av.Packet], settings: LoopSettings) -> list[av.VideoFrame]:
    decoder = _context(DECODERS[settings.encoder], "r")
    decoder.thread_count = settings.threads
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return [frame for frame in frames if isinstance(frame, av.VideoFrame)]


def _context(codec: str, mode: Literal["r", "w"]) -> av.VideoCodecContext:
    try:
        context = av.CodecContext.create(codec, mode)
    except (av.error.FFmpegError, ValueError) as fault:
        raise MissingTool(
            f"this build of FFmpeg has no {codec}", hint="PyAV's wheels from the package index have it: reinstall `av`."
        ) from fault
    assert isinstance(context, av.VideoCodecContext)
    return context


def _options(settings: LoopSettings, width: int) -> dict[str, str]:
    options = {"crf": str(settings.crf), "preset": settings.preset, **settings.options}
    if settings.encoder == "libx265":
        own = ["log-level=none"]
        if settings.threads == 1:
            own += ["pools=1", "frame-threads=1"]
        if width < X265_CUTREE_MIN_WIDTH:
            own += ["cutree=0"]
        options["x265-params"] = ":".join([*filter(None, [options.get("x265-params")]), *own])
    if settings.encoder == "libsvtav1" and settings.threads == 1:
        options["svtav1-params"] = ":".join([*filter(None, [options.get("svtav1-params")]), "lp=1"])
    return options
