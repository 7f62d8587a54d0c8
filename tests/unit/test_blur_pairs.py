"""`degrade blur`: the second paper's equation, from videos, folders, raw files and photographs; both files or none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pictures import write_picture, write_pictures
from revivid.codecs import encoding
from revivid.errors import InputNotReadable, OutputExists, ShapeError, TruncatedInput, UsageError
from revivid.media.pictures import PicturesReader, pictures_in
from revivid.media.read import open_video
from revivid.media.write import Target, VideoWriter
from revivid.types import Clip, ColorSpec, join
from revivid.workflows.blur import blur, plan_blur

COLOR = ColorSpec(1, 1, 1, False, 8)


def fast(frames: int, rate: Fraction = Fraction(240), size: tuple[int, int] = (48, 32)) -> Clip:
    """Noise of its own in every frame: a mean shows which frames are in it."""
    rng = np.random.default_rng(3)
    luma = rng.integers(16, 236, (frames, size[1], size[0]), np.uint8)
    chroma = rng.integers(16, 240, (2, frames, size[1] // 2, size[0] // 2), np.uint8)
    times = tuple(t / rate for t in range(frames))
    return Clip((luma, chroma[0], chroma[1]), times, (1 / rate,) * frames, COLOR)


def stored(path: Path, clip: Clip) -> Path:
    rate = 1 / clip.durations[0]
    with VideoWriter(path, Target(clip.width, clip.height, clip.color, rate, 1 / rate), encoding("ffv1", clip.color)) as out:
        out.write(clip)
    return path


def read(path: Path) -> Clip:
    return join(list(open_video(path)))


@pytest.mark.parametrize(("frames", "gap"), [(5, 5), (7, 3), (9, 1)])
def test_the_mean_of_n_frames_and_the_middle_one_are_what_the_paper_says(frames: int, gap: int, tmp_path: Path) -> None:
    clip = fast(38)
    source = stored(tmp_path / "in.mkv", clip)
    result = blur(source, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv"), frames=frames, gap=gap)
    blurry, sharp = read(tmp_path / "blurry.mkv"), read(tmp_path / "sharp.mkv")
    # The fourth window, of the frames 30 to 37, is whole for 5 and for 7, but not for 9.
    count = 3 if frames == 9 else 4
    assert result.frames == len(blurry) == len(sharp) == count
    for k in range(count):
        window = slice(10 * k, 10 * k + frames)
        for mean, middle, planes in zip(blurry.planes, sharp.planes, clip.planes, strict=True):
            assert np.array_equal(mean[k], np.rint(planes[window].mean(0, dtype=np.float64)))
            assert np.array_equal(middle[k], planes[10 * k + frames // 2])
    assert open_video(tmp_path / "blurry.mkv").info.frame_rate == 24
    assert blurry.times == sharp.times
    # Matroska rounds to milliseconds.
    assert all(abs(time - Fraction(k, 24)) <= Fraction(1, 2000) for k, time in enumerate(blurry.times))


def test_light_is_averaged_where_asked(tmp_path: Path) -> None:
    grey = np.zeros((9, 16, 16), np.uint8) + np.array([16, 235, 16, 235, 16, 235, 16, 16, 16], np.uint8)[:, None, None]
    half = np.full((9, 8, 8), 128, np.uint8)
    times = tuple(Fraction(t, 240) for t in range(9))
    source = stored(tmp_path / "in.mkv", Clip((grey, half, half), times, (Fraction(1, 240),) * 9, COLOR))
    means = {}
    for linear in (False, True):
        target = tmp_path / f"{linear}.mkv"
        blur(source, target, truth=str(tmp_path / f"sharp-{linear}.mkv"), frames=9, gap=1, linear_light=linear)
        means[linear] = int(read(target).planes[0][0, 8, 8])
    assert means[False] == 89  # a third of the way from 16 to 235
    light = 1.099296827 * (1 / 3) ** 0.45 - 0.099296827  # BT.709
    assert means[True] == pytest.approx(16 + 219 * light, abs=1)


def test_a_slow_video_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.mkv", fast(12, Fraction(60)))
    for refused in (blur, plan_blur):
        with pytest.raises(UsageError, match="60 frames a second") as caught:
            refused(source, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv"))
        assert "degrade IN" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    ntsc = stored(tmp_path / "ntsc.mkv", fast(20, Fraction(120_000, 1001)))
    assert blur(ntsc, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv")).frames == 2


def test_neither_file_is_there_without_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = stored(tmp_path / "in.mkv", fast(20))
    blurry, sharp = tmp_path / "blurry.mkv", tmp_path / "sharp.mkv"
    for other in (sharp, source):
        with pytest.raises(OutputExists):
            blur(source, blurry if other is source else sharp, truth=str(other))
    with pytest.raises(UsageError, match="truth"):
        blur(source, blurry)
    with pytest.raises(UsageError, match=r"FFV1|lossless"):
        blur(source, blurry, truth=str(tmp_path / "sharp.mp4"))
    finish = VideoWriter._verify

    def fails(writer: VideoWriter) -> None:
        finish(writer)
        if writer.path == str(sharp):
            raise OSError("the disk is full")

    monkeypatch.setattr(VideoWriter, "_verify", fails)
    with pytest.raises(OSError, match="disk"):
        blur(source, blurry, truth=str(sharp))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    sharp.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        blur(source, blurry, truth=str(sharp))
    assert sharp.read_bytes() == b"mine"


def test_a_dry_run_says_both_files_and_writes_none(tmp_path: Path) -> None:
    source = stored(tmp_path / "in.mkv", fast(40))
    plan = plan_blur(source, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv"), frames=5, gap=5)
    assert any("mean of 5 frames, 5 left out, code values" in step for step in plan.steps)
    assert "sharp.mkv" in plan.steps[-1]
    assert plan.frames == 40
    assert plan.estimated_seconds is not None
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_folder_of_pictures_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "frames", 12, name="out{}.png")  # unpadded: out9 comes before out10
    names = [path.name for path in pictures_in(folder)]
    assert names == [f"out{k}.png" for k in range(12)]
    result = blur(folder, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv"), rate=240, frames=5, gap=5)
    assert result.frames == 1
    frames = PicturesReader(folder, 240)
    whole = join(list(frames))
    assert (len(whole), whole.times[1], frames.info.frame_rate) == (12, Fraction(1, 240), 240)
    assert np.array_equal(read(tmp_path / "sharp.mkv").planes[0][0], whole.planes[0][2])
    part = join(list(PicturesReader(folder, 240, start=Fraction(3, 240), duration=Fraction(2, 240))))
    assert np.array_equal(part.planes[0], whole.planes[0][3:5])
    assert part.times[0] == 0


def test_a_folder_without_rate_or_pictures_or_of_two_sizes(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "frames", 10)
    pair = {"truth": str(tmp_path / "sharp.mkv")}
    with pytest.raises(UsageError, match="frames a second"):
        blur(folder, tmp_path / "blurry.mkv", **pair)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputNotReadable, match="no pictures"):
        blur(tmp_path / "empty", tmp_path / "blurry.mkv", rate=240, **pair)
    write_picture(folder / "000009.png", 9, (16, 16))
    with pytest.raises(ValueError, match="16x16"):
        blur(folder, tmp_path / "blurry.mkv", rate=240, **pair)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "frames"]


@pytest.mark.parametrize(("name", "bits"), [("Beauty_48x32_120fps_420_8bit_YUV", 8), ("Jockey_48x32_120fps_420_10bit_YUV", 10)])
def test_raw_video_says_what_it_is_by_its_name(name: str, bits: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    samples = rng.integers(64, 200, 12 * 48 * 32 * 3 // 2).astype("<u2" if bits == 10 else np.uint8) << (bits - 8)
    source = tmp_path / f"{name}.yuv"
    samples.tofile(source)
    assert blur(source, tmp_path / "blurry.mkv", truth=str(tmp_path / "sharp.mkv"), frames=9, gap=1).frames == 1
    sharp = read(tmp_path / "sharp.mkv")
    assert (sharp.width, sharp.height, sharp.color.bit_depth) == (48, 32, bits)
    frames = samples.reshape(12, -1)
    assert np.array_equal(sharp.planes[0][0], frames[4, : 48 * 32].reshape(32, 48))
    assert np.array_equal(sharp.planes[2][0], frames[4, 48 * 32 * 5 // 4 :].reshape(16, 24))
    assert open_video(tmp_path / "blurry.mkv").info.frame_rate == 12


def test_raw_video_that_is_not_what_it_says(tmp_path: Path) -> None:
    source, pair = tmp_path / "clip.yuv", {"truth": str(tmp_path / "sharp.mkv")}
    source.write_bytes(bytes(10 * 48 * 32 * 3 // 2))
    with pytest.raises(UsageError, match="how large"):
        blur(source, tmp_path / "blurry.mkv", **pair)
    with pytest.raises(UsageError, match="frames a second"):
        blur(source, tmp_path / "blurry.mkv", size="48x32", **pair)
    with pytest.raises(TruncatedInput, match="whole number of frames"):
        blur(source, tmp_path / "blurry.mkv", size="50x32", rate=240, **pair)
    with pytest.raises(UsageError, match="30 frames a second"):
        blur(source.rename(tmp_path / "videoSRC01_48x32_30.yuv"), tmp_path / "blurry.mkv", **pair)
    assert blur(tmp_path / "videoSRC01_48x32_30.yuv", tmp_path / "blurry.mkv", rate="240", **pair).frames == 1


def test_a_camera_moves_over_a_photograph(tmp_path: Path) -> None:
    photo = write_picture(tmp_path / "photo.png", 0, (160, 120))
    made = []
    for seed in (1, 1, 2):
        blur(photo, tmp_path / "b.mkv", truth=str(tmp_path / "s.mkv"), seconds=0.125, seed=seed, overwrite=True)
        made.append(read(tmp_path / "b.mkv"))
    one, again, two = made
    assert (len(one), one.width, one.height) == (3, 64, 48)
    assert np.array_equal(one.planes[0], again.planes[0])
    assert not np.array_equal(one.planes[0], two.planes[0])
    assert not np.array_equal(two.planes[0][0], read(tmp_path / "s.mkv").planes[0][0])
    with pytest.raises(ShapeError, match="too few"):
        blur(write_picture(tmp_path / "tiny.png", 0, (16, 16)), tmp_path / "x.mkv", truth=str(tmp_path / "y.mkv"))
