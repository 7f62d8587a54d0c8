"""One pass over a video, planned before it runs: reader -> stages -> writer, with what `--dry-run` prints.

`Job` is what `compress` and `restore` have in common; they differ only in stages, encoding and recipe.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import LimitExceeded, MissingWeights, PartialResult, UsageError
from ..learned.opening import open_video
from ..limits import MAX_FRAME_RATE, check_frame_size
from ..media.passthrough import Passthrough
from ..media.reader import Reader
from ..media.source import is_pipe
from ..media.weigh import carried_bytes
from ..media.write import Encoding, Target, check_output, muxer_for
from ..pipeline import Progress, ProgressFunction, StageFunction, chain, run
from ..recipe import Recipe
from ..restoration.stage import Stage
from ..types import ColorSpec
from .options import Source

#: Uncompressed output frames that are alive at once: queues of three clips on both sides, and the encoder's look-ahead.
_FRAMES_IN_FLIGHT = 40
#: Ticks per second of the finest time base that is asked of a container: MP4 stores a frame's duration in 32 bits.
_FINEST = Fraction(10_000_000)
#: Where a finer one would be exact.
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class Plan:
    """What a job will do, for people and as JSON."""

    source: str
    output: str
    #: One line per step, in order.
    steps: tuple[str, ...]
    #: Frames that will be read, by the header (None: unknown).
    frames: int | None
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    #: Bytes of memory that the widest step needs, an estimate.
    memory_bytes: int
    notices: tuple[str, ...] = ()
    #: Measured on a few frames: seconds and output bytes for the whole video (None: not sampled).
    estimated_seconds: float | None = None
    estimated_bytes: int | None = None
    #: Weights that the job needs and this machine lacks, each with what to do.
    missing: tuple[str, ...] = ()
    #: How the CRF was found, where a target was asked for: `target.Found.to_json`.
    target: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        data = dict(vars(self))
        return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


@dataclass(frozen=True)
class JobResult:
    """What a job did."""

    output: str
    #: Frames written.
    frames: int
    #: Bytes of the whole file and of its video stream alone.
    size_bytes: int
    video_bytes: int
    width: int
    height: int
    #: Seconds of video, and seconds that the job took.
    duration: float
    seconds: float
    notices: tuple[str, ...] = ()
    #: How the CRF was found, where a target was asked for: `target.Found.to_json`.
    target: dict[str, Any] | None = None

    @property
    def fps(self) -> float:
        """Frames per second of work, decoding and encoding included."""
        return self.frames / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        data = {**vars(self), "notices": list(self.notices), "fps": round(self.fps, 2)}
        data["seconds"] = round(self.seconds, 3)
        return data


@dataclass
class Job:
    """A planned pass. `plan()` describes it without running, `run()` does it."""

    reader: Reader
    output: str
    stages: Sequence[Stage]
    encoding: Encoding
    options: Source
    #: How the output is tagged; None: as the input.
    color: ColorSpec | None = None
    recipe: Recipe | None = None
    notices: list[str] = field(default_factory=list)
    #: Raise `OutputTooLarge` and keep nothing where the file is larger; None: any size.
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_output(self.output, overwrite=self.options.overwrite, inputs=(self.reader.path,))
        self._muxer = self.encoding.muxer(self.output)
        width, height = self.size
        check_frame_size(width, height, self.output)
        if not is_pipe(self.output):
            self.encoding.check(width, height, self.reader.info.color.bit_depth)
        if self.frame_rate > max(MAX_FRAME_RATE, self.reader.frame_rate):
            raise LimitExceeded(
                f"{self.output}: {float(self.frame_rate):g} frames/s are more than the {MAX_FRAME_RATE} that revivid makes",
                hint="Interpolate by a smaller factor.",
            )
        self._passthrough = self._carry()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the output."""
        size = (self.reader.info.width, self.reader.info.height)
        for stage in self.stages:
            size = stage.output_size(*size)
        return size

    @property
    def frame_rate(self) -> Fraction:
        """Mean frames per second of the output."""
        rate = self.reader.frame_rate
        for stage in self.stages:
            rate = stage.output_rate(rate)
        return rate

    @property
    def expected_frames(self) -> int | None:
        """How many frames will be written, by the headers; for progress bars and estimates."""
        frames = self.reader.expected_frames
        return None if frames is None else round(frames * self.frame_rate / self.reader.frame_rate)

    def plan(self) -> Plan:
        info = self.reader.info
        size, memory = (info.width, info.height), 0
        steps = [f"read {info.codec} {info.width}x{info.height} {info.color.describe()}"]
        for stage in self.stages:
            memory = max(memory, stage.working_bytes(*size))
            described = stage.describe_for(*size)
            size = stage.output_size(*size)
            steps.append(f"{described} -> {size[0]}x{size[1]}")
        written = " ".join(f"{k}={v}" for k, v in self.encoding.options.items() if not k.endswith("params"))
        steps.append("write y4m to standard output" if is_pipe(self.output) else f"write {self.encoding.encoder} {written}")
        if self._passthrough is not None:
            steps += [f"carry stream {p.index} ({p.kind} {p.codec}): {p.action}" for p in self._passthrough.plans]
        return Plan(
            source=self.reader.path,
            output=self.output,
            steps=tuple(steps),
            frames=self.reader.expected_frames,
            input_size=(info.width, info.height),
            output_size=size,
            memory_bytes=memory + _FRAMES_IN_FLIGHT * self._frame_bytes(),
            notices=tuple(self._all_notices()),
            missing=tuple(f"{fault.message}. {fault.hint}" for fault in missing_weights(self.stages)),
        )

    def sampled_plan(self, frames: int) -> Plan:
        """The plan with time and bytes for the whole, from doing the first `frames` frames into a temporary folder."""
        plan = self.plan()
        expected = self.expected_frames
        if is_pipe(self.reader.path) or not expected or plan.missing:
            return plan
        started = time.monotonic()
        clips = islice(chain(open_reader(self.reader.path, self.options), self.stages), -(-frames // self.reader.clip_length))
        with tempfile.TemporaryDirectory(prefix="revivid-sample-") as folder:
            suffix = ".mkv" if is_pipe(self.output) else Path(self.output).suffix
            with self.encoding.writer(Path(folder) / f"sample{suffix}", self.target()) as writer:
                for clip in clips:
                    writer.write(clip)
        factor = expected / writer.frames
        seconds = round((time.monotonic() - started) * factor, 3)
        size = expected * self._frame_bytes() if is_pipe(self.output) else round(writer.video_bytes * factor)
        return replace(plan, estimated_seconds=seconds, estimated_bytes=size)

    def run(self, step: str, report: ProgressFunction | None = None, watch: StageFunction | None = None) -> JobResult:
        """Do it; `watch` sees the clips when all is done but what changes their times. Missing weights are known before any work.

        Raises what reading, restoring or writing raises; `PartialResult` after the output is in place.
        """
        started = time.monotonic()
        check_weights(self.stages)
        writer = self.encoding.writer(
            self.output,
            self.target(),
            overwrite=self.options.overwrite,
            passthrough=self._passthrough,
            tags=self._passthrough.tags() if self._passthrough else {},
            recipe=self.recipe.to_json() if self.recipe else None,
            max_bytes=self.max_bytes,
        )
        progress = Progress(step, total=self.expected_frames)
        with writer:
            run(self.reader, self._watched(watch), writer, progress, report)
        result = JobResult(
            output=self.output,
            frames=writer.frames,
            size_bytes=0 if is_pipe(self.output) else Path(self.output).stat().st_size,
            video_bytes=writer.video_bytes,
            width=self.size[0],
            height=self.size[1],
            duration=float(writer.end),
            seconds=time.monotonic() - started,
            notices=tuple(self._all_notices()),
        )
        lost = [self.reader.damage.describe()] if self.reader.damage else []
        if self._passthrough is not None and self._passthrough.errors:
            lost.append(f"{self._passthrough.errors} packets of other streams were left out")
        if lost:
            raise PartialResult(
                f"{self.output}: {result.frames} frames were kept; {', '.join(lost)}",
                hint="This is all that decodes of the input.",
            )
        return result

    def carried_bytes(self) -> int:
        """Bytes that the other streams take in the output: the source is read once for it."""
        carried = self._carry()
        return 0 if carried is None else carried_bytes(carried, self._muxer)

    def _carry(self) -> Passthrough | None:
        if self.reader.carried_from is None or is_pipe(self.output):
            return None
        return Passthrough(
            self.reader.carried_from,
            self._muxer,
            start=self.reader.start,
            duration=self.reader.length,
            keep_audio=self.options.audio,
            allow_damaged=self.options.allow_damaged,
            beside=self.reader.carried_alone,
        )

    def _watched(self, watch: StageFunction | None) -> list[StageFunction]:
        place = next((i for i, stage in enumerate(self.stages) if stage.retimes), len(self.stages))
        return [*self.stages[:place], *([] if watch is None else [watch]), *self.stages[place:]]

    def _frame_bytes(self) -> int:
        """Bytes of one output frame, uncompressed."""
        width, height = self.size
        samples = width * height + 2 * -(-width // 2) * -(-height // 2)
        return samples * (1 if self.reader.info.color.bit_depth == 8 else 2)

    def target(self) -> Target:
        """What the output's video stream says about itself."""
        width, height = self.size
        return Target(
            width=width,
            height=height,
            color=self.color or self.reader.info.color,
            frame_rate=self.frame_rate,
            time_base=self._time_base(),
            sample_aspect=self.reader.info.sample_aspect,
        )

    def _time_base(self) -> Fraction:
        """The reader's ticks, made finer where a start lies between two of them or stages make frames between two frames."""
        base = self.reader.time_base
        start = self.reader.start
        if start:
            finer = Fraction(1, (start / base).denominator) * base
            base = finer if finer >= 1 / _FINEST else base
        tick = base
        for stage in self.stages:
            tick = stage.output_tick(tick)
        return tick if tick == base or tick.denominator <= _FINEST else _MICROSECOND

    def _all_notices(self) -> list[str]:
        carried = self._passthrough.notices if self._passthrough is not None else []
        lost = ["y4m carries pictures at one steady rate: no times of their own, no audio, no tags"] if is_pipe(self.output) else []
        said = [notice for stage in self.stages for notice in stage.notices()]
        return [*self.reader.notices, *self.notices, *said, *carried, *lost]


def missing_weights(stages: Sequence[Stage]) -> list[MissingWeights]:
    """What the stages lack on this machine."""
    return [fault for stage in stages for fault in stage.missing_weights()]


def check_weights(stages: Sequence[Stage]) -> None:
    """Raise `MissingWeights` that names all weights which the stages lack on this machine."""
    missing = missing_weights(stages)
    if missing:
        message = "; ".join(fault.message for fault in missing)
        raise MissingWeights(message, hint="\n".join(fault.hint for fault in missing))


def check_lossless(output: str | os.PathLike[str]) -> None:
    """`UsageError` where a lossless output can't go into this container."""
    if muxer_for(output) not in ("matroska", "yuv4mpegpipe"):
        raise UsageError(f"{output}: lossless output is FFV1 in Matroska", hint="Name the output .mkv, or choose another codec.")


def open_reader(source: str | os.PathLike[str], options: Source) -> Reader:
    """The reader that the options ask for; a BVC stream is known by how it begins."""
    chosen = {name: getattr(options, name) for name in ("start", "duration", "fps", "allow_damaged", "conceal")}
    return open_video(source, weights=options.bvc_weights, intra_weights=options.intra_weights, **chosen)
