"""Which frames and windows are shown, and that the pictures are exact to the pixel."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from revivid.color import rgb_8bit
from revivid.errors import ShapeError, UsageError
from revivid.evaluation.crops import Pick, Window, choose_frames, crop_row, detail_window, extract_frames
from revivid.types import Clip, ColorSpec


def numbered(count: int, size: tuple[int, int] = (40, 64)) -> Clip:
    """Frame t has luma 40 + t, and one noisy patch at rows 20..27, columns 40..51."""
    height, width = size
    y = np.repeat((40 + np.arange(count, dtype=np.uint8))[:, None, None], height, axis=1).repeat(width, axis=2)
    patch = y[:, 20:28, 40:52]
    patch[:] = np.random.default_rng(3).integers(60, 200, patch.shape)
    chroma = np.full((count, -(-height // 2), -(-width // 2)), 128, np.uint8)
    return Clip((y, chroma, chroma), tuple(map(Fraction, range(count))), (Fraction(1),) * count, ColorSpec(matrix=1))


def decoded(png: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return np.asarray(picture)


def test_worst_median_and_best() -> None:
    picks = choose_frames([0.4, -1.0, 0.2, 3.0, 0.3])
    assert picks == [Pick("worst", 1, -1.0), Pick("median", 4, 0.3), Pick("best", 3, 3.0)]


@pytest.mark.parametrize(("values", "labels"), [([], []), ([1.0], ["median"]), ([2.0, 1.0], ["worst", "best"])])
def test_few_frames_give_few_picks(values: list[float], labels: list[str]) -> None:
    assert [pick.label for pick in choose_frames(values)] == labels


def test_equal_gains_still_give_three_different_frames() -> None:
    assert len({pick.frame for pick in choose_frames([1.0] * 5)}) == 3


def test_second_pass_stops_after_the_last_frame_wanted() -> None:
    clip, read = numbered(12), []

    def stream() -> Iterator[Clip]:
        for start in range(0, 12, 3):
            read.append(start)
            yield clip[start : start + 3]

    found = extract_frames(stream(), {1, 5})
    assert {number: int(frame.planes[0][0, 0, 0]) for number, frame in found.items()} == {1: 41, 5: 45}
    assert read == [0, 3]
    assert not np.shares_memory(found[1].planes[0], clip.planes[0])
    assert extract_frames(stream(), set()) == {}


def test_second_pass_over_a_shorter_video_is_an_error() -> None:
    with pytest.raises(UsageError, match="ends before frame 7"):
        extract_frames([numbered(4)], {2, 7, 9})


def test_the_window_is_where_the_detail_is() -> None:
    window = detail_window(numbered(1).planes[0][0], (16, 12))
    assert (window.width, window.height) == (16, 12)
    assert window.x <= 40
    assert window.x + 16 >= 52
    assert window.y <= 20
    assert window.y + 12 >= 28


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (40, 64)])
def test_windows_never_leave_the_frame(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 4096, size).astype(np.uint16)
    window = detail_window(noise, (48, 32))
    assert 0 <= window.x <= size[1] - window.width
    assert 0 <= window.y <= size[0] - window.height
    assert (window.width, window.height) == (min(48, size[1]), min(32, size[0]))


@pytest.mark.parametrize("zoom", [1, 2, 3])
def test_pictures_are_exact_and_side_by_side(zoom: int) -> None:
    first, second = numbered(1), numbered(2)[1:]
    row = crop_row(Pick("worst", 0, 0.0), {"original": first, "restored": second}, (16, 12), zoom)
    window = row.window
    pixels = rgb_8bit(first)[0].permute(1, 2, 0).numpy()[window.y : window.y + 12, window.x : window.x + 16]
    enlarged = decoded(row.png("original"))
    assert enlarged.shape == (12 * zoom, 16 * zoom, 3)
    for dy in range(zoom):
        for dx in range(zoom):
            assert (enlarged[dy::zoom, dx::zoom] == pixels).all()
    both = decoded(row.side_by_side())
    assert (both[:, : 16 * zoom] == enlarged).all()
    assert (both[:, -16 * zoom :] == decoded(row.png("restored"))).all()
    assert both.shape[1] > 32 * zoom


def test_the_window_can_be_given() -> None:
    row = crop_row(Pick("best", 0, 0.0), {"original": numbered(1)}, window=Window(2, 4, 6, 8))
    assert row.pictures["original"].shape == (8, 6, 3)


def test_frames_of_different_size_are_an_error() -> None:
    with pytest.raises(ShapeError, match="original 64x40, restored 32x20"):
        crop_row(Pick("best", 0, 0.0), {"original": numbered(1), "restored": numbered(1, (20, 32))})
