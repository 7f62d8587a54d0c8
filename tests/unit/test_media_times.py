"""Times come through unharmed: VFR, long videos, cuts, sampling, disordered and shifted stamps; and odd file names."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import revivid
from clips import VFR, Audio, Film, Library, make, packet_times
from revivid.codecs import encoding
from revivid.errors import LimitExceeded, UsageError
from revivid.media.timing import Timed, in_order, sampled
from revivid.media.write import Target, VideoWriter
from revivid.types import Clip, ColorSpec


def times_of(path, **options):
    return [time for clip in revivid.open_video(path, **options) for time in clip.times]


def through(source, folder, suffix=".mp4", **options):
    small, restored = folder / f"small{suffix}", folder / f"restored{suffix}"
    first = revivid.compress(source, small, encoder_preset="ultrafast", **options)
    second = revivid.restore(small, restored, out_preset="ultrafast")
    assert first.frames == second.frames
    return small, restored


def test_variable_frame_rate_is_exact_in_mp4(library: Library, tmp_path):
    small, restored = through(library("vfr"), tmp_path)
    assert times_of(library("vfr")) == times_of(small) == times_of(restored) == VFR


def test_variable_frame_rate_is_kept_to_the_tick_in_matroska(library: Library, tmp_path):
    small, restored = through(library("vfr_mkv"), tmp_path, ".mkv")
    assert times_of(small) == times_of(restored) == VFR


def test_rates_that_milliseconds_cannot_hold_are_rounded_and_never_drift(tmp_path):
    source = make(tmp_path / "ntsc.mp4", Film(24, rate=Fraction(24000, 1001)))
    exact = [t * Fraction(1001, 24000) for t in range(24)]
    assert times_of(source) == exact
    small, restored = through(source, tmp_path, ".mkv")
    assert times_of(small) == times_of(restored)
    assert max(abs(a - b) for a, b in zip(times_of(small), exact, strict=True)) <= Fraction(1, 2000)
    small, restored = through(source, tmp_path, ".mp4")
    assert times_of(small) == times_of(restored) == exact


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_nothing_drifts_over_thousands_of_frames(tmp_path, suffix):
    count, rate = 2400, Fraction(60000, 1001)
    color = ColorSpec(1, 1, 1)
    path = tmp_path / f"long{suffix}"
    target = Target(64, 64, color, rate, Fraction(1, 60000))
    planes = tuple(np.full((8, size, size), 90, np.uint8) for size in (64, 32, 32))
    with VideoWriter(path, target, encoding("x264", color, preset="ultrafast")) as writer:
        for first in range(0, count, 8):
            times = tuple((first + t) / rate for t in range(8))
            writer.write(Clip(planes, times, 8 * (1 / rate,), color))  # type: ignore[arg-type]
    read = times_of(path)
    assert len(read) == count
    slack = 0 if suffix == ".mp4" else Fraction(1, 2000)
    assert max(abs(time - t / rate) for t, time in enumerate(read)) <= slack


@pytest.mark.parametrize("kind", ["avi", "asf", "ts"])
def test_disordered_and_shifted_stamps_come_out_in_order(library: Library, tmp_path, kind):
    read = times_of(library(kind))
    assert len(read) == 24
    steps = [b - a for a, b in itertools.pairwise(read)]
    assert all(abs(step - Fraction(1, 24)) <= Fraction(1, 1000) for step in steps)
    _, restored = through(library(kind), tmp_path)
    assert [b - a for a, b in itertools.pairwise(times_of(restored))] == steps


def test_a_transport_stream_begins_at_zero(library: Library):
    info = revivid.probe(library("ts"))
    assert info.start_time > 7
    assert times_of(library("ts"))[0] == Fraction(1920, 90_000)  # AAC begins 1024 samples before the picture
    assert times_of(library("ts"), start=0.5)[0] < Fraction(1, 24)


@pytest.mark.parametrize("kind", ["second", "second_mkv", "ts", "avi", "asf"])
@pytest.mark.parametrize(("start", "duration"), [(0.3, None), (0.55, 0.25), (0.9, 5.0)])
def test_cuts_take_exactly_the_frames_between(library: Library, kind, start, duration):
    """Wherever the container lands when it seeks."""
    path = library(kind)
    first, length = Fraction(str(start)), None if duration is None else Fraction(str(duration))
    whole = [(time, clip.planes[0][t]) for clip in revivid.open_video(path) for t, time in enumerate(clip.times)]
    wanted = [(time - first, y) for time, y in whole if time >= first and (length is None or time < first + length)]
    cut = revivid.open_video(path, start=start, duration=duration)
    got = [(time, clip.planes[0][t]) for clip in cut for t, time in enumerate(clip.times)]
    assert [time for time, _ in got] == [time for time, _ in wanted]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(got, wanted, strict=True))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", ["second", "second_mkv", "ts"])
def test_cuts_keep_audio_beside_its_pictures(library: Library, tmp_path, kind, suffix):
    start, duration = Fraction(2, 5), Fraction(3, 10)
    source = library(kind)
    origin = revivid.probe(source).start_time
    small, _ = through(source, tmp_path, suffix, start=float(start), duration=float(duration))
    frame_in = next(time for time in times_of(source) if time >= start) - start
    shift = packet_times(small, "video")[0] - frame_in
    kept = [time - shift for time in packet_times(small, "audio")]
    expected = [t - origin - start for t in packet_times(source, "audio")]
    expected = [t for t in expected if 0 <= t < duration]
    assert [float(t) for t in kept] == pytest.approx([float(t) for t in expected], abs=0.0021 if suffix == ".mkv" else 1e-4)


def test_a_start_beyond_the_end_says_how_long_the_video_is(library: Library, tmp_path):
    with pytest.raises(UsageError, match="no frame lies") as caught:
        revivid.compress(library("second"), tmp_path / "small.mp4", start=30)
    assert "1.0" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_sampling_at_fifteen_frames_a_second(library: Library, tmp_path):
    small, restored = through(library("second"), tmp_path, fps=15)
    assert times_of(small) == times_of(restored) == [Fraction(t, 15) for t in range(15)]
    sound = packet_times(small, "audio")
    assert sound == packet_times(library("second"), "audio")


def test_sampling_takes_what_is_on_screen(library: Library):
    every = [(time, clip.planes[0][t]) for clip in revivid.open_video(library("vfr")) for t, time in enumerate(clip.times)]
    for clip in revivid.open_video(library("vfr"), fps=10):
        for t, time in enumerate(clip.times):
            shown = [y for when, y in every if when <= time][-1]
            np.testing.assert_array_equal(clip.planes[0][t], shown)


class Frame:
    """As much of a decoded frame as timing looks at."""

    def __init__(self, pts, time_base=Fraction(1, 1000)):
        self.pts, self.dts, self.duration, self.time_base = pts, None, 0, time_base


def ordered(stamps, nominal=Fraction(1, 25)):
    frames = [Frame(stamp) for stamp in stamps]
    return [int(1000 * item.time) for item in in_order(frames, Fraction(0), nominal, Fraction(1, 1000), "x")]  # type: ignore[arg-type]


def test_stamps_in_coding_order_are_put_in_order():
    assert ordered([0, 160, 80, 40, 120, 320, 240, 200, 280]) == [0, 40, 80, 120, 160, 200, 240, 280, 320]


def test_equal_and_missing_stamps_lose_no_frame():
    assert ordered([0, 40, 40, 80]) == [0, 40, 41, 80]
    assert ordered([None, None, None]) == [0, 40, 80]


def test_a_clock_that_starts_anew_goes_on():
    assert ordered([5000, 5040, 5080, 0, 40, 80]) == [5000, 5040, 5080, 5120, 5160, 5200]


def test_stamps_from_nowhere_are_refused():
    with pytest.raises(LimitExceeded, match="time stamp"):
        ordered([0, 1 << 60])
    with pytest.raises(LimitExceeded, match="shown for"):
        list(sampled([Timed(Frame(0), Fraction(0), Fraction(10_000))], Fraction(15), "x"))  # type: ignore[arg-type]


def test_sampling_far_from_zero_takes_no_time():
    late = Timed(Frame(0), Fraction(2_000_000), Fraction(1))  # type: ignore[arg-type]
    assert len(list(sampled([late], Fraction(100), "x"))) == 100


@pytest.mark.parametrize("value", ["soon", -1, float("nan"), float("inf"), None])
def test_times_that_are_none(library: Library, value):
    if value is None:
        assert revivid.open_video(library("silent"), start=None).start == 0
        return
    with pytest.raises(UsageError, match="start"):
        revivid.open_video(library("silent"), start=value)


NAMES = [
    "with spaces.mp4",
    'it\'s "quoted".mp4',
    "-leading-dash.mp4",
    "100%d.mp4",
    "Ünïcödé 日本語 🎬.mp4",
    "file:inside.mp4",
    "a;b|c&d$(e)`f`.mp4",
    "[0-9]*?.mp4",
    "日" * 80 + ".mp4",
    "CAPITALS.MP4",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_odd_file_names(library: Library, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(library("three").read_bytes())
    Path("out").mkdir()
    small, restored = f"out/{name}", f"out/r{name[1:]}"
    assert revivid.compress(name, small, encoder_preset="ultrafast").frames == 3
    assert revivid.restore(small, restored, out_preset="ultrafast").frames == 3
    assert {path.name for path in Path("out").iterdir()} == {name, "r" + name[1:]}
    assert revivid.probe(restored).width == 256


def test_audio_longer_and_later_than_the_video_is_kept(tmp_path):
    source = make(tmp_path / "late.mkv", Film(12, audio=(Audio("flac", start=0.35),)))
    small, _ = through(source, tmp_path, ".mkv")
    assert packet_times(small, "audio") == packet_times(source, "audio")
