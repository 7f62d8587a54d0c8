"""Every figure quoted in README and docs is in results/, or docs/quoted.toml says where else it comes from: python docs/quoted.py

A figure is a number with a unit (dB, %, frames/s, bits per pixel), alone or as one of a row ("0.5 to 1.0 dB"), or a difference with
its sign and two decimals ("+0.63"). It counts as measured where a number that means such a thing rounds to it, in one of the
results that the page links to.
Pages and parts of pages that scripts make out of results/ are checked by making them again, so they are left out here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
ALLOWED = ROOT / "docs" / "quoted.toml"

_PLAIN, _WITH_SIGN = r"\d[\d,]*(?:\.\d+)?", r"[+−-]\d[\d,]*(?:\.\d+)?"
_NUMBER = rf"[+−-]?{_PLAIN}"
_BETWEEN = r"\s*(?:to|,|/)\s*"
#: A row has signs or hasn't: in "at sigma 50, +0.3 dB" the first is no decibel.
_ROW = rf"(?:{_WITH_SIGN}(?:{_BETWEEN}{_WITH_SIGN})*|{_PLAIN}(?:{_BETWEEN}{_PLAIN})*)"
#: Unit as written -> what its numbers are called in results.
_UNITS = {"dB": "dB", "%": "%", "per cent": "%", "frames/s": "frames/s", "bpp": "bpp", "bits per pixel": "bpp"}
_QUOTED = re.compile(rf"(?<![\w.])({_ROW})\s?({'|'.join(_UNITS)})(?!\w)")
_SIGNED = re.compile(r"(?<![\w.])([+−-]\d+\.\d{2,})(?![\w.])")
#: By unit, what the path of a result must contain.
_MEANS = {
    "dB": re.compile(r"psnr|_db\b|/gain|bd_quality|bicubic|network$|worst|/own|/others|/plain|/after|/proxy|/blurry|/change"),
    "%": re.compile(r"improved|/better|bd_rate|share"),
    "frames/s": re.compile(r"fps"),
    "bpp": re.compile(r"bpp"),
}
#: Other things beside them. Single clips prove no figure that is given for all; `worst` names those that are quoted.
_NOT = re.compile(r"by_clip|/clips\b|/interval|at_most|/sha256|/load$|/bits_for")
_NOT_DB = re.compile(r"bd_rate|improved|/better|share|ssim|vmaf")
#: Results that generated pages show: who links to such a page may quote them, too.
_SHOWN = {
    "quality.md": ("quality", "rd"),
    "tables.md": ("tables",),
    "bvc.md": ("bvc", "bvc-cost"),
    "networks.md": ("networks", "macs", "memory", "seams"),
    "hybrid.md": ("places", "hybrid-cost", "bvc"),
}


@dataclass(frozen=True)
class Figure:
    """A number as a page gives it."""

    page: str
    line: int
    number: str
    unit: str

    @property
    def digits(self) -> int:
        return len(self.number.partition(".")[2])

    @property
    def value(self) -> float:
        """Without its sign: "loses 0.9 dB" is a gain of -0.9."""
        return abs(float(self.number.replace(",", "").replace("−", "-")))


def pages() -> list[Path]:
    """README and the pages in docs that somebody wrote."""
    written = [path for path in sorted((ROOT / "docs").glob("*.md")) if "<!-- made by" not in path.read_text(encoding="utf-8")]
    return [ROOT / "README.md", *written]


def quoted(path: Path) -> Iterator[Figure]:
    """The figures of a page, but for those in generated parts and in blocks of code."""
    text = path.read_text(encoding="utf-8")
    for made in (r"<!-- \w+: made by.*?<!-- end of \w+ -->", r"^```.*?^```"):
        text = re.sub(made, lambda found: "\n" * found.group().count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    text = text.replace("**", "")
    found: dict[int, Figure] = {}
    page = path.relative_to(ROOT).as_posix()
    for match in _QUOTED.finditer(text):
        for number in re.finditer(_NUMBER, match.group(1)):
            place = match.start(1) + number.start()
            found[place] = Figure(page, text.count("\n", 0, place) + 1, number.group(), _UNITS[match.group(2)])
    for match in _SIGNED.finditer(text):
        found.setdefault(match.start(1), Figure(page, text.count("\n", 0, match.start(1)) + 1, match.group(1), "dB"))
    yield from (found[place] for place in sorted(found))


def linked(path: Path) -> list[str]:
    """The results that a page names, itself or by a page that shows them: only these prove its figures."""
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"results/([\w-]+)\.json", text)
    shown = [name for page, names in _SHOWN.items() if page == path.name or f"{page})" in text for name in names]
    return list(dict.fromkeys([*named, *shown]))


def measured(names: list[str]) -> dict[str, list[float]]:
    """By unit the numbers in these results that may be meant."""
    found: dict[str, list[float]] = {unit: [] for unit in _MEANS}
    for path in (ROOT / "results" / f"{name}.json" for name in names):
        for place, value in _numbers(json.loads(path.read_text(encoding="utf-8")), path.stem) if path.exists() else ():
            for unit, means in _MEANS.items():
                if means.search(place) and not _NOT.search(place) and not (unit == "dB" and _NOT_DB.search(place)):
                    found[unit].append(abs(value))
                    if unit == "%":
                        found[unit].append(abs(100 * value))
    return found


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, place)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield place, value


def unproved() -> tuple[list[Figure], list[str]]:
    """Figures that are neither measured nor allowed, and allowances that no page needs any more."""
    listed = tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["from"]
    allowed = [(one["page"], number) for one in listed for number in one["figures"]]
    used: set[tuple[str, str]] = set()
    left = []
    for page in pages():
        known = measured(linked(page))
        for figure in quoted(page):
            key = (figure.page, f"{figure.number.replace('−', '-')} {figure.unit}")
            if any(round(value, figure.digits) == figure.value for value in known[figure.unit]):
                continue
            if key in allowed:
                used.add(key)
            else:
                left.append(figure)
    return left, [f"{page}: {number}" for page, number in allowed if (page, number) not in used]


def main() -> int:
    left, stale = unproved()
    for figure in left:
        print(f"{figure.page}:{figure.line}: {figure.number} {figure.unit} is neither in results/ nor in docs/quoted.toml")
    for text in stale:
        print(f"docs/quoted.toml allows what needs no leave any more: {text}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
