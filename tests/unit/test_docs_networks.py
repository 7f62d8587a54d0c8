"""docs/networks.md says what the catalogue, the traits and the figures in results/ say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from revivid.weights import catalogue, embedded

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "networks.py"), "--check"], check=False, stderr=subprocess.PIPE)
    assert checked.returncode == 0, checked.stderr.decode() or "run: python docs/networks.py"


def test_multiply_adds_are_counted_for_all_weights() -> None:
    counted = json.loads((ROOT / "results" / "macs.json").read_text(encoding="utf-8"))["weights"]
    weights = {**catalogue.entries(), **embedded.describe()}
    stale = [
        name
        for name, wanted in weights.items()
        if name not in counted
        or counted[name]["network"] != wanted.network
        or any(wanted.hyperparameters.get(key) != value for key, value in counted[name]["hyperparameters"].items())
    ]
    assert not stale, "run: python bench/macs.py --out results/macs.json --missing"


def test_page_has_a_row_for_every_checkpoint() -> None:
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    missing = [name for name in (*catalogue.names(), *embedded.names()) if f"| `{name}` |" not in page]
    assert not missing
