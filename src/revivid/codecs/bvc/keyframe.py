"""Keyframes: one picture as HEVC intra 4:4:4, in Y'CbCr of full range by BT.709's matrix (docs/FORMAT.md, section 6).

The second paper codes them as BPG, which is HEVC intra in another header. The decoded code values are integers, so they have a
CRC like the latents.
"""

from __future__ import annotations

import zlib
from fractions import Fraction

import av
import av.error
import numpy as np
from av.video.plane import VideoPlane

from ...errors import MissingTool
from .gop import CodedFrame
from .header import QUALITIES

#: QP at the worst and the best quality by the paper, whose lambda 256, 512, 1024 and 2048 are 37, 32, 27 and 22.
PAPER_QPS = (37, 22)
#: QP of keyframes. All that follows leans on them, so bits are worth more here than in the frames after them.
QPS = (28, 9)
_FORMATS = {8: "yuv444p", 10: "yuv444p10le", 12: "yuv444p12le"}
#: Bits per sample of keyframes at least: eight lose half a decibel of fine keyframes to rounding Y'CbCr alone.
LEAST_BITS = 10
_KR, _KB = 0.2126, 0.0722
_YCC = np.array(
    [
        [_KR, 1 - _KR - _KB, _KB],
        [-_KR / (2 * (1 - _KB)), -(1 - _KR - _KB) / (2 * (1 - _KB)), 0.5],
        [0.5, -(1 - _KR - _KB) / (2 * (1 - _KR)), -_KB / (2 * (1 - _KR))],
    ]
)
_RGB = np.linalg.inv(_YCC)
#: The bitstream may not depend on how many cores the machine has, nor carry the encoder's name; QP is the I frame's own.
# Tuned for PSNR, since all that follows leans on what is exact; edges are left to the frames that follow.
_X265 = (
    "log-level=error:info=0:aud=0:repeat-headers=1:keyint=1:ipratio=1:aq-mode=0:cutree=0:wpp=0:frame-threads=1:pools=none"
    ":psy-rd=0:psy-rdoq=0:deblock=-3,-3:tskip=1"
)
_HEVC_BT709, _HEVC_FULL_RANGE = 1, 2


def qp_of(quality: float) -> int:
    """The QP of keyframes at a quality."""
    worst, best = QUALITIES
    return round(QPS[0] + (quality - worst) / (best - worst) * (QPS[1] - QPS[0]))


def encode(picture: np.ndarray, qp: int, bit_depth: int, preset: str = "veryslow") -> CodedFrame:
    """R'G'B' (3, H, W) in [0, 1], even sides of 64 at least, as one HEVC picture with its parameter sets (Annex B)."""
    bit_depth = max(bit_depth, LEAST_BITS)
    planes = _to_planes(picture, bit_depth)
    context = _context("libx265", "w")
    _, height, width = planes.shape
    context.width, context.height, context.pix_fmt = width, height, _FORMATS[bit_depth]
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.color_range, context.colorspace = _HEVC_FULL_RANGE, _HEVC_BT709
    context.thread_count = 1
    context.options = {"preset": preset, "x265-params": f"{_X265}:qp={qp}"}
    frame = av.VideoFrame(width, height, _FORMATS[bit_depth])
    for target, plane in zip(frame.planes, planes, strict=True):
        _samples(target, bit_depth)[...] = plane
    frame.pts = 0
    frame.color_range, frame.colorspace = _HEVC_FULL_RANGE, _HEVC_BT709
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return CodedFrame(data, zlib.crc32(_decoded(data, width, height)[0].tobytes()))


def decode(frame: CodedFrame, width: int, height: int) -> np.ndarray:
    """float32 R'G'B' (3, height, width) in [0, 1]. Raises `ValueError` for bytes that hold no such picture."""
    planes, bit_depth = _decoded(frame.data, width, height)
    if zlib.crc32(planes.tobytes()) != frame.crc:
        raise ValueError("a keyframe decodes to other samples than were encoded (CRC)")
    peak = (1 << bit_depth) - 1
    ycc = planes.astype(np.float32) / np.float32(peak)
    ycc[1:] -= np.float32((1 << (bit_depth - 1)) / peak)
    picture = (_RGB.astype(np.float32) @ ycc.reshape(3, -1)).reshape(3, height, width)
    return np.clip(picture, 0, 1, out=picture)


def _to_planes(picture: np.ndarray, bit_depth: int) -> np.ndarray:
    peak = (1 << bit_depth) - 1
    ycc = (_YCC.astype(np.float32) @ picture.reshape(3, -1).astype(np.float32)).reshape(picture.shape) * np.float32(peak)
    ycc[1:] += np.float32(1 << (bit_depth - 1))
    return np.clip(np.rint(ycc), 0, peak).astype(np.uint8 if bit_depth == 8 else np.uint16)


def _decoded(data: bytes, width: int, height: int) -> tuple[np.ndarray, int]:
    """Y', Cb, Cr (3, height, width), code values as u16, and their bits, as the bitstream says."""
    context = _context("hevc", "r")
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
    bits = {name: depth for depth, name in _FORMATS.items()}.get(frame.format.name.replace("yuvj", "yuv"))
    if (frame.width, frame.height) != (width, height) or bits is None:
        raise ValueError(f"a keyframe is {frame.width}x{frame.height} {frame.format.name}")
    return np.stack([_samples(plane, bits) for plane in frame.planes]).astype("<u2", copy=False), bits


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
