"""`restore`: decode, run the stages that the file's recipe (or the user) names, crop to the original size, encode.

    read -> stages -> crop to the recipe's size -> encode + the streams that the compressed file carried
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..codecs import CODECS, encoding
from ..errors import CorruptInput, UsageError
from ..media.probe import stream_crf
from ..media.quantiser import mean_quantiser
from ..media.read import VideoReader
from ..media.source import is_pipe
from ..media.write import Encoding
from ..pipeline import ProgressFunction, chain
from ..recipe import Recipe, StageSpec
from ..restoration import build_all
from ..restoration.device import find_device
from ..restoration.geometry import Crop, PadToEven
from ..restoration.stage import DEFAULT_CRF, Conditions, Stage
from ..types import Clip
from .job import Job, JobResult, Plan, check_lossless, open_reader
from .options import RestoreOptions, make_restore
from .tasks import with_networks

#: What `--out-codec auto` means: fast, and good enough that the restored detail survives.
_AUTO = {8: ("x264", 16.0, "veryfast"), 10: ("x265", 18.0, "ultrafast"), 12: ("x265", 18.0, "ultrafast")}
SAMPLE_FRAMES = 8

#: x264's mean QP over its CRF: 0.3 to 6.6 on six clips at CRF 18 to 38.
_QP_OVER_CRF = 4.0


def restore(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    progress: ProgressFunction | None = None,
    **options: object,
) -> JobResult:
    """Restore `source` into `output` (`-`: y4m on standard output).

    Tasks name what to do, in the order in which they are given (`deblur=True, super_resolve=4`, see `tasks.TASKS`); `preset`
    names a recipe. Without either the recipe inside the file is followed; a file without one is a `UsageError`. The other
    options are the fields of `RestoreOptions`. Raises the errors of
    `revivid.errors`; whatever is raised, no half file is left.
    """
    return restore_job(source, output, make_restore(options)).run("restore", progress)


def plan_restore(source: str | os.PathLike[str], output: str | os.PathLike[str], *, sample: bool = True, **options: object) -> Plan:
    """What `restore` would do; with `sample`, time and size are estimated by restoring a few frames."""
    chosen = make_restore(options)
    job = restore_job(source, output, chosen)
    return job.sampled_plan(SAMPLE_FRAMES) if sample else job.plan()


def restore_clips(clips: Iterable[Clip], *stages: StageSpec, input_crf: float = DEFAULT_CRF) -> Iterator[Clip]:
    """Run stages over Clips of your own, for example `StageSpec("super-resolve", {"scale": 4})`; nothing is read or written."""
    return chain(clips, build_all(stages, Conditions(crf=input_crf)))


def restoration_stages(reader: VideoReader, options: RestoreOptions) -> tuple[list[Stage], list[str]]:
    """The stages for a file, ending at the original's size, and what the user should know about the choice."""
    recipe = Recipe.from_json(reader.info.recipe) if reader.info.recipe else None
    notices: list[str] = []
    specs = options.stages
    if not specs and recipe is None:
        raise UsageError(
            f"{reader.path} carries no recipe, so there is nothing to follow",
            hint="Name what to do: --super-resolve 2, --deblur, ...; `revivid restore --help` lists all.",
        )
    if not specs and recipe is not None:
        specs = recipe.stages
        if not specs:
            notices.append("the recipe names no stage (the file was compressed at full size): frames pass as they decode")
    specs = with_networks(specs, options.network or ())
    conditions = Conditions(
        crf=_input_crf(reader, recipe, options, notices),
        trusted=bool(options.stages),
        memory=options.memory,  # type: ignore[arg-type]
        precision=options.precision,
        device_name=str(find_device(options.device)),
    )
    try:
        stages = build_all(specs, conditions)
    except UsageError as exc:
        if options.stages or options.network:
            raise
        raise CorruptInput(
            f"{reader.path}: its recipe can't be followed: {exc.message}",
            hint="Name what to do, --super-resolve 2 or 4, or update revivid if a newer one made the file.",
        ) from exc
    if recipe is not None and _cropping_fits(reader, stages, recipe):
        stages.append(Crop(recipe.width, recipe.height))
    return stages, notices


