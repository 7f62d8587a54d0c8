"""`compress`: a real video becomes small (first paper, section 4.2: libx265, CRF 28, a quarter of the size).

    read -> [deblur] -> pad to a multiple of 2/scale -> downscale (bicubic, as FFmpeg's scaler does by default) -> encode + recipe
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..codecs import encoding
from ..errors import UsageError
from ..media import scale as scaling
from ..media.source import is_pipe
from ..media.write import Encoding
from ..pipeline import ProgressFunction
from ..recipe import Recipe, StageSpec
from ..restoration.stage import Stage
from ..types import Clip, ColorSpec, VideoInfo
from . import division, enhance, target
from .job import Job, JobResult, Plan, open_reader
from .options import LEARNED_CODEC, CompressOptions, RestoreOptions, make_compress
from .tasks import with_networks

#: Frames that the dry run encodes to estimate time and size.
SAMPLE_FRAMES = 24
#: The same where they are sharpened first, which takes far longer.
ENHANCED_SAMPLE_FRAMES = 4


class Downscale(Stage):
    """Shrink by a whole factor, after padding so that the factor is exact and 4:2:0 stays whole: restoring crops it back."""

    name = "downscale"

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        multiple = 2 * self.factor
        return -(-width // multiple) * 2, -(-height // multiple) * 2

    def process(self, clip: Clip) -> Clip:
        padded = scaling.pad_to_multiple(clip, 2 * self.factor)
        if self.factor == 1:
            return padded
        return scaling.resize(padded, padded.width // self.factor, padded.height // self.factor, "BICUBIC")

    def describe(self) -> str:
        return f"downscale to 1/{self.factor}" if self.factor > 1 else "pad to even"


def compress(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    progress: ProgressFunction | None = None,
    **options: object,
) -> JobResult:
    """Compress `source` (a file, or `-` for y4m on standard input) into `output` (.mp4, .mkv, .mov).

    Options are the fields of `CompressOptions`, and `preset`, a named recipe that the others override. The output carries a
    `Recipe`, which `restore` follows. With a target in place of a CRF that is found first (see `target`), and with `scale="auto"`
    the scale as well (see `division`). Raises the errors of `revivid.errors`; whatever is raised, no half file is left.
    """
    if options.get("codec") == LEARNED_CODEC:
        from . import learned  # late, with torch: the other codecs need none

        return learned.compress_job(source, output, options).run("compress", progress)
    return compress_as(source, output, make_compress(options), RestoreOptions(), progress)


def compress_as(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: CompressOptions,
    restore: RestoreOptions,
    progress: ProgressFunction | None = None,
) -> JobResult:
    """The same with options that are made already; `restore` says how the file will be restored, for targets of quality."""
    options, reasons = _placed(source, output, options, progress)
    found = _found(source, output, options, restore, progress)
    if found is None:
        return _job(source, output, options, reasons).run("compress", progress)
    return target.encode(found, lambda crf: _job(source, output, options.at_scale(found.scale).at_crf(crf), reasons), progress)


def plan_compress(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    sample: bool = True,
    **options: object,
) -> Plan:
    """What `compress` would do; with `sample`, time and size are estimated by encoding a few frames.

    Where a target is asked for, its CRF is found, as `compress` finds it.
    """
    if options.get("codec") == LEARNED_CODEC:
        from . import learned

        job = learned.compress_job(source, output, options)
        return job.sampled_plan(learned.SAMPLE_FRAMES) if sample else job.plan()
    chosen, reasons = _placed(source, output, make_compress(options), None)
    frames = ENHANCED_SAMPLE_FRAMES if chosen.enhance == "before" else SAMPLE_FRAMES
    found = _found(source, output, chosen, RestoreOptions(), None)
    if found is None:
        job = _job(source, output, chosen, reasons)
        return job.sampled_plan(frames) if sample else job.plan()
    job = _job(source, output, chosen.at_scale(found.scale).at_crf(found.crf), reasons)
    plan = job.sampled_plan(frames) if sample else job.plan()
    size = found.chosen.size_bytes if sample else None
    return replace(
        plan,
        steps=(*found.steps(), *plan.steps),
        estimated_bytes=size or plan.estimated_bytes,
        target=found.to_json(),
    )


def stages_for(options: CompressOptions) -> tuple[StageSpec, ...]:
    """What brings back a file that was compressed with these options; at full size there is nothing to do yet."""
    stages = options.stages
    if options.enhance is not None:
        return enhance.left_to_do(options)
    if stages is None and options.seeks_scale:
        return ()  # not known yet, and nothing that needs more than the package
    if stages is None:
        factor = int(1 / Fraction(options.scale))
        stages = () if factor == 1 else (StageSpec("super-resolve", {"scale": factor}),)
    return with_networks(stages, options.network or ())


def _placed(
    source: str | os.PathLike[str], output: str | os.PathLike[str], options: CompressOptions, progress: ProgressFunction | None
) -> tuple[CompressOptions, list[str]]:
    """The options with a place to sharpen that was found where it was to be found, and why it is that one."""
    reasons = []
    if options.enhance == "auto":
        plain = replace(options, enhance=None, network=None)
        job = _job(source, output, plain)

        def settings(crf: float, place: str | None) -> tuple[Encoding, Recipe]:
            placed = plain if place is None else replace(options, enhance=place)
            return _settings(placed.at_crf(crf), job.reader.info, job.size[0])

        found = enhance.choose(job, options, settings, progress)
        reasons.append(found.reason)
        options = plain if found.place is None else replace(options, enhance=found.place)
    return options, reasons


def _found(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: CompressOptions,
    restore: RestoreOptions,
    progress: ProgressFunction | None,
) -> target.Found | None:
    if not options.has_target:
        return None
    target.check_input(os.fspath(source))

    def find(asked: CompressOptions, judged: bool) -> target.Found:
        job = _job(source, output, asked)
        width, _ = job.size

        def settings(crf: float) -> tuple[Encoding, Recipe]:
            return _settings(asked.at_crf(crf), job.reader.info, width)

        return target.find(job, asked, settings, restore, progress, judged=judged)

    def rate(asked: CompressOptions) -> float:
        job = _job(source, output, asked)
        return target.rate(job, _settings(asked, job.reader.info, job.size[0]))

    return division.find(options, find, rate)


def _settings(options: CompressOptions, info: VideoInfo, width: int) -> tuple[Encoding, Recipe]:
    """The encoder's settings for a picture of this width, and the recipe; with the codec's default CRF where none is known yet."""
    settings = encoding(
        options.codec,
        _tagged(info),
        crf=options.crf,
        preset=options.encoder_preset,
        hdr=info.hdr,
        params=options.codec_params,
        width=width,
    )
    recipe = Recipe(
        width=info.width,
        height=info.height,
        scale=Fraction(options.scale),
        codec=options.codec,
        crf=options.crf or 0.0,
        preset=options.encoder_preset or "",
        stages=stages_for(options),
    )
    return settings, recipe


def _tagged(info: VideoInfo) -> ColorSpec:
    """Players guess the matrix of untagged video by its height: once it is smaller they would guess another one."""
    return replace(info.color, matrix=info.color.resolved_matrix(info.height))


def _job(
    source: str | os.PathLike[str], output: str | os.PathLike[str], options: CompressOptions, reasons: Sequence[str] = ()
) -> Job:
    if is_pipe(output):
        raise UsageError("a compressed file can't go to standard output", hint="Name a file: -o small.mp4")
    reader = open_reader(source, options)
    info = reader.info
    factor = int(1 / Fraction(options.scale))
    stage = Downscale(factor)
    width, height = stage.output_size(info.width, info.height)
    settings, recipe = _settings(options, info, width)
    notices = list(reasons)
    sharpening = []
    if options.enhance == "before":
        sharpening = enhance.sharpening(reader, options, notices, enhance.deblurring(options))
        notices += [] if recipe.stages else [enhance.NO_REFINER]
    if factor == 1 and (width, height) != (info.width, info.height):
        notices.append(f"{info.width}x{info.height} is stored as {width}x{height}: 4:2:0 has even sides only; restoring crops it")
    return Job(reader, os.fspath(output), [*sharpening, stage], settings, options, _tagged(info), recipe, notices)
