"""Help, version, suggestions and completion: quick, and without the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from command import COMMAND, ESCAPE, revivid

from revivid import __version__

COMMANDS = ("roundtrip", "compress", "restore", "evaluate", "probe", "doctor", "train", "weights")
LIGHT = (["--help"], ["compress", "-h"], ["--version"])


def test_help_answers_in_half_a_second() -> None:
    best = 10.0
    for _ in range(5):
        started = time.monotonic()
        revivid("--help")
        best = min(best, time.monotonic() - started)
        if best < 0.5:
            return
    # A machine that does other work at the same time is not the command's fault: what it computed itself decides.
    before = os.times()
    revivid("--help")
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_help_imports_no_heavy_library(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["revivid", *{arguments!r}]
from revivid.cli.main import run
try:
    run()
except SystemExit as exc:
    assert not exc.code
print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "av", "numpy", "rich", "matplotlib", "jinja2"} & set(done.stderr.split())


def test_help_lists_every_command_and_each_has_its_own() -> None:
    text = revivid("--help").out
    assert revivid("-h").out == text
    assert all(f"\n  {name}" in text for name in COMMANDS)
    for name in ("compress", "restore"):
        page = revivid(name, "--help").out
        assert "--dry-run" in page
        assert "--json" in page
        assert ESCAPE not in page


def test_version() -> None:
    assert revivid("--version").out == f"revivid {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "revivid", "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"revivid {__version__}\n"


def test_mistakes_are_usage_errors_with_suggestions() -> None:
    outcome = revivid("compres", expect=2)
    assert "'compress'" in outcome.err
    assert outcome.out == ""
    assert "--scale" in revivid("compress", "--scal", "1", expect=2).err
    assert "'IN'" in revivid("compress", expect=2).err
    assert "Usage: revivid" in revivid(expect=2).err
    event = revivid("compress", "x.mp4", "-o", "y.mp4", "--json", "--crff", "3", expect=2).event("error")
    assert event["kind"] == "UsageError"
    assert event["exit_code"] == 2
    assert "--crff" in event["message"]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o default -F"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_completion_scripts(shell: str, mark: str) -> None:
    assert mark in revivid("--show-completion", shell).out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["comp"], ["compress"]),
        (["compress", "--codec", ""], ["x265", "x264", "av1", "bvc", "hybrid"]),
        (["compress", "--codec", "x264", "--x265-preset", "very"], ["veryfast", "veryslow"]),
        (["compress", "--codec", "av1", "--encoder-preset", "1"], ["1", "10", "11", "12", "13"]),
        (["compress", "--scale", "1/"], ["1/4", "1/2"]),
        (["restore", "--out-codec", "a"], ["auto", "av1"]),
        (["restore", "cl"], []),  # nothing of ours: the shell completes file names
    ],
    ids=lambda value: " ".join(value),
)
def test_completion(words: list[str], offered: list[str]) -> None:
    env = {**os.environ, "_REVIVID_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["revivid", *words]).replace("  ", " ")}
    env["COMP_CWORD"] = str(len(words))
    done = subprocess.run([COMMAND], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == offered
    assert done.stderr == ""
