"""docs/tables.md says what results/tables.json and the paper say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "tables.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/tables.py"
