"""Camera moves over photographs."""

from fractions import Fraction

import numpy as np
import pytest

from revivid.degrade.camera import CameraMove, area_view, film, random_move
from revivid.errors import ShapeError
from revivid.types import Clip


def photo(height=120, width=160):
    rows, columns = np.mgrid[:height, :width]
    y = (rows + columns).astype(np.uint8)
    u = np.ascontiguousarray(y[::2, ::2])
    return Clip((y[None], u[None], u[None]), (Fraction(0),), (Fraction(1),))


def test_whole_pixels_are_block_means():
    plane = np.random.default_rng(0).integers(0, 256, (12, 16)).astype(np.uint8)
    view = area_view(plane, 2, 4, 2, (4, 5))
    expected = plane[2:10, 4:14].reshape(4, 2, 5, 2).mean((1, 3))
    np.testing.assert_allclose(view, expected, atol=1e-3)


@pytest.mark.parametrize("step", [2.0, 2.3])
def test_slope_is_sampled_exactly_between_pixels(step):
    plane = np.broadcast_to(np.arange(40, dtype=np.float32), (40, 40))
    view = area_view(plane, 1.7, 3.3, step, (8, 8))
    centres = 3.3 + step * (np.arange(8) + 0.5) - 0.5
    # The area mean of a staircase differs from the slope by less than an eighth of a step.
    np.testing.assert_allclose(view[0], centres, atol=0.13)


def test_move_stays_inside_and_is_seeded():
    for seed in range(50):
        move = random_move((120, 160), (40, 56), np.random.default_rng(seed), max_shift=10, zooms=(2.0, 2.4))
        assert move == random_move((120, 160), (40, 56), np.random.default_rng(seed), max_shift=10, zooms=(2.0, 2.4))
        for progress in np.linspace(0, 1, 7):
            top, left, zoom = move.at(progress)
            assert 2.0 <= zoom <= 2.4
            assert top >= 0
            assert top + 40 * zoom <= 120 + 1e-9
            assert left >= 0
            assert left + 56 * zoom <= 160 + 1e-9


def test_move_that_does_not_fit():
    with pytest.raises(ShapeError):
        random_move((60, 160), (40, 56), np.random.default_rng(0), max_shift=10, zooms=(2.0, 2.4))


def test_film_shows_luma_and_chroma_of_the_same_place():
    clip = film(photo(), CameraMove((4, 6, 2.0), (12, 22, 2.2)), (40, 56), 5)
    assert [p.shape for p in clip.planes] == [(5, 40, 56), (5, 20, 28), (5, 20, 28)]
    assert clip.times[1] - clip.times[0] == Fraction(1, 24)
    y, u = clip.planes[0].astype(float), clip.planes[1].astype(float)
    blocks = y.reshape(5, 20, 2, 28, 2).mean((2, 4))
    assert np.abs(blocks - u - 1).max() < 1.1  # chroma took the upper left of each 2x2, one below the block's mean
    assert y[0].mean() < y[2].mean() < y[4].mean()  # the camera moves down the slope


def test_odd_view_is_refused():
    with pytest.raises(ShapeError):
        film(photo(), CameraMove((0, 0, 2.0), (0, 0, 2.0)), (41, 56), 2)
