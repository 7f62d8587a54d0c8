"""Shared by all tests: the library of synthetic clips (see `clips`)."""

from __future__ import annotations

import pytest

from clips import Library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """`library(kind)` is the path of a clip of that kind; made when first asked for, and not to be changed."""
    return Library(tmp_path_factory.mktemp("clips"))
