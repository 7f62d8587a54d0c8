"""What all benchmarks share: the clips, the store, and jobs that run side by side and are done only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import MissingTool, UsageError
from ..evaluation.machine import describe_machine, usable_cores
from ..media.program import available
from . import jobs
from .arms import Arm
from .jobs import Clipping, Job, pending
from .masters import find_masters, read_source
from .store import Store

#: What a quick run makes do with: so many clips, spread over the list, and so many frames of each.
QUICK_CLIPS, QUICK_FRAMES = 4, 8
#: What is drawn at random, and from which seed; the same on every run.
SEEDS = {
    "camera moves over photographs": "CRC-32 of the file's name",
    "shots that are blurred": "CRC-32 of the clip's name",
    "noise": "0 and the frame's number",
    "bootstrap over clips": 0,
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Common:
    """What every benchmark can be told."""

    data: Path
    out: Path
    #: Folder of masters, blurred versions and scores.
    cache: Path
    frames: int = 32
    #: So many clips, spread over the list; None: all.
    most_clips: int | None = None
    quick: bool = False
    vmaf: bool = False
    #: Processes side by side; None: one a core.
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.frames < 4:
            raise UsageError(f"{self.frames} frames are too few to measure on", hint="Four at least, 32 for published figures.")
        if self.vmaf and not available():
            raise MissingTool("VMAF needs the libvmaf of imageio-ffmpeg", hint='Install it: pip install "revivid[vmaf]"')

    @property
    def seen_frames(self) -> int:
        """Frames of each clip that are measured."""
        return min(self.frames, QUICK_FRAMES) if self.quick else self.frames

    def arguments(self) -> str:
        """For the command that makes the same again; DATA stands for the folder."""
        how = "--quick" if self.quick else f"--frames {self.frames}"
        clips = f" --clips {self.most_clips}" if self.most_clips else ""
        return f"--data DATA {how}{clips}{' --vmaf' if self.vmaf else ''}"


class Session:
    """One run over a folder of clips; `say` gets a line for people now and then."""

    def __init__(self, options: Common, say: Say) -> None:
        self.say = say
        self.options = options
        self.store = Store(options.cache / "scores")
        self.workers = options.workers or usable_cores()
        self._left = 0
        most = min(filter(None, (options.most_clips, QUICK_CLIPS if options.quick else None)), default=None)
        masters = find_masters(options.data, options.cache, options.frames, most)
        self.clips = [self._clipping(name, master) for name, master in masters.items()]

    def _clipping(self, name: str, master: Path) -> Clipping:
        frames, cache = self.options.seen_frames, self.options.cache
        return Clipping(name, master, frames, cache, read_source(name, master, frames, cache).digest)

    def about(self, command: str) -> dict[str, Any]:
        """How, when and on what: goes with every result, for they may be measured on different days."""
        return {
            "command": f"revivid bench {command} {self.options.arguments()}",
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": describe_machine(),
            "frames": self.options.seen_frames,
            "quick": self.options.quick,
            "seeds": SEEDS,
            "clips": {clip.name: clip.digest for clip in self.clips},
        }

    def measure(self, every: Sequence[Job]) -> None:
        """Do what is not in the store yet."""
        left = pending(every, self.store)
        self._left = len(left)
        jobs.run(jobs.measure, left, self.workers, self._measured)

    def make_blur(self) -> None:
        """Have the clips' blurred versions ready."""
        jobs.run(jobs.make_blur, self.clips, self.workers, self._blurred)

    def scores(self, job: Job, arm: Arm) -> dict[str, float]:
        """Of an arm of a job that was measured."""
        scores = job.scores(self.store, arm)
        assert scores is not None, f"{job.task} {job.setting} {arm.label} was not measured"
        return scores

    def _blurred(self, clip: Clipping, seconds: float) -> None:
        if seconds > 1:
            self.say(f"{clip.name}, blur: {seconds:.1f} s")

    def _measured(self, job: Job, seconds: float) -> None:
        self._left -= 1
        kind = "search" if job.search else f"{len(job.arms)} arms"
        self.say(f"{job.task} {job.setting}, {job.clip.name}, {kind}: {seconds:.1f} s, {self._left} to go")


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
