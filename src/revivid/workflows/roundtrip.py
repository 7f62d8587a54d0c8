"""`roundtrip`, the main job: compress, restore, measure against the original, report (first paper, sections 4 and 5).

IN -> compress -> NAME.small.mp4 -> restore ---------+-> NAME.restored.mp4
 |                      |-> decode + bicubic -----+  |
 +------------------------------------------------+--+-> metrics -> report.json, report.html, crop-*.png
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import CorruptWeights, MissingWeights, OutputExists, OutputNotWritable, PartialResult, UnreachableTarget, UsageError
from ..evaluation.compare import Comparison, frame_gains, nearest_in_time
from ..evaluation.crops import CropRow, choose_frames, crop_row, extract_frames
from ..evaluation.machine import describe_machine, file_hash
from ..evaluation.model import CompressedFile, RoundtripReport, Timings, VideoFile
from ..evaluation.report import HEADLINE_METRIC, write_report
from ..learned.writer import SUFFIX as BVC_SUFFIX
from ..media.passthrough import Passthrough
from ..media.read import VideoReader
from ..media.reader import Reader
from ..media.source import is_pipe
from ..pipeline import ProgressFunction, chain, prefetched
from ..recipe import Recipe, StageSpec
from ..restoration import build_all
from ..restoration.geometry import Bicubic, Crop, PadToEven
from ..restoration.stage import Conditions, Stage
from ..types import Clip
from .compress import compress_as, plan_compress, stages_for
from .job import JobResult, Plan, check_weights, missing_weights, open_reader
from .learned import BvcOptions, compress_job, make_bvc
from .options import LEARNED_CODEC, CompressOptions, RestoreOptions, make_compress, make_restore
from .restore import restore_job
from .watch import Watch

#: What is measured, by the names of the report's pictures.
BICUBIC, RESTORED = "bicubic", "restored"


@dataclass(frozen=True)
class RoundtripResult:
    """The files that were written, and the report as data."""

    small: Path
    restored: Path
    files: dict[str, Path]
    report: RoundtripReport
    #: How the CRF was found, where a target was asked for: `target.Found.to_json`.
    target: dict[str, Any] | None = None


def roundtrip(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    restore_options: dict[str, Any] | None = None,
    measure_every: int = 1,
    progress: ProgressFunction | None = None,
    **options: object,
) -> RoundtripResult:
    """Compress `source`, restore it, measure both ways of showing it against `source`, write everything into `folder`.

    With `measure_every` N only each Nth frame is measured: measuring costs more than restoring. Options are those of `compress`,
    of the learned codec too; `restore_options` those of `restore`. Scores are of the frames as restored, before interpolation and
    before the output's own encoding; the crops are of the files. Existing outputs are an `OutputExists` unless `overwrite`; the
    folder is made where missing.
    """
    chosen = _chosen(options)
    # Missing weights are better known before the work than after half of it.
    check_weights(build_all(_later(chosen), Conditions()))
    small, restored = _outputs(source, folder, chosen)
    back = _way_back(chosen, restore_options or {})
    damaged: PartialResult | None = None
    try:
        compressed = _compressed(source, small, chosen, options, back, progress)
    except PartialResult as exc:  # the rest of the job goes on with what was kept
        damaged, compressed = exc, _describe(small, back)
    except (UnreachableTarget, MissingWeights, CorruptWeights):
        with suppress(OSError):  # it was there before, with something in it
            Path(folder).rmdir()
        raise
    original = open_reader(source, chosen)
    recipe = open_reader(small, back).info.recipe
    followed = Recipe.from_json(recipe) if recipe else None
    scale = followed.scale if followed else Fraction(1)
    bicubic: list[Stage] = [Bicubic(int(1 / scale)), Crop(original.info.width, original.info.height)]

    def decoded() -> Iterator[Clip]:
        return chain(open_reader(small, back), bicubic)

    job = restore_job(small, restored, back)
    others = {BICUBIC: decoded()} if scale != 1 or _restores(job.stages) else {}
    with ExitStack() as threads:
        ahead = {name: threads.enter_context(closing(prefetched(c))) for name, c in {"": original, **others}.items()}
        watch = Watch(RESTORED, ahead.pop(""), ahead, measure_every)
        brought_back = job.run("restore and measure", progress, watch)
    scores = {BICUBIC: watch.scores()[RESTORED], **watch.scores()}
    paired = brought_back.frames == compressed.frames
    shown = {BICUBIC: decoded, RESTORED: lambda: _restored(restored, None if paired else open_reader(small, back), original)}
    crops = _crops(source, chosen, scale, shown, scores, measure_every)
    report = RoundtripReport(
        source=_source_file(original, scores[BICUBIC], compressed.frames),
        compressed=CompressedFile(**_file(compressed, chosen.codec), **_asked(chosen, followed), scale=scale),
        restored=VideoFile(**_file(brought_back, VideoReader(restored).info.codec)),
        bicubic_scores=scores[BICUBIC],
        restored_scores=scores[RESTORED],
        timings=Timings(compressed.seconds, brought_back.seconds - watch.seconds, watch.seconds),
        environment=describe_machine(),
        recipe=json.loads(followed.to_json()) if followed else {},
        options=chosen.to_json(),
        notices=_unique([*compressed.notices, *brought_back.notices, *_measuring_notices(chosen, measure_every)]),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    result = RoundtripResult(small, restored, write_report(report, crops, folder), report, compressed.target)
    if damaged is not None:
        raise damaged
    return result


def plan_roundtrip(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], *, sample: bool = True, **options: object
) -> Plan:
    """What `roundtrip` would do, as far as it can be known before the small file exists. Makes no folder."""
    chosen = _chosen(options)
    target = Path(folder) / f"{_stem(source)}.small{_small_suffix(source, open_reader(source, chosen), chosen)}"
    temporary = target if target.parent.is_dir() else Path(target.name)
    plan = plan_compress(source, temporary, sample=sample, **{**vars(chosen), "overwrite": True})
    if plan.target is not None and isinstance(chosen, CompressOptions):
        chosen = chosen.at_scale(Fraction(plan.target["scale"]))
    stages = build_all(_later(chosen), Conditions())
    later = (
        *(stage.describe() for stage in stages),
        "measure decoded + bicubic and decoded + restored against the original",
        f"write report.json, report.html and crops into {os.fspath(folder)}",
    )
    lacks = tuple(f"{fault.message}. {fault.hint}" for fault in missing_weights(stages))
    return replace(plan, output=os.fspath(target), steps=(*plan.steps, *later), missing=lacks)


def _chosen(options: Mapping[str, object]) -> CompressOptions | BvcOptions:
    return make_bvc(options) if options.get("codec") == LEARNED_CODEC else make_compress(options)


def _way_back(chosen: CompressOptions | BvcOptions, options: Mapping[str, object]) -> RestoreOptions:
    """How the small file is restored: what compressing was told holds where nothing else is said."""
    same = {name: getattr(chosen, name) for name in ("overwrite", "audio", "bvc_weights", "intra_weights")}
    return make_restore({**same, **options})


def _restores(stages: Iterable[Stage]) -> bool:
    """Whether what passes differs from what decodes; else it need not be decoded and scored twice."""
    return not all(isinstance(stage, (Crop, PadToEven)) for stage in stages)


def _later(chosen: CompressOptions | BvcOptions) -> tuple[StageSpec, ...]:
    """What restoring will do; the learned codec's decoder does all itself."""
    return stages_for(chosen) if isinstance(chosen, CompressOptions) else ()


