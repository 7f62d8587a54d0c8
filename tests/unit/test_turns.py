"""Self-ensemble: what it is made of, whatever the size, and what it does to a network's mistakes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from revivid.restoration.neighbours import Planes, Window
from revivid.restoration.own import Own
from revivid.restoration.stage import Conditions
from revivid.restoration.turns import ensemble
from revivid.types import Clip, ColorSpec


def window(width: int, height: int, count: int = 3) -> Window:
    rng = np.random.default_rng(0)
    half = (-(-height // 2), -(-width // 2))
    return [tuple(rng.integers(0, 256, size, np.uint8) for size in ((height, width), half, half)) for _ in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("size", [(16, 12), (15, 12), (16, 11), (9, 7)])
def test_what_keeps_the_frame_is_kept(size: tuple[int, int]) -> None:
    frames = window(*size)
    for given, found in zip(frames[1], ensemble(lambda seen: seen[1], frames), strict=True):
        assert found.dtype == given.dtype
        assert np.array_equal(found, given)


def test_every_way_is_seen_once() -> None:
    frames, seen = window(8, 6), list[tuple[int, bool]]()

    def look(given: Window) -> Planes:
        turn = next(k for k in range(4) if np.array_equal(np.rot90(frames[1][0], k), given[1][0]))
        backwards = np.array_equal(np.rot90(frames[2][0], turn), given[0][0])
        seen.append((turn, backwards))
        return given[1]

    ensemble(look, frames)
    assert sorted(seen) == [(0, False), (1, True), (2, False), (3, True)]


def test_mistakes_that_lean_one_way_cancel() -> None:
    """A network that shifts everything by a pixel to the right."""
    flat = np.zeros((8, 8), np.uint8)
    flat[3, 3] = 200
    half = np.full((4, 4), 128, np.uint8)
    frames: Window = [(flat, half, half)] * 3
    y, _, _ = ensemble(lambda seen: (np.roll(seen[1][0], 1, 1), seen[1][1], seen[1][2]), frames)
    assert [y[3, 4], y[3, 2], y[2, 3], y[4, 3]] == [50] * 4


def test_the_best_effort_deblurs_so_and_says_so() -> None:
    frames = window(64, 48)
    planes = tuple(np.stack([frame[k] for frame in frames]) for k in range(3))
    clip = Clip(planes, tuple(map(Fraction, range(3))), (Fraction(1),) * 3, ColorSpec())  # pyright: ignore[reportArgumentType]
    stages = {effort: Own("deblur", Conditions(crf=0, backend="torch", effort=effort)) for effort in ("balanced", "best")}
    assert "4 ways" in stages["best"].describe()
    assert "ways" not in stages["balanced"].describe()
    found = {effort: stage.process(clip) for effort, stage in stages.items()}
    assert not np.array_equal(found["best"].planes[0], found["balanced"].planes[0])
    assert "ways" not in Own("denoise", Conditions(effort="best")).describe()
