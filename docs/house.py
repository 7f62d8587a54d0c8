"""Keeps the table of files in docs/architecture.md true: python docs/house.py [--check]

One line per file, taken from the first line of its docstring, floor by floor.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- files: made by docs/house.py -->", "<!-- end of files -->"

#: Floor -> what stands on it, top down, as in the import contract of pyproject.toml.
FLOORS = {
    "Floor 5, faces": ("__init__.py", "__main__.py", "cli"),
    "Floor 4, what a user asks for, and benchmarks of it": ("bench", "workflows"),
    "Floor 3, what is made of the crafts": ("pipeline.py", "recipe.py", "restoration", "learned", "evaluation", "train"),
    "Floor 2, the crafts; they never import each other": ("networks", "codecs", "degrade", "metrics"),
    "Floor 1, tools without policy": ("media", "layers", "weights"),
    "Floor 0, words everyone uses": ("errors.py", "types.py", "limits.py", "color.py"),
}


def table() -> str:
    lines = []
    for floor, members in FLOORS.items():
        lines += [f"### {floor}", "", "| file | what it is for |", "|---|---|"]
        for member in members:
            path = ROOT / "src" / "revivid" / member
            files = [path] if path.suffix else sorted(path.rglob("*.py"))
            lines += [f"| `{file.relative_to(ROOT / 'src' / 'revivid')}` | {first_line(file)} |" for file in files]
        lines.append("")
    return "\n".join(lines)


def first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = text.split("\n\n")[0].replace("\n", " ")
    return paragraph.replace("|", "\\|")


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    wanted = f"{before}{BEGIN}\n\n{table()}\n{END}{after}"
    if "--check" in sys.argv:
        return 0 if wanted == page else 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
