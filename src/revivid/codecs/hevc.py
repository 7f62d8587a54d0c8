"""HEVC through libx265: the codec of the first paper's main job (section 4.2)."""

from __future__ import annotations

from ..media.write import Encoding
from ..types import ColorSpec, HdrMetadata
from .hdr import x26x_params
from .loop import X265_CUTREE_MIN_WIDTH

_MIN_SIDE = 16


def encoding(*, color: ColorSpec, crf: float, preset: str, hdr: HdrMetadata | None, params: str, width: int | None) -> Encoding:
    """Settings for libx265; HDR10 metadata is repeated at every key frame, as players that seek need it."""
    settings = ["log-level=error"]
    if hdr is not None and color.bit_depth >= 10:
        settings += ["hdr10=1", "repeat-headers=1"]
    settings += x26x_params(hdr, "max-cll")
    if params:
        settings.append(params)
    narrow = width is not None and width < X265_CUTREE_MIN_WIDTH
    if narrow:  # last, since nobody may switch it on again: it takes the process down
        settings.append("cutree=0")
    return Encoding(
        "libx265",
        {"crf": f"{crf:g}", "preset": preset, "x265-params": ":".join(settings)},
        mp4_tag="hvc1",
        bit_depths=(8, 10, 12),
        min_size=(_MIN_SIDE if narrow else X265_CUTREE_MIN_WIDTH, _MIN_SIDE),
    )
