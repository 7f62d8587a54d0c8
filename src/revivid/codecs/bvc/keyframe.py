"""Keyframes: one picture as HEVC or VVC intra 4:2:0, in Y'CbCr of full range by BT.709's matrix (docs/FORMAT.md, section 6).

PyAV decodes both. It has no encoder for VVC, which is the ffmpeg program's work (`media.program`): smaller, and far slower.
Every picture here was 4:2:0 before, and the filters of `color` undo each other exactly: nothing is lost to fewer samples of chroma.

The second paper codes them as BPG, which is HEVC intra in another header. The decoded code values are integers, so they have a
CRC like the latents.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import av.error
import numpy as np
import torch
from av.video.plane import VideoPlane

from ...color import LUMA_WEIGHTS, clip_to_rgb, rgb_to_planes
from ...errors import MissingTool
from ...media import program
from ...media.frames import working_format
from ...types import MATRICES, Clip, ColorSpec
from .gop import CodedFrame
from .header import QUALITIES

#: QP at the worst and the best quality by the paper, whose lambda 256, 512, 1024 and 2048 are 37, 32, 27 and 22.
PAPER_QPS = (37, 22)
#: QP of keyframes. All that follows leans on them, so bits are worth more here than in the frames after them.
QPS = (28, 9)
#: Bits and kind of sampling by pixel format; what is written is 4:2:0, older streams have 4:4:4.
_FORMATS = {"yuv420p": 8, "yuv420p10le": 10, "yuv420p12le": 12, "yuv444p": 8, "yuv444p10le": 10, "yuv444p12le": 12}
#: Bits per sample of keyframes at least: eight lose half a decibel of fine keyframes to rounding Y'CbCr alone.
LEAST_BITS = 10
_BT709 = MATRICES["bt709"]
#: The bitstream may not depend on how many cores the machine has, nor carry the encoder's name; QP is the I frame's own.
# Tuned for PSNR, since all that follows leans on what is exact; edges are left to the frames that follow.
_X265 = (
    "log-level=error:info=0:aud=0:repeat-headers=1:keyint=1:ipratio=1:aq-mode=0:cutree=0:wpp=0:frame-threads=1:pools=none"
    # An error of a sample of chroma is one of several pixels.
    ":psy-rd=0:psy-rdoq=0:deblock=-3,-3:tskip=1:cbqpoffs=-6:crqpoffs=-6"
)
_FULL_RANGE = 2
#: vvenc's preset, tuned for PSNR likewise, and what it is told in place of x265's QP for about as many bits.
_VVENC = ("-preset", "medium", "-qpa", "0", "-threads", "1")
_VVENC_PARAMETERS = "verbosity=0:intraperiod=1:CbQpOffset=-6:CrQpOffset=-6:CbCrQpOffset=-6"
_VVC_QP = 1
#: Seconds that it may take for a megapixel: six times what it took on two cores.
_VVENC_PATIENCE = 100
Codec = Literal["hevc", "vvc"]
Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def qp_of(quality: float) -> int:
    """The QP of keyframes at a quality."""
    worst, best = QUALITIES
    return round(QPS[0] + (quality - worst) / (best - worst) * (QPS[1] - QPS[0]))


def encode(picture: np.ndarray, qp: int, bit_depth: int, preset: str = "veryslow", codec: Codec = "hevc") -> CodedFrame:
    """R'G'B' (3, H, W) in [0, 1], even sides of 64 at least, as one picture with its parameter sets (Annex B).

    `preset`: x265's. Raises `MissingTool` where there is no encoder of that kind.
    """
    color = _color(max(bit_depth, LEAST_BITS))
    planes = rgb_to_planes(torch.from_numpy(picture)[None], color)
    data = _hevc(planes, color, qp, preset) if codec == "hevc" else _vvc(planes, color, qp)
    _, height, width = picture.shape
    return CodedFrame(data, _crc(_decoded(data, width, height)[0]))


def codec_of(data: bytes) -> Codec:
    """Which kind a keyframe is, by its first unit: in VVC its header begins with a layer, which is 0, in HEVC with a type."""
    return "vvc" if data[:5] == b"\0\0\0\1\0" else "hevc"


def _vvc(planes: Planes, color: ColorSpec, qp: int) -> bytes:
    """One picture by vvenc, always of ten bits."""
    clip = Clip(planes, (Fraction(0),), (Fraction(1, 25),), color)
    arguments = ["-c:v", "libvvenc", *_VVENC, "-qp", str(qp + _VVC_QP), "-vvenc-params", _VVENC_PARAMETERS]
    return program.run([clip], [*arguments, "-pix_fmt", "yuv420p10le", "-f", "vvc", "key.vvc"], "key.vvc", _VVENC_PATIENCE)


def _hevc(planes: Planes, color: ColorSpec, qp: int, preset: str) -> bytes:
    """One picture by x265."""
    bit_depth = color.bit_depth
    context = _context("libx265", "w")
    _, height, width = planes[0].shape
    context.width, context.height, context.pix_fmt = width, height, working_format(bit_depth)
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.color_range, context.colorspace = _FULL_RANGE, _BT709
    context.thread_count = 1
    context.options = {"preset": preset, "x265-params": f"{_X265}:qp={qp}"}
    frame = av.VideoFrame(width, height, context.pix_fmt)
    for target, plane in zip(frame.planes, planes, strict=True):
        _samples(target, bit_depth)[...] = plane[0]
    frame.pts = 0
    frame.color_range, frame.colorspace = _FULL_RANGE, _BT709
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def decode(frame: CodedFrame, width: int, height: int) -> np.ndarray:
    """float32 R'G'B' (3, height, width) in [0, 1]. Raises `ValueError` for bytes that hold no such picture."""
    planes, bit_depth = _decoded(frame.data, width, height)
    if _crc(planes) != frame.crc:
        raise ValueError("a keyframe decodes to other samples than were encoded (CRC)")
    if planes[1].shape == planes[0].shape:
        return _rgb_of_full_chroma(np.stack(planes), bit_depth)
    y, u, v = (plane[None].astype(_color(bit_depth).dtype, copy=False) for plane in planes)
    return clip_to_rgb(Clip((y, u, v), (Fraction(0),), (Fraction(1),), _color(bit_depth)))[0].numpy()


