"""Sizes, rates, times and scores as people read them."""

from __future__ import annotations

from ..metrics.frame import METRICS


def format_bytes(count: int | None) -> str:
    """Decimal units: `1.23 MB`."""
    if count is None:
        return "–"
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def format_bitrate(bits_per_second: float | None) -> str:
    """`820 kbit/s` or `1.23 Mbit/s`."""
    if bits_per_second is None:
        return "–"
    if bits_per_second < 1e6:
        return f"{bits_per_second / 1e3:.3g} kbit/s"
    return f"{bits_per_second / 1e6:.3g} Mbit/s" if bits_per_second < 1e8 else f"{bits_per_second / 1e6:.0f} Mbit/s"


def format_score(value: float | None, metric: str, *, unit: bool = False) -> str:
    """A metric's value with the digits that mean something."""
    if value is None:
        return "–"
    kind = METRICS[metric]
    return f"{value:.{kind.digits}f}" + (f" {kind.unit}" if unit and kind.unit else "")


def format_gain(value: float | None, metric: str, *, unit: bool = False) -> str:
    """A difference, always with its sign."""
    if value is None:
        return "–"
    shown = format_score(abs(value), metric, unit=unit)
    return f"{'−' if value < 0 else '+'}{shown}"


def format_seconds(seconds: float) -> str:
    """`4.2 s` or `12 min 30 s`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def printable(text: str) -> str:
    """The text with a mark in place of what XML can't hold, or nobody can see."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
