"""Lossless: FFV1 version 3 with a checksum in every slice, for Matroska."""

from __future__ import annotations

from ..media.write import Encoding
from ..types import ColorSpec, HdrMetadata


def encoding(*, color: ColorSpec, crf: float, preset: str, hdr: HdrMetadata | None, params: str, width: int | None) -> Encoding:
    """Settings for FFV1; nothing can be chosen."""
    del color, crf, preset, hdr, params, width
    return Encoding("ffv1", {"level": "3", "slicecrc": "1"}, bit_depths=(8, 10, 12), odd_sizes=True)
