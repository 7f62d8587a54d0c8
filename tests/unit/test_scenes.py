"""Scene cuts are found where they are, in any size and depth; motion, fades and noise are none."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from revivid.media.scenes import CutDetector
from revivid.types import Clip, ColorSpec

rng = np.random.default_rng(11)


def clip_of(luma: np.ndarray, depth: int = 8) -> Clip:
    """Frames (T, H, W) in 8-bit code values, one second each."""
    color = ColorSpec(bit_depth=depth)
    y = (np.clip(luma, 0, 255) * (1 << (depth - 8))).astype(color.dtype)
    count, height, width = y.shape
    chroma = np.zeros((count, -(-height // 2), -(-width // 2)), color.dtype)
    return Clip((y, chroma, chroma), tuple(Fraction(t) for t in range(count)), (Fraction(1),) * count, color)


def scene(frames: int, size: tuple[int, int] = (72, 128), brightness: float = 110, shift: int = 1) -> np.ndarray:
    """Soft random blobs that move `shift` pixels to the left per frame."""
    height, width = size
    coarse = rng.normal(0, 60, (height // 8 + 2, (width + shift * frames) // 8 + 2))
    wide = np.kron(coarse, np.ones((8, 8)))
    return np.stack([wide[:height, t * shift : t * shift + width] for t in range(frames)]) + brightness


def found(luma: np.ndarray, depth: int = 8) -> list[int]:
    clip = clip_of(luma, depth)
    return [t for t, cut in enumerate(CutDetector(clip.color)(clip)) if cut]


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("size", [(72, 128), (73, 131), (540, 64), (96, 161), (360, 640)])
def test_cuts_are_found(depth: int, size: tuple[int, int]) -> None:
    film = np.concatenate([scene(5, size, 60), scene(4, size, 160), scene(6, size, 90)])
    assert found(film, depth) == [5, 9]


def test_scenes_of_one_frame_and_flashes_end_too() -> None:
    first, second, third = scene(3), scene(1), scene(3)
    assert found(np.concatenate([first, second + 60, third])) == [3, 4]
    flash = scene(7)
    flash[3] += 120
    assert found(flash) == [3, 4]


def test_a_fast_pan_after_a_cut_is_one_scene() -> None:
    assert set(found(np.concatenate([scene(4), scene(12, shift=24, brightness=170)]))) <= {4, 5}


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_steady_motion_is_no_cut(shift: int) -> None:
    assert found(scene(20, shift=shift)) == []


def test_a_fast_pan_may_be_taken_for_a_cut_only_where_it_begins() -> None:
    assert set(found(scene(20, shift=16))) <= {1, 2}


def test_fades_are_no_cuts() -> None:
    level = np.linspace(1, 0, 16)[:, None, None]
    assert found(scene(16) * level) == []
    assert found(scene(16) * level + scene(16) * (1 - level)) == []


def test_noise_is_no_cut() -> None:
    assert found(scene(10) + rng.normal(0, 12, (10, 72, 128))) == []


def test_clips_of_any_length_give_the_same_answer() -> None:
    clip = clip_of(np.concatenate([scene(3), scene(1), scene(5)]))
    whole = CutDetector(clip.color)(clip)
    assert any(whole)
    for length in (1, 2, 4):
        detector = CutDetector(clip.color)
        assert [cut for t in range(0, len(clip), length) for cut in detector(clip[t : t + length])] == whole


def test_the_threshold_is_the_callers() -> None:
    clip = clip_of(np.concatenate([scene(3, brightness=100, shift=0), scene(3, brightness=120, shift=0)]))
    assert CutDetector(clip.color, threshold=1)(clip)[3]
    assert not any(CutDetector(clip.color, threshold=60)(clip))


def test_planes_may_be_views() -> None:
    clip = clip_of(np.concatenate([scene(3), scene(3, brightness=200)]))
    turned = clip.with_planes(*(np.ascontiguousarray(plane[:, ::-1, ::-1])[:, ::-1, ::-1] for plane in clip.planes))
    for plane in turned.planes:
        plane.flags.writeable = False
    assert CutDetector(clip.color)(turned) == CutDetector(clip.color)(clip) == [False, False, False, True, False, False]


def test_a_frame_of_full_hd_costs_little() -> None:
    """0.3 ms of one idle core; the bound leaves room for busy ones."""
    clip = clip_of(rng.integers(0, 256, (4, 1080, 1920)))
    detector = CutDetector(clip.color)
    detector(clip)
    started = time.process_time()
    for _ in range(3):
        detector(clip)
    assert (time.process_time() - started) / 12 < 0.012
