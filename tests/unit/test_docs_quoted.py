"""What README and docs quote was measured; how figures are found and compared."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """docs/quoted.py on a made-up project."""
    spec = importlib.util.spec_from_file_location("quoted", ROOT / "docs" / "quoted.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "quoted", module)
    spec.loader.exec_module(module)
    (tmp_path / "docs").mkdir()
    (tmp_path / "results").mkdir()
    results = {"arms": {"ours": {"gain": {"psnr_y": -0.6283, "improved": 0.944}, "mean": {"psnr_y": 27.112, "ssim_y": 31.5}}}}
    results["arms"]["ours"]["clips"] = {"one": {"psnr_y": 41.37}}
    (tmp_path / "results" / "ours.json").write_text(json.dumps(results))
    (tmp_path / "results" / "speed.json").write_text(json.dumps({"fps": 29.31}))
    allowed = {"page": "README.md", "why": "a target", "figures": ["2 dB"]}
    (tmp_path / "docs" / "quoted.toml").write_text(
        f'[[from]]\npage = "{allowed["page"]}"\nwhy = "{allowed["why"]}"\nfigures = {json.dumps(allowed["figures"])}\n'
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "ALLOWED", tmp_path / "docs" / "quoted.toml")
    return module


def unproved(checker, text: str) -> list[str]:
    (checker.ROOT / "README.md").write_text(text)
    return [f"{figure.number} {figure.unit}" for figure in checker.unproved()[0]]


def test_everything_that_is_quoted_was_measured() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "docs" / "quoted.py")], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_figures_are_found_in_the_results_that_the_page_links_to(checker) -> None:
    link = "See [results](results/ours.json)."
    assert unproved(checker, f"It loses 0.63 dB, 94 % are better, 27.1 dB in the mean. {link}") == []
    assert unproved(checker, f"**+0.63** and -0.628 dB. {link}") == []
    assert unproved(checker, "It loses 0.63 dB.") == ["0.63 dB"]
    assert unproved(checker, f"29.3 frames/s. {link}") == ["29.3 frames/s"]
    assert unproved(checker, f"29.3 frames/s, [speed](results/speed.json). {link}") == []


def test_other_figures_are_named(checker) -> None:
    link = "See results/ours.json."
    assert unproved(checker, f"It gains 0.62 to 0.63 dB, +0.70 on one. {link}") == ["0.62 dB", "+0.70 dB"]
    assert unproved(checker, f"A clip has 41.37 dB, SSIM gives 31.5 dB. {link}") == ["41.37 dB", "31.5 dB"]
    assert unproved(checker, f"95 % are better. {link}") == ["95 %"]


def test_allowed_figures_and_code_pass(checker) -> None:
    assert unproved(checker, "The target is 2 dB.\n\n```bash\ncmd # 33 dB\n```\n") == []
    assert checker.unproved()[1] == []
    assert unproved(checker, "There is no target.") == []
    assert checker.unproved()[1] == ["README.md: 2 dB"]


def test_generated_parts_are_left_to_their_generators(checker) -> None:
    (checker.ROOT / "docs" / "made.md").write_text("<!-- made by docs/made.py from results -->\n99 dB\n")
    assert unproved(checker, "<!-- rivals: made by docs/x.py -->\n99 dB\n<!-- end of rivals -->\n98 dB\n") == ["98 dB"]
