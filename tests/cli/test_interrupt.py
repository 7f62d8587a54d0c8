"""Ctrl-C and SIGTERM while work is under way: exit code 130 soon, nothing half-written, no traceback."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import COMMAND

SOON = 5.0


def _heed_signals() -> None:
    """As started by a person: under nohup, or in the background of a script, signals are inherited as ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def working(*arguments: object, output: Path, feed: bytes = b"") -> Iterator[subprocess.Popen[bytes]]:
    """A command that has begun to write its temporary file; its standard input stays open after `feed`."""
    command = [COMMAND, *map(str, arguments), "-o", str(output)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, stdin=pipe, preexec_fn=_heed_signals)
    try:
        process.stdin.write(feed)
        process.stdin.flush()
        deadline = time.monotonic() + 90
        while not list(output.parent.glob(".*.partial-*")):
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
        yield process
    finally:
        process.kill()


def interrupted(process: subprocess.Popen[bytes], *signals: int) -> str:
    """Send the signals a little apart; the error output once the process has ended."""
    started = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.1)
    process.wait(30)
    assert time.monotonic() - started < SOON
    err = process.stderr.read()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"interrupted" in err
    return err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_during_compress(number: int, long: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with working("compress", long, "--scale", "1", "--x265-preset", "veryslow", output=output) as process:
        assert not output.exists()
        interrupted(process, number)
    assert list(tmp_path.iterdir()) == []


def test_during_restore_the_old_output_stays(long: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("the last good one")
    with working("restore", long, "--super-resolve", 4, "-y", output=output) as process:
        assert output.read_text() == "the last good one"
        interrupted(process, signal.SIGINT)
    assert output.read_text() == "the last good one"
    assert list(tmp_path.iterdir()) == [output]


def test_second_ctrl_c(long: Path, tmp_path: Path) -> None:
    arguments = ("compress", long, "--scale", "1", "--x265-preset", "veryslow", "--json")
    with working(*arguments, output=tmp_path / "out.mp4") as process:
        interrupted(process, signal.SIGINT, signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_whose_other_end_sleeps(tmp_path: Path) -> None:
    """The reading thread waits for ever, and nothing but a signal comes."""
    frames = b"YUV4MPEG2 W256 H256 F25:1 Ip C420\n" + 60 * (b"FRAME\n" + bytes(256 * 384))
    with working("compress", "-", output=tmp_path / "out.mp4", feed=frames) as process:
        interrupted(process, signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []
