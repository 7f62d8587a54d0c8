"""How fast a stage is, alone on the machine: frames through it per second at 1280x720."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

from ..media.scale import resize
from ..types import Clip
from .arms import Arm, built, restored
from .masters import Source
from .settings import Sample, Setting, Task

#: Width and height of what comes out.
SIZE = (1280, 720)
FRAMES, REPEATS = 17, 3


def timed_sample(task: Task, source: Source, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Sample:
    """The input of the task's timed setting, of frames enlarged to `size`."""
    large = replace(source, clip=resize(source.clip[:frames], *size))
    return task.setting(task.timed).degrade(large)


def speed_of(task: Task, arm: Arm, sample: Sample, repeats: int = REPEATS) -> dict[str, Any]:
    """`fps` and `ms` of a frame that comes out (between frames: a new one), median of some repeats after a first run of a few.

    `load` is what the machine was busy with just before, as the mean number of running processes in the last minute.
    """
    setting = task.setting(task.timed)
    work = _work(setting, arm)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    work(Sample(sample.given[:4], sample.truth[:2]))
    seconds = []
    for _ in range(repeats):
        begin = perf_counter()
        work(sample)
        seconds.append(perf_counter() - begin)
    each = median(seconds) / len(sample.truth)
    return {"fps": round(1 / each, 2), "ms": round(1e3 * each, 1), "load": None if load is None else round(load, 1)}


def _work(setting: Setting, arm: Arm) -> Callable[[Sample], Clip]:
    """What is timed; networks are loaded before."""
    if arm.weights is None:
        return setting.baselines[arm.name].variants[arm.variant]
    stage = built(setting, arm.variant, arm.weights.name)
    return lambda sample: restored(stage, sample.given)
