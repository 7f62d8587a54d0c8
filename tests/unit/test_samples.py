"""Where samples lie, what they take, and what the whole video is made out to be from them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import Audio, Film, make
from revivid.errors import OutputTooLarge, UsageError
from revivid.media.passthrough import Passthrough
from revivid.media.weigh import CodedFrame, carried_bytes, coded_frames
from revivid.media.write import Encoding
from revivid.types import Clip
from revivid.workflows.compress import Downscale
from revivid.workflows.job import Job, open_reader
from revivid.workflows.options import make_compress
from revivid.workflows.samples import MAX_BYTES, Samples, Stretch, encoded, key_interval, layout, read_samples

ENCODING = Encoding("libx264", {"crf": "20", "preset": "ultrafast"})


def job_for(source: Path, folder: Path, **options: object) -> Job:
    chosen = make_compress(options)
    return Job(open_reader(source, chosen), str(folder / "out.mp4"), [Downscale(4)], ENCODING, chosen)


@settings(max_examples=100, deadline=None)
@given(
    frames=st.integers(1, 200_000),
    size=st.integers(1000, 200_000_000),
    original=st.integers(0, 200_000_000),
    stretches=st.integers(1, 8),
    counted=st.integers(1, 60),
)
def test_samples_lie_inside_the_video_apart_and_within_the_bound(
    frames: int, size: int, original: int, stretches: int, counted: int
) -> None:
    plan = layout(frames, size, original, stretches=stretches, counted=counted)
    length = plan.counted + plan.tail
    assert plan.counted >= 1
    ends = [begin + length for begin in plan.begins]
    assert plan.begins[0] >= 0
    assert ends[-1] <= frames
    assert all(end <= begin for end, begin in zip(ends, plan.begins[1:], strict=False))
    taken = len(plan.begins) * (plan.counted * (size + original) + plan.tail * size)
    assert taken <= MAX_BYTES or plan.frames == 1


def test_a_short_video_is_its_own_sample(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=13, size=(128, 128)))
    samples = read_samples(job_for(film, tmp_path), stretches=4, counted=24, with_originals=True)
    assert samples.whole
    (stretch,) = samples.stretches
    assert (len(stretch.clip), stretch.counted, stretch.clip.width) == (13, 13, 32)
    assert stretch.original is not None
    assert (len(stretch.original), stretch.original.width) == (13, 128)


@pytest.mark.parametrize("part", [{}, {"start": 1.0, "duration": 1.5}, {"fps": 12}])
def test_stretches_are_spread_over_what_is_asked_for(part: dict[str, float], tmp_path: Path) -> None:
    film = make(tmp_path / "film.mkv", Film(frames=96, size=(64, 64), options={"g": "10"}))
    job = job_for(film, tmp_path, **part)
    whole = [frame for clip in open_reader(film, job.options) for frame in clip.planes[0]]
    samples = read_samples(job, stretches=2, counted=4, with_originals=True)
    plan = layout(len(whole), 64 * 64 * 3 // 2 // 16, 64 * 64 * 3 // 2, stretches=2, counted=4)
    assert samples.whole == (plan.begins == (0,))
    for begin, stretch in zip(plan.begins, samples.stretches, strict=True):
        assert stretch.original is not None
        assert len(stretch.clip) == plan.counted + plan.tail
        np.testing.assert_array_equal(stretch.original.planes[0], np.stack(whole[begin : begin + plan.counted]))


def test_ten_bits_stay_ten(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=5, codec="libx265", pixel_format="yuv420p10le"))
    chosen = make_compress({})
    encoding = Encoding("libx265", {"crf": "20", "preset": "ultrafast", "x265-params": "log-level=error"})
    job = Job(open_reader(film, chosen), str(tmp_path / "out.mp4"), [Downscale(4)], encoding, chosen)
    (stretch,) = read_samples(job, stretches=1, counted=4, with_originals=False).stretches
    assert stretch.original is None
    made = encoded(job, stretch, encoding, "", tmp_path / "sample.mp4")
    coded = made.frames
    assert made.beside == (tmp_path / "sample.mp4").stat().st_size - sum(frame.size for frame in coded)
    assert [frame.key for frame in coded] == [True] + [False] * 4
    assert open_reader(tmp_path / "sample.mp4", chosen).info.color.bit_depth == 10
    assert job.run("compress").video_bytes == sum(frame.size for frame in coded)  # what is probed is what is done


def still(frames: int) -> Clip:
    planes = tuple(np.zeros((frames, side, side), np.uint8) for side in (4, 2, 2))
    return Clip(planes, tuple(map(Fraction, range(frames))), (Fraction(1),) * frames)  # type: ignore[arg-type]


def test_key_frames_that_only_samples_have_do_not_count() -> None:
    stretches = tuple(Stretch(still(10), None, 10) for _ in range(2))
    samples = Samples(stretches, 1000, 40.0, whole=False)
    row = [100.0] + [10.0] * 9
    begin = [CodedFrame(100, True)] + [CodedFrame(10, False)] * 9
    assert samples.mean([row, row], [begin, begin], 250) == pytest.approx(10 + 90 / 250)
    cut = [CodedFrame(100, True), *begin[1:5], CodedFrame(100, True), *begin[6:]]
    with_cut = [float(frame.size) for frame in cut]
    assert samples.mean([row, with_cut], [begin, cut], 250) == pytest.approx(10 + 90 * (1 / 20 + 1 / 250))
    only_keys = [CodedFrame(7, True)] * 10
    assert samples.mean([[7.0] * 10] * 2, [only_keys] * 2, 1) == 7
    assert Samples(stretches[:1], 10, 0.4, whole=True).mean([row], [begin], 250) == 19


def test_key_interval_as_asked() -> None:
    assert key_interval(Encoding("libx265", {"x265-params": "log-level=error:keyint=48:cutree=0"})) == 48
    assert key_interval(Encoding("libx265", {"x265-params": "min-keyint=5"})) == 250
    assert key_interval(Encoding("libx264", {})) == 250


def test_no_length_no_samples(tmp_path: Path) -> None:
    film = make(tmp_path / "film.h264", Film(frames=5, size=(64, 64)))
    job = job_for(film, tmp_path)
    assert job.reader.expected_frames is None
    with pytest.raises(UsageError, match="how long"):
        read_samples(job, stretches=1, counted=4, with_originals=False)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_carried_streams_weigh_what_they_take_in_the_file(suffix: str, tmp_path: Path) -> None:
    film = make(tmp_path / f"film{suffix}", Film(frames=48, size=(64, 64), audio=(Audio(), Audio("ac3"))))
    muxer = {".mp4": "mp4", ".mkv": "matroska"}[suffix]
    beside = carried_bytes(Passthrough(film, muxer), muxer)
    video = sum(frame.size for frame in coded_frames(film))
    assert beside < film.stat().st_size - video < beside + 4096
    assert carried_bytes(Passthrough(film, muxer, keep_audio=False), muxer) == 0


def test_a_file_over_its_bytes_is_not_kept(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=5))
    job = job_for(film, tmp_path)
    job.max_bytes = 500
    with pytest.raises(OutputTooLarge) as caught:
        job.run("compress")
    assert 0 < caught.value.video_bytes < caught.value.size_bytes
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
