"""`evaluate`: measure videos against a reference, frame by frame, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from ..errors import ShapeError, UsageError
from ..evaluation.compare import Comparison, compare_all, frames_of
from ..evaluation.model import EvaluationReport
from ..learned.opening import open_video
from ..media import scale
from ..media.reader import Reader
from ..pipeline import Progress, ProgressFunction, prefetched
from ..types import Clip


def evaluate(
    reference: str | os.PathLike[str],
    *distorted: str | os.PathLike[str],
    start: float | None = None,
    duration: float | None = None,
    every: int = 1,
    progress: ProgressFunction | None = None,
) -> EvaluationReport:
    """Compare each of `distorted` with `reference`: PSNR, SSIM, MS-SSIM, PSNR-Y, SSIM-Y and native luma PSNR, per frame and pooled.

    Frames are paired by order; with `every` N only each Nth is measured, which saves most of the time. `start` and `duration`
    (seconds) cut all of them alike. A size that is larger by the one row or
    column that 4:2:0 codecs need for odd sizes is cropped; any other difference of size is a `ShapeError`, a different number of
    frames a `UsageError`.
    """
    if not distorted:
        raise UsageError("nothing to compare", hint="Name the reference first, then one or more videos.")
    base = open_video(reference, start=start, duration=duration)
    readers = {name: open_video(path, start=start, duration=duration) for name, path in _names(distorted).items()}
    size = (base.info.width, base.info.height)
    for name, reader in readers.items():
        _check_size(name, (reader.info.width, reader.info.height), size)
    streams = {name: _cropped(reader, *size) for name, reader in readers.items()}
    return EvaluationReport(Path(base.path).name, measured(base, streams, every, progress))


def measured(
    reference: Reader, streams: Mapping[str, Iterable[Clip]], every: int, report: ProgressFunction | None
) -> dict[str, Comparison]:
    """`compare_all` of each Nth frame, with all videos read ahead in threads of their own and progress reported."""
    if every < 1:
        raise UsageError(f"every {every} frames can't be measured", hint="1 measures all, 10 each tenth.")
    total = reference.expected_frames
    progress = Progress("measure", total=total and -(-total // every))

    def on_frame(_: int) -> None:
        progress.advance(1)
        if report is not None:
            report(progress)

    with ExitStack() as threads:

        def ahead(clips: Iterable[Clip]) -> Iterator[Clip]:
            return _each_nth(threads.enter_context(closing(prefetched(clips))), every)

        scores = compare_all(ahead(reference), {name: ahead(clips) for name, clips in streams.items()}, on_frame)
    progress.finish()
    if report is not None:
        report(progress)
    return scores


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
    return {name if short.count(name) == 1 else text: text for name, text in zip(short, texts, strict=True)}


def _check_size(name: str, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    if all(0 <= have - want <= want % 2 for have, want in zip(size, wanted, strict=True)):
        return
    raise ShapeError(
        f"{name} is {size[0]}x{size[1]}, the reference {wanted[0]}x{wanted[1]}",
        hint="Restore or scale it to the reference's size first.",
    )


def _cropped(clips: Iterable[Clip], width: int, height: int) -> Iterator[Clip]:
    for clip in clips:
        yield clip if (clip.width, clip.height) == (width, height) else scale.crop(clip, width, height)
