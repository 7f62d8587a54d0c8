"""Makes everything in docs that is made out of results and code, and checks what is quoted: python docs/make.py

Run it whenever results, weights, the catalogue or the files of the package change.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: In an order in which each finds what it needs.
SCRIPTS = ("house", "cards", "networks", "quality", "tables", "bvc", "results", "quoted")


def main() -> int:
    """The number of scripts that failed, or found something."""
    failed = 0
    for name in SCRIPTS:
        made = subprocess.run([sys.executable, str(Path(__file__).parent / f"{name}.py")], check=False)
        if made.returncode:
            print(f"docs/{name}.py failed", file=sys.stderr)
            failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
