"""Small synthetic clips, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command import make_clip, revivid


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def clip(folder: Path) -> Path:
    """256x256, 12 frames, half a second, with sound."""
    return make_clip(folder / "clip.mp4", audio=True)


@pytest.fixture(scope="session")
def small(clip: Path, folder: Path) -> Path:
    """`clip` compressed to 64x64, with its recipe."""
    path = folder / "small.mp4"
    revivid("compress", clip, "-o", path, "--x265-preset", "ultrafast")
    return path


@pytest.fixture(scope="session")
def long(folder: Path) -> Path:
    """256x256, half a minute: more work than a test waits for."""
    return make_clip(folder / "long.mp4", frames=720)


@pytest.fixture
def bystander(clip: Path) -> Callable[[], None]:
    """Call it to see that the input is as it was."""
    before = clip.read_bytes()
    return lambda: _same(clip.read_bytes(), before)


def _same(now: bytes, before: bytes) -> None:
    assert now == before
