"""Streams by their names: a codec, its preset and tune, and the part of each side that is coded.

    x265:medium    x265:medium:zerolatency    x265:veryslow@1/2    x264:slow    svtav1:6@1/4

A stream is a `Task` with a setting for each CRF of its curve: its restorers are those of super-resolution, or of artefacts at
full size. `medium` at the scales of `settings` is the task from there, so that what was measured for one serves the other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import partial

from ..codecs import CODECS
from ..codecs.loop import LoopSettings
from ..errors import UsageError
from ..recipe import StageSpec
from .masters import Source
from .settings import DECODED, TASKS, Baseline, Sample, Setting, Task, bicubic, coded

#: What people call a codec -> its name in `codecs`.
NAMES = {"x265": "x265", "x264": "x264", "svtav1": "av1"}
SCALES = {"": 1, "1/2": 2, "1/4": 4}
#: By scale the points of a curve, in CRFs of x265.
CRFS = {scale: tuple(setting.crf for setting in TASKS[name].curve) for scale, name in (
    (1, "deartifact"), (2, "super-resolve-x2"), (4, "super-resolve-x4"),
)}  # fmt: skip
#: The points of other codecs' curves are those of x265's times this: like the ratio of usual CRFs, so that they span their range.
_SPREAD = {"x265": 1.0, "x264": 23 / 28, "svtav1": 35 / 28}
_SETTLED = {"x265:medium": "deartifact", "x265:medium@1/2": "super-resolve-x2", "x265:medium@1/4": "super-resolve-x4"}


@dataclass(frozen=True)
class Stream:
    """What a name says."""

    codec: str
    preset: str
    tune: str = ""
    scale: int = 1

    @property
    def name(self) -> str:
        part = next(text for text, scale in SCALES.items() if scale == self.scale)
        return ":".join(filter(None, (self.codec, self.preset, self.tune))) + (f"@{part}" if part else "")

    def crfs(self) -> tuple[float, ...]:
        """Of its curve, in its own range."""
        highest = CODECS[NAMES[self.codec]].max_crf
        return tuple(dict.fromkeys(min(round(crf * _SPREAD[self.codec]), highest) for crf in CRFS[self.scale]))

    def loop(self, crf: float) -> LoopSettings:
        """How it is coded: on one thread, and without what x265 writes down of itself."""
        own = {"x265-params": "info=0"} if self.codec == "x265" else {}
        tune = {"tune": self.tune} if self.tune else {}
        return LoopSettings(CODECS[NAMES[self.codec]].encoder, crf, self.preset, {**tune, **own})


def stream_of(name: str) -> Stream:
    """Raises `UsageError` for codecs, presets and scales that nobody knows."""
    text, _, part = name.partition("@")
    codec, *how = text.split(":")
    if codec not in NAMES or part not in SCALES or ("@" in name and not part) or len(how) > 2:
        hint = f"CODEC[:PRESET[:TUNE]][@SCALE]; codecs: {', '.join(NAMES)}; scales: {', '.join(filter(None, SCALES))}."
        raise UsageError(f"there is no stream {name!r}", hint=hint)
    known = CODECS[NAMES[codec]]
    preset, tune = (*how, "", "")[:2]
    if preset and preset not in known.presets:
        raise UsageError(f"{name}: {codec} has no preset {preset!r}", hint=f"Known: {', '.join(known.presets)}.")
    return Stream(codec, preset or known.default_preset, tune, SCALES[part])


def task_named(name: str) -> Task:
    """A task of `settings`, or that of a stream by its full name."""
    settled = _SETTLED.get(name, name)
    return TASKS[settled] if settled in TASKS else _task(stream_of(name))


@functools.cache
def _task(stream: Stream) -> Task:
    curve = tuple(_setting(stream, crf) for crf in stream.crfs())
    return Task(stream.name, (), curve[len(curve) // 2].name, curve)


def _setting(stream: Stream, crf: float) -> Setting:
    told = CODECS[NAMES[stream.codec]].as_x265(crf)
    degrade = partial(_degraded, stream=stream, crf=crf)
    if stream.scale == 1:
        return Setting(f"crf {crf:g}", degrade, {"": StageSpec("deartifact")}, {"decoded": DECODED}, told)
    spec = StageSpec("super-resolve", {"scale": stream.scale})
    baselines: dict[str, Baseline] = {"bicubic": bicubic(stream.scale)}
    return Setting(f"crf {crf:g}", degrade, {"": spec}, baselines, told)


def _degraded(source: Source, stream: Stream, crf: float) -> Sample:
    given, size = coded(source.clip, stream.loop(crf), stream.scale)
    return Sample(given, source.clip, size)
