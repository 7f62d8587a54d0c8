"""Whole files through `compress --codec bvc` and back: what is beside the picture, times, colour. The network is `tiny_bvc`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import revivid
from clips import Library, packet_times, payloads, texts
from revivid.errors import PartialResult, UsageError
from revivid.media.read import VideoReader
from revivid.workflows.job import Plan
from tiny_bvc import tiny_model


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the package's weights."""
    monkeypatch.setattr("revivid.learned.model.load", lambda *_, **__: tiny_model())
    monkeypatch.setattr("revivid.learned.reader.load_for", lambda *_, **__: tiny_model())


def through(source: Path, folder: Path, **options: object) -> tuple[Path, Path]:
    small, back = folder / "small.bvc", folder / "back.mkv"
    first = revivid.compress(source, small, codec="bvc", **options)
    second = revivid.restore(small, back, out_preset="ultrafast")
    assert first.frames == second.frames
    assert first.size_bytes == small.stat().st_size > first.video_bytes > 0
    return small, back


def tracks(path: Path) -> list[tuple[str, str | None]]:
    """Codec and language; MP4 calls one that it does not know undetermined."""
    audio = [stream for stream in revivid.probe(path).streams if stream.kind == "audio"]
    return [(stream.codec, None if stream.language == "und" else stream.language) for stream in audio]


@pytest.mark.parametrize("kind", ["plain", "plain_mkv", "tracks", "video_last", "ts"])
def test_audio_is_carried_bit_by_bit(library: Library, tmp_path: Path, kind: str) -> None:
    source = library(kind)
    small, back = through(source, tmp_path)
    if kind == "ts":  # its packets have heads of their own, which Matroska's have not
        assert len(payloads(back, "audio")[0]) == len(payloads(source, "audio")[0]) > 0
    else:
        assert payloads(back, "audio") == payloads(source, "audio") != []
    assert tracks(small) == tracks(back) == tracks(source)
    offsets = [[float(t - packet_times(p, "video")[0]) for t in packet_times(p, "audio")] for p in (source, back)]
    assert offsets[1] == pytest.approx(offsets[0], abs=0.0021)


def test_subtitles_attachments_and_chapters(library: Library, tmp_path: Path) -> None:
    for kind in ("srt", "ass", "attachment", "chapters", "cover_mp4"):
        folder = tmp_path / kind
        folder.mkdir()
        source = library(kind)
        small, back = through(source, folder)
        if kind == "srt":
            assert texts(back) == texts(source)
        if kind == "ass":
            assert payloads(back, "subtitle") == payloads(source, "subtitle")
        with av.open(f"file:{source}") as before, av.open(f"file:{back}") as after:
            attached = [[bytes(s.data) for s in c.streams if s.type == "attachment"] for c in (before, after)]
            assert attached[0] == attached[1] or kind == "cover_mp4"
            titles = [[(c["metadata"], c["start"] * c["time_base"]) for c in f.chapters()] for f in (before, after)]
            assert titles[0] == titles[1]
            assert all(s.metadata.get("title") != "revivid filler" for s in after.streams)
        assert revivid.probe(small).chapters == revivid.probe(source).chapters
    assert [s.codec for s in revivid.probe(tmp_path / "cover_mp4" / "back.mkv").streams if s.kind == "video"] == ["mjpeg"]


def test_a_file_without_anything_else_has_nothing_beside(library: Library, tmp_path: Path) -> None:
    small, _ = through(library("silent"), tmp_path)
    assert revivid.probe(small).streams == ()
    assert b"SIDE" not in small.read_bytes() or revivid.probe(small).metadata


@pytest.mark.parametrize("kind", ["vfr", "vfr_mkv", "odd", "ten", "full", "hdr10", "plain_mkv"])
def test_times_sizes_and_colour_stay(library: Library, tmp_path: Path, kind: str) -> None:
    source = VideoReader(library(kind))
    revivid.compress(library(kind), tmp_path / "a.bvc", codec="bvc", gop=5)
    stream = revivid.open_video(tmp_path / "a.bvc")
    before, after = list(source), list(stream)
    assert [t for clip in after for t in clip.times] == [t for clip in before for t in clip.times]
    assert [d for clip in after for d in clip.durations] == [d for clip in before for d in clip.durations]
    wanted, found = source.info, stream.info
    assert (found.width, found.height, found.color.bit_depth) == (wanted.width, wanted.height, wanted.color.bit_depth)
    assert (found.color.primaries, found.color.transfer) == (wanted.color.primaries, wanted.color.transfer)
    assert found.color.matrix == wanted.color.resolved_matrix(wanted.height)
    assert (found.color.full_range, found.hdr, found.sample_aspect) == (wanted.color.full_range, wanted.hdr, wanted.sample_aspect)


