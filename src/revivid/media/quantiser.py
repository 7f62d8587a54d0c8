"""How coarsely a stream was quantised, asked of the decoder: for files that don't say at which CRF they were made."""

from __future__ import annotations

import os
import struct
from itertools import islice
from typing import Any

import numpy as np

from .probe import main_video
from .source import is_pipe, open_input, translated

#: Frames that are looked at: a few GOP structures' worth.
_FRAMES = 48
#: Decoders that tell the quantiser of every block, all on the scale of H.264.
_TELL = {"h264"}
#: FFmpeg's AVVideoEncParams: number, offset and size of the blocks, kind, the frame's QP; and where a block has its difference.
_HEADER, _DIFFERENCE = struct.Struct("@IQQii"), 4


def mean_quantiser(path: str | os.PathLike[str]) -> float | None:
    """Mean QP (0 to 51) of the first frames of an H.264 stream; None for other codecs, whose decoders don't tell."""
    if is_pipe(path):
        return None
    with open_input(path) as container, translated(os.fspath(path)):
        stream = main_video(container, os.fspath(path))
        if stream.codec_context.codec.canonical_name not in _TELL:
            return None
        stream.codec_context.options = {"export_side_data": "venc_params"}
        means = []
        for frame in islice(container.decode(stream), _FRAMES):
            told: Any = frame.side_data  # PyAV's types take it for a mapping of strings
            means += [_mean(bytes(data)) for data in told if data.type.name == "VIDEO_ENC_PARAMS"]
    return sum(means) / len(means) if means else None


def _mean(data: bytes) -> float:
    count, offset, size, _, quantiser = _HEADER.unpack_from(data)
    blocks = np.frombuffer(data, np.int32, count * size // 4, offset).reshape(count, size // 4)
    return quantiser + float(blocks[:, _DIFFERENCE].mean()) if count else float(quantiser)
