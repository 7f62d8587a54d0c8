"""The measuring itself: one job is one clip made worse in one way, restored by all arms that have no score yet.

Jobs run side by side in processes of one thread each; what they find goes into the store, which every process writes to.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from . import blur
from .arms import Arm
from .masters import Source, read_source
from .scores import WITHOUT_TRUTH, score, score_blindly, score_table
from .settings import Sample, Setting
from .store import Store
from .table_tasks import any_task


@dataclass(frozen=True)
class Clipping:
    """Which frames of which master, and where scores and what is made once are kept."""

    name: str
    master: Path
    frames: int
    cache: Path
    #: Of the frames; see `Source.digest`.
    digest: str

    def read(self) -> Source:
        return read_source(self.name, self.master, self.frames, self.cache)


@dataclass(frozen=True)
class Job:
    """One clip and one setting, by name so that it can be sent to another process."""

    clip: Clipping
    task: str
    setting: str
    arms: tuple[Arm, ...]
    with_vmaf: bool = False
    with_ms_ssim: bool = False
    #: Only the PSNR of the few frames on which baselines' variants are searched.
    search: bool = False
    #: The metrics of the restoration tables.
    table: bool = False

    def key(self, arm: Arm) -> dict[str, Any]:
        found = {"task": self.task, "setting": self.setting, "clip": self.clip.digest, **arm.key()}
        return {**found, "search": True} if self.search else found

    def scores(self, store: Store, arm: Arm) -> dict[str, float] | None:
        """What is known of an arm; None where something that is wanted is not."""
        found = store.get(self.key(arm))
        blind = bool(any_task(self.task).setting(self.setting).stages)
        wanted = {"vmaf": self.with_vmaf, "ms_ssim_y": self.with_ms_ssim, **dict.fromkeys(WITHOUT_TRUTH, blind)}
        if found is None or any(asked and metric not in found for metric, asked in wanted.items()):
            return None
        return {metric: value for metric, value in found.items() if value is not None}

    def without_known(self, store: Store) -> Job:
        """The same job for the arms that have no scores yet."""
        return replace(self, arms=tuple(arm for arm in self.arms if self.scores(store, arm) is None))


def measure(job: Job) -> float:
    """Do the job and store its scores; the seconds that it took."""
    begin = perf_counter()
    setting = any_task(job.task).setting(job.setting)
    store = Store(job.clip.cache / "scores")
    sample = setting.degrade(job.clip.read())
    for arm in job.arms:
        seen = _searched(setting, arm, sample) if job.search else sample
        answer = arm.restore(setting, seen)
        if job.table:
            value = score_table(seen.truth, answer, with_vmaf=job.with_vmaf)
        else:
            value = score(seen.truth, answer, with_vmaf=job.with_vmaf, with_ssim=not job.search)
        rate = {} if sample.bytes is None else {"bpp": 8 * sample.bytes / sample.truth.planes[0].size}
        if job.table and sample.bytes is not None:
            rate["kbps"] = 8e-3 * sample.bytes / float(sum(sample.given.durations))
        blind = score_blindly(answer) if setting.stages else {}
        # None where frames are too small, so that it isn't tried again.
        small = {"ms_ssim_y": None} if job.with_ms_ssim and "ms_ssim_y" not in value else {}
        store.put(job.key(arm), {**value, **blind, **small, **rate, "frames": len(seen.truth)})
    return perf_counter() - begin


def make_blur(clip: Clipping) -> float:
    """Have the clip's blurred versions ready; the seconds that it took."""
    begin = perf_counter()
    blur.make(clip.read())
    return perf_counter() - begin


def run(
    function: Callable[[Any], float], items: Sequence[Any], workers: int, on_done: Callable[[Any, float], None]
) -> None:
    """`function` of every item in processes of their own, or in this one for one worker; `on_done` is told of each."""
    if workers == 1 or len(items) < 2:
        for item in items:
            on_done(item, function(item))
        return
    # Not forked: torch's threads don't survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_one_thread) as pool:
        waiting = {pool.submit(function, item): item for item in items}
        try:
            for done in as_completed(waiting):
                on_done(waiting[done], done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A parent that was killed can't stop its children, and they would wait for work for ever.
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _searched(setting: Setting, arm: Arm, sample: Sample) -> Sample:
    few = setting.baselines[arm.name].search
    return Sample(sample.given[few], sample.truth[few])


def pending(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs that still have arms without scores, with only these."""
    return [left for job in jobs if (left := job.without_known(store)).arms]
