"""Motion blur: linear light, exact instants, sharp truth in the middle, replayed from its record."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch

from revivid.color import clip_to_rgb
from revivid.degrade.draw import BlurRange, NoiseRange, blurred_clip, blurred_photo
from revivid.degrade.light import from_linear, to_linear
from revivid.degrade.motion_blur import PAPER_SHUTTERS, Shutter, blur_clip, film_blurred, slow_and_blur
from revivid.degrade.movement import Movement, random_movement
from revivid.degrade.moving_picture import MovingPicture
from revivid.degrade.shot import Patch, Shot, ShotSettings, random_shot
from revivid.errors import ShapeError, UsageError
from revivid.media.slow_motion import slowed
from revivid.types import Clip, ColorSpec

COLOR = ColorSpec(1, 1, 1, True, 8)
#: Standing still for ever.
STILL = Movement(((0.0, 0.0, 0.0, 0.0),) * 4, 1.0)


def steady(y: float = 0.0, x: float = 0.0, octaves: float = 0.0, angle: float = 0.0, seconds: int = 4) -> Movement:
    """So much per second, at a steady pace."""
    return Movement(tuple((y * k, x * k, octaves * k, angle * k) for k in range(-1, seconds + 2)), 1.0)


def clip_of(luma: np.ndarray, rate: int = 240, color: ColorSpec = COLOR) -> Clip:
    count, height, width = luma.shape
    chroma = np.full((count, -(-height // 2), -(-width // 2)), 128, np.uint8)
    times = tuple(Fraction(t, rate) for t in range(count))
    return Clip((luma.astype(np.uint8), chroma, chroma), times, (Fraction(1, rate),) * count, color)


def photo(height: int = 240, width: int = 320) -> Clip:
    """Soft waves of different lengths, in code values around the middle."""
    y, x = np.mgrid[:height, :width]
    wave = 120 + 50 * np.sin(x / 9) * np.cos(y / 13) + 40 * np.sin((x + 2 * y) / 23)
    return clip_of(wave[None].round())


@pytest.mark.parametrize("transfer", [1, 2, 6, 13, 14])
def test_light_and_back(transfer: int) -> None:
    coded = torch.linspace(0, 1, 1001)
    light = to_linear(coded, transfer)
    assert torch.allclose(from_linear(light, transfer), coded, atol=2e-6)
    assert (light.diff() > 0).all()
    assert float(to_linear(torch.tensor(0.5), 13)) == pytest.approx(0.21404, abs=1e-4)
    assert float(to_linear(torch.tensor(0.5), 1)) == pytest.approx(0.25973, abs=1e-4)


def test_no_light_for_hdr() -> None:
    with pytest.raises(UsageError):
        to_linear(torch.zeros(3), 16)


def test_movements_are_smooth_seeded_and_start_at_rest_position() -> None:
    one, two = (random_movement(np.random.default_rng(5), 2.0, speed=100, zoom_speed=0.2, spin=0.5) for _ in range(2))
    assert one == two
    times = np.arange(0, 2, 1e-3)
    places = np.array([(p.y, p.x, p.octaves, p.angle) for p in map(one.at, times)])
    speed = np.diff(places, axis=0) / 1e-3
    assert np.abs(np.diff(speed, axis=0)).max() < 0.05 * np.abs(speed).max()  # no jumps of speed
    assert one.at(-1) == one.at(0)
    assert one.at(99) == one.at(math.inf)


def test_movements_are_as_fast_as_asked() -> None:
    speeds = []
    for seed in range(30):
        movement = random_movement(np.random.default_rng(seed), 4.0, speed=240)
        places = [movement.at(t / 240) for t in range(960)]
        speeds += [math.hypot(b.y - a.y, b.x - a.x) for a, b in pairwise(places)]
    assert math.sqrt(np.mean(np.square(speeds))) == pytest.approx(1.0, rel=0.2)  # a pixel per 1/240 s; the spline smooths a little


def test_view_is_where_the_camera_looks() -> None:
    """A slope in code values shows the place: every view pixel looks at the 2x2 mean around its own place."""
    slope = clip_of(np.broadcast_to(40 + np.arange(160.0)[None, None, :], (1, 100, 160)))
    shot = Shot((50.0, 80.0), 2.0, steady(x=6))
    for seconds in (0.0, 0.5, 1.25):
        seen = from_linear(MovingPicture(slope, shot, (8, 12)).at(seconds), 1)[0] * 255
        # The grid of 2x2 means begins half a pixel further on than the photograph's.
        expected = 40 + 80 + 0.5 + 2 * (6 * seconds + np.arange(12) + 0.5 - 6) - 0.5
        np.testing.assert_allclose(seen.numpy(), np.broadcast_to(expected, (8, 12)), atol=0.15)


def test_zoom_and_turn() -> None:
    y, x = np.mgrid[:201, :201] - 100.0
    spot = clip_of((255 * np.exp(-((x - 40) ** 2 + y**2) / 50))[None].round())
    for movement, place in (
        (steady(octaves=1.0), (0.0, 10.0)),  # twice as much is seen: the spot comes closer to the middle
        (steady(angle=math.pi / 2), (20.0, 0.0)),
        (steady(y=-4.0), (4.0, 20.0)),
    ):
        seen = MovingPicture(spot, Shot((100.0, 100.0), 2.0, movement), (60, 60)).at(1.0)[0]
        row, column = divmod(int(seen.argmax()), 60)
        assert abs(row - 29.5 - place[0]) <= 1
        assert abs(column - 29.5 - place[1]) <= 1


def test_patches_move_over_the_view() -> None:
    bright = np.full((1, 200, 200), 60.0)
    bright[:, :60, :60] = 200
    patch = Patch((0.0, 0.0), 20.0, (20.0, 20.0), (), steady(x=10))
    picture = MovingPicture(clip_of(bright), Shot((150.0, 150.0), 2.0, STILL, (patch,)), (40, 60))
    for seconds in (0.0, 1.0, 3.0):
        seen = picture.at(seconds)[0]
        mask = seen > 0.3
        rows, columns = (axis.float().mean().item() + 0.5 for axis in torch.nonzero(mask, as_tuple=True))
        assert rows == pytest.approx(20, abs=0.6)
        assert columns == pytest.approx(20 + 10 * seconds, abs=0.6)
        assert mask.sum() == pytest.approx(math.pi * 9**2, rel=0.12)
    assert picture.travel(0, 1) == pytest.approx(10, rel=0.01)


def test_patches_may_leave_the_view() -> None:
    gone = Patch((0.0, 0.0), 20.0, (-300.0, 5000.0), ((0.2, 1.0),), STILL)
    with_patch, without = (MovingPicture(photo(), Shot((99.0, 99.0), 2.0, STILL, patches), (24, 32)) for patches in ((gone,), ()))
    assert torch.equal(with_patch.at(0.5), without.at(0.5))


@pytest.mark.parametrize("shutter", PAPER_SHUTTERS)
def test_a_passing_edge_is_blurred_as_long_as_the_shutter_is_open(shutter: Shutter) -> None:
    edge = np.full((1, 100, 400), 20.0)
    edge[:, :, 200:] = 220
    speed = 1.5  # pixels per 1/240 second
    shot = Shot((50.0, 200.0), 2.0, steady(x=240 * speed))
    pair = film_blurred(clip_of(edge), shot, (16, 120), 1, shutter)
    assert len(pair.truth) == len(pair.blurry) == 1
    rise = np.diff(pair.truth.planes[0][0, 8].astype(float))
    wide = np.diff(to_linear(clip_to_rgb(pair.blurry), 1)[0, 0, 8].numpy())
    assert np.count_nonzero(np.abs(rise) > 2) <= 3
    assert np.count_nonzero(wide > 0.02) == pytest.approx(shutter.frames * speed, abs=2)
    # The truth is in the middle of the streak.
    centre = (np.arange(119) * wide).sum() / wide.sum()
    assert centre == pytest.approx((np.arange(119) * rise).sum() / rise.sum(), abs=0.5)
    assert pair.truth.times == (0,)
    assert pair.truth.durations == (Fraction(1, 24),)


def test_no_movement_no_blur() -> None:
    pair = film_blurred(photo(), Shot((120.0, 160.0), 2.0, STILL), (40, 60), 3, Shutter())
    for a, b in zip(pair.truth.planes, pair.blurry.planes, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1


def test_light_is_averaged_or_code_values() -> None:
    """Half the time black, half the time white: 50 % light is code value 180 in BT.709, not 128."""
    frames = np.zeros((5, 16, 16))
    frames[::2] = 255
    clip = clip_of(frames)
    light, coded = (blur_clip(clip, Shutter(5, 5, linear=linear)).blurry.planes[0] for linear in (True, False))
    assert (coded == 153).all()
    assert (light == round(255 * (1.099 * 0.6**0.45 - 0.099))).all()


def test_fast_movement_gets_more_instants() -> None:
    """Eight pixels between two frames of the high-speed camera would show as separate copies of a thin line."""
    line = np.full((1, 100, 600), 20.0)
    line[:, :, 299:301] = 250
    shot = Shot((50.0, 300.0), 2.0, steady(x=240 * 4))
    streak = film_blurred(clip_of(line), shot, (8, 120), 1, Shutter(9, 1)).blurry.planes[0][0, 4].astype(int)
    inside = streak[streak > 30]
    assert 30 <= len(inside) <= 40
    assert inside[2:-2].min() > 0.5 * inside.max()


def test_shots_are_seeded_recorded_and_replayed() -> None:
    shot, again = (random_shot((240, 320), (64, 96), 0.5, np.random.default_rng(9)) for _ in range(2))
    assert shot == again
    recorded = Shot.from_dict(json.loads(json.dumps(shot.to_dict())))
    assert recorded == shot
    one, two = (film_blurred(photo(), s, (64, 96), 2, Shutter(5, 5)) for s in (shot, recorded))
    for a, b in ((one.truth, two.truth), (one.blurry, two.blurry)):
        assert all(np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))
    assert shot != random_shot((240, 320), (64, 96), 0.5, np.random.default_rng(10))


def test_random_shots_film_without_black_corners() -> None:
    bright = clip_of(np.full((1, 240, 320), 200.0))
    settings = ShotSettings(speed_min=60, speed_max=90)
    for seed in range(12):
        shot = random_shot((240, 320), (64, 96), 0.5, np.random.default_rng(seed), settings)
        for time in (0.0, 0.25, 0.5):
            seen = MovingPicture(bright, shot, (64, 96)).at(time)
            assert seen.min() > 0.5


def test_slow_shots_stay_on_the_photograph() -> None:
    for seed in range(20):
        settings = ShotSettings(speed_max=2.0, spin=0, zoom_speed=0)
        shot = random_shot((400, 500), (64, 96), 0.5, np.random.default_rng(seed), settings)
        for time in (0.0, 0.5):
            pose = shot.camera.at(time)
            for origin, moved, seen, have in zip(shot.origin, (pose.y, pose.x), (64, 96), (400, 500), strict=True):
                middle, half = origin + shot.zoom * moved, shot.zoom * seen / 2
                assert middle - half >= -1
                assert middle + half <= have + 1


def test_view_too_large_for_the_picture() -> None:
    with pytest.raises(ShapeError):
        random_shot((100, 320), (64, 96), 0.5, np.random.default_rng(0))


def test_high_rate_clips_become_pairs() -> None:
    t = np.arange(43)[:, None, None]
    clip = clip_of(np.broadcast_to(20 + 4 * t, (43, 18, 22)))
    for shutter in PAPER_SHUTTERS:
        pair = blur_clip(clip, replace(shutter, linear=False))
        half = shutter.frames // 2
        truth = [half + 10 * k for k in range((42 - 2 * half) // 10 + 1)]
        assert pair.truth.planes[0][:, 0, 0].tolist() == [20 + 4 * k for k in truth]
        assert np.array_equal(pair.blurry.planes[0], pair.truth.planes[0])  # the mean of a ramp is its middle
        assert pair.truth.times == pair.blurry.times == tuple(Fraction(k, 240) for k in truth)
        assert pair.truth.durations == (Fraction(1, 24),) * len(truth)
    assert blur_clip(clip, Shutter(5, 5), first=10).truth.planes[0][:, 0, 0].tolist() == [60, 100, 140, 180]


def test_too_few_frames() -> None:
    with pytest.raises(ShapeError):
        blur_clip(clip_of(np.zeros((4, 8, 8))), Shutter(5, 5))


@pytest.mark.parametrize(("frames", "gap"), [(4, 6), (0, 10), (-1, 3), (3, -1)])
def test_shutters_that_make_no_sense(frames: int, gap: int) -> None:
    with pytest.raises(UsageError):
        Shutter(frames, gap)


def waves(t: float, height: int = 64, width: int = 96) -> np.ndarray:
    """A pattern that moves eight pixels to the left per unit of time."""
    y, x = np.mgrid[:height, :width]
    x = x + 8 * t
    return (120 + 60 * np.sin(x / 5) * np.cos(y / 7) + 30 * np.sin(x / 3 + y / 4)).round()


#: Away from what comes into view or leaves it between two frames.
INNER = np.s_[8:-8, 8:-24]


def test_slow_motion_finds_the_frames_between() -> None:
    clip = clip_of(np.stack([waves(t) for t in range(5)]), rate=24)
    fine = slowed(clip, 10)
    assert len(fine) == 41
    assert fine.times == tuple(Fraction(k, 240) for k in range(41))
    assert fine.durations == (Fraction(1, 240),) * 40 + (Fraction(1, 24),)
    assert np.array_equal(fine.planes[0][::10], clip.planes[0])
    for k in range(10, 31):
        pictures = (fine.planes[0][k], clip.planes[0][round(k / 10)])
        error, repeated = (np.square(picture - waves(k / 10))[INNER].mean() for picture in pictures)
        assert error <= (0.15 if 3 <= k % 10 <= 7 else 1) * repeated


def test_nothing_is_interpolated_across_a_cut() -> None:
    luma = np.stack([waves(t / 8) if t < 4 else waves(t / 8, 96, 64).T / 3 for t in range(8)])
    clip = clip_of(luma, rate=24)
    fine = slowed(clip, 10)
    assert np.array_equal(fine.planes[0][::10], clip.planes[0])
    for k in range(31, 40):
        assert np.array_equal(fine.planes[0][k], clip.planes[0][3 if k <= 35 else 4])
    pair = slow_and_blur(clip, Shutter(9, 1, linear=False))
    assert np.abs(pair.blurry.planes[0][1:3] - pair.truth.planes[0][1:3].astype(float)).mean() < 12


def test_slow_motion_at_uneven_times() -> None:
    clip = clip_of(np.stack([waves(t) for t in range(3)]))
    clip = replace(clip, times=(Fraction(1), Fraction(2), Fraction(4)), durations=(Fraction(1), Fraction(2), Fraction(5)))
    fine = slowed(clip, 2)
    assert fine.times == (1, Fraction(3, 2), 2, 3, 4)
    assert fine.durations == (Fraction(1, 2), Fraction(1, 2), 1, 1, 5)
    assert slowed(clip, 1) is clip
    assert slowed(clip[:1], 10).times == (1,)


def test_what_can_not_be_slowed() -> None:
    with pytest.raises(ShapeError):
        slowed(clip_of(np.zeros((3, 16, 90))), 4)
    with pytest.raises(UsageError):
        slowed(clip_of(np.zeros((3, 64, 90))), 0)
    deep = np.zeros((3, 64, 64), np.uint16)
    with pytest.raises(UsageError):
        slowed(Clip((deep, deep[:, :32, :32], deep[:, :32, :32]), (0, 1, 2), (1, 1, 1), ColorSpec(bit_depth=10)), 2)  # type: ignore[arg-type]


def test_ordinary_clips_are_blurred_along_their_motion() -> None:
    clip = clip_of(np.stack([waves(t) for t in range(5)]), rate=24)
    pair = slow_and_blur(clip, Shutter(7, 3, linear=False))
    assert np.array_equal(pair.truth.planes[0], clip.planes[0][2:4])
    assert pair.truth.times == clip.times[2:4]
    for t in range(2):
        expected = np.mean([waves(t + 2 + k / 10) for k in range(-3, 4)], axis=0)
        assert np.square(pair.blurry.planes[0][t] - expected)[INNER].mean() < 4
        assert np.square(pair.truth.planes[0][t] - expected)[INNER].mean() > 9


def test_random_pairs_are_reproducible() -> None:
    def pairs(seed: int) -> list[Clip]:
        rng = np.random.default_rng(seed)
        filmed = blurred_photo(photo(), (64, 96), 2, rng)
        slow = blurred_clip(clip_of(np.stack([waves(t) for t in range(5)]), rate=24), rng)
        noisy = NoiseRange(5, 50).draw(rng).apply(filmed.truth)
        return [filmed.truth, filmed.blurry, slow.truth, slow.blurry, noisy]

    for one, two in zip(pairs(3), pairs(3), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(one.planes, two.planes, strict=True))
    assert not np.array_equal(pairs(3)[1].planes[0], pairs(4)[1].planes[0])


def test_some_random_pairs_are_sharp() -> None:
    rng = np.random.default_rng(0)
    drawn = [BlurRange(sharp=0.3).draw(rng) for _ in range(300)]
    assert 60 < sum(shutter.frames == 1 for shutter in drawn) < 120
    assert {shutter.frames for shutter in drawn} == {1, 5, 7, 9}
    assert {shutter.period for shutter in drawn} == {10}
    pair = blurred_clip(clip_of(np.stack([waves(t) for t in range(4)])), rng, BlurRange(sharp=1))
    assert np.array_equal(pair.truth.planes[0], pair.blurry.planes[0])
    assert len(pair.truth) == 1
    filmed = blurred_photo(photo(), (64, 96), 3, rng, BlurRange(sharp=1))
    assert np.array_equal(filmed.truth.planes[0], filmed.blurry.planes[0])


def test_clips_too_short_to_slow() -> None:
    with pytest.raises(ShapeError):
        blurred_clip(clip_of(np.zeros((3, 64, 64))), np.random.default_rng(0))
