"""docs/networks.md says what the catalogue, the traits and results/networks.json say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from revivid.weights import catalogue

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "networks.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/networks.py"


def test_page_has_a_row_for_every_checkpoint() -> None:
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    missing = [name for name in catalogue.names() if f"| `{name}` |" not in page]
    assert not missing
