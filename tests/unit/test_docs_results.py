"""docs/results.md says what results/ holds, and lists all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "results.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/make.py"


def test_everything_is_listed() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert not [path.name for path in (ROOT / "results").glob("*.json") if f"results/{path.name}" not in page]


def test_one_script_makes_all_pages() -> None:
    scripts = {path.stem for path in (ROOT / "docs").glob("*.py")} - {"make", "frontier", "generated"}
    text = (ROOT / "docs" / "make.py").read_text(encoding="utf-8")
    assert not [name for name in scripts if f'"{name}"' not in text]
