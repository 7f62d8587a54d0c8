"""Frames side by side: order kept, one torch thread each, errors come through; freed memory is kept where the C library can."""

from __future__ import annotations

import platform

import pytest
import torch

from revivid.restoration.workers import each_frame, keep_freed_memory


def test_order_is_kept_and_each_worker_uses_one_thread() -> None:
    answers = each_frame(lambda frame: (frame, torch.get_num_threads()), range(16))
    assert [frame for frame, _ in answers] == list(range(16))
    assert {threads for _, threads in answers} == {1}


def test_an_error_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        each_frame(lambda frame: 1 // frame, [1, 0])


def test_memory_is_kept_on_glibc() -> None:
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")