def _input_crf(reader: VideoReader, recipe: Recipe | None, options: RestoreOptions, notices: list[str]) -> float:
    if options.input_crf is not None:
        return options.input_crf
    if recipe is not None and recipe.codec in CODECS:
        return recipe.crf * CODECS[recipe.codec].x265_crf_ratio
    from_stream = stream_crf(reader.path)
    if from_stream == 0:
        return from_stream
    ratio = CODECS["x264"].x265_crf_ratio if reader.info.codec == "h264" else 1.0
    if from_stream is not None:
        notices.append(f"the stream says it was encoded at CRF {from_stream:g}" + _as_x265(from_stream, ratio))
        return from_stream * ratio
    quantiser = mean_quantiser(reader.path)
    if quantiser is not None:
        crf = max(quantiser - _QP_OVER_CRF, 0.0)
        notices.append(f"the mean QP is {quantiser:.0f}: CRF {crf:.0f} is assumed (--input-crf)" + _as_x265(crf, ratio))
        return crf * ratio
    notices.append(f"nothing says at which CRF the input was encoded: {DEFAULT_CRF:g} is assumed (--input-crf)")
    return DEFAULT_CRF


def _as_x265(crf: float, ratio: float) -> str:
    return "" if ratio == 1 else f", which is about x265's {crf * ratio:.0f}"


def _cropping_fits(reader: VideoReader, stages: list[Stage], recipe: Recipe) -> bool:
    """The recipe's size is what padding made a little larger; after other stages than its own it means nothing."""
    width, height = reader.info.width, reader.info.height
    for stage in stages:
        width, height = stage.output_size(width, height)
    slack = 2 / recipe.scale
    return 0 <= width - recipe.width < slack and 0 <= height - recipe.height < slack


def restore_job(source: str | os.PathLike[str], output: str | os.PathLike[str], options: RestoreOptions) -> Job:
    """The pass that `restore` makes, not begun yet."""
    reader = open_reader(source, options)
    stages, notices = restoration_stages(reader, options)
    size = (reader.info.width, reader.info.height)
    for stage in stages:
        size = stage.output_size(*size)
    name, settings = _encoding(reader, os.fspath(output), options, size[0])
    if (size[0] % 2 or size[1] % 2) and not settings.odd_sizes and not is_pipe(output):
        stages.append(PadToEven())
        stored = "x".join(map(str, stages[-1].output_size(*size)))
        notices.append(f"{size[0]}x{size[1]} is stored as {stored}: 4:2:0 {name} has even sides only (--lossless has not)")
    if name == "ffv1" and reader.info.hdr is not None and not is_pipe(output):
        notices.append("the HDR10 mastering metadata is left out: FFV1 has no place for it (--out-codec x265 has)")
    # Players guess the matrix of untagged video by its height: where it grows they would guess another one.
    color = replace(reader.info.color, matrix=reader.info.color.resolved_matrix(reader.info.height))
    return Job(reader, os.fspath(output), stages, settings, options, color, notices=notices)


def _encoding(reader: VideoReader, output: str, options: RestoreOptions, width: int) -> tuple[str, Encoding]:
    color = reader.info.color
    name, crf, preset = _AUTO[color.bit_depth]
    if options.lossless or options.out_codec == "ffv1":
        name, crf, preset = "ffv1", None, None
        check_lossless(output)
    elif options.out_codec not in ("auto", name):
        name, crf, preset = options.out_codec, None, None
    crf = options.out_crf if options.out_crf is not None else crf
    preset = options.out_preset or preset
    return name, encoding(name, color, crf=crf, preset=preset, hdr=reader.info.hdr, width=width)
