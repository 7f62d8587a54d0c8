"""BVC streams written and read with a codec network of a few lines (`tiny_bvc`): what goes in comes out, wherever one begins."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from revivid.codecs.bvc.gop import GopReader
from revivid.codecs.bvc.records import GOP, RecordReader
from revivid.errors import CorruptStream, MissingWeights, OutputExists, UsageError
from revivid.learned.decoder import Decoder
from revivid.learned.reader import BvcReader, probe_bvc
from revivid.learned.writer import BvcEncoding
from tiny_bvc import Coded, TinyBvc, moving_clip, read_stream, tiny_model, write_stream


def groups(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return [record.frames for record in RecordReader(stream, "it") if record.kind == GOP]


def mean_luma(clip) -> float:
    return float(clip.planes[0].mean()) / clip.color.peak


@pytest.mark.parametrize(
    ("width", "height", "bit_depth", "frames"),
    [(70, 50, 8, 10), (64, 64, 8, 1), (1, 1, 8, 3), (131, 65, 10, 5), (64, 128, 12, 2), (33, 200, 8, 13)],
)
def test_any_size_and_depth_comes_back(tmp_path: Path, width: int, height: int, bit_depth: int, frames: int) -> None:
    clip = moving_clip(frames, width, height, bit_depth)
    written = write_stream(tmp_path / "a.bvc", clip, gop=4, quality=8)
    again = read_stream(tmp_path / "a.bvc")
    assert written.frames == len(again) == frames
    assert (again.times, again.durations, again.color) == (clip.times, clip.durations, clip.color)
    assert (again.width, again.height) == (width, height)
    assert sorted(groups(tmp_path / "a.bvc"), reverse=True) == groups(tmp_path / "a.bvc")


def test_the_decoder_has_the_encoders_integers_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latents are compared by their CRC; the network's own drift is none on one machine."""
    made: list[Coded] = []
    encode = TinyBvc.encode

    def noted(*arguments: Any) -> Coded:
        made.append(encode(*arguments))
        return made[-1]

    monkeypatch.setattr(TinyBvc, "encode", noted)
    write_stream(tmp_path / "a.bvc", moving_clip(9), gop=5)
    decoded = []
    with (tmp_path / "a.bvc").open("rb") as stream:
        reader = RecordReader(stream, "it")
        decoder = Decoder(tiny_model(), reader.header, "it")
        for number, record in enumerate(reader):
            decoded += list(decoder.group(record, number))[1:]
    assert len(made) == len(decoded) == 7
    assert all(np.array_equal(m.decoded.numpy(), d.frame.numpy()) for m, d in zip(made, decoded, strict=True))


def test_the_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.bvc", "b.bvc"):
        write_stream(tmp_path / name, moving_clip(7))
    assert (tmp_path / "a.bvc").read_bytes() == (tmp_path / "b.bvc").read_bytes()


def test_sharpened_and_preserved(tmp_path: Path) -> None:
    """The tiny network brightens where BVC sharpens."""
    clip = moving_clip(6)
    write_stream(tmp_path / "sharp.bvc", clip, quality=8)
    write_stream(tmp_path / "kept.bvc", clip, quality=8, preserve=True)
    sharp, kept = read_stream(tmp_path / "sharp.bvc"), read_stream(tmp_path / "kept.bvc")
    assert abs(mean_luma(kept) - mean_luma(clip)) < 0.02
    assert 0.05 < mean_luma(sharp) - mean_luma(clip) < 0.15