def test_a_part_of_a_video_with_its_sound(library: Library, tmp_path: Path) -> None:
    source = library("second")
    revivid.compress(source, tmp_path / "part.bvc", codec="bvc", start=0.25, duration=0.5)
    revivid.compress(source, tmp_path / "whole.bvc", codec="bvc")
    info = revivid.probe(tmp_path / "part.bvc")
    assert (info.frames, info.duration) == (12, Fraction(1, 2))
    revivid.restore(tmp_path / "whole.bvc", tmp_path / "cut.mkv", start=0.25, duration=0.5, out_preset="ultrafast")
    assert 0 < len(payloads(tmp_path / "cut.mkv", "audio")[0]) < len(payloads(source, "audio")[0])
    assert len(packet_times(tmp_path / "cut.mkv", "video")) == 12


def test_the_same_file_twice(library: Library, tmp_path: Path) -> None:
    """Also what is beside the picture has no date and no random numbers in it."""
    for name in ("a.bvc", "b.bvc"):
        revivid.compress(library("tracks"), tmp_path / name, codec="bvc")
    assert (tmp_path / "a.bvc").read_bytes() == (tmp_path / "b.bvc").read_bytes()


def test_streams_are_measured_and_compressed_like_other_files(library: Library, tmp_path: Path) -> None:
    source = library("plain")
    revivid.compress(source, tmp_path / "a.bvc", codec="bvc", quality=8, preserve=True)
    report = revivid.evaluate(source, tmp_path / "a.bvc")
    assert list(report.distorted) == ["a.bvc"]
    revivid.compress(tmp_path / "a.bvc", tmp_path / "b.mp4", scale="1", encoder_preset="ultrafast")
    assert payloads(tmp_path / "b.mp4", "audio") == payloads(source, "audio")


def test_stages_follow_decoding(library: Library, tmp_path: Path) -> None:
    revivid.compress(library("silent"), tmp_path / "a.bvc", codec="bvc")
    result = revivid.restore(tmp_path / "a.bvc", tmp_path / "b.mp4", super_resolve=2, network="compactsr-x2")
    assert (result.width, result.height) == (512, 512)


def test_damage_is_concealed_and_reported(library: Library, tmp_path: Path) -> None:
    path, back = tmp_path / "a.bvc", tmp_path / "back.mkv"
    revivid.compress(library("second"), path, codec="bvc", gop=6)
    data = bytearray(path.read_bytes())
    second = [at for at in range(len(data)) if data[at : at + 4] == b"GOP "][1]
    data[second + 60] ^= 255
    path.write_bytes(data)
    with pytest.raises(PartialResult, match="24 frames were kept; 6 packets or frames did not decode"):
        revivid.restore(path, back, conceal=True, out_preset="ultrafast")
    assert len(packet_times(back, "video")) == 24
    luma = np.concatenate([clip.planes[0] for clip in revivid.open_video(path, conceal=True)])
    assert all(np.array_equal(luma[5], luma[t]) for t in range(6, 12))
    assert not np.array_equal(luma[5], luma[12])


def test_a_plan_says_what_will_be_done(library: Library, tmp_path: Path) -> None:
    plan = revivid.plan_compress(library("plain"), tmp_path / "a.bvc", codec="bvc", quality=5.5)
    assert isinstance(plan, Plan)
    assert any("bvc quality=5.5" in step for step in plan.steps)
    assert (plan.estimated_bytes or 0) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"crf": 20}, "no --crf"), ({"scale": "1/2"}, "no --scale"), ({"quality": 12}, "out of range"), ({"gop": 0}, "out of range")],
)
def test_options_that_bvc_has_not(library: Library, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        revivid.compress(library("silent"), tmp_path / "a.bvc", codec="bvc", **options)


def test_only_bvc_goes_into_bvc(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Name the output \.bvc"):
        revivid.compress(library("silent"), tmp_path / "a.mp4", codec="bvc")
    with pytest.raises(UsageError, match=r"\.bvc"):
        revivid.compress(library("silent"), tmp_path / "a.bvc")
    with pytest.raises(UsageError, match="--conceal is for BVC"):
        revivid.restore(library("silent"), tmp_path / "a.mp4", conceal=True, deblur=True)
