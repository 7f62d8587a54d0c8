"""Chaining stages over `Iterator[Clip]`, with decoding and encoding beside the network instead of before and after it.

    reader (thread) -> queue -> stages (this thread) -> queue -> writer (thread)

The queues are bounded, so memory does not depend on the video's length. Whatever fails or is interrupted on one side stops the
others; the first error is the one that is raised.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from .types import Clip

T = TypeVar("T")

#: Clips that may wait in a queue.
DEPTH = 3
_END = object()


class Sink(Protocol):
    """Takes finished clips: a `media.write.VideoWriter`."""

    def write(self, clip: Clip) -> None: ...


StageFunction = Callable[[Iterator[Clip]], Iterator[Clip]]


@dataclass
class Progress:
    """How far a step is; handed to the caller's function after every clip, and once more when the step is `done`."""

    step: str
    frames: int = 0
    #: Frames that will come, by the header; None where it does not say.
    total: int | None = None
    started: float = field(default_factory=time.monotonic)
    #: Frames per second over the last seconds; of a step that is done, over all of it.
    fps: float = 0.0
    done: bool = False
    _marks: list[tuple[float, int]] = field(default_factory=list, repr=False)

    def advance(self, frames: int) -> None:
        """Count `frames` more and refresh `fps` over a window of five seconds."""
        self.frames += frames
        now = time.monotonic()
        self._marks.append((now, self.frames))
        while len(self._marks) > 2 and now - self._marks[0][0] > 5:
            self._marks.pop(0)
        first_time, first_frames = self._marks[0] if len(self._marks) > 1 else (self.started, 0)
        if now > first_time:
            self.fps = (self.frames - first_frames) / (now - first_time)

    def finish(self) -> None:
        """All frames came; `total` is their number now, whatever the header said, and `fps` that of the whole step."""
        self.total, self.done = self.frames, True
        self.fps = self.frames / max(self.elapsed, 1e-6)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @property
    def eta(self) -> float | None:
        """Seconds left at the present rate."""
        if not self.total or self.fps <= 0:
            return None
        return max(0.0, (self.total - self.frames) / self.fps)


ProgressFunction = Callable[[Progress], None]


def chain(clips: Iterable[Clip], stages: Sequence[StageFunction]) -> Iterator[Clip]:
    """The clips after all stages, in order."""
    stream = iter(clips)
    for stage in stages:
        stream = stage(stream)
    return stream


def prefetched(items: Iterable[T], depth: int = DEPTH) -> Generator[T, None, None]:
    """The same items, made ahead in a thread; its errors are raised here, and closing this generator stops the thread."""
    ahead: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                ahead.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            source = iter(items)
            try:
                for item in source:
                    if not put(item):
                        return
            finally:
                if isinstance(source, Generator):  # here, in the thread that ran it, not whenever it is collected
                    source.close()
            put(_END)
        except BaseException as exc:
            put(_Failure(exc))

    thread = threading.Thread(target=work, name="revivid-read", daemon=True)
    thread.start()
    try:
        while True:
            item = ahead.get()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


@dataclass
class _Failure:
    error: BaseException


class BackgroundWriter(Generic[T]):
    """Calls `write(item)` in a thread; `put` raises the thread's error, and leaving the context waits for the last item.

    Left by an exception, it drops what waits in the queue. However it is left, the thread has ended then: `write` is not running.
    """

    def __init__(self, write: Callable[[T], None], depth: int = DEPTH) -> None:
        self._write = write
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="revivid-write", daemon=True)

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def put(self, item: T) -> None:
        self._put(item)
        if self._error is not None:
            raise self._error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._put(_END)
            self._thread.join()
        except BaseException:  # Ctrl-C, while the last items are written
            self._abandon()
            raise
        if self._error is not None:
            raise self._error

    def _put(self, item: object) -> None:
        while self._error is None:
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return

    def _abandon(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put_nowait(_END)  # there is room: nobody else puts
        self._thread.join()

    def _work(self) -> None:
        while True:
            item = self._queue.get()
            if item is _END:
                return
            try:
                self._write(item)  # type: ignore[arg-type]
            except BaseException as exc:
                self._error = exc
                return


def run(
    clips: Iterable[Clip],
    stages: Sequence[StageFunction],
    sink: Sink,
    progress: Progress,
    report: ProgressFunction | None = None,
) -> None:
    """Drive clips through the stages into the sink, reading and writing in threads of their own."""
    with contextlib.closing(prefetched(clips)) as ahead, BackgroundWriter(sink.write) as writer:
        for clip in chain(ahead, stages):
            writer.put(clip)
            progress.advance(len(clip))
            if report is not None:
                report(progress)
    progress.finish()
    if report is not None:
        report(progress)
