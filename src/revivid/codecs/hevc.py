"""HEVC through libx265: the codec of the first paper's main job (section 4.2)."""

from __future__ import annotations

from ..media.write import Encoding
from ..types import ColorSpec, HdrMetadata
from .hdr import x26x_params


def encoding(*, color: ColorSpec, crf: float, preset: str, hdr: HdrMetadata | None, params: str) -> Encoding:
    """Settings for libx265; HDR10 metadata is repeated at every key frame, as players that seek need it."""
    settings = ["log-level=error"]
    if hdr is not None and color.bit_depth >= 10:
        settings += ["hdr10=1", "repeat-headers=1"]
    settings += x26x_params(hdr, "max-cll")
    if params:
        settings.append(params)
    return Encoding(
        "libx265", {"crf": f"{crf:g}", "preset": preset, "x265-params": ":".join(settings)}, mp4_tag="hvc1", bit_depths=(8, 10, 12)
    )
