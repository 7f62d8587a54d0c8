"""Encoders may not make real-time threads of a process's threads, as SVT-AV1 does where the user is root."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from revivid import compress
from revivid.media.scheduling import kept_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads' policies are read from /proc")


def policies() -> set[int]:
    return {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}


def test_av1_leaves_no_real_time_thread(library, tmp_path) -> None:
    seen: set[int] = set()
    compress(library("plain"), tmp_path / "out.mkv", codec="av1", encoder_preset="12", progress=lambda _: seen.update(policies()))
    assert seen | policies() == {os.SCHED_OTHER}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may have real-time threads")
def test_threads_go_back_and_errors_come_through() -> None:
    over = threading.Event()

    def work() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        started.set()
        over.wait()

    started, thread = threading.Event(), threading.Thread(target=work)
    @kept_priority()
    def opened() -> None:
        thread.start()
        started.wait()
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            opened()
        assert policies() == {os.SCHED_OTHER}
    finally:
        over.set()
        thread.join()
