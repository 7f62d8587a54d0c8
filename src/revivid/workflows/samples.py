"""Short stretches of a video, spread over it and kept in memory, to try out a compression on.

    header -> where stretches begin -> read once, in the job's own first stages -> Stretch
    Stretch -> the job's own encoder and container -> bytes and key frames of the frames that count

A stretch that is cut out of a video costs other bits than in its place, for two reasons, and both are taken out: it begins with a
key frame, so key frames are averaged apart; and the encoder looks ahead, so frames behind those that count are encoded too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean

from ..errors import CorruptInput, UsageError
from ..learned.opening import open_video
from ..media.weigh import CodedFrame, coded_frames
from ..media.write import Encoding, VideoWriter
from ..pipeline import chain
from ..types import Clip, join
from .job import Job

#: Bytes of frames that are kept.
MAX_BYTES = 768 * 2**20
#: Frames after those that count: about what the encoders look ahead at their default presets.
_TAIL = 24
#: Fewer frames than this of a stretch tell little; rather have fewer stretches.
_LEAST = 8
#: Frames between two key frames, where nothing on the picture asks for one.
_KEY_INTERVAL = {"libx265": 250, "libx264": 250, "libsvtav1": 160}


@dataclass(frozen=True)
class Stretch:
    """Consecutive frames, as the encoder will get them."""

    clip: Clip
    #: The frames as they were read, of those that count; None where nobody compares with them.
    original: Clip | None
    #: So many frames from the first on count; those after them are there for the encoder's look-ahead.
    counted: int


@dataclass(frozen=True)
class Layout:
    """Where stretches lie: each begins at a frame, has frames that count, and a tail."""

    begins: tuple[int, ...]
    counted: int
    tail: int

    @property
    def frames(self) -> int:
        return len(self.begins) * (self.counted + self.tail)


@dataclass(frozen=True)
class Samples:
    """The stretches of one video."""

    stretches: tuple[Stretch, ...]
    #: Frames of the whole video, by its header.
    frames: int
    #: Seconds of it.
    seconds: float
    #: Whether the one stretch is all of it.
    whole: bool

    @property
    def counted(self) -> int:
        """Frames that count."""
        return sum(stretch.counted for stretch in self.stretches)

    def mean(self, rows: Sequence[Sequence[float]], coded: Sequence[Sequence[CodedFrame]], key_interval: int) -> float:
        """The mean over the whole video of what was measured on the frames that count, a row for each stretch."""
        if self.whole:
            return fmean(value for row in rows for value in row)
        matched = (pair for row, frames in zip(rows, coded, strict=True) for pair in zip(row, frames, strict=True))
        pairs = [(frame.key, value) for value, frame in matched]
        keys = [value for key, value in pairs if key]
        others = [value for key, value in pairs if not key]
        if not keys or not others:
            return fmean(value for _, value in pairs)
        # The first frame of a stretch is a key frame because it is the first; the others are because the picture changed.
        changes = (len(keys) - len(self.stretches)) / len(pairs)
        share = min(1.0, max(0.0, changes) + 1 / min(key_interval, self.frames))
        return share * fmean(keys) + (1 - share) * fmean(others)


def layout(frames: int, frame_bytes: int, original_bytes: int, *, stretches: int, counted: int) -> Layout:
    """Where stretches of a video of `frames` frames lie, so that they take `MAX_BYTES` at most: all of it, where it is short.

    `frame_bytes` and `original_bytes` are what one frame for the encoder takes, and one to compare with (0: not kept).
    """
    if frames <= stretches * (counted + _TAIL) and frames * (frame_bytes + original_bytes) <= MAX_BYTES:
        return Layout((0,), frames, 0)
    tail = _TAIL
    while stretches * (counted * (frame_bytes + original_bytes) + tail * frame_bytes) > MAX_BYTES:
        if max(counted, tail) > _LEAST:
            counted, tail = (max(part // 2, min(part, _LEAST)) for part in (counted, tail))
        elif stretches > 1:
            stretches -= 1
        elif tail:
            tail //= 2
        elif counted > 1:
            counted //= 2
        else:
            break
    length = min(counted + tail, frames)
    stretches = min(stretches, max(1, frames // length))
    begins = tuple((2 * i + 1) * frames // (2 * stretches) - length // 2 for i in range(stretches))
    counted = min(counted, length)
    return Layout(tuple(max(0, begin) for begin in begins), counted, length - counted)


def read_samples(job: Job, *, stretches: int, counted: int, with_originals: bool) -> Samples:
    """The stretches of what `job` reads, after its stages. Raises `UsageError` where the header doesn't say how long that is."""
    frames = job.reader.expected_frames
    if not frames:
        raise UsageError(
            f"{job.reader.path}: its header doesn't say how long it is, so samples can't be spread over it",
            hint="Name a --crf, or put it into another container first.",
        )
    sizes = (job.size, (job.reader.info.width, job.reader.info.height))
    size, original = (width * height * 3 // 2 * (1 if job.reader.info.color.bit_depth == 8 else 2) for width, height in sizes)
    plan = layout(frames, size, original if with_originals else 0, stretches=stretches, counted=counted)
    found = [stretch for begin in plan.begins if (stretch := _read(job, begin, plan, with_originals)) is not None]
    if not found:
        raise UsageError(f"{job.reader.path}: no frames could be sampled", hint="Name a --crf.")
    return Samples(tuple(found), frames, float(frames / job.reader.frame_rate), plan.begins == (0,) and plan.counted == frames)


@dataclass(frozen=True)
class Coded:
    """A compressed stretch."""

    #: Those that count, in order of presentation.
    frames: list[CodedFrame]
    #: Bytes of its file that are none of the picture's.
    beside: int


def encoded(job: Job, stretch: Stretch, encoding: Encoding, recipe: str, path: Path) -> Coded:
    """Write a stretch to `path` as `job` would; what it costs."""
    with VideoWriter(path, job.target(), encoding, recipe=recipe, overwrite=True) as writer:
        writer.write(stretch.clip)
    return Coded(coded_frames(path)[: stretch.counted], path.stat().st_size - writer.video_bytes)


def key_interval(encoding: Encoding) -> int:
    """Frames from one key frame to the next where nothing on the picture asks for one."""
    params = ":".join(value for key, value in encoding.options.items() if key.endswith("params"))
    asked = re.search(r"(?:^|:)(?:keyint|I)=(\d+)", params)
    return max(1, int(asked[1])) if asked else _KEY_INTERVAL[encoding.encoder]


def _read(job: Job, begin: int, plan: Layout, with_originals: bool) -> Stretch | None:
    """A stretch; None where nothing lies there, as in a file that is shorter than its header says."""
    whole = job.reader
    tick = whole.time_base
    offset = round(begin / whole.frame_rate / tick) * tick if begin else Fraction(0)
    length = None if whole.length is None else whole.length - offset
    shrunk: list[Clip] = []
    originals: list[Clip] = []
    left, counted = plan.counted + plan.tail, plan.counted
    try:
        for clip in open_video(
            whole.path, start=whole.start + offset, duration=length, fps=whole.fps, allow_damaged=whole.allow_damaged
        ):
            part = clip[:left]
            shrunk += chain([part], job.stages)
            if with_originals and counted > 0:
                originals.append(part[:counted])
            left, counted = left - len(part), counted - len(part)
            if left <= 0:
                break
    except (UsageError, CorruptInput) as exc:
        nothing_there = isinstance(exc, UsageError) or whole.allow_damaged
        if shrunk or not nothing_there:
            raise
        return None
    clip = join(shrunk)
    original = join(originals) if originals else None
    return Stretch(_own(clip), None if original is None else _own(original), min(plan.counted, len(clip)))


def _own(clip: Clip) -> Clip:
    """Times from zero: a stretch is a video of its own."""
    return replace(clip, times=tuple(time - clip.times[0] for time in clip.times))
