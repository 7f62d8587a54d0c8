"""What every stage promises, the same tests for all: sizes and times as declared, chunked equals whole, nothing hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

from revivid.degrade.noise import Noise
from revivid.restoration import own
from revivid.restoration.deconvolve import Deconvolve
from revivid.restoration.geometry import Bicubic, Crop, PadToEven
from revivid.restoration.own import Own
from revivid.restoration.stage import Stage
from revivid.types import Clip, ColorSpec
from revivid.weights import embedded
from revivid.workflows.compress import Downscale
from revivid.workflows.degrade import AddNoise

SUPER_RESOLVERS = [(n, name) for n in (2, 4) for name in embedded.names() if f"sr-x{n}" in name]
SAME_TASKS = ("deartifact", "deblur", "denoise", "refine")
CHOSEN = dict.fromkeys((task, name) for best in own.BEST.values() for task in SAME_TASKS for name in best[task])
SAME_SIZE = [(task, name) for task, name in CHOSEN if name in embedded.names()]
STAGES: dict[str, Callable[[], Stage]] = {
    **{
        f"super-resolve {name}": lambda name=name, n=n: Own("super-resolve", scale=n, weights=name) for n, name in SUPER_RESOLVERS
    },
    **{name: lambda task=task, name=name: Own(task, weights=name, sigma=9.0) for task, name in SAME_SIZE},
    "bicubic x1": lambda: Bicubic(1),
    "bicubic x2": lambda: Bicubic(2),
    "bicubic x4": lambda: Bicubic(4),
    "crop": lambda: Crop(31, 21),
    "pad": PadToEven,
    "deconvolve": lambda: Deconvolve("motion:7,30"),
    "deconvolve by iteration": lambda: Deconvolve("gaussian:1.5", method="richardson-lucy", iterations=3),
    "noise": lambda: AddNoise(Noise(12, seed=5)),
    "downscale 1/4": lambda: Downscale(4),
    "downscale 1/2": lambda: Downscale(2),
    "downscale 1": lambda: Downscale(1),
}
SIZES = [(32, 24), (33, 25), (31, 48), (50, 17), (64, 2), (3, 40), (1, 1)]
COLORS = {
    "8-bit": ColorSpec(1, 1, 1, False, 8),
    "8-bit full": ColorSpec(6, 6, 6, True, 8),
    "10-bit HDR": ColorSpec(9, 9, 16, False, 10),
    "12-bit": ColorSpec(9, 9, 18, False, 12),
}
every_stage = pytest.mark.parametrize("name", STAGES)
every_color = pytest.mark.parametrize("color", COLORS.values(), ids=list(COLORS))


@lru_cache
def stage(name: str) -> Stage:
    return STAGES[name]()


def video(size: tuple[int, int] = (33, 25), color: ColorSpec = COLORS["8-bit"], frames: int = 5) -> Clip:
    """Random pictures at uneven times."""
    width, height = size
    rng = np.random.default_rng(7)
    shapes = [(frames, height, width)] + 2 * [(frames, -(-height // 2), -(-width // 2))]
    y, u, v = (rng.integers(0, color.peak + 1, shape, color.dtype) for shape in shapes)
    times = tuple(Fraction(t * t + t, 30) for t in range(frames))
    durations = tuple(Fraction(2 * t + 2, 30) for t in range(frames))
    return Clip((y, u, v), times, durations, color)


def run(name: str, *clips: Clip) -> list[Clip]:
    return list(stage(name)(iter(clips)))


def same_planes(ours: Clip, theirs: Clip, frames: slice = slice(None)) -> bool:
    return all(np.array_equal(a, b[frames]) for a, b in zip(ours.planes, theirs.planes, strict=True))


@every_stage
@every_color
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_output_is_as_declared(name: str, color: ColorSpec, size: tuple[int, int]) -> None:
    clip = video(size, color, frames=2)
    (out,) = run(name, clip)
    assert (out.width, out.height) == stage(name).output_size(*size)
    assert all(isinstance(side, int) for side in stage(name).output_size(*size))
    assert out.color == color
    assert all(plane.dtype == color.dtype for plane in out.planes)
    assert all(int(plane.max()) <= color.peak for plane in out.planes)
    assert (out.times, out.durations) == (clip.times, clip.durations)


@every_stage
@every_color
def test_chunked_equals_whole_bit_for_bit(name: str, color: ColorSpec) -> None:
    clip = video(color=color)
    (whole,) = run(name, clip)
    start = 0
    for part in run(name, clip[0:1], clip[1:4], clip[4:5]):
        assert same_planes(part, whole, slice(start, start + len(part)))
        assert part.times == whole.times[start : start + len(part)]
        start += len(part)
    assert start == len(clip)


@every_stage
def test_deterministic_and_input_untouched(name: str) -> None:
    clip, untouched = video(), video()
    (first,) = run(name, clip)
    (again,) = run(name, clip)
    (fresh,) = STAGES[name]()(iter([clip]))
    assert same_planes(first, again)
    assert same_planes(first, fresh)
    assert same_planes(clip, untouched)


@every_stage
@every_color
def test_planes_need_not_be_contiguous(name: str, color: ColorSpec) -> None:
    clip = video(color=color)
    (expected,) = run(name, clip)
    padded = [np.pad(plane, ((0, 0), (2, 3), (4, 5))) for plane in clip.planes]
    views = tuple(p[:, 2 : 2 + q.shape[1], 4 : 4 + q.shape[2]] for p, q in zip(padded, clip.planes, strict=True))
    backwards = tuple(np.ascontiguousarray(plane[:, :, ::-1])[:, :, ::-1] for plane in clip.planes)
    for planes in (views, backwards):
        assert not any(plane.flags.c_contiguous for plane in planes)
        (out,) = run(name, clip.with_planes(*planes))
        assert same_planes(out, expected)


@every_stage
@pytest.mark.filterwarnings("error")
def test_read_only_planes_will_do(name: str) -> None:
    clip = video()
    (expected,) = run(name, clip)
    for plane in clip.planes:
        plane.flags.writeable = False
    (out,) = run(name, clip)
    assert same_planes(out, expected)


@every_stage
def test_nothing_is_held_back_beyond_the_reach(name: str) -> None:
    taken = 0

    def source() -> Iterator[Clip]:
        nonlocal taken
        for start in range(5):
            taken += 1
            yield video()[start : start + 1]

    after = stage(name).temporal_reach[1]
    for number, _ in enumerate(stage(name)(source()), 1):
        assert taken <= number + after
    assert taken == 5


@every_stage
def test_no_clips_in_no_clips_out(name: str) -> None:
    assert run(name) == []


@every_stage
def test_described_and_planned(name: str) -> None:
    described = stage(name).describe()
    assert described
    assert "\n" not in described
    assert stage(name).working_bytes(64, 48) <= stage(name).working_bytes(640, 480)
    assert stage(name).working_bytes(640, 480) < 2**30
