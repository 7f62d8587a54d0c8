"""Independent parts of a network's work side by side, with the machine's threads shared out among them.

Threads inside one layer wait for each other at its end, thousands of times in a forward pass, and badly so when another program
wants the same cores. Parts that need nothing of each other wait once.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

import torch

T = TypeVar("T")

#: glibc's malloc.h: how many arenas threads may have for what they allocate.
_M_ARENA_MAX = -8


def side_by_side(tasks: Sequence[Callable[[], T]], device: torch.device) -> list[T]:
    """The results of all `tasks`, in order; as many at a time as torch has threads, where that helps.

    One after the other, in the caller's thread, where it doesn't: on accelerators, with one thread, and where gradients are
    wanted, whose recording belongs to one thread. The first failure in their order is raised when all have ended.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or min(threads, len(tasks)) < 2 or torch.is_grad_enabled():
        return [task() for task in tasks]
    share = max(1, threads // len(tasks))
    inference, autocast = torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu")

    def alike(task: Callable[[], T]) -> T:
        """In the caller's modes, which belong to its thread."""
        torch.set_num_threads(share)
        with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", dtype=dtype, enabled=autocast):
            return task()

    try:
        futures = [_pool(threads).submit(alike, task) for task in tasks]
        wait(futures)
        return [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)  # also what threads that start later will have


@contextlib.contextmanager
def intra_op_threads(count: int) -> Iterator[None]:
    """Inside, layers that this thread computes have so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that take their memory where the others do.

    With an arena each, which is glibc's default, what one thread frees can't be taken by another: BasicVSR needs 100 MB more on two
    threads. Holds for the whole process, and only for threads that start later.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # macOS and musl have no mallopt, Windows no CDLL(None)
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    return ThreadPoolExecutor(threads, "revivid-part")
