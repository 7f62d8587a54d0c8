"""The worked examples of CONTRIBUTING.md run, each in a namespace of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("source", EXAMPLES, ids=("network", "stage", "metric"))
def test_example_runs(source: str) -> None:
    exec(compile(source, str(PAGE), "exec"), {"__name__": "example"})
