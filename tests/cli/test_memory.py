"""Memory does not depend on the video's length: peak resident size of the installed command on a clip and on a longer one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, make_clip

#: Frames of the short clip, and how many times longer the other one is.
FRAMES, TIMES = 40, 4


def peak(*arguments: object) -> int:
    """Bytes that the command had resident at most."""
    process = subprocess.Popen([COMMAND, *map(str, arguments)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize(
    ("command", "side", "options", "largest"),
    [
        ("compress", 512, ("--x265-preset", "ultrafast"), 512),
        ("restore", 64, ("--super-resolve", "4"), 256),
    ],
)
def test_constant_in_length(command: str, side: int, options: tuple[str, ...], largest: int, tmp_path: Path) -> None:
    peaks = []
    for frames in (FRAMES, TIMES * FRAMES):
        source = make_clip(tmp_path / f"{frames}.mp4", frames, (side, side))
        peaks.append(peak(command, source, "-o", tmp_path / f"{frames}.out.mp4", *options))
    short, long = peaks
    assert long < 1.1 * short
    # What holding the longer clip's frames would add; a tenth of the libraries' own size might hide it.
    assert long - short < 0.5 * (TIMES - 1) * FRAMES * largest * largest * 3 // 2
