"""One self-contained HTML page made of sections: what `roundtrip`, `evaluate` and `bench` show people; fits a phone, prints.

    blocks (Tiles, Table, Charts, Compare ...) -> Section -> Page -> html() -> str, or write(path)

How to use it:

    page = Page("Table 2: super-resolution", kicker="revivid bench tables", sections=[
        Section("Quality", [Table(
            [Column("PSNR", unit="dB", better="higher"), Column("ms per frame", 1, better="lower")],
            [Row("bicubic", [29.1, 0.4]), Row("ours", [30.2, 8.0]), Row("VRT", [31.0, None], quoted=True)])]),
        Section("Rate and distortion", [Charts([
            Chart("PSNR", curves({"x265": [(0.1, 30.0), (0.2, 33.0)]}), x="bits per pixel", y="dB")])]),
        what_was_run(command=command_line(), environment=describe_machine(), clips=[ClipEntry("a.mkv", "720p", sha256)]),
    ])
    page.write("tables.html")

All text is escaped. The page's own policy forbids the network and every script but the slider's, which is named by its hash, so
that whatever a file is called, nothing of it runs.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from .crops import CropRow
from .machine import VERSION
from .plot import Plot
from .words import printable
from .write import write_whole

Tone = Literal["", "good", "bad"]


@dataclass(frozen=True)
class Tiles:
    """The few figures that matter most, large: (what it is, the figure, its tone)."""

    template: ClassVar[str] = "tiles.html.j2"
    items: Sequence[tuple[str, str, Tone]]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    template: ClassVar[str] = "text.html.j2"
    text: str
    #: Small and grey, for explanations.
    quiet: bool = True


@dataclass(frozen=True)
class Bullets:
    """Sentences one below the other."""

    template: ClassVar[str] = "bullets.html.j2"
    items: Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column of a `Table`."""

    label: str
    #: Digits after the decimal point of its numbers.
    digits: int = 2
    unit: str = ""
    #: Which of its numbers is the best, and bold; "" where none is.
    better: Literal["higher", "lower", ""] = ""
    #: Differences: always with their sign, and coloured where `better` says which is good; none is bold.
    signed: bool = False
    #: What is measured, in a few words, shown where a pointer rests on the label.
    meaning: str = ""

    def show(self, value: float) -> str:
        """The number as it is printed."""
        text = f"{value:+.{self.digits}f}" if self.signed else f"{value:.{self.digits}f}"
        return text.replace("-", "−")


@dataclass(frozen=True)
class Cell:
    """A cell whose looks its maker decides."""

    text: str
    best: bool = False
    tone: Tone = ""


@dataclass(frozen=True)
class Row:
    """A row of a `Table`."""

    label: str
    #: One for each column: numbers are written with the column's digits, None is a dash.
    values: Sequence[float | int | str | Cell | None]
    #: Taken from elsewhere, such as a paper: shown apart, and never the best.
    quoted: bool = False
    #: Rows of one group follow one another under its name, and the best is looked for among them.
    group: str = ""
    #: Under the label, small.
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows and columns; the best number of each column is bold, all of them where several look alike (unless all do)."""

    template: ClassVar[str] = "table.html.j2"
    columns: Sequence[Column]
    rows: Sequence[Row]
    #: Over the labels of the rows.
    corner: str = ""

    @property
    def groups(self) -> list[tuple[str, list[tuple[Row, list[Cell]]]]]:
        """The rows with their finished cells, by group in order of appearance."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"{row.label}: {len(row.values)} values for {len(self.columns)} columns")
            found.setdefault(row.group, []).append(row)
        return [(name, list(zip(rows, self._cells(rows), strict=True))) for name, rows in found.items()]

    def _cells(self, rows: Sequence[Row]) -> list[list[Cell]]:
        best = [_best(column, [row.values[k] for row in rows if not row.quoted]) for k, column in enumerate(self.columns)]
        return [
            [
                _cell(column, value, None if row.quoted else top)
                for column, value, top in zip(self.columns, row.values, best, strict=True)
            ]
            for row in rows
        ]


@dataclass(frozen=True)
class Chart:
    """One plot of `plot.plot` or `plot.curves` with the words around it."""

    title: str
    plot: Plot
    #: What lies along the axes, such as `s` and `dB`.
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Charts:
    """Charts of the same series in a grid under one legend."""

    template: ClassVar[str] = "charts.html.j2"
    charts: Sequence[Chart]

    @property
    def legend(self) -> list[str]:
        """The series of all charts."""
        return list(dict.fromkeys(name for chart in self.charts for name in chart.plot.names))

    @property
    def dashed(self) -> bool:
        """Whether lines differ in more than their colour: those through few points do, a zigzag of hundreds would blur."""
        return any(chart.plot.dots for chart in self.charts)


