"""Shared by all tests: the library of synthetic clips (see `clips`)."""

from __future__ import annotations

import os

# Before torch is loaded, here and in the commands that tests run: threads that wait for each other sleep instead of spinning, since
# tests run side by side and share their cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import pytest

from clips import Library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """`library(kind)` is the path of a clip of that kind; made when first asked for, and not to be changed."""
    return Library(tmp_path_factory.mktemp("clips"))
