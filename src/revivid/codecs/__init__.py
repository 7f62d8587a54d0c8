"""The codecs: each makes an `Encoding` for `revivid.media.write` from the options that people know.

    encoding(name, crf, preset, color, hdr) -> Encoding

| name | encoder | default CRF | default preset |
|---|---|---|---|
| x265 | HEVC, libx265 | 28 | medium |
| x264 | AVC, libx264 | 23 | medium |
| av1 | AV1, SVT-AV1 | 35 | 8 |
| ffv1 | lossless, FFV1 version 3 | - | - |
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..media.write import Encoding
    from ..types import ColorSpec, HdrMetadata


@dataclass(frozen=True)
class Codec:
    """What the command line and the planner need to know of a codec without importing it."""

    #: The file of this package that makes its `Encoding`, and FFmpeg's name of the encoder.
    module: str
    encoder: str
    default_crf: float
    max_crf: float
    default_preset: str
    presets: tuple[str, ...]
    bit_depths: tuple[int, ...]
    #: The x265 CRF of equal PSNR-Y, which restorers are told: that of this codec's CRF 0, and what each step adds. Fitted to
    #: scenes at a half and a quarter of their size with x264 and x265 `medium` and SVT-AV1 8 (`bench/crfs.py`).
    x265_from: float = 0.0
    x265_step: float = 1.0

    def as_x265(self, crf: float) -> float:
        """The x265 CRF that does about as much damage as this codec's."""
        return self.x265_from + self.x265_step * crf

    def of_x265(self, crf: float) -> float:
        """This codec's CRF that does about as much damage as x265's, within its range; AV1's are whole numbers."""
        own = min(max((crf - self.x265_from) / self.x265_step, 0.0), self.max_crf)
        return float(round(own)) if self.encoder == "libsvtav1" else own


_X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip

CODECS = {
    "x265": Codec("hevc", "libx265", 28, 51, "medium", _X26X_PRESETS, (8, 10, 12)),
    "x264": Codec("avc", "libx264", 23, 51, "medium", _X26X_PRESETS, (8, 10), x265_from=2.0),
    "av1": Codec("av1", "libsvtav1", 35, 63, "8", tuple(str(n) for n in range(14)), (8, 10), x265_from=9.2, x265_step=0.4),
    "ffv1": Codec("ffv1", "ffv1", 0, 0, "", ("",), (8, 10, 12)),
}


def codec(name: str) -> Codec:
    """The codec by name; `UsageError` with the known names otherwise."""
    if name not in CODECS:
        raise UsageError(f"there is no codec {name!r}", hint=f"Known: {', '.join(CODECS)}.")
    return CODECS[name]


def encoding(
    name: str,
    color: ColorSpec,
    *,
    crf: float | None = None,
    preset: str | None = None,
    hdr: HdrMetadata | None = None,
    params: str = "",
    width: int | None = None,
) -> Encoding:
    """Settings for one encode. `params` are the encoder's own (`key=value:key=value`), added last; `width` is that of the
    picture in pixels, where it is known: narrow ones need other settings.

    Raises `UsageError` for an unknown codec or preset, a CRF out of range, or a bit depth that the codec lacks.
    """
    known = codec(name)
    crf = known.default_crf if crf is None else crf
    preset = known.default_preset if preset is None else preset
    if not 0 <= crf <= known.max_crf:
        raise UsageError(f"CRF {crf:g} is out of range for {name}", hint=f"Choose 0 (best) to {known.max_crf:g} (smallest).")
    if preset not in known.presets:
        raise UsageError(f"{name} has no preset {preset!r}", hint=f"Known: {', '.join(known.presets)}.")
    if color.bit_depth not in known.bit_depths:
        raise UsageError(
            f"{name} can't encode {color.bit_depth}-bit video",
            hint="Choose --codec x265, which takes 8, 10 and 12 bits; for --codec hybrid x265 --scale 1 --enhance auto.",
        )
    module = importlib.import_module(f".{known.module}", __package__)
    return module.encoding(color=color, crf=crf, preset=preset, hdr=hdr, params=params, width=width)
