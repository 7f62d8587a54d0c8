"""The house stands: every file has its line, no file or function outgrows its room, imports of heavy libraries are late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src" / "revivid").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 420, 66


def test_architecture_lists_every_file() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "house.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: python docs/house.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_file_keeps_to_its_room(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= LONGEST_FILE
    assert ast.get_docstring(tree), "every file says what it is for"
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    assert not long


def test_importing_the_package_is_light() -> None:
    code = "import sys, revivid; print([m for m in ('torch', 'numpy', 'av') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    import revivid

    assert all(getattr(revivid, name) is not None for name in revivid.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = revivid.nonsense
