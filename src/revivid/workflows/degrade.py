"""`degrade`: make a good video worse in known ways, to test and train what brings it back.

    read -> motion blur -> downscale -> noise -> encode (lossless unless a codec is named)

The order is that of a camera and what comes after it. All of it is seeded: the same options give the same frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from ..codecs import codec, encoding
from ..degrade.motion_blur import Shutter, blur_clip, slow_and_blur
from ..degrade.noise import Domain, Noise
from ..errors import UsageError
from ..media.source import is_pipe
from ..pipeline import ProgressFunction
from ..restoration.geometry import PadToEven
from ..restoration.stage import Stage
from ..types import Clip, join
from .compress import Downscale
from .job import Job, JobResult, Plan, check_lossless, open_reader
from .options import Source, make

SAMPLE_FRAMES = 8
#: Parts of a frame's time in which the shutter of `MotionBlur` may be open.
_PARTS = 10
#: Frames that are slowed down together; always the same ones, so that the result doesn't depend on how clips arrive.
_BLOCK = 16


@dataclass(frozen=True)
class DegradeOptions(Source):
    """How to make a video worse; at least one of the first five."""

    #: Tenths of each frame's time in which the shutter is open, odd: 1 to 9; frames between are interpolated.
    blur: int | None = None
    #: "N,M": the mean of N frames, an odd number, then M are left out; for videos of a high frame rate.
    average: str | None = None
    #: Sides are divided by this whole number.
    downscale: int | None = None
    #: Standard deviation of Gaussian noise in 8-bit code values.
    noise: float | None = None
    #: ffv1 (lossless), x265, x264 or av1.
    codec: str = "ffv1"
    #: Where noise is added: to the planes (yuv) or to R'G'B' (rgb).
    noise_domain: Domain = "yuv"
    seed: int = 0
    #: Average gamma-coded values instead of light.
    gamma: bool = False
    crf: float | None = None
    encoder_preset: str | None = None

    def __post_init__(self) -> None:
        codec(self.codec)
        if self.blur is not None and self.average is not None:
            raise UsageError("--blur and --average contradict each other", hint="Average real frames, or interpolated ones.")
        if self.blur is not None and self.blur not in range(1, _PARTS, 2):
            raise UsageError(f"a shutter open for {self.blur} tenths of a frame is not offered", hint="Choose 1, 3, 5, 7 or 9.")
        if self.downscale is not None and not 1 <= self.downscale <= 16:
            raise UsageError(f"downscaling by {self.downscale} is not offered", hint="Choose a whole number from 1 to 16.")
        if self.codec == "ffv1" and (self.crf is not None or self.encoder_preset is not None):
            raise UsageError("ffv1 is lossless: it has no CRF and no preset", hint="Add --codec x265.")
        if not any((self.blur, self.average, self.downscale, self.noise, self.codec != "ffv1")):
            raise UsageError("nothing to do", hint="Name --blur, --average, --downscale, --noise or --codec.")


def degrade(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    progress: ProgressFunction | None = None,
    **options: object,
) -> JobResult:
    """Degrade `source` into `output`; options are the fields of `DegradeOptions`.

    Raises the errors of `revivid.errors`; whatever is raised, no half file is left.
    """
    return _job(source, output, make(DegradeOptions, options)).run("degrade", progress)


def plan_degrade(source: str | os.PathLike[str], output: str | os.PathLike[str], *, sample: bool = True, **options: object) -> Plan:
    """What `degrade` would do; with `sample`, time and size are estimated by degrading a few frames."""
    job = _job(source, output, make(DegradeOptions, options))
    return job.sampled_plan(SAMPLE_FRAMES) if sample else job.plan()


class MotionBlur(Stage):
    """Blur along the motion: every frame becomes the mean of interpolated ones around it (`degrade.motion_blur.slow_and_blur`)."""

    name = "blur"
    temporal_reach = (_BLOCK + 1, _BLOCK)

    def __init__(self, tenths: int, *, linear: bool = True) -> None:
        self.shutter = Shutter(tenths, _PARTS - tenths, linear)

    def process(self, clip: Clip) -> Clip:
        return join(list(self(iter([clip]))))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        before: Clip | None = None
        waiting: Clip | None = None
        for clip in clips:
            waiting = clip if waiting is None else join([waiting, clip])
            while len(waiting) > _BLOCK:
                block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
                yield self._blurred(before, block, waiting[:1])
                before = block[-2:]
        if waiting is not None and len(waiting):
            yield self._blurred(before, waiting, waiting[-1:])

    def working_bytes(self, width: int, height: int) -> int:
        return (_BLOCK + 3) * _PARTS * width * height * 3 // 2 + 8 * 12 * width * height

    def describe(self) -> str:
        light = "light" if self.shutter.linear else "code values"
        return f"motion blur, shutter open {self.shutter.frames}/{_PARTS} of the time, {light} averaged"

    def _blurred(self, before: Clip | None, block: Clip, after: Clip) -> Clip:
        """The block alone; at the video's ends the first and the last frame are repeated."""
        context = join([block[:1], block[:1]]) if before is None else before
        return block.with_planes(*slow_and_blur(join([context, block, after]), self.shutter).blurry.planes)


