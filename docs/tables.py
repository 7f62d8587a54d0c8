"""Makes docs/tables.md from results/tables.json and src/revivid/bench/published.toml: python docs/tables.py [--check]"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from generated import write_or_check

from revivid.bench import published

ROOT = Path(__file__).parent.parent
PAGE, RESULTS = ROOT / "docs" / "tables.md", ROOT / "results" / "tables.json"
#: Metric -> its head and the digits that are shown.
METRICS = {
    "psnr": ("PSNR", 2), "ssim": ("SSIM", 3), "ms_ssim": ("MS-SSIM", 3), "psnr_y": ("PSNR-Y", 2), "ssim_y": ("SSIM-Y", 3),
    "vmaf": ("VMAF", 1),
}  # fmt: skip

INTRODUCTION = f"""# The first paper's tables

<!-- made by docs/tables.py from results/tables.json -->

Tables 1 to 5 of {published.source()}: every row above the line was measured here, on clips that no network of the package was
trained on, every row below it is quoted from the paper, **published, other test set**. The two can't be compared line by line.

```bash
revivid bench tables --data DIR
```

PSNR, SSIM and MS-SSIM are those of R'G'B' rounded to 8 bits, PSNR-Y and SSIM-Y of its BT.601 luma, mean over frames, then over
clips. The bit rate is that of the elementary stream that the rows start from. Milliseconds are for a frame of 1280x720 coming out,
alone on the machine; of encoders, coding and decoding on one thread. Published networks are measured where their checkpoints are
on the machine (`revivid weights fetch NAME`). [results/tables.json](../results/tables.json) has every clip, the frames' and the
weights' sha256, and the machine.
"""


def page() -> str:
    measured: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["tables"] if RESULTS.exists() else {}
    parts = [INTRODUCTION]
    for number, quoted in published.tables().items():
        parts += [f"## Table {number}: {quoted.title}", ""]
        section = measured.get(str(number))
        parts += _about(section) if section else ["Not measured yet.", ""]
        names = [name for name in METRICS if name != "vmaf" or (section and _has_vmaf(section))]
        heads = ["", *(METRICS[name][0] for name in names), "kbit/s", "ms"]
        parts += [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
        parts += _measured(section, names) if section else []
        parts.append(_row([f"*published, other test set ({quoted.place})*", *[""] * (len(heads) - 1)]))
        parts += [_row([_quoted_name(row), *_figures(vars(row), names), _number(row.rate, 0), "-"]) for row in quoted.rows]
        parts.append("")
        if section and section["missing"]:
            parts += [f"Left out, their weights were not on this machine: {', '.join(section['missing'])}.", ""]
    return "\n".join(parts).rstrip() + "\n"


def _about(section: dict[str, Any]) -> list[str]:
    machine = section["machine"]
    quick = " A quick run: too few clips and frames for conclusions." if section["quick"] else ""
    frames = f"{len(section['clips'])} clips, up to {section['frames']} frames each"
    return [f"`{section['command']}`: {frames}; {machine['cpu']}, {machine['threads']} threads.{quick}", ""]


def _has_vmaf(section: dict[str, Any]) -> bool:
    return all("vmaf" in row["mean"] for figures in section["inputs"].values() for row in figures["rows"].values())


def _measured(section: dict[str, Any], names: list[str]) -> list[str]:
    """By input a line that names it, then its rows; an input that nobody restores is a row by itself."""
    lines = []
    for name, figures in section["inputs"].items():
        rate = _number(figures.get("kbps"), 0)
        plain = figures["rows"].get("decoded")
        if plain:
            cells = [name, *_figures(plain["mean"], names), rate, _number(section["speed"].get(name, {}).get("ms"), 1)]
            lines.append(_row(cells))
            continue
        lines.append(_row([f"**{name}**", *[""] * len(names), rate, ""]))
        for arm, row in figures["rows"].items():
            shown = f"`{arm}`" if row["kind"] != "baseline" else f"{arm} {row.get('variant', '')}".strip()
            lines.append(_row([shown, *_figures(row["mean"], names), "", _number(section["speed"].get(arm, {}).get("ms"), 1)]))
    return lines


def _quoted_name(row: published.Row) -> str:
    return f"{row.method} (the paper's own)" if row.proposed else row.method


def _figures(values: dict[str, Any], names: list[str]) -> list[str]:
    return [_number(values.get(name), METRICS[name][1]) for name in names]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
