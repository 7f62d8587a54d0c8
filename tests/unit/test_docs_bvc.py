"""docs/bvc.md says what results/bvc-cost.json says, and that is of the networks as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from revivid import networks

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "bvc.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/bvc.py"


OPTIONS = {
    "blocks": {"blocks": True, "venet": False, "refine": False},
    "compact": {"detail": True},
    "paper": {"size": "paper", "rates": 1},
}


@pytest.mark.parametrize("size", OPTIONS)
def test_counted_parameters_are_those_of_the_networks(size: str) -> None:
    counted = json.loads((ROOT / "results" / "bvc-cost.json").read_text(encoding="utf-8"))["sizes"][size]["parameters"]
    named = networks.build("bvc", **OPTIONS[size]).named_parameters()
    assert sum(counted.values()) == sum(p.numel() for name, p in named)


def test_compact_decoder_is_light_enough() -> None:
    counted = json.loads((ROOT / "results" / "bvc-cost.json").read_text(encoding="utf-8"))["sizes"]["compact"]["kmacs_per_pixel"]
    assert sum(counted[name] for name in ("D_flow", "MCNet", "D_res")) <= 50
