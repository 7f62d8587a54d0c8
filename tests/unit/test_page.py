"""The page that all reports are made of: tables that know their best, curves, text that stays text."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from revivid.errors import OutputNotWritable, UsageError
from revivid.evaluation.page import (
    Bullets,
    Cell,
    Chart,
    Charts,
    ClipEntry,
    Column,
    Details,
    Page,
    Row,
    Section,
    Table,
    Text,
    what_was_run,
)
from revivid.evaluation.plot import curves

HOSTILE = "</style><script>alert(1)</script>\" onload=\"x"


def cells(table: Table) -> list[list[Cell]]:
    return [row for _, rows in table.groups for _, row in rows]


def test_the_best_of_each_column_is_bold_as_it_is_shown() -> None:
    columns = [Column("PSNR", 2, better="higher"), Column("ms", 1, better="lower"), Column("bits", 0)]
    table = Table(columns, [Row("a", [30.001, 5.0, 9]), Row("b", [30.004, 4.0, 1]), Row("c", [29.0, None, "x"])])
    texts = [[cell.text for cell in row] for row in cells(table)]
    assert texts == [["30.00", "5.0", "9"], ["30.00", "4.0", "1"], ["29.00", "–", "x"]]
    assert [[cell.best for cell in row] for row in cells(table)] == [[True, False, False], [True, True, False], [False] * 3]


def test_quoted_rows_and_other_groups_do_not_compete() -> None:
    column = [Column("PSNR", better="higher")]
    rows = [Row("a", [30.0], group="here"), Row("b", [29.0], group="here"), Row("c", [35.0], quoted=True, group="here")]
    table = Table(column, [*rows, Row("d", [20.0], group="there")])
    assert [cell.best for (cell,) in cells(table)] == [True, False, False, False]
    assert [name for name, _ in table.groups] == ["here", "there"]
    assert not any(cell.best for (cell,) in cells(Table(column, [Row("a", [30.0]), Row("b", [30.001])])))
    with pytest.raises(ValueError, match="2 values for 1 columns"):
        cells(Table(column, [Row("a", [1.0, 2.0])]))


def test_differences_have_signs_and_colours() -> None:
    table = Table([Column("gain", 1, signed=True, better="higher"), Column("bits", 0, signed=True, better="lower")], [
        Row("a", [0.5, -20]), Row("b", [-0.5, 20]), Row("c", [0.01, Cell("n/a", tone="bad")]),
    ])  # fmt: skip
    assert [[(cell.text, cell.tone, cell.best) for cell in row] for row in cells(table)] == [
        [("+0.5", "good", False), ("−20", "good", False)],
        [("−0.5", "bad", False), ("+20", "bad", False)],
        [("+0.0", "", False), ("n/a", "bad", False)],
    ]


def test_curves_are_on_a_logarithmic_axis() -> None:
    labels = {"x265": ["22", "34", "28"], "av1": ["40"]}
    drawn = curves({"x265": [(0.4, 36.0), (0.1, 30.0), (0.2, 33.0)], "av1": [(0.1, 31.0)]}, labels)
    points = [tuple(map(float, point.split(","))) for point in drawn.lines["x265"].split()]
    gaps = [right[0] - left[0] for left, right in pairwise(points)]
    assert gaps[0] == pytest.approx(gaps[1], abs=0.02)
    assert gaps[0] > 0
    assert [dot.label for dot in drawn.dots][:2] == ["x265 22: 36 at 0.4", "x265 34: 30 at 0.1"]
    assert drawn.dots[3].label == "av1 40: 31 at 0.1"
    assert all(0 <= place <= 100 for dot in drawn.dots for place in (dot.x, dot.y))
    assert {"0.1", "0.2", "0.3"} <= {tick.label for tick in drawn.x_ticks}
    wide = curves({"a": [(0.001, 1.0), (900.0, 2.0)]})
    assert [tick.label for tick in wide.x_ticks] == ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]
    for bad in ({}, {"a": []}, {"a": [(0.0, 3.0)]}):
        with pytest.raises(UsageError):
            curves(bad)


def test_all_text_is_escaped_and_empty_sections_are_left_out(tmp_path: Path) -> None:
    table = Table([Column(HOSTILE, unit=HOSTILE, meaning=HOSTILE)], [Row(HOSTILE, [HOSTILE], note=HOSTILE, group=HOSTILE)])
    clips = [ClipEntry(HOSTILE, HOSTILE, "ab" * 32)]
    everything = Page(
        HOSTILE,
        [
            Section(HOSTILE, [Text(HOSTILE), Bullets([HOSTILE]), Details(HOSTILE, [Text(HOSTILE), Bullets([HOSTILE])])]),
            Section("Table", [table]),
            Section("Charts", [Charts([Chart(HOSTILE, curves({HOSTILE: [(1.0, 2.0)], "b": [(2.0, 3.0)]}), x=HOSTILE, y=HOSTILE)])]),
            Section("Nothing here", []),
            what_was_run(command=HOSTILE, clips=clips, seeds={HOSTILE: HOSTILE}, options={"a": [HOSTILE]}),
        ],
        kicker=HOSTILE,
        lead=HOSTILE,
        tiles=[(HOSTILE, HOSTILE, "good")],
    )
    html = everything.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert 'onload="x' not in html
    assert len(re.findall("</style>", html)) == 1
    assert "Nothing here" not in html
    assert "sha256 " + "ab" * 32 in html
    with pytest.raises(OutputNotWritable):
        everything.write(tmp_path / "missing" / "page.html")
