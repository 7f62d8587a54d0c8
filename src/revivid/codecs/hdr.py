"""HDR10 static metadata in the words of the encoders."""

from __future__ import annotations

from fractions import Fraction

from ..types import HdrMetadata


def x26x_params(hdr: HdrMetadata | None, light_key: str) -> list[str]:
    """`master-display` and the light level for x265 (`max-cll`) and x264 (`cll`), in their integer units."""
    if hdr is None:
        return []
    params = []
    if hdr.primaries is not None and hdr.luminance is not None:
        red, green, blue, white = (tuple(round(c * 50_000) for c in point) for point in hdr.primaries)
        low, high = (round(level * 10_000) for level in hdr.luminance)
        points = "".join(f"{name}({x},{y})" for name, (x, y) in zip("GBR", (green, blue, red), strict=True))
        params.append(f"master-display={points}WP({white[0]},{white[1]})L({high},{low})")
    if hdr.light_level is not None:
        params.append(f"{light_key}={hdr.light_level[0]},{hdr.light_level[1]}")
    return params


def svt_params(hdr: HdrMetadata | None) -> list[str]:
    """`mastering-display` and `content-light` for SVT-AV1, in plain decimals."""
    if hdr is None:
        return []
    params = []
    if hdr.primaries is not None and hdr.luminance is not None:
        red, green, blue, white = hdr.primaries
        low, high = hdr.luminance
        points = "".join(f"{n}({_decimal(p[0])},{_decimal(p[1])})" for n, p in zip("GBR", (green, blue, red), strict=True))
        params.append(f"mastering-display={points}WP({_decimal(white[0])},{_decimal(white[1])})L({_decimal(high)},{_decimal(low)})")
    if hdr.light_level is not None:
        params.append(f"content-light={hdr.light_level[0]},{hdr.light_level[1]}")
    return params


def _decimal(value: Fraction) -> str:
    return f"{float(value):.6f}".rstrip("0").rstrip(".")
