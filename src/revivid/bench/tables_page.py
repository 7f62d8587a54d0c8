"""The results of `bench tables` as one HTML page, with the paper's own rows beside those that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..evaluation.page import Block, Bullets, ClipEntry, Column, Page, Row, Section, Table, Text, what_was_run
from . import published
from .scores import TABLE_METRICS

QUOTED = "published, other test set"


def report(results: Mapping[str, Any]) -> Page:
    """A section for each table that was measured, and what it was measured with."""
    sections = results["tables"]
    first = next(iter(sections.values()))
    detail = f"{first['frames']} frames at most, sha256 of their planes"
    tables = [Section(f"Table {number}: {section['title']}", _blocks(int(number), section)) for number, section in sections.items()]
    return Page(
        "Tables 1 to 5",
        kicker=f"revivid bench tables, {first['made']}",
        lead="What the first paper measured, measured again on other clips; its own figures are quoted beside them.",
        sections=[
            *tables,
            what_was_run(
                command="\n".join(section["command"] for section in sections.values()),
                environment=first["machine"],
                clips=[ClipEntry(name, detail, digest) for name, digest in first["clips"].items()],
                seeds=first.get("seeds"),  # results of earlier versions have none
                options={number: section["weights"] for number, section in sections.items()},
            ),
        ],
    )


def _blocks(number: int, section: Mapping[str, Any]) -> list[Block]:
    vmaf = any("vmaf" in row["mean"] for figures in section["inputs"].values() for row in figures["rows"].values())
    names = [name for name in TABLE_METRICS if vmaf or name != "vmaf"]
    columns = [Column(TABLE_METRICS[name][0], TABLE_METRICS[name][1], better="higher") for name in names]
    columns += [Column("bit rate", 0, unit="kbit/s"), Column("ms per frame", 1, better="lower")]
    quoted = published.tables()[number]
    rows = [*_measured(number, section, names), *_quoted(quoted, names)]
    about = (
        f"{len(section['clips'])} clips, up to {section['frames']} frames each. PSNR, SSIM and MS-SSIM of R'G'B' in 8 bits, Y by "
        f"BT.601. Milliseconds alone on the machine, frames of 1280x720. Grey rows: {published.source()}, {quoted.place}."
    )
    blocks: list[Block] = [Text(about), Table(columns, rows)]
    if section["missing"]:
        blocks.append(Bullets([f"Left out, their weights are not on this machine: {', '.join(section['missing'])}."]))
    return blocks


def _measured(number: int, section: Mapping[str, Any], names: list[str]) -> Iterator[Row]:
    """Rows under their inputs; in Table 1 the inputs are what is compared."""
    for name, figures in section["inputs"].items():
        for arm, row in figures["rows"].items():
            decoded = arm == "decoded"
            label = arm if number > 1 else name if decoded else f"{name}, {arm}"
            speed = section["speed"].get(name if decoded else arm, {})
            values = [*(row["mean"].get(metric) for metric in names), figures.get("kbps"), speed.get("ms")]
            yield Row(label, values, group=name if number > 1 else "measured here", note=_note(row))


def _note(row: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (row["kind"] if row["kind"] != "package" else "", row.get("variant", ""))))


def _quoted(table: published.Table, names: list[str]) -> Iterator[Row]:
    for row in table.rows:
        note = "the paper's own" if row.proposed else ""
        yield Row(row.method, [*(getattr(row, name, None) for name in names), row.rate, None], quoted=True, group=QUOTED, note=note)