def test_better_quality_takes_more_bytes(tmp_path: Path) -> None:
    sizes = [write_stream(tmp_path / "a.bvc", moving_clip(8), quality=q).video_bytes for q in (1, 4.5, 8)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_real_bits_are_what_the_tables_say(tmp_path: Path) -> None:
    clip = moving_clip(12, 320, 192)
    written = write_stream(tmp_path / "a.bvc", clip)
    with (tmp_path / "a.bvc").open("rb") as stream:
        record = next(iter(RecordReader(stream, "it")))
    group = GopReader(record.payload, record.frames)
    key, *others = [group.frame() for _ in group.shown]
    estimated = written.bits / 8
    assert abs(sum(len(frame.data) for frame in others) - estimated) <= 0.01 * estimated + 64 * len(others)
    whole = (tmp_path / "a.bvc").stat().st_size - len(key.data)
    assert abs(whole - estimated) <= 0.01 * estimated + 64 * len(clip)


VFR = tuple(Fraction(n, 90_000) for n in (0, 3000, 3001, 9000, 12_345, 12_346, 20_000))


def test_variable_frame_rates_stay_exact(tmp_path: Path) -> None:
    durations = (*(b - a for a, b in itertools.pairwise(VFR)), Fraction(1, 30))
    clip = replace(moving_clip(len(VFR)), times=VFR, durations=durations)
    write_stream(tmp_path / "a.bvc", clip, time_base=Fraction(1, 90_000), gop=3)
    again = read_stream(tmp_path / "a.bvc")
    assert (again.times, again.durations) == (VFR, durations)
    assert probe_bvc(tmp_path / "a.bvc").duration == VFR[-1] + Fraction(1, 30)


def test_a_group_ends_where_a_scene_does(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.bvc", moving_clip(12, cut_at=5), gop=8)
    assert groups(tmp_path / "a.bvc") == [5, 7]


@pytest.mark.parametrize(("start", "duration"), [(0.0, 0.2), (0.28, 0.2), (0.5, None), (0.76, 0.04), (0.281, 0.1)])
def test_seeking_equals_decoding_all(tmp_path: Path, start: float, duration: float | None) -> None:
    path = tmp_path / "a.bvc"
    write_stream(path, moving_clip(20), gop=6)
    whole = read_stream(path)
    part = read_stream(path, start=start, duration=duration)
    begin, end = Fraction(str(start)), 99 if duration is None else Fraction(str(start)) + Fraction(str(duration))
    wanted = [t for t, time in enumerate(whole.times) if begin <= time < end]
    assert part.times == tuple(whole.times[t] - begin for t in wanted)
    assert all(np.array_equal(p, w[wanted]) for p, w in zip(part.planes, whole.planes, strict=True))


def test_seeking_reads_only_the_groups_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.bvc"
    write_stream(path, moving_clip(40, 128, 128), gop=5, quality=8)
    reader = BvcReader(path, model=tiny_model(), start=0.8, duration=0.2)
    reader._stream = reader._records._stream = counting = Counting(path.read_bytes())
    assert sum(map(len, reader)) == 5
    group = max(groups_bytes(path))
    assert counting.total <= group + 100


def groups_bytes(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return [len(record.payload) for record in RecordReader(stream, "it")]


class Counting(io.BytesIO):
    """Counts what is read."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_sampling_at_a_rate(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.bvc", moving_clip(20))
    sampled = read_stream(tmp_path / "a.bvc", fps=5)
    assert sampled.times == tuple(Fraction(n, 5) for n in range(4))


def test_what_lies_outside_is_a_usage_error(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.bvc", moving_clip(4))
    with pytest.raises(UsageError, match="no frame lies between"):
        read_stream(tmp_path / "a.bvc", start=50)


def test_the_header_is_what_probe_says(tmp_path: Path) -> None:
    path = tmp_path / "a.bvc"
    write_stream(path, moving_clip(11, 70, 50, 10))
    info = probe_bvc(path)
    assert (info.codec, info.width, info.height, info.frames, info.pixel_format) == ("bvc", 70, 50, 11, "yuv420p10le")
    assert (info.duration, info.frame_rate, info.size_bytes) == (Fraction(11, 25), 25, path.stat().st_size)


def test_another_model_is_named(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.bvc", moving_clip(2))
    with pytest.raises(MissingWeights, match=r"tiny \(sha256 8950abfd"):
        BvcReader(tmp_path / "a.bvc")


def test_tables_that_differ_are_noticed(tmp_path: Path) -> None:
    """Such a model has the same name and weights, but rounded otherwise."""
    write_stream(tmp_path / "a.bvc", moving_clip(2), quality=4)
    reader = BvcReader(tmp_path / "a.bvc", model=tiny_model())
    reader.header = replace(reader.header, quality=5.0)
    with pytest.raises(UsageError, match="other tables"):
        next(iter(reader))


@pytest.mark.parametrize("settings", [{"quality": 0.5}, {"quality": 9}, {"gop": 0}, {"gop": 1000}])
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(UsageError, match="out of range"):
        BvcEncoding("bvc", model=tiny_model(), **settings)


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.bvc"
    write_stream(path, moving_clip(2))
    before = path.read_bytes()
    other = moving_clip(2, 30, 30)
    encoding = BvcEncoding("bvc", model=tiny_model())
    with pytest.raises(OutputExists):
        encoding.writer(path, None).__enter__()  # type: ignore[arg-type]
    with pytest.raises(Exception, match="a clip of 30x30"):
        write_pair(path, moving_clip(2), other)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.bvc"]


def write_pair(path: Path, first, second) -> None:
    from revivid.media.write import Target

    target = Target(first.width, first.height, first.color, Fraction(25), Fraction(1, 25))
    with BvcEncoding("bvc", model=tiny_model()).writer(path, target, overwrite=True) as writer:
        writer.write(first)
        writer.write(second)


def test_a_file_that_was_cut_off_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "a.bvc"
    write_stream(path, moving_clip(2))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptStream, match="cut off"):
        BvcReader(path, model=tiny_model())
