"""The picture comes through unharmed: size, rotation, depth, range and colour tags, HDR10, interlacing, pixel formats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import revivid
from clips import KINDS, Film, Library, make, turned
from revivid.errors import UsageError
from revivid.types import Clip, ColorSpec, join


def frames_of(path, **options) -> Clip:
    """The whole video as one clip."""
    return join(list(revivid.open_video(path, **options)))


def through(source, folder, suffix=".mp4", back=None, **options):
    small, restored = folder / f"small{suffix}", folder / f"restored{suffix}"
    first = revivid.compress(source, small, encoder_preset="ultrafast", **options)
    second = revivid.restore(small, restored, **(back or {"out_preset": "ultrafast"}))
    assert first.frames == second.frames
    return small, restored, [*first.notices, *second.notices]


def test_lossless_brings_odd_sizes_back_exactly(library: Library, tmp_path):
    source = library("odd")
    small, restored, _ = through(source, tmp_path, ".mkv", {"lossless": True})
    assert (revivid.probe(small).width, revivid.probe(small).height) == (66, 66)
    info = revivid.probe(restored)
    assert (info.width, info.height, info.codec) == (263, 257, "ffv1")


def test_other_codecs_pad_odd_sizes_to_even_and_say_so(library: Library, tmp_path):
    source = library("odd")
    _, restored, notices = through(source, tmp_path)
    info = revivid.probe(restored)
    assert (info.width, info.height) == (264, 258)
    assert any("263x257 is stored as 264x258" in notice for notice in notices)
    report = revivid.evaluate(source, restored)
    assert len(next(iter(report.distorted.values())).scores) == 12


def test_odd_sizes_at_full_size_are_padded_with_a_notice_and_cropped_back(library: Library, tmp_path):
    _, restored, notices = through(library("odd"), tmp_path, ".mkv", {"lossless": True}, scale="1")
    assert any("263x257 is stored as 264x258" in notice for notice in notices)
    assert (revivid.probe(restored).width, revivid.probe(restored).height) == (263, 257)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_undone_in_the_pixels(tmp_path, degrees):
    film = Film(3, size=(320, 256))
    source = turned(make(tmp_path / "turned.mp4", film), degrees)
    upright = frames_of(make(tmp_path / "plain.mp4", film))
    info = revivid.probe(source)
    assert (info.width, info.height) == ((256, 320) if degrees in (90, 270) else (320, 256))
    for plane, original in zip(frames_of(source).planes, upright.planes, strict=True):
        np.testing.assert_array_equal(plane, np.rot90(original, -degrees // 90, axes=(1, 2)))  # players turn clockwise
    _, restored, notices = through(source, tmp_path)
    after = revivid.probe(restored)
    assert (after.width, after.height, after.rotation) == (info.width, info.height, 0)
    assert any("upright" in notice for notice in notices)
    first = frames_of(restored).planes[0][0]
    corners = {0: first[:60, :60], 90: first[:60, -60:], 180: first[-60:, -60:], 270: first[-60:, :60]}
    assert max(corners, key=lambda corner: corners[corner].mean()) == degrees


def test_ten_bits_stay_ten_bits(library: Library, tmp_path):
    small, restored, _ = through(library("ten"), tmp_path, ".mkv", {"lossless": True}, scale="1", crf=4)
    before, middle, after = (frames_of(path) for path in (library("ten"), small, restored))
    assert before.color.bit_depth == middle.color.bit_depth == after.color.bit_depth == 10
    for plane, same in zip(middle.planes, after.planes, strict=True):
        np.testing.assert_array_equal(plane, same)
    assert np.any(middle.planes[0] % 4)  # not eight bits, shifted
    assert np.abs(before.planes[0].astype(int) - middle.planes[0].astype(int)).mean() < 4


def test_ten_bits_stay_ten_bits_through_super_resolution(library: Library, tmp_path):
    _, restored, _ = through(library("ten"), tmp_path)
    clip = frames_of(restored)
    assert (clip.color.bit_depth, clip.width) == (10, 256)
    difference = clip.planes[0].astype(int) - frames_of(library("ten")).planes[0].astype(int)
    assert abs(difference.mean()) < 12  # of 1023: neither shifted nor stretched


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", ["full", "bt709", "hdr10"])
def test_range_and_colour_tags_stay(library: Library, tmp_path, kind, suffix):
    before = revivid.probe(library(kind)).color
    assert before.matrix == KINDS[kind][1].color[0]
    small, restored, _ = through(library(kind), tmp_path, suffix)
    assert revivid.probe(small).color == revivid.probe(restored).color == before
    means = [float(frames_of(path).planes[0].mean()) for path in (library(kind), restored)]
    assert means[1] == pytest.approx(means[0], rel=0.02)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_hdr10_metadata_stays(library: Library, tmp_path, suffix):
    small, restored, notices = through(library("hdr10"), tmp_path, suffix)
    before = revivid.probe(library("hdr10")).hdr
    assert before is not None
    assert before.light_level == (1000, 400)
    assert before.luminance == (Fraction(5, 1000), 1000)
    assert before.primaries is not None
    assert before.primaries[3] == (Fraction(15635, 50000), Fraction(16450, 50000))
    assert revivid.probe(small).hdr == revivid.probe(restored).hdr == before
    assert notices == []


def test_lossless_says_that_it_has_no_place_for_hdr10_metadata(library: Library, tmp_path):
    _, _, notices = through(library("hdr10"), tmp_path, ".mkv", {"lossless": True}, scale="1")
    assert any("HDR10" in notice and "x265" in notice for notice in notices)


def test_interlaced_input_is_deinterlaced_frame_for_frame(library: Library, tmp_path):
    source = library("interlaced")
    assert revivid.probe(source).interlaced
    small, restored, notices = through(source, tmp_path)
    assert any("bwdif" in notice for notice in notices)
    assert not revivid.probe(small).interlaced
    clip = frames_of(source)
    assert len(clip) == len(frames_of(restored)) == 12
    assert clip.times == tuple(Fraction(round(1000 * t / 24), 1000) for t in range(12))


def test_deinterlacing_takes_out_combs(tmp_path):
    """Two fields of different brightness: as frames they comb, deinterlaced each frame shows one."""
    import av

    path = tmp_path / "combs.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width = video.height = 256
        video.pix_fmt = "yuv420p"
        video.options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "preset": "ultrafast", "crf": "5"}
        for t in range(8):
            rows = np.full((256, 256), 60 + 8 * t, np.uint8)
            rows[1::2] += 60
            frame = av.VideoFrame.from_ndarray(np.dstack([rows] * 3), format="rgb24").reformat(format="yuv420p")
            frame.pts = t
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    luma = frames_of(path).planes[0].astype(int)
    combing = np.abs(luma[:, 1:] - luma[:, :-1]).mean((1, 2))
    assert combing.max() < 25  # of 51 between the fields


def test_non_square_pixels_stay_so(library: Library, tmp_path):
    _, restored, _ = through(library("anamorphic"), tmp_path)
    assert revivid.probe(restored).sample_aspect == Fraction(16, 11)


def test_the_aspect_of_pixels_turns_with_the_picture(tmp_path):
    source = turned(make(tmp_path / "a.mp4", Film(3, size=(320, 256), aspect=Fraction(16, 11))), 90)
    assert revivid.probe(source).sample_aspect == Fraction(11, 16)


@pytest.mark.parametrize("kind", ["alpha_ffv1", "alpha_vp9", "rgba"])
def test_transparency_is_ignored_with_a_notice(library: Library, tmp_path, kind):
    _, restored, notices = through(library(kind), tmp_path)
    assert sum("transparency" in notice for notice in notices) == 1
    assert revivid.probe(restored).pixel_format == "yuv420p"


@pytest.mark.parametrize("kind", ["rgb", "rgba", "422", "444", "grey", "alpha_ffv1"])
def test_other_pixel_formats_keep_their_brightness_and_colours(library: Library, tmp_path, kind):
    clip, plain = frames_of(library(kind)), frames_of(library("silent"))
    for index, (plane, expected) in enumerate(zip(clip.planes, plain.planes, strict=True)):
        target = np.full_like(expected, 128) if kind == "grey" and index else expected
        if not (kind == "grey" and not index):  # a grey source is full range: its luma is another
            assert abs(float(plane.mean()) - float(target.mean())) < 1.5
            assert np.abs(plane.astype(int) - target.astype(int)).mean() < 4
    _, restored, notices = through(library(kind), tmp_path)
    assert revivid.probe(restored).pixel_format == "yuv420p"
    assert (kind == "alpha_ffv1") != any("4:2:0, which every player shows" in notice for notice in notices)


def test_grey_values_are_not_stretched(tmp_path):
    path = make(tmp_path / "grey.mkv", Film(2, codec="ffv1", pixel_format="gray"))
    import av

    with av.open(str(path)) as opened:
        stored = next(opened.decode(video=0)).to_ndarray()
    np.testing.assert_array_equal(frames_of(path).planes[0][0], stored)


@pytest.mark.parametrize(("kind", "count"), [("one", 1), ("two", 2), ("three", 3)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_very_short_clips(library: Library, tmp_path, kind, count, suffix):
    _, restored, _ = through(library(kind), tmp_path, suffix)
    assert len(frames_of(restored)) == count


@pytest.mark.parametrize("kind", ["video_last", "ts", "avi", "asf"])
def test_every_frame_of_every_container(library: Library, tmp_path, kind):
    _, restored, _ = through(library(kind), tmp_path)
    assert len(frames_of(restored)) == len(frames_of(library(kind))) == KINDS[kind][1].frames


@pytest.mark.parametrize(("size", "depth", "codec"), [((16, 16), 8, "x265"), ((32, 80), 10, "x265"), ((2, 2), 8, "x264")])
def test_tiny_pictures_do_not_take_the_encoder_down(tmp_path, size, depth, codec):
    width, height = size
    color = ColorSpec(bit_depth=depth)
    planes = [np.full((6, h, w), 100, color.dtype) for h, w in ((height, width), *2 * [(height // 2, width // 2)])]
    clip = Clip((planes[0], planes[1], planes[2]), tuple(Fraction(t, 25) for t in range(6)), 6 * (Fraction(1, 25),), color)
    path = tmp_path / "tiny.mp4"
    assert revivid.write_video(path, [clip], codec=codec, preset="medium") == 6
    assert len(frames_of(path)) == 6


@pytest.mark.parametrize(("size", "codec"), [((14, 64), "x265"), ((32, 64), "av1"), ((65, 64), "x264")])
def test_sizes_that_an_encoder_cannot_take_are_refused_before_it_starts(tmp_path, size, codec):
    width, height = size
    planes = [np.zeros((1, h, w), np.uint8) for h, w in ((height, width), *2 * [(height // 2, -(-width // 2))])]
    clip = Clip((planes[0], planes[1], planes[2]), (Fraction(0),), (Fraction(1, 25),))
    with pytest.raises(UsageError, match=f"{width}x{height}"):
        revivid.write_video(tmp_path / "tiny.mp4", [clip], codec=codec)
    assert not list(tmp_path.iterdir())


def test_compress_says_which_scale_fits_a_tiny_video(tmp_path):
    source = make(tmp_path / "tiny.mp4", Film(2, size=(32, 32)))
    with pytest.raises(UsageError, match="8x8") as caught:
        revivid.compress(source, tmp_path / "small.mp4")
    assert "--scale" in caught.value.hint
    _, restored, _ = through(source, tmp_path, scale="1/2")
    assert revivid.probe(restored).width == 32
