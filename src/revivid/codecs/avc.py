"""AVC (H.264) through libx264: the fast output that plays everywhere."""

from __future__ import annotations

from ..media.write import Encoding
from ..types import ColorSpec, HdrMetadata
from .hdr import x26x_params


def encoding(*, color: ColorSpec, crf: float, preset: str, hdr: HdrMetadata | None, params: str, width: int | None) -> Encoding:
    """Settings for libx264."""
    del color, width
    settings = x26x_params(hdr, "cll") + ([params] if params else [])
    options = {"crf": f"{crf:g}", "preset": preset}
    if settings:
        options["x264-params"] = ":".join(settings)
    return Encoding("libx264", options, bit_depths=(8, 10))
