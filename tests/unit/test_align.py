"""Offsets in frames, pixels and brightness are found, and nothing is claimed of compression, blur, or what does not move."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from revivid.evaluation.align import Alignment, find, look, overlap
from revivid.types import Clip, ColorSpec

SIZE = (96, 128)
COUNT = 32


def smooth(values: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        for axis in (-2, -1):
            values = (np.roll(values, 1, axis) + 2 * values + np.roll(values, -1, axis)) / 4
    return values


WORLD = smooth(np.random.default_rng(1).normal(0, 1, (300, 400)), 8)
WORLD = 126 + 40 * WORLD / WORLD.std()


def film(
    *, late: int = 0, right: int = 0, down: int = 0, noise: float = 2, blur: int = 0, gain: float = 1, lift: float = 0
) -> Clip:
    """A camera that wanders over a picture; `late` frames later, moved, and made worse."""
    rng = np.random.default_rng(50 + late + 3 * right)
    frames = []
    for t in range(COUNT):
        y, x = 20 + round(15 * np.sin((t - late) / 5)) - down, 30 + 3 * (t - late) - right
        frames.append(smooth(WORLD[y : y + SIZE[0], x : x + SIZE[1]], blur))
    luma = (gain * np.stack(frames) + lift + noise * rng.normal(0, 1, (COUNT, *SIZE))).clip(0, 255).astype(np.uint8)
    chroma = np.full((COUNT, SIZE[0] // 2, SIZE[1] // 2), 128, np.uint8)
    times = tuple(Fraction(t, 25) for t in range(COUNT))
    return Clip((luma, chroma, chroma), times, (Fraction(1, 25),) * COUNT, ColorSpec(matrix=1))


def found(**changes: float) -> Alignment:
    first = look([film()])
    return find(first, look([film(**changes)], len(first.thumbnails)))  # type: ignore[arg-type]


@pytest.mark.parametrize("frames", [1, -4, 8])
def test_frames(frames: int) -> None:
    alignment = found(late=frames, noise=5)
    assert (alignment.frames, alignment.shift) == (frames, (0, 0))
    (told,) = alignment.describe("x.mp4", corrected=False)
    assert f"{abs(frames)} frame" in told
    assert ("later" if frames > 0 else "earlier") in told
    assert "--align" in told


@pytest.mark.parametrize("shift", [(1, 0), (-3, 2), (8, -8)])
def test_pixels(shift: tuple[int, int]) -> None:
    alignment = found(right=shift[0], down=shift[1])
    assert (alignment.frames, alignment.shift) == (0, shift)
    assert max(map(abs, alignment.fraction)) < 0.2
    (told,) = alignment.describe("x.mp4", corrected=True)
    assert told.endswith("corrected")


def test_half_a_pixel_is_said() -> None:
    first = film()
    luma = first.planes[0].astype(np.uint16)
    half = ((luma + np.roll(luma, 1, axis=2) + 1) // 2).astype(np.uint8)
    seen = look([first])
    alignment = find(seen, look([first.with_planes(half, *first.planes[1:])], len(seen.thumbnails)))
    assert abs(alignment.shift[0] + alignment.fraction[0] - 0.5) < 0.2
    assert "0.5 pixels across" in " ".join(alignment.describe("x", corrected=False))


@pytest.mark.parametrize("changes", [{}, {"noise": 14}, {"blur": 2}, {"blur": 1, "noise": 8}])
def test_what_is_only_worse_is_aligned(changes: dict[str, float]) -> None:
    assert found(**changes).describe("x", corrected=False) == []


def test_brightness() -> None:
    (told,) = found(lift=14).describe("x", corrected=True)
    assert "black +16, white +16 of 255" in told
    (told,) = found(gain=219 / 255, lift=16).describe("x", corrected=True)
    assert "limited range was taken for full" in told


def test_what_does_not_move_or_is_tiny_is_left_alone() -> None:
    still = film()[:1]
    rng = np.random.default_rng(2)
    y, u, v = still.planes
    frames = [still.with_planes(y + rng.integers(0, 3, y.shape, np.uint8), u, v) for _ in range(10)]
    assert find(look(frames[:5]), look(frames[5:], 5)).describe("x", corrected=False) == []
    tiny = look([still.with_planes(y[:, :16, :20], u[:, :8, :10], v[:, :8, :10])])
    assert find(tiny, tiny) == Alignment()


def test_the_overlap_is_what_all_show() -> None:
    """Frames and pixels that are cut pair the same places of the world, in chroma too."""
    shared = overlap({"a": Alignment(2, (3, -1)), "b": Alignment(-1, (0, 2))}, 64, 48)
    assert (shared.skipped, shared.skips) == (1, {"a": 3, "b": 0})
    x, y, width, height = shared.box
    assert (x, y, width, height) == (0, 2, 60, 44)
    columns = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (8, 48, 1)) + np.arange(8, dtype=np.uint8)[:, None, None]
    chroma = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (8, 24, 1))
    clip = Clip((columns, chroma, chroma), tuple(Fraction(t, 25) for t in range(8)), (Fraction(1, 25),) * 8)
    (first, *_), (moved, *_) = list(shared.of_reference([clip])), list(shared.of("a", [clip]))
    assert (first.width, first.height, moved.width, moved.height) == (60, 44, 60, 44)
    assert (moved.planes[0].astype(int) - first.planes[0] == 3 * 4 + 2).all()
    assert (moved.planes[1].astype(int) - first.planes[1] == 3 * 4).all()
