"""The papers' figures, as printed: `published.toml` as rows to quote beside what was measured here."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from importlib import resources
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]


@dataclass(frozen=True)
class Row:
    """A line of a table; None where the paper prints nothing."""

    method: str
    psnr: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    psnr_y: float | None = None
    ssim_y: float | None = None
    #: The paper names no unit.
    rate: float | None = None
    #: Whether it is the paper's own method.
    proposed: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the paper."""

    number: int
    title: str
    #: Where in the paper.
    place: str
    rows: tuple[Row, ...]


@functools.cache
def tables() -> dict[int, Table]:
    """By number."""
    read = _read()
    return {one["number"]: Table(one["number"], one["title"], one["place"], _rows(one)) for one in read["table"]}


def source() -> str:
    """The paper."""
    return str(_read()["source"])


def blurry() -> dict[str, Any]:
    """What is quoted of the second paper: `source`, `rival`, `bpp`, `psnr`, `db_per_bpp` and `complexity`."""
    return dict(_read()["blurry"])


def _rows(table: dict[str, Any]) -> tuple[Row, ...]:
    return tuple(Row(**row) for row in table["rows"])


@functools.cache
def _read() -> dict[str, Any]:
    return tomllib.loads((resources.files("revivid.bench") / "published.toml").read_text(encoding="utf-8"))
