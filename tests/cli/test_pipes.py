"""y4m on standard input and output, at 8 and 10 bits; readers that go away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from command import COMMAND, picture, revivid

from revivid.errors import UsageError
from revivid.workflows.roundtrip import roundtrip

SIDE = 64
#: Reads y4m on its own and prints the header and the number of whole frames.
READER = """
import sys
stream = sys.stdin.buffer
header = stream.readline().decode().split()
width, height = int(header[1][1:]), int(header[2][1:])
size = width * height * 3 // 2 * (2 if any("p10" in part for part in header) else 1)
count = 0
while stream.readline().startswith(b"FRAME"):
    assert len(stream.read(size)) == size
    count += 1
print(*header, count)
"""


def y4m(depth: int, frames: int = 8, side: int = SIDE) -> bytes:
    """A moving pattern as y4m, as ffmpeg writes it."""
    parts = [f"YUV4MPEG2 W{side} H{side} F25:1 Ip A1:1 {'C420jpeg' if depth == 8 else 'C420p10 XYSCSS=420P10'}\n".encode()]
    for t in range(frames):
        frame = av.VideoFrame.from_ndarray(picture(t, side, side), format="rgb24").reformat(
            format="yuv420p" if depth == 8 else "yuv420p10le"
        )
        parts += [b"FRAME\n", *(plane_bytes(plane, depth) for plane in frame.planes)]
    return b"".join(parts)


def plane_bytes(plane: av.video.plane.VideoPlane, depth: int) -> bytes:
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width * (1 if depth == 8 else 2)].tobytes()


@pytest.fixture(scope="module")
def sources(folder: Path) -> dict[int, Path]:
    """The same pattern as y4m files by bit depth."""
    paths = {depth: folder / f"{depth}.y4m" for depth in (8, 10)}
    for depth, path in paths.items():
        path.write_bytes(y4m(depth, side=256))
    return paths


@pytest.mark.parametrize("depth", [8, 10])
def test_y4m_in(depth: int, sources: dict[int, Path], tmp_path: Path) -> None:
    with sources[depth].open("rb") as stream:
        outcome = revivid("compress", "-", "-o", tmp_path / "out.mp4", "--x265-preset", "ultrafast", "--json", stdin=stream)
    assert outcome.event("result")["frames"] == 8
    info = revivid("probe", tmp_path / "out.mp4", "--json").event("result")
    assert (info["width"], info["height"], info["color"]["bit_depth"]) == (64, 64, depth)
    assert Fraction(info["frame_rate"]) == 25


@pytest.mark.parametrize("depth", [8, 10])
def test_y4m_in_and_out(depth: int) -> None:
    """`... | revivid restore - -o - | reader`: the pixel format stays, frames arrive, nothing else is on stdout."""
    commands = ([COMMAND, "restore", "-", "-o", "-", "--super-resolve", "4"], [sys.executable, "-c", READER])
    restore = subprocess.Popen(commands[0], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader = subprocess.Popen(commands[1], stdin=restore.stdout, stdout=subprocess.PIPE, text=True)
    assert restore.stdin is not None
    assert restore.stdout is not None
    restore.stdout.close()
    restore.stdin.write(y4m(depth))
    restore.stdin.close()
    words = reader.communicate(timeout=120)[0].split()
    assert restore.stderr is not None
    err = restore.stderr.read().decode()
    assert restore.wait(60) == 0, err
    assert words[:3] == ["YUV4MPEG2", "W256", "H256"]
    assert ("C420p10" in words) == (depth == 10)
    assert words[-1] == "8"
    assert "8 frames" in err


def test_a_recipe_followed_into_a_pipe(small: Path) -> None:
    restore = subprocess.run([COMMAND, "restore", str(small), "-o", "-"], capture_output=True, timeout=120)
    assert restore.returncode == 0, restore.stderr.decode()
    reader = subprocess.run([sys.executable, "-c", READER], input=restore.stdout, capture_output=True, timeout=60, check=True)
    words = reader.stdout.decode().split()
    assert words[:4] == ["YUV4MPEG2", "W256", "H256", "F24:1"]
    assert words[-1] == "12"


def test_options_that_pipes_exclude(small: Path) -> None:
    outcome = revivid("restore", small, "-o", "-", "--json", expect=2)
    assert "--json" in outcome.err
    assert outcome.event("error")["exit_code"] == 2
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as silent:
        assert revivid("compress", "-", "-o", "x.mp4", expect=3, stdin=silent.stdout).out == ""
    with pytest.raises(UsageError, match="twice"):
        roundtrip("-", "x")


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_readers_that_go_away(small: Path, closed_pipe: int) -> None:
    text = subprocess.run([COMMAND, "probe", str(small)], stdout=closed_pipe, stderr=subprocess.PIPE, timeout=60)
    assert (text.returncode, text.stderr) == (0, b"")
    events = subprocess.run([COMMAND, "probe", str(small), "--json"], stdout=closed_pipe, stderr=subprocess.PIPE, timeout=60)
    assert (events.returncode, events.stderr) == (0, b"")
    video = subprocess.run([COMMAND, "restore", str(small), "-o", "-"], stdout=closed_pipe, stderr=subprocess.PIPE, timeout=60)
    assert video.returncode == 8
    lines = video.stderr.decode().splitlines()
    assert lines == ["error: the program that reads our output went away"]
