"""Interpolation from file to file: N times the frames in the same time, audio as it was and where it was, y4m at the new rate."""

from __future__ import annotations

import io
import itertools
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import revivid
from clips import RATE, VFR, Audio, Film, Library, make, packet_times, payloads
from revivid.codecs import encoding
from revivid.errors import LimitExceeded
from revivid.networks.traits import Traits
from revivid.pipeline import Progress
from revivid.restoration.geometry import Bicubic
from revivid.restoration.interpolate import Interpolate
from revivid.restoration.stage import Stage
from revivid.workflows.job import Job, JobResult, Plan, open_reader
from revivid.workflows.options import RestoreOptions

NTSC = Fraction(30000, 1001)


class Mean(torch.nn.Module):
    """The mean of both frames, weighted by time."""

    traits = Traits(tasks=("interpolate",), kind="pair", min_frames=2, any_time=True)

    def forward(self, clip: torch.Tensor, time: float = 0.5) -> torch.Tensor:
        return torch.lerp(clip[:, :1], clip[:, 1:], time)


def job(source: Path, output: Path | str, *stages: Stage, codec: str = "", **options: float | bool) -> Job:
    chosen = RestoreOptions(**options)  # type: ignore[arg-type]
    reader = open_reader(source, chosen)
    codec = codec or ("ffv1" if str(output).endswith(".mkv") else "x264")
    return Job(reader, str(output), list(stages), encoding(codec, reader.info.color), chosen)


def interpolated(source: Path, output: Path, factor: object = None, rate: object = None, **options: float | bool) -> JobResult:
    return job(source, output, Interpolate(factor, rate, module=Mean()), **options).run("restore")  # type: ignore[arg-type]


def frames_of(path: Path) -> list[tuple[Fraction, Fraction, np.ndarray]]:
    return [
        (time, length, clip.planes[0][t])
        for clip in revivid.open_video(path)
        for t, (time, length) in enumerate(zip(clip.times, clip.durations, strict=True))
    ]


def end_of(path: Path) -> Fraction:
    time, length, _ = frames_of(path)[-1]
    return time + length


