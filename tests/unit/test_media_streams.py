"""What is beside the picture comes through `compress` and `restore` unharmed: audio, subtitles, chapters, attachments, covers."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from av.stream import Disposition

import revivid
from clips import LINES, Audio, Film, Library, make, packet_times, payloads, texts
from revivid.errors import UsageError


def through(source, folder, suffix=".mp4", middle=None, **options):
    """The source compressed, and restored from that; both results with their notices."""
    small, restored = folder / f"small{middle or suffix}", folder / f"restored{suffix}"
    first = revivid.compress(source, small, encoder_preset="ultrafast", **options)
    second = revivid.restore(small, restored, out_preset="ultrafast")
    assert first.frames == second.frames
    return small, restored, [*first.notices, *second.notices]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", ["plain", "plain_mkv"])
def test_audio_is_copied_bit_by_bit(library: Library, tmp_path, kind, suffix):
    source = library(kind)
    small, restored, notices = through(source, tmp_path, suffix)
    assert payloads(small, "audio") == payloads(restored, "audio") == payloads(source, "audio")
    assert notices == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", ["plain", "video_last", "ts"])
def test_audio_keeps_its_place_beside_the_video(library: Library, tmp_path, kind, suffix):
    source = library(kind)
    _, restored, _ = through(source, tmp_path, suffix)

    def offsets(path):
        origin = packet_times(path, "video")[0]
        return [float(time - origin) for time in packet_times(path, "audio")]

    assert offsets(restored) == pytest.approx(offsets(source), abs=0.0021 if suffix == ".mkv" else 1e-4)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_several_tracks_keep_language_and_disposition(library: Library, tmp_path, suffix):
    source = library("tracks")
    _, restored, _ = through(source, tmp_path, suffix)
    assert payloads(restored, "audio") == payloads(source, "audio")
    tracks = [s for s in revivid.probe(restored).streams if s.kind == "audio"]
    assert [(t.codec, t.language) for t in tracks] == [("aac", "eng"), ("ac3", "jpn"), ("aac", "deu")]
    assert [t.disposition for t in tracks] == [("default",), (), ("comment",)]


def test_audio_is_left_out_only_when_asked(library: Library, tmp_path):
    small, _, notices = through(library("plain"), tmp_path, audio=False)
    assert payloads(small, "audio") == []
    assert any("left out as asked" in notice for notice in notices)


def samples(path) -> np.ndarray:
    """All samples of the first audio track, channels by time, as floats."""
    with av.open(str(path)) as opened:
        resampler = av.AudioResampler(format="fltp", layout="stereo")
        return np.concatenate([f.to_ndarray() for frame in opened.decode(audio=0) for f in resampler.resample(frame)], 1)


COPIES = [("pcm_s16le", ".mp4"), ("pcm_s24le", ".mov"), ("alac", ".mp4"), ("libopus", ".mp4"), ("ac3", ".mkv")]


@pytest.mark.parametrize(("codec", "suffix"), COPIES)
def test_audio_that_fits_is_copied_whole(tmp_path, codec, suffix):
    """Matroska tells neither the layout of PCM nor the duration of the last packet, and MP4 wants both."""
    source = make(tmp_path / "in.mkv", Film(3, audio=(Audio(codec),)))
    result = revivid.compress(source, tmp_path / f"small{suffix}", encoder_preset="ultrafast", scale="1")
    assert payloads(tmp_path / f"small{suffix}", "audio") == payloads(source, "audio")
    assert result.notices == ()


@pytest.mark.parametrize(("codec", "suffix", "lossless"), [("wavpack", ".mp4", "flac"), ("flac", ".mov", "alac")])
def test_audio_that_does_not_fit_is_converted_without_loss(tmp_path, codec, suffix, lossless):
    source = make(tmp_path / "in.mkv", Film(3, audio=(Audio(codec, "eng"),)))
    small = tmp_path / f"small{suffix}"
    (notice,) = revivid.compress(source, small, encoder_preset="ultrafast", scale="1").notices
    assert codec in notice
    assert lossless.upper() in notice
    assert "an .mkv would hold it" in notice
    (track,) = revivid.probe(small).streams
    assert (track.codec, track.language) == (lossless, "eng")
    np.testing.assert_allclose(samples(small), samples(source), atol=2**-22)


def test_windows_media_audio_becomes_flac(library: Library, tmp_path):
    source = library("asf")  # it has no place in MP4
    small, _, notices = through(source, tmp_path)
    assert [s.codec for s in revivid.probe(small).streams] == ["flac"]
    assert any("wmav2" in notice and "FLAC" in notice for notice in notices)
    assert samples(source).shape == samples(small).shape


def test_pcm_stays_pcm_in_matroska(library: Library, tmp_path):
    _, restored, notices = through(library("pcm"), tmp_path, ".mkv")
    assert payloads(restored, "audio") == payloads(library("pcm"), "audio")
    assert notices == []


def test_audio_that_cannot_be_kept_is_an_error_before_any_work(library: Library, tmp_path):
    with pytest.raises(UsageError, match="pcm_s16le") as caught:
        revivid.compress(library("pcm"), tmp_path / "out.webm", codec="av1")
    assert ".mkv" in caught.value.hint
    assert "--no-audio" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_srt_stays_srt_in_matroska(library: Library, tmp_path):
    _, restored, notices = through(library("srt"), tmp_path, ".mkv")
    assert texts(restored) == texts(library("srt"))
    assert payloads(restored, "subtitle") == payloads(library("srt"), "subtitle")
    assert revivid.probe(restored).streams[0].language == "fra"
    assert notices == []


def test_srt_becomes_timed_text_and_srt_again(library: Library, tmp_path):
    small, restored, notices = through(library("srt"), tmp_path, ".mkv", middle=".mp4")
    expected = [(text, start / 1000, duration / 1000) for text, start, duration in LINES]
    for path, codec in ((small, "mov_text"), (restored, "subrip")):
        assert revivid.probe(path).streams[0].codec == codec
        assert texts(path) == [(text, pytest.approx(start), pytest.approx(length)) for text, start, length in expected]
    assert any("repackaged as mov_text" in notice for notice in notices)


def test_timed_text_carries_a_style_that_players_need(library: Library, tmp_path):
    small, _, _ = through(library("srt"), tmp_path)
    with av.open(str(small)) as opened:
        assert b"ftab" in opened.streams.subtitles[0].codec_context.extradata


def test_styled_subtitles_stay_in_matroska_and_are_announced_missing_in_mp4(library: Library, tmp_path):
    source = library("ass")
    small = tmp_path / "small.mkv"
    revivid.compress(source, small, encoder_preset="ultrafast")
    assert payloads(small, "subtitle") == payloads(source, "subtitle")
    dropped = revivid.compress(source, tmp_path / "small.mp4", encoder_preset="ultrafast")
    assert any("ass" in notice and ".mkv" in notice for notice in dropped.notices)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_come_along(library: Library, tmp_path, suffix):
    _, restored, notices = through(library("chapters"), tmp_path, suffix)
    with av.open(str(restored)) as opened:
        found = [
            (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
            for c in opened.chapters()
        ]
    assert found == [("Début", 0, 0.5), ("Fin", 0.5, 1)]
    assert notices == []  # MP4's hidden track of titles is not reported as lost


def test_chapters_are_cut(library: Library, tmp_path):
    small = tmp_path / "small.mkv"
    revivid.compress(library("chapters"), small, encoder_preset="ultrafast", start=0.25, duration=0.5)
    with av.open(str(small)) as opened:
        found = [(float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])) for c in opened.chapters()]
    assert found == [(0, 0.25), (0.25, 0.5)]


def test_attachments_stay_in_matroska_and_are_announced_missing_in_mp4(library: Library, tmp_path):
    source = library("attachment")
    _, restored, _ = through(source, tmp_path, ".mkv")
    with av.open(str(restored)) as opened:
        (attached,) = [s for s in opened.streams if s.type == "attachment"]
        assert attached.name == "Ünï.ttf"
        assert bytes(attached.data) == bytes(range(256)) * 40
    dropped = revivid.compress(source, tmp_path / "other.mp4", encoder_preset="ultrafast")
    assert any("attachment" in notice and ".mkv" in notice for notice in dropped.notices)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("middle", [".mp4", ".mkv"])
def test_a_cover_is_not_the_video_and_stays_a_cover(library: Library, tmp_path, middle, suffix):
    source = library("cover_mp4")
    assert revivid.probe(source).codec == "h264"
    _, restored, notices = through(source, tmp_path, suffix, middle)
    with av.open(str(restored)) as opened, av.open(str(source)) as before:
        (cover,) = [s for s in opened.streams.video if s.disposition & Disposition.attached_pic]
        (original,) = [s for s in before.streams.video if s.disposition & Disposition.attached_pic]
        pictures = [next(bytes(p) for p in c.demux(s) if p.size) for c, s in ((opened, cover), (before, original))]
    assert pictures[0] == pictures[1]
    assert notices == []


def test_a_further_video_stream_is_left_out_with_a_notice(tmp_path):
    two = tmp_path / "two.mkv"
    with av.open(str(two), "w") as out:
        streams = [out.add_stream("ffv1", rate=24) for _ in range(2)]
        for stream, size in zip(streams, (256, 128), strict=True):
            stream.width = stream.height = size
            stream.pix_fmt = "yuv420p"
        for t in range(3):
            for stream in streams:
                frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
                frame.pts = t
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    result = revivid.compress(two, tmp_path / "small.mp4", encoder_preset="ultrafast")
    assert (result.frames, result.width) == (3, 64)
    assert any("stream 1 (video ffv1) is left out" in notice for notice in result.notices)


def test_tags_of_the_file_come_along_and_the_recipe_does_not(tmp_path):
    source = make(tmp_path / "a.mp4", Film(3, tags={"title": "Ein Titel", "artist": "Wir"}))
    _, restored, _ = through(source, tmp_path, ".mkv")
    info = revivid.probe(restored)
    tags = {key.lower(): value for key, value in info.metadata.items()}
    assert (tags["title"], tags["artist"]) == ("Ein Titel", "Wir")
    assert info.recipe is None


def test_joined_broadcasts_go_on_where_the_clock_starts_anew(tmp_path):
    part = make(tmp_path / "part.ts", Film(24, audio=(Audio(),), options={"g": "8"}, muxer={"output_ts_offset": "50"}))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() + make(tmp_path / "b.ts", Film(24, audio=(Audio(),))).read_bytes())
    times = [time for clip in revivid.open_video(joined) for time in clip.times]
    assert len(times) == 48
    assert float(times[-1]) == pytest.approx(47 / 24, abs=0.05)
    small = tmp_path / "small.mp4"
    revivid.compress(joined, small, encoder_preset="ultrafast")
    sound = packet_times(small, "audio")
    assert len(sound) == 2 * len(packet_times(part, "audio"))
    assert max(b - a for a, b in itertools.pairwise(sound)) < 0.25
