"""Frames side by side, one thread each: for networks that treat frames independently.

Two threads inside one small convolution wait for each other at every layer, and badly so when a decoder or an encoder wants the
same cores (measured on 2 busy cores: 441 ms a frame against 85 ms with one thread; idle, both ways take the same time per
frame). So each worker computes whole frames alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


#: glibc's malloc.h: parameters of mallopt, and how many freed bytes it may keep.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 256 * 2**20


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let the C library keep what a frame's features freed for the next frame, instead of returning it to the system each time.

    Without this, 4-5 ms of every 720p frame go into 1,300 page faults (measured on 2 cores; with it 10 faults, and a fifth to a
    third more frames per second). Holds for the whole process, for up to 256 MiB. False where the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS and musl have no mallopt, Windows no CDLL(None)
        return False
    settings = {_M_MMAP_THRESHOLD: _KEPT_BYTES, _M_TRIM_THRESHOLD: _KEPT_BYTES, _M_TOP_PAD: 2**26}
    return all(mallopt(parameter, value) == 1 for parameter, value in settings.items())


@lru_cache(maxsize=1)
def worker_count() -> int:
    """How many frames are computed at once: as many as torch may use threads. Inside a worker torch would say one."""
    return torch.get_num_threads()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(worker_count(), "revivid-frame", initializer=torch.set_num_threads, initargs=(1,))


def each_frame(function: Callable[[T], R], frames: Iterable[T]) -> list[R]:
    """`function` of every frame, in order, as many at a time as torch may use threads."""
    return list(_pool().map(function, frames))