def _compressed(
    source: str | os.PathLike[str],
    small: Path,
    chosen: CompressOptions | BvcOptions,
    options: Mapping[str, object],
    back: RestoreOptions,
    progress: ProgressFunction | None,
) -> JobResult:
    if isinstance(chosen, CompressOptions):
        return compress_as(source, small, chosen, back, progress)
    return compress_job(source, small, options).run("compress", progress)


def _outputs(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], chosen: CompressOptions | BvcOptions
) -> tuple[Path, Path]:
    if is_pipe(source):
        raise UsageError("roundtrip reads its input twice, so it can't come from a pipe", hint="Save it to a file first.")
    # A bad input must not leave an empty folder behind.
    reader = open_reader(source, replace(chosen, allow_damaged=True))
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputNotWritable(f"{os.fspath(folder)}: {exc.strerror}", hint="Choose another folder with -o.") from exc
    names = (f"small{_small_suffix(source, reader, chosen)}", f"restored{_suffix(source, reader)}")
    paths = tuple(Path(folder) / f"{_stem(source)}.{name}" for name in names)
    reports = [Path(folder) / "report.json", Path(folder) / "report.html"]
    present = [path for path in (*paths, *reports) if path.exists()]
    if present and not chosen.overwrite:
        raise OutputExists(f"{present[0]} exists already", hint="Pass -y to overwrite, or choose another folder with -o.")
    return paths[0], paths[1]


