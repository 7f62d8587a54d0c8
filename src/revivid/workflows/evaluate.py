"""`evaluate`: measure videos against a reference, frame by frame, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ..errors import UsageError
from ..evaluation.compare import Comparison, compare_all, frames_of
from ..evaluation.crops import CropRow, choose_frames, crop_row, extract_frames
from ..evaluation.evaluation_page import REFERENCE, headline
from ..evaluation.machine import describe_machine
from ..evaluation.model import EvaluationReport
from ..evaluation.outputs import check_outputs, write_outputs
from ..media import program
from ..metrics.frame import METRICS, PIXEL_METRICS
from ..pipeline import Progress, ProgressFunction, prefetched
from ..restoration.workers import keep_freed_memory
from ..types import Clip
from .pairing import Pairing


def evaluate(
    reference: str | os.PathLike[str],
    *distorted: str | os.PathLike[str],
    start: float | None = None,
    duration: float | None = None,
    every: int = 1,
    metrics: Sequence[str] = PIXEL_METRICS,
    align: bool = False,
    outputs: Sequence[str | os.PathLike[str]] = (),
    overwrite: bool = False,
    progress: ProgressFunction | None = None,
) -> EvaluationReport:
    """Compare each of `distorted` with `reference` by some of `METRICS`, per frame and pooled.

    Frames are paired by order; with `every` N only each Nth is measured, which saves most of the time. `start` and `duration`
    (seconds) cut all of them alike. Whether frames and pictures lie over one another is looked at first, and notices say where
    they don't. With `align` that is corrected, up to 8 frames and 8 pixels, videos of another size are resized, those of another
    frame rate paired by time, and what all videos have in common is measured. Each of `outputs` is written as its suffix says:
    .json, .csv, .html, .svg.

    Without `align`, a size that is larger by the one row or column that 4:2:0 codecs need for odd sizes is cropped; any other
    difference of size is a `ShapeError`, another frame rate or number of frames a `UsageError`. VMAF needs the `vmaf` extra
    (`MissingTool`) and every frame (`UsageError`). Existing outputs are an `OutputExists` unless `overwrite`.
    """
    if not distorted:
        raise UsageError("nothing to compare", hint="Name the reference first, then one or more videos.")
    wanted = _known(metrics, every)
    paths = check_outputs(outputs, [reference, *distorted], overwrite)
    pairing = Pairing(reference, _names(distorted), start=start, duration=duration, align=align)
    pairing.look()
    keep_freed_memory()
    scores = _measured(pairing, every, wanted, progress)
    options = {"start": start, "duration": duration, "every": every, "metrics": list(wanted), "align": align}
    report = EvaluationReport(
        pairing.reference_name,
        scores,
        pairing.alignments,
        pairing.files(),
        [*pairing.notices, *_told(pairing, scores, every)],
        options,
        describe_machine(),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    write_outputs(report, paths, lambda: _crops(pairing, report, every))
    return report


def _known(metrics: Sequence[str], every: int) -> tuple[str, ...]:
    """The metrics in the order of `METRICS`."""
    unknown = [name for name in metrics if name not in METRICS]
    if unknown or not metrics:
        raise UsageError(f"no metric is called {unknown[0] if unknown else 'nothing'!r}", hint=f"Metrics: {', '.join(METRICS)}.")
    if every < 1:
        raise UsageError(f"every {every} frames can't be measured", hint="1 measures all, 10 each tenth.")
    if "vmaf" in metrics:
        program.require()
        if every > 1:
            hint = "Leave out VMAF, or measure every frame."
            raise UsageError("VMAF tells motion from neighbouring frames, so it needs them all", hint=hint)
    return tuple(name for name in METRICS if name in metrics)


def _measured(pairing: Pairing, every: int, metrics: Sequence[str], report: ProgressFunction | None) -> dict[str, Comparison]:
    """`compare_all` of each Nth frame, with all videos read ahead in threads of their own and progress reported."""
    total = pairing.expected_frames
    progress = Progress("measure", total=total and -(-total // every))

    def on_frame(_: int) -> None:
        progress.advance(1)
        if report is not None:
            report(progress)

    with ExitStack() as threads:

        def ahead(clips: Iterable[Clip]) -> Iterator[Clip]:
            return _each_nth(threads.enter_context(closing(prefetched(clips))), every)

        streams = {name: ahead(clips) for name, clips in pairing.videos().items()}
        scores = compare_all(ahead(pairing.reference()), streams, on_frame, metrics, to_shortest=pairing.align)
    progress.finish()
    if report is not None:
        report(progress)
    return scores


def _told(pairing: Pairing, scores: dict[str, Comparison], every: int) -> list[str]:
    """What a reader should know of how it was measured."""
    frames, total = len(next(iter(scores.values())).times), pairing.expected_frames
    told = [f"one frame in {every} was measured"] if every > 1 else []
    if pairing.align and total and frames < -(-total // every):
        told.append(f"{frames} of {-(-total // every)} frames were measured: those that all videos have")
    return told


def _crops(pairing: Pairing, report: EvaluationReport, every: int) -> list[CropRow]:
    """The worst, the median and the best frame, seen in all videos; nothing of what can't be read again."""
    metric = headline(report)
    if metric is None or not pairing.repeatable:
        return []
    columns = [values for each in report.distorted.values() if (values := each.values(metric))]
    means = [sum(frame) / len(frame) for frame in zip(*columns, strict=True)]
    picks = [replace(pick, frame=pick.frame * every) for pick in choose_frames(means)]
    numbers = [pick.frame for pick in picks]
    streams = {REFERENCE: pairing.reference(), **pairing.videos()}
    frames = {name: extract_frames(clips, numbers) for name, clips in streams.items()}
    return [crop_row(pick, {name: found[pick.frame] for name, found in frames.items()}) for pick in picks]


def _each_nth(clips: Iterable[Clip], every: int) -> Iterator[Clip]:
    """The frames 0, N, 2N ... All are read, since stages before may need their neighbours."""
    if every == 1:
        yield from clips
        return
    for number, frame in enumerate(frames_of(clips)):
        if number % every == 0:
            yield frame


def _names(paths: tuple[str | os.PathLike[str], ...]) -> dict[str, str]:
    """Short names that tell the files apart: the file's own, or its whole path where two are called the same."""
    texts = [os.fspath(path) for path in paths]
    short = [Path(text).name for text in texts]
    return {name if short.count(name) == 1 and name != REFERENCE else text: text for name, text in zip(short, texts, strict=True)}
