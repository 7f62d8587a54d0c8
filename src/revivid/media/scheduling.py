"""Threads keep their priority while an encoder is opened.

SVT-AV1 makes its threads, and the one that opens it, real-time threads of the highest priority where the user is root, as in most
containers. From then on nothing else gets a core on which one of them computes: other programs stand still, and threads that wait
for each other while spinning, as OpenMP's do, wait for minutes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def kept_priority() -> Iterator[None]:
    """After the block this process's threads are scheduled as the calling one was before it. Does something on Linux only."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # a thread that has ended
                if os.sched_getscheduler(int(thread.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(int(thread.name), policy, parameters)
