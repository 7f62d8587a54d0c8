"""The pipeline's promises: order, bounded queues, errors once and of the right type, no thread left, sides that overlap."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from revivid.errors import CorruptInput, OutputNotWritable, UsageError
from revivid.pipeline import DEPTH, BackgroundWriter, Progress, chain, prefetched, run
from revivid.types import Clip

pytestmark = pytest.mark.timeout(60)


def clip(number: int, frames: int = 1) -> Clip:
    y = np.full((frames, 4, 4), number % 256, np.uint8)
    u = np.zeros((frames, 2, 2), np.uint8)
    times = tuple(Fraction(number * frames + t, 25) for t in range(frames))
    return Clip((y, u, u), times, (Fraction(1, 25),) * frames)


def clips(n: int) -> Iterator[Clip]:
    return (clip(i) for i in range(n))


class Collecting:
    """A sink that remembers the times of what it got."""

    def __init__(self, delay: float = 0.0) -> None:
        self.times: list[Fraction] = []
        self.delay = delay

    def write(self, clip: Clip) -> None:
        time.sleep(self.delay)
        self.times += clip.times


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while own_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert own_threads() == []


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("revivid-read", "revivid-write")]


def driven(source: Iterable[Clip], sink: Collecting, *stages) -> Progress:
    progress = Progress("test")
    run(source, stages, sink, progress)
    return progress


@pytest.mark.parametrize("n", [0, 1, DEPTH, 50])
def test_every_clip_arrives_once_and_in_order(n: int) -> None:
    sink = Collecting()
    progress = driven(clips(n), sink, lambda stream: stream)
    assert sink.times == [Fraction(i, 25) for i in range(n)]
    assert progress.frames == n


def test_stages_run_in_the_order_given() -> None:
    def adding(value: int):
        return lambda stream: (c.with_planes(c.planes[0] * value + value, *c.planes[1:]) for c in stream)

    (out,) = chain([clip(1)], [adding(2), adding(3)])
    assert out.planes[0][0, 0, 0] == (1 * 2 + 2) * 3 + 3


def failing(error: BaseException, after: int) -> Iterator[Clip]:
    yield from clips(after)
    raise error


@pytest.mark.parametrize("after", [0, 1, 20])
@pytest.mark.parametrize(
    "error", [CorruptInput("broken"), ValueError("a bug"), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
def test_error_of_the_reader_is_raised_once(error: BaseException, after: int) -> None:
    sink = Collecting()
    with pytest.raises(type(error)) as caught:
        driven(failing(error, after), sink)
    assert caught.value is error


@pytest.mark.parametrize("after", [0, 1, 20])
def test_error_of_a_stage_is_raised_and_an_endless_reader_stops(after: int) -> None:
    error = UsageError("this stage can't")

    def stage(stream: Iterator[Clip]) -> Iterator[Clip]:
        for index, item in enumerate(stream):
            if index == after:
                raise error
            yield item

    with pytest.raises(UsageError) as caught:
        driven(map(clip, count()), Collecting(), stage)
    assert caught.value is error


@pytest.mark.parametrize("after", [0, 1, 20])
def test_error_of_the_writer_is_raised_and_an_endless_reader_stops(after: int) -> None:
    error = OutputNotWritable("disk full")

    class Full(Collecting):
        def write(self, clip: Clip) -> None:
            super().write(clip)
            if len(self.times) > after:
                raise error

    with pytest.raises(OutputNotWritable) as caught:
        driven(map(clip, count()), Full())
    assert caught.value is error


def test_error_of_the_progress_function_ends_everything() -> None:
    def report(progress: Progress) -> None:
        raise RuntimeError(f"the caller's own, after {progress.frames}")

    with pytest.raises(RuntimeError, match="own"):
        run(map(clip, count()), [], Collecting(), Progress("test"), report)


def test_failure_to_begin_reading_is_raised_too() -> None:
    class Unreadable:
        def __iter__(self) -> Iterator[Clip]:
            raise CorruptInput("no first frame")

    with pytest.raises(CorruptInput):
        driven(Unreadable(), Collecting())


def test_queues_are_bounded() -> None:
    made = 0

    def counted() -> Iterator[Clip]:
        nonlocal made
        for item in map(clip, count()):
            made += 1
            yield item

    with closing(prefetched(counted())) as ahead:
        next(ahead)
        time.sleep(0.3)
        assert made <= 1 + DEPTH + 1  # taken, waiting, in the reader's hand

    release = threading.Event()
    read = 0

    def noting(stream: Iterator[Clip]) -> Iterator[Clip]:
        nonlocal read
        for item in stream:
            read += 1
            yield item

    class Stuck(Collecting):
        def write(self, clip: Clip) -> None:
            release.wait(30)
            super().write(clip)

    sink = Stuck()
    worker = threading.Thread(target=driven, args=(clips(50), sink, noting))
    worker.start()
    time.sleep(0.5)
    assert read <= 1 + DEPTH + 1
    release.set()
    worker.join(30)
    assert len(sink.times) == 50


def test_closing_early_closes_the_source_in_its_own_thread() -> None:
    closed_in: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed_in.append(threading.current_thread().name)

    ahead = prefetched(source())
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    ahead.close()
    assert closed_in == ["revivid-read"]
    assert own_threads() == []


def test_never_started_means_no_thread() -> None:
    prefetched(count()).close()
    assert own_threads() == []


def test_writer_that_dies_with_a_full_queue_is_heard() -> None:
    error = OutputNotWritable("gone")
    go = threading.Event()

    def write(_: int) -> None:
        go.wait(30)
        raise error

    def fill() -> None:
        with BackgroundWriter(write, depth=2) as writer:
            for number in range(3):  # one in the thread's hand, two waiting: full
                writer.put(number)
            threading.Timer(0.3, go.set).start()
            for number in count():  # blocks until the thread has died, then raises
                writer.put(number)

    with pytest.raises(OutputNotWritable) as caught:
        fill()
    assert caught.value is error


def test_error_of_the_last_write_is_raised_on_leaving() -> None:
    def write(_: int) -> None:
        time.sleep(0.1)
        raise OutputNotWritable("late")

    with pytest.raises(OutputNotWritable, match="late"), BackgroundWriter(write) as writer:
        writer.put(1)


def test_the_callers_error_wins_and_waiting_items_are_dropped() -> None:
    written: list[int] = []

    def write(item: int) -> None:
        time.sleep(0.2)
        written.append(item)

    def fill_and_fail() -> None:
        with BackgroundWriter(write, depth=3) as writer:
            for number in range(4):
                writer.put(number)
            raise KeyError

    with pytest.raises(KeyError):
        fill_and_fail()
    assert len(written) <= 2
    assert own_threads() == []


def test_interrupted_while_the_last_items_are_written_the_thread_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    writing = threading.Event()
    ended = threading.Event()

    def write(_: int) -> None:
        writing.set()
        time.sleep(0.3)
        ended.set()

    writer = BackgroundWriter(write)
    join, calls = writer._thread.join, []

    def interrupted_join(*_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        join()

    monkeypatch.setattr(writer._thread, "join", interrupted_join)

    def use() -> None:
        with writer:
            writer.put(1)
            writing.wait(5)

    with pytest.raises(KeyboardInterrupt):
        use()
    assert ended.is_set()
    assert own_threads() == []


def test_reading_computing_and_writing_overlap() -> None:
    n, delay = 12, 0.05

    def slow_reader() -> Iterator[Clip]:
        for item in clips(n):
            time.sleep(delay)
            yield item

    def slow_stage(stream: Iterator[Clip]) -> Iterator[Clip]:
        for item in stream:
            time.sleep(delay)
            yield item

    started = time.monotonic()
    driven(slow_reader(), Collecting(delay), slow_stage)
    wall = time.monotonic() - started
    assert wall < 2 * n * delay  # in a row it would be 3 n delay; side by side (n + 2) delay


def test_progress_counts_rates_and_foresees() -> None:
    seen: list[tuple[int, float | None]] = []

    def report(progress: Progress) -> None:
        seen.append((progress.frames, progress.eta))

    def paced() -> Iterator[Clip]:
        for number in range(5):
            time.sleep(0.02)
            yield clip(number, frames=4)

    progress = Progress("test", total=23)  # a header's promise, and wrong
    run(paced(), [], Collecting(), progress, report)
    assert [frames for frames, _ in seen] == [4, 8, 12, 16, 20, 20]
    assert all(eta is not None for _, eta in seen)
    assert seen[-1][1] == 0
    assert progress.done
    assert progress.total == 20
    assert 0 < progress.fps <= 4 / 0.02
    assert Progress("no total").eta is None