class Average(Stage):
    """The mean of some frames, then some are left out: what a slower camera would have seen (`degrade.motion_blur.blur_clip`).

    `truth`, where given, is called with the frame in the middle of each mean, sharp, at the mean's time.
    """

    name = "average"
    retimes = True

    def __init__(self, frames: int, gap: int, *, linear: bool = True, truth: Callable[[Clip], None] | None = None) -> None:
        self.shutter = Shutter(frames, gap, linear)
        self.temporal_reach = (0, self.shutter.period - 1)
        self.truth = truth

    def output_rate(self, rate: Fraction) -> Fraction:
        return rate / self.shutter.period

    def working_bytes(self, width: int, height: int) -> int:
        return 8 * 12 * width * height

    def process(self, clip: Clip) -> Clip:
        return join(list(self(iter([clip]))))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        waiting: Clip | None = None
        for clip in clips:
            waiting = clip if waiting is None else join([waiting, clip])
            while len(waiting) >= self.shutter.period:
                yield self._mean(waiting[: self.shutter.period])
                waiting = waiting[self.shutter.period :]
        if waiting is not None and len(waiting) >= self.shutter.frames:
            yield self._mean(waiting)

    def describe(self) -> str:
        light = "light" if self.shutter.linear else "code values"
        return f"mean of {self.shutter.frames} frames, {self.shutter.gap} left out, {light} averaged"

    def _mean(self, period: Clip) -> Clip:
        pair = blur_clip(period[: self.shutter.frames], replace(self.shutter, gap=0))
        shown = {"times": period.times[:1], "durations": (sum(period.durations, Fraction(0)),)}
        if self.truth is not None:
            self.truth(replace(pair.truth, **shown))
        return replace(pair.blurry, **shown)


class AddNoise(Stage):
    """Gaussian noise, of its own for every frame of the video."""

    name = "noise"

    def __init__(self, noise: Noise) -> None:
        self.noise = noise

    def process(self, clip: Clip) -> Clip:
        return self.noise.apply(clip)

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        return self.noise(clips)

    def describe(self) -> str:
        return f"Gaussian noise of sigma {self.noise.sigma:g} in {self.noise.domain.upper()}, seed {self.noise.seed}"


def _job(source: str | os.PathLike[str], output: str | os.PathLike[str], options: DegradeOptions) -> Job:
    reader = open_reader(source, options)
    info = reader.info
    if options.codec == "ffv1":
        check_lossless(output)
    if options.blur is not None and info.color.bit_depth != 8:
        raise UsageError(f"{info.color.bit_depth}-bit video can't be blurred along its motion", hint="Convert it to 8 bits first.")
    stages = _stages(options)
    size = (info.width, info.height)
    for stage in stages:
        size = stage.output_size(*size)
    # Players guess the matrix of untagged video by its height: once it is smaller they would guess another one.
    color = replace(info.color, matrix=info.color.resolved_matrix(info.height))
    settings = encoding(
        options.codec, color, crf=options.crf, preset=options.encoder_preset, hdr=info.hdr, width=size[0]
    )
    if (size[0] % 2 or size[1] % 2) and not settings.odd_sizes and not is_pipe(output):
        stages.append(PadToEven())
    return Job(reader, os.fspath(output), stages, settings, options, color)


def _stages(options: DegradeOptions) -> list[Stage]:
    stages: list[Stage] = []
    if options.blur is not None:
        stages.append(MotionBlur(options.blur, linear=not options.gamma))
    if options.average is not None:
        stages.append(Average(*_two_numbers(options.average), linear=not options.gamma))
    if options.downscale is not None and options.downscale > 1:
        stages.append(Downscale(options.downscale))
    if options.noise:
        stages.append(AddNoise(Noise(options.noise, options.noise_domain, options.seed)))
    return stages


def _two_numbers(text: str) -> tuple[int, int]:
    try:
        frames, gap = (int(number) for number in text.split(","))
    except ValueError as exc:
        raise UsageError(f"{text!r} says not how many frames to average", hint="Write N,M such as 7,3.") from exc
    return frames, gap
