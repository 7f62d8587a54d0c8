"""`degrade blur`: pairs of blurry and sharp video from footage of a high rate (second paper, section 4.1).

    IN (a video, a folder of pictures, raw video, or a photograph that a camera moves over)
     └ mean of n frames, m are left out ── BLURRY     B_t = 1/n sum I_j;   n + m = 10 makes 24 frames a second of 240
        └ the frame in the middle ──────── SHARP      X_t, at the same times

The paper's equation averages code values, as the published sets do; with `linear_light` the mean is one of light, as on a sensor.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..codecs import encoding
from ..degrade.filmed import FilmedReader
from ..degrade.motion_blur import Shutter
from ..errors import OutputExists, PartialResult, UsageError
from ..media.footage import HIGH_RATE_FROM, open_footage
from ..media.pictures import is_picture
from ..media.reader import Reader
from ..media.source import is_pipe
from ..media.write import VideoWriter, check_output
from ..pipeline import ProgressFunction
from .degrade import Average
from .job import Job, JobResult, Plan, check_lossless
from .options import Source, make

#: Blurry frames that the dry run makes to estimate time and size.
SAMPLE_FRAMES = 8
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


@dataclass(frozen=True)
class BlurOptions(Source):
    """How to blur."""

    #: The file of the sharp frames.
    truth: str = ""
    #: How many consecutive frames are averaged, an odd number, and how many are left out after them.
    frames: int = 7
    gap: int = 3
    #: Average light instead of code values.
    linear_light: bool = False
    #: Frames per second of a folder of pictures, or of raw video whose name doesn't say it.
    rate: float | str | None = None
    #: "1920x1080", for raw video whose name doesn't say it.
    size: str | None = None
    #: Of a photograph: how long a camera moves over it, and the seed of its way.
    seconds: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        Shutter(self.frames, self.gap)
        if not self.truth or is_pipe(self.truth):
            raise UsageError("the sharp frames need a file", hint="Name it: --truth sharp.mkv")


def blur(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    progress: ProgressFunction | None = None,
    **options: object,
) -> JobResult:
    """Blur `source` into `output`, its sharp frames into the file of the option `truth`; options are the fields of `BlurOptions`.

    Both are FFV1 in Matroska and have as many frames at the same times. Raises `UsageError` for a source of less than 120 frames
    per second, and the errors of `revivid.errors`; whatever is raised, no half file is left, and no blurry one without the sharp.
    """
    chosen = make(BlurOptions, options)
    job, average = _job(source, output, chosen)
    result, damaged = None, None
    try:
        with VideoWriter(chosen.truth, job.target(), job.encoding, overwrite=chosen.overwrite) as sharp:
            average.truth = sharp.write
            try:
                result = job.run("blur", progress)
            except PartialResult as exc:  # both are kept, as far as they go
                damaged = exc
    except BaseException:
        if result or damaged:  # the blurry frames are in place, the sharp ones could not be finished
            Path(output).unlink(missing_ok=True)
        raise
    if damaged is not None:
        raise damaged
    assert result is not None
    return replace(result, notices=(*result.notices, f"the sharp frames are in {chosen.truth}"))


def plan_blur(source: str | os.PathLike[str], output: str | os.PathLike[str], *, sample: bool = True, **options: object) -> Plan:
    """What `blur` would do; with `sample`, time and size of the blurry file are estimated by blurring a few frames of a video."""
    chosen = make(BlurOptions, options)
    job, average = _job(source, output, chosen)
    reopened = is_pipe(source) or job.reader.carried_from is not None
    plan = job.sampled_plan(SAMPLE_FRAMES * average.shutter.period) if sample and reopened else job.plan()
    return replace(plan, steps=(*plan.steps, f"write the sharp frames to {chosen.truth}"))


def _job(source: str | os.PathLike[str], output: str | os.PathLike[str], options: BlurOptions) -> tuple[Job, Average]:
    for path in (output, options.truth):
        if is_pipe(path):
            raise UsageError("pairs can't go to standard output", hint="Name two files: -o blurry.mkv --truth sharp.mkv")
        check_lossless(path)
    if Path(output).absolute() == Path(options.truth).absolute():
        raise OutputExists(f"{os.fspath(output)} can't be both blurry and sharp", hint="Name two files.")
    check_output(options.truth, overwrite=options.overwrite, inputs=(source,))
    reader = _opened(source, options)
    rate = reader.frame_rate
    if rate < HIGH_RATE_FROM:
        raise UsageError(
            f"{os.fspath(source)} has {float(rate):g} frames a second: the mean of some is no motion blur under 120",
            hint="Blur such a video along its motion instead: revivid degrade IN -o OUT --blur 7.",
        )
    info = reader.info
    color = replace(info.color, matrix=info.color.resolved_matrix(info.height))
    average = Average(options.frames, options.gap, linear=options.linear_light)
    return Job(reader, os.fspath(output), [average], encoding("ffv1", color), options, color), average


def _opened(source: str | os.PathLike[str], options: BlurOptions) -> Reader:
    part = {"start": options.start, "duration": options.duration, "fps": options.fps}
    if is_picture(source) and not Path(source).is_dir():
        return FilmedReader(source, options.seconds, options.seed, **part)
    size = None
    if options.size is not None:
        named = _SIZE.fullmatch(options.size)
        if named is None:
            raise UsageError(f"{options.size[:40]!r} is no size", hint="Write it like 1920x1080.")
        size = (int(named[1]), int(named[2]))
    damage = {"allow_damaged": True} if options.allow_damaged else {}
    return open_footage(source, rate=options.rate, size=size, **part, **damage)