def beeps(path: Path) -> list[float]:
    """Seconds at which the sound sets in, by the samples themselves."""
    with av.open(f"file:{path}") as source:
        track = source.streams.audio[0]
        loud = [
            (frame.pts * frame.time_base + Fraction(int(n), frame.sample_rate))
            for frame in source.decode(track)
            for n in np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.3)[:1]
        ]
    return [float(time) for t, time in enumerate(loud) if not t or time - loud[t - 1] > Fraction(1, 10)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("factor", [2, 3])
def test_n_times_the_frames_in_the_same_time_with_the_same_sound(tmp_path: Path, suffix: str, factor: int) -> None:
    sound = "aac" if suffix == ".mp4" else "flac"
    source = make(tmp_path / f"in{suffix}", Film(15, size=(64, 48), rate=NTSC, audio=(Audio(sound, start=0.2),)))
    output = tmp_path / f"out{suffix}"
    result = interpolated(source, output, factor)
    before, after = frames_of(source), frames_of(output)
    assert result.frames == len(after) == factor * len(before)
    assert result.duration == float(end_of(source))
    exact = [start + length * k / factor for start, length, _ in before for k in range(factor)]
    slack = 0 if suffix == ".mp4" else Fraction(1, 2000)
    assert max(abs(time - wanted) for (time, _, _), wanted in zip(after, exact, strict=True)) <= slack
    assert abs(end_of(output) - end_of(source)) <= 2 * slack
    assert payloads(output, "audio") == payloads(source, "audio")
    assert packet_times(output, "audio") == packet_times(source, "audio")
    assert beeps(output) == beeps(source)
    assert revivid.probe(output).frame_rate == pytest.approx(float(NTSC * factor), rel=0.01)
    if suffix == ".mkv":  # lossless
        assert all(np.array_equal(a, b) for (_, _, a), (_, _, b) in zip(before, after[::factor], strict=True))


def test_headers_promise_the_same_duration_and_the_new_rate(library: Library, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    interpolated(library("second"), output, 4)
    old, new = revivid.probe(library("second")), revivid.probe(output)
    assert (old.frames, new.frames) == (24, 96)
    assert (new.duration, new.frame_rate) == (old.duration, 4 * old.frame_rate)


@pytest.mark.parametrize("kind", ["vfr", "vfr_mkv"])
def test_variable_frame_rate_stays_variable(library: Library, tmp_path: Path, kind: str) -> None:
    output = tmp_path / f"out{library(kind).suffix}"
    interpolated(library(kind), output, 3)
    exact = [start + (end - start) * k / 3 for start, end in itertools.pairwise(VFR) for k in range(3)]
    times = [time for time, _, _ in frames_of(output)]
    assert len(times) == 3 * len(VFR)
    # Two frames of this video are a millisecond apart, and Matroska has no finer one for three.
    slack = 0 if kind == "vfr" else Fraction(2, 1000)
    assert max(abs(a - b) for a, b in zip(times, exact, strict=False)) <= slack
    stored = packet_times(output, "video")
    assert all(b > a for a, b in itertools.pairwise(stored))
    assert stored == times


def test_film_to_sixty(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mp4", Film(24, size=(64, 48), rate=Fraction(24000, 1001), audio=(Audio(),)))
    output = tmp_path / "out.mp4"
    result = interpolated(source, output, rate=60)
    times = [time for time, _, _ in frames_of(output)]
    assert times == [Fraction(k, 60) for k in range(len(times))]
    assert result.frames == len(times) == 61
    assert result.duration == 1.001
    assert revivid.probe(output).duration == revivid.probe(source).duration == Fraction(1001, 1000)
    assert packet_times(output, "audio") == packet_times(source, "audio")


def test_the_first_frame_stays_where_it_is(library: Library, tmp_path: Path) -> None:
    """A transport stream whose sound begins before its picture."""
    source, output = library("ts"), tmp_path / "out.mp4"
    interpolated(source, output, 2)
    assert frames_of(output)[0][0] == frames_of(source)[0][0] == Fraction(1920, 90_000)
    shifts = {a - b for a, b in zip(packet_times(output, "audio"), packet_times(source, "audio"), strict=True)}
    assert max(shifts) - min(shifts) < Fraction(1, RATE // 2)
    assert max(abs(time - revivid.probe(source).start_time) for time in (-shift for shift in shifts)) < Fraction(1, 10_000)


def test_a_part_of_a_video(library: Library, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    interpolated(library("second"), output, 2, start=0.3, duration=0.5)
    plain = tmp_path / "plain.mp4"
    job(library("second"), plain, start=0.3, duration=0.5).run("restore")
    wanted = [time + Fraction(k, 48) for time, _, _ in frames_of(plain) for k in range(2)]
    assert [time for time, _, _ in frames_of(output)] == wanted
    assert packet_times(output, "audio") == packet_times(plain, "audio")


def test_no_picture_is_blended_across_a_cut(tmp_path: Path) -> None:
    path, output = tmp_path / "cut.mkv", tmp_path / "out.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for t in range(10):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, level in zip(frame.planes, (40 + 2 * t if t < 5 else 180 - 2 * t, 128, 128), strict=True):
                plane.update(bytes([level]) * plane.buffer_size)
            frame.pts = t
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    interpolated(path, output, 4)
    levels = [int(y[0, 0]) for _, _, y in frames_of(output)]
    assert levels[::4] == [40, 42, 44, 46, 48, 170, 168, 166, 164, 162]
    assert levels[16:20] == [48] * 4
    assert not [level for level in levels if 48 < level < 160]


def test_one_frame_alone(library: Library, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    assert interpolated(library("one"), output, 3).frames == 3
    assert end_of(output) == end_of(library("one"))


def test_more_stages_behind(library: Library, tmp_path: Path) -> None:
    stages = (Interpolate(2, module=Mean()), Bicubic(2), Interpolate(rate=Fraction(60), module=Mean()))
    work = job(library("plain"), tmp_path / "out.mp4", *stages)
    assert (work.frame_rate, work.expected_frames, work.size) == (60, 30, (512, 512))
    work.run("restore")
    assert [time for time, _, _ in frames_of(tmp_path / "out.mp4")] == [Fraction(k, 60) for k in range(30)]


def test_plan_and_progress_count_the_output(library: Library, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def report(progress: Progress) -> None:
        seen.append((progress.frames, progress.total))

    work = job(library("second"), tmp_path / "out.mp4", Interpolate(5, module=Mean()))
    plan: Plan = work.sampled_plan(8)
    assert plan.frames == 24
    assert any("interpolate x5" in step for step in plan.steps)
    assert plan.estimated_bytes
    work.run("restore", report)
    assert {total for _, total in seen} == {120}
    assert seen[-1][0] == 120


def test_the_pipe_announces_the_new_rate(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, rate in (((3, None), "F72:1"), ((None, "60000/1001"), "F60000:1001")):
        pipe = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", pipe)
        work = job(library("silent"), "-", Interpolate(*options, module=Mean()))
        result = work.run("restore")
        written = pipe.buffer.getvalue()  # type: ignore[attr-defined]
        header = written.split(b"\n")[0].decode()
        assert rate in header.split()
        assert written.count(b"FRAME\n") == result.frames == (36 if rate == "F72:1" else 30)


def test_frame_rates_have_a_limit(library: Library, tmp_path: Path) -> None:
    for suffix in (".mkv", ".mp4"):
        with pytest.raises(LimitExceeded, match=r"1200 frames/s are more than the 1000"):
            job(library("plain"), tmp_path / f"out{suffix}", Interpolate(50, module=Mean()))
    work = job(library("three"), tmp_path / "out.mp4", Interpolate(40, module=Mean()))
    assert work.run("restore").frames == 120
    times = [time for time, _, _ in frames_of(tmp_path / "out.mp4")]
    assert all(b > a for a, b in itertools.pairwise(times))
