"""`restore`: decode, run the stages that the file's recipe (or the user) names, crop to the original size, encode.

    read -> stages -> crop to the recipe's size -> encode + the streams that the compressed file carried
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..codecs import encoding
from ..errors import CorruptInput, UsageError
from ..media.reader import Reader
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
from .judge_input import chosen_specs, input_crf
from .options import RestoreOptions, make_restore
from .tasks import with_networks

#: What `--out-codec auto` means: fast, and good enough that the restored detail survives.
_AUTO = {8: ("x264", 16.0, "veryfast"), 10: ("x265", 18.0, "ultrafast"), 12: ("x265", 18.0, "ultrafast")}
SAMPLE_FRAMES = 8



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


def restoration_stages(reader: Reader, options: RestoreOptions) -> tuple[list[Stage], list[str]]:
    """The stages for a file, ending at the original's size, and what the user should know about the choice."""
    recipe = Recipe.from_json(reader.info.recipe) if reader.info.recipe else None
    notices: list[str] = []
    conditions = Conditions(
        crf=input_crf(reader, recipe, options, notices),
        trusted=bool(options.stages),
        memory=options.memory,  # type: ignore[arg-type]
        precision=options.precision,
        device_name=str(find_device(options.device)),
        backend=options.backend,
        effort=options.effort,
    )
    specs = with_networks(chosen_specs(reader, recipe, options, conditions, notices), options.network or ())
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


def _cropping_fits(reader: Reader, stages: list[Stage], recipe: Recipe) -> bool:
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


def _encoding(reader: Reader, output: str, options: RestoreOptions, width: int) -> tuple[str, Encoding]:
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
