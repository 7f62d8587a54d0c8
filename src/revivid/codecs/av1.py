"""AV1 through SVT-AV1; presets 0 (slowest) to 13 (fastest)."""

from __future__ import annotations

import os

from ..media.write import Encoding
from ..types import ColorSpec, HdrMetadata
from .hdr import svt_params


def encoding(*, color: ColorSpec, crf: float, preset: str, hdr: HdrMetadata | None, params: str, width: int | None) -> Encoding:
    """Settings for libsvtav1."""
    del color, width
    # SVT-AV1 writes its banner to stderr past libavutil's log; 1 leaves errors only.
    os.environ.setdefault("SVT_LOG", "1")
    settings = svt_params(hdr) + ([params] if params else [])
    options = {"crf": f"{crf:g}", "preset": preset}
    if settings:
        options["svtav1-params"] = ":".join(settings)
    return Encoding("libsvtav1", options, bit_depths=(8, 10), min_size=(64, 64), not_in=("mov",))