def _rgb_of_full_chroma(planes: np.ndarray, bit_depth: int) -> np.ndarray:
    """R'G'B' of 4:4:4, as streams were written once."""
    kr, kb = LUMA_WEIGHTS[_BT709]
    zeros = np.array([0, 1 << (bit_depth - 1), 1 << (bit_depth - 1)], np.float32)
    y, cb, cr = (planes - zeros[:, None, None]) / np.float32((1 << bit_depth) - 1)
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.clip(np.stack((red, (y - kr * red - kb * blue) / (1 - kr - kb), blue)), 0, 1).astype(np.float32)


def _color(bit_depth: int) -> ColorSpec:
    return ColorSpec(matrix=_BT709, full_range=True, bit_depth=bit_depth)


def _crc(planes: Sequence[np.ndarray]) -> int:
    return zlib.crc32(b"".join(plane.tobytes() for plane in planes))


def _decoded(data: bytes, width: int, height: int) -> tuple[list[np.ndarray], int]:
    """Y', Cb, Cr, code values as u16 in memory of their own, and their bits, as the bitstream says."""
    context = _context(codec_of(data), "r")
    context.thread_count = 1
    # What the stream's own headers claim is refused before anything is allocated for it.
    context.options = {"err_detect": "explode", "max_pixels": str(width * height)}
    try:
        frames = [frame for packet in (av.Packet(data), None) for frame in context.decode(packet)] if data else []
    except av.error.FFmpegError as fault:
        raise ValueError(f"a keyframe does not decode: {fault.strerror}") from fault
    if len(frames) != 1 or not isinstance(frames[0], av.VideoFrame):
        raise ValueError(f"a keyframe holds {len(frames)} pictures")
    frame = frames[0]
    bits = _FORMATS.get(frame.format.name.replace("yuvj", "yuv"))
    if (frame.width, frame.height) != (width, height) or bits is None:
        raise ValueError(f"a keyframe is {frame.width}x{frame.height} {frame.format.name}")
    return [_samples(plane, bits).astype("<u2") for plane in frame.planes], bits


def _samples(plane: VideoPlane, bit_depth: int) -> np.ndarray:
    """A view of a plane (height, width) without the padding of its rows."""
    dtype = np.dtype(np.uint8 if bit_depth == 8 else "<u2")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
    return rows[:, : plane.width]


def _context(codec: str, mode: str) -> av.VideoCodecContext:
    try:
        context = av.CodecContext.create(codec, mode)  # type: ignore[arg-type]
    except (av.error.FFmpegError, ValueError) as fault:
        raise MissingTool(f"this build of FFmpeg has no {codec}", hint="PyAV's wheels from the package index have it.") from fault
    assert isinstance(context, av.VideoCodecContext)
    return context