@dataclass(frozen=True)
class Compare:
    """Crops of the same frame: a slider between two of them on screens, side by side on paper."""

    template: ClassVar[str] = "compare.html.j2"
    row: CropRow
    title: str
    #: Names of the pictures that the slider shows first, on its left and on its right; any can be chosen.
    left: str
    right: str


@dataclass(frozen=True)
class Facts:
    """Names and values; nested values are shown as JSON."""

    template: ClassVar[str] = "facts.html.j2"
    values: Mapping[str, Any]
    title: str = ""


@dataclass(frozen=True)
class Code:
    """What was typed, to be copied."""

    template: ClassVar[str] = "code.html.j2"
    text: str


@dataclass(frozen=True)
class ClipEntry:
    """A file that was measured."""

    #: Its name: hostile until escaped.
    name: str
    #: For people: size, length, licence.
    detail: str = ""
    #: Of its bytes, in hexadecimal.
    sha256: str | None = None


@dataclass(frozen=True)
class Clips:
    """Files with their hashes, so that another person can tell whether he has the same."""

    template: ClassVar[str] = "clips.html.j2"
    clips: Sequence[ClipEntry]


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until asked for; paper shows them."""

    template: ClassVar[str] = "details.html.j2"
    summary: str
    blocks: Sequence[Block]


Block = Tiles | Text | Bullets | Table | Charts | Compare | Facts | Code | Clips | Details


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; without blocks nothing is shown."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    sections: Sequence[Section]
    #: Over the title, small: the command, the date.
    kicker: str = ""
    #: Under the title: one sentence that says it all.
    lead: str = ""
    #: Right under that.
    tiles: Sequence[tuple[str, str, Tone]] = field(default_factory=tuple)

    def html(self) -> str:
        """The page as text."""
        slides = any(isinstance(block, Compare) for section in self.sections for block in section.blocks)
        return render("page.html.j2", page=self, tiles=Tiles(self.tiles), version=VERSION, slider=_slider() if slides else None)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Put the page into a file, whole or not at all; replaces what is there. Raises `OutputNotWritable`."""
        return write_whole(Path(path), self.html().encode("utf-8", "replace"))


def what_was_run(
    *,
    command: str = "",
    environment: Mapping[str, Any] | None = None,
    clips: Iterable[ClipEntry] = (),
    seeds: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    others: Sequence[Block] = (),
) -> Section:
    """The section by which another person can do the same again; what is empty is left out."""
    blocks: list[Block] = list(others)
    if command:
        blocks.append(Code(command))
    entries = tuple(clips)
    if entries:
        blocks.append(Clips(entries))
    for title, values in (("Seeds", seeds), ("Options", options), ("Machine", environment)):
        if values:
            blocks.append(Facts(values, title))
    return Section("What was run", blocks)


def render(template: str, **values: Any) -> str:
    """One of the package's templates; every value is escaped."""
    return _environment().get_template(template).render(**values)


def _best(column: Column, values: Iterable[Any]) -> str | None:
    """The best number of a column as it is shown; None where there is none, or all look alike."""
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    if not column.better or len({column.show(number) for number in numbers}) < 2:
        return None
    return column.show(max(numbers) if column.better == "higher" else min(numbers))


def _cell(column: Column, value: Any, best: str | None) -> Cell:
    if isinstance(value, Cell):
        return value
    if value is None:
        return Cell("–")
    if isinstance(value, str):
        return Cell(value)
    text = column.show(value)
    if not column.signed:
        return Cell(text, best=text == best)
    gain = round(value, column.digits) * {"higher": 1, "lower": -1, "": 0}[column.better]
    return Cell(text, tone="good" if gain > 0 else "bad" if gain < 0 else "")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("revivid.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"base64": lambda data: base64.b64encode(data).decode(), "printable": printable}
    return environment


@cache
def _slider() -> dict[str, str]:
    """The one script of a page with a slider: its `text`, and the `hash` that the page's policy names it by."""
    text = (files("revivid.evaluation") / "templates" / "slider.js").read_text(encoding="utf-8")
    return {"text": text, "hash": "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}
