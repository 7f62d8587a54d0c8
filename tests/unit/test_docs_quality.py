"""docs/quality.md says what results/quality.json says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "quality.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/quality.py"