def _stem(source: str | os.PathLike[str]) -> str:
    return Path(source).stem


def _small_suffix(source: str | os.PathLike[str], reader: Reader, chosen: CompressOptions | BvcOptions) -> str:
    return _suffix(source, reader) if isinstance(chosen, CompressOptions) else BVC_SUFFIX


def _suffix(source: str | os.PathLike[str], reader: Reader) -> str:
    """MP4, which plays everywhere, unless the source's other streams need Matroska."""
    if Path(source).suffix.lower() in (".mkv", ".webm"):
        return ".mkv"
    if reader.carried_from is None:
        return ".mp4"
    try:
        Passthrough(reader.carried_from, "mp4", beside=reader.carried_alone).close()
    except UsageError:
        return ".mkv"
    return ".mp4"


def _restored(restored: Path, small: Reader | None, original: Reader) -> Iterator[Clip]:
    """The frames of the restored file that are those of the original, or where it has more, those at the times of `small`."""
    clips: Iterable[Clip] = VideoReader(restored)
    if small is not None:
        clips = nearest_in_time(clips, small)
    return chain(clips, [Crop(original.info.width, original.info.height)])


def _crops(
    source: str | os.PathLike[str],
    options: CompressOptions | BvcOptions,
    scale: Fraction,
    shown: dict[str, Callable[[], Iterator[Clip]]],
    scores: dict[str, Comparison],
    every: int,
) -> list[CropRow]:
    gains = frame_gains(scores[BICUBIC], scores[RESTORED], HEADLINE_METRIC)
    picks = [replace(pick, frame=pick.frame * every) for pick in choose_frames(gains)]
    numbers = [pick.frame for pick in picks]
    originals = extract_frames(open_reader(source, options), numbers)
    frames = {name: extract_frames(arm(), numbers) for name, arm in shown.items()}
    labels = {BICUBIC: "decoded" if scale == 1 else "decoded + bicubic", RESTORED: "decoded + restored"}
    rows = []
    for pick in picks:
        pictures = {labels[name]: found[pick.frame] for name, found in frames.items()}
        rows.append(crop_row(pick, {"original": originals[pick.frame], **pictures}))
    return rows


def _source_file(original: Reader, scores: Comparison, frames: int) -> VideoFile:
    info = original.info
    whole = not (original.start or original.length or original.fps)
    measured_span = scores.times[-1] - scores.times[0] + 1 / original.frame_rate
    return VideoFile(
        name=Path(original.path).name,
        codec=info.codec,
        width=info.width,
        height=info.height,
        frames=frames,
        duration=info.duration if whole and info.duration else measured_span,
        size_bytes=info.size_bytes,
        sha256=file_hash(original.path),
    )


def _file(result: JobResult, codec: str) -> dict[str, Any]:
    return {
        "name": Path(result.output).name,
        "codec": codec,
        "width": result.width,
        "height": result.height,
        "frames": result.frames,
        "duration": Fraction(result.duration).limit_denominator(1_000_000),
        "size_bytes": result.size_bytes,
        "video_bytes": result.video_bytes,
        "sha256": file_hash(result.output),
    }


def _asked(chosen: CompressOptions | BvcOptions, followed: Recipe | None) -> dict[str, Any]:
    """What was asked of the encoder; the recipe knows the CRF that was found for a target."""
    if isinstance(chosen, BvcOptions):
        return {"quality": chosen.quality}
    return {"crf": followed.crf if followed else chosen.crf, "preset": chosen.encoder_preset or ""}


def _describe(path: Path, options: RestoreOptions) -> JobResult:
    """A finished file as a `JobResult`, where the job that made it ended in `PartialResult`."""
    reader = open_reader(path, options)
    frames = sum(len(clip) for clip in reader)
    info = reader.info
    size = path.stat().st_size
    return JobResult(str(path), frames, size, size, info.width, info.height, float(info.duration or 0), 0.0)


def _measuring_notices(options: CompressOptions | BvcOptions, every: int) -> list[str]:
    notices = []
    if options.start or options.duration or options.fps:
        notices.append("a part or a sample of the original was compressed: the original's bytes are those of the whole file")
    if every > 1:
        notices.append(f"one frame in {every} was measured")
    sharpened = options.enhance is not None if isinstance(options, CompressOptions) else not options.preserve
    if sharpened:
        notices.append("blurry video is sharpened on purpose: scores say how near it is to the original as it was, blur and all")
    return notices


def _unique(notices: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(notices))
