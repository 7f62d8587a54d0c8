"""Interpolation: exact times at any rate, frames of the input untouched, nothing blended across cuts, every kind of network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.color import clip_to_rgb
from revivid.errors import LimitExceeded, MissingWeights, UsageError
from revivid.networks.traits import Traits
from revivid.recipe import StageSpec
from revivid.restoration.instants import instants
from revivid.restoration.interpolate import Interpolate
from revivid.restoration.stage import Conditions
from revivid.types import Clip, ColorSpec, join
from revivid.weights import embedded
from revivid.workflows.restore import restore_clips

FILM = Fraction(24000, 1001)
#: A tag in the upper left corner tells a frame of the input from a made one.
HEIGHT, WIDTH, SPEED = 48, 64, 4


class Mean(torch.nn.Module):
    """The mean of both frames, weighted by time; writes down what it was asked."""

    def __init__(self, *, any_time: bool = True, frames: int = 2, multiple: int = 1) -> None:
        super().__init__()
        kind = "pair" if frames == 2 else "clip"
        self.traits = Traits(
            tasks=("interpolate",), kind=kind, min_frames=frames, any_time=any_time, size_multiple=multiple, bytes_per_pixel=4000
        )  # fmt: skip
        self.asked: list[tuple[float, torch.Tensor]] = []

    def forward(self, clip: torch.Tensor, time: float = 0.5) -> torch.Tensor:
        assert clip.shape[1] == self.traits.min_frames
        self.asked.append((time, clip[0, :, 0, 0, 0].clone()))
        middle = clip.shape[1] // 2
        return torch.lerp(clip[:, middle - 1 : middle], clip[:, middle : middle + 1], time)

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.asked]


def pattern(frames: int, *, first: int = 0, turn: int = 0) -> np.ndarray:
    """Soft blobs that move `SPEED` pixels to the left per frame, (T, H, W); another `turn` is another scene."""
    rows, columns = np.mgrid[0:HEIGHT, 0 : WIDTH + SPEED * (first + frames)]
    wide = 110 + 50 * np.sin(columns / 17 + 2 * turn) * np.cos(rows / 11 + turn) + (70 if turn else 0) * np.sign(rows - HEIGHT / 2)
    return np.stack([wide[:, SPEED * t : SPEED * t + WIDTH] for t in range(first, first + frames)]).clip(16, 235).astype(np.uint8)


def video(
    frames: int = 6,
    times: Sequence[Fraction] | None = None,
    luma: np.ndarray | None = None,
    color: ColorSpec | None = None,
    chroma: tuple[int, int] = (HEIGHT // 2, WIDTH // 2),
) -> Clip:
    """The pattern at 24 frames/s or at `times`; the last frame is shown as long as the one before."""
    color = color or ColorSpec(1, 1, 1)
    y = (pattern(frames) if luma is None else luma).astype(color.dtype) << (color.bit_depth - 8)
    times = tuple(times or (Fraction(t, 24) for t in range(len(y))))
    durations = [later - earlier for earlier, later in pairwise(times)]
    durations.append(durations[-1] if durations else Fraction(1, 24))
    u, v = (np.full((len(y), *chroma), value << (color.bit_depth - 8), color.dtype) for value in (120, 131))
    return Clip((y, u, v), times, tuple(durations), color)


def run(stage: Interpolate, clip: Clip, length: int = 3) -> Clip:
    parts = list(stage(iter([clip[t : t + length] for t in range(0, len(clip), length)])))
    assert all(1 <= len(part) <= 4 for part in parts)
    return join(parts)


def same(one: Clip, other: Clip) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def untouched(out: Clip, clip: Clip) -> list[int]:
    """Which frames of the input are in the output, bit for bit and at their own times."""
    where = {time: index for index, time in enumerate(out.times)}
    found = [(t, where[time]) for t, time in enumerate(clip.times) if time in where]
    return [t for t, at in found if same(out[at : at + 1], clip[t : t + 1])]


VFR = [Fraction(t, 1000) for t in (0, 33, 41, 140, 141, 333, 500)]


@pytest.mark.parametrize("factor", [2, 3, 8, "4", 2.0])
@pytest.mark.parametrize("times", [None, VFR, [time + Fraction(1, 90000) for time in VFR]], ids=["steady", "vfr", "late"])
def test_a_factor_divides_every_span_evenly(factor: int, times: list[Fraction] | None) -> None:
    clip = video(7, times)
    out = run(Interpolate(factor, module=Mean()), clip)
    n = int(factor)
    spans = zip(clip.times, clip.durations, strict=True)
    assert list(out.times) == [start + length * k / n for start, length in spans for k in range(n)]
    assert list(out.durations) == [length / n for length in clip.durations for _ in range(n)]
    assert untouched(out, clip) == list(range(7))
    assert same(out[-n:], join([clip[-1:]] * n))


def test_a_fraction_as_factor() -> None:
    module = Mean()
    out = run(Interpolate("5/2", module=module), video(4, [Fraction(0), Fraction(1), Fraction(3), Fraction(4)]))
    expected = ["0", "2/5", "4/5", "7/5", "11/5", "3", "17/5", "19/5", "21/5", "23/5"]
    assert list(out.times) == [Fraction(time) for time in expected]
    assert module.times == pytest.approx([0.4, 0.8, 0.2, 0.6, 0.4, 0.8])
    assert sum(out.durations) == 5


@pytest.mark.parametrize("rate", [60, Fraction(60000, 1001), "50", 59.94, 250, 10, Fraction(24), "24000/1001"])
@pytest.mark.parametrize("source", [Fraction(24), FILM])
def test_a_rate_is_a_steady_grid_of_the_same_length(rate: Fraction, source: Fraction) -> None:
    start = Fraction(7, 90000)
    clip = video(12, [start + t / source for t in range(12)])
    stage = Interpolate(rate=rate, module=Mean())
    out = run(stage, clip)
    step = 1 / stage.output_rate(source)
    assert list(out.times) == [start + k * step for k in range(len(out))]
    assert set(out.durations[:-1]) <= {step}
    assert 0 < out.durations[-1] <= step + Fraction(1, 1000)
    assert out.times[-1] + out.durations[-1] == clip.times[-1] + clip.durations[-1]
    if step == 1 / source:
        assert same(out, clip)


def test_film_to_sixty_asks_for_exact_fractions() -> None:
    module = Mean()
    clip = video(10, [t / FILM for t in range(10)])
    out = run(Interpolate(rate=60, module=module), clip)
    places = [time * FILM % 1 for time in out.times if time <= clip.times[-1]]
    far = [place for place in places if min(place, 1 - place) / FILM > Fraction(1, 1000)]
    assert module.times == [float(place) for place in far]
    assert len(far) == 4 * len(places) // 5


def test_a_rate_meets_stamps_that_were_rounded_to_milliseconds() -> None:
    """As Matroska stores 23.976 frames/s: nothing is computed between a frame and itself."""
    clip = video(24, [Fraction(round(1000 * t / FILM), 1000) for t in range(24)])
    module = Mean()
    assert same(run(Interpolate(rate=FILM, module=module), clip), clip)
    assert module.asked == []


def test_pictures_move_with_time() -> None:
    clip = video(3)
    out = run(Interpolate(4, module=Mean()), clip)
    expected = torch.lerp(clip_to_rgb(clip[:1]), clip_to_rgb(clip[1:2]), 0.25)
    assert (clip_to_rgb(out[1:2]) - expected).abs().max() < 0.01


CUT = np.concatenate([pattern(3), pattern(3, turn=1)])


@pytest.mark.parametrize("options", [{"factor": 3}, {"rate": 60}, {"rate": 100}])
@pytest.mark.parametrize("any_time", [True, False])
def test_the_frame_before_a_cut_is_repeated_up_to_it(options: dict[str, int], any_time: bool) -> None:
    clip = video(luma=CUT)
    module = Mean(any_time=any_time)
    out = run(Interpolate(**options, module=module), clip)
    for t, time in enumerate(out.times):
        if clip.times[2] <= time < clip.times[3]:
            assert same(out[t : t + 1], clip[2:3])
    mixed = {float(frames[0]) for _, frames in module.asked} | {float(frames[1]) for _, frames in module.asked}
    assert len(mixed) > 3
    assert all(float(clip_to_rgb(clip[3:4])[0, 0, 0, 0]) != float(frames[1]) for _, frames in module.asked)


def test_equal_frames_are_repeated_without_computing() -> None:
    luma = pattern(4)
    clip = video(luma=luma[[0, 0, 1, 1, 2]])
    module = Mean()
    out = run(Interpolate(3, module=module), clip)
    assert len(module.asked) == 4
    for span in (0, 2):
        assert same(out[3 * span : 3 * span + 3], join([clip[span : span + 1]] * 3))


@pytest.mark.parametrize("stage", [Interpolate(3, module=Mean()), Interpolate(rate=72, module=Mean())])
def test_a_single_frame_is_repeated(stage: Interpolate) -> None:
    clip = video(1)
    out = run(stage, clip)
    assert out.times == (0, Fraction(1, 72), Fraction(2, 72))
    assert out.durations == (Fraction(1, 72),) * 3
    assert same(out, join([clip] * 3))
    assert list(stage(iter([]))) == []


@pytest.mark.parametrize("color", [ColorSpec(1, 1, 1), ColorSpec(9, 9, 16, bit_depth=10), ColorSpec(6, 6, 6, True, 12)], ids=str)
@pytest.mark.parametrize("module", [Mean(), Mean(any_time=False), Mean(any_time=False, frames=4)], ids=["any", "middle", "four"])
@pytest.mark.parametrize("options", [{"factor": 3}, {"rate": 50}])
def test_chunked_equals_whole(color: ColorSpec, module: Mean, options: dict[str, int]) -> None:
    clip = video(luma=CUT[[0, 1, 1, 2, 3, 4, 5]], times=VFR, color=color)
    whole = run(Interpolate(**options, module=module), clip, length=7)
    assert whole.color == color
    stage = Interpolate(**options, module=module)
    for length in (1, 2, 5):
        out = run(stage, clip, length)
        assert (out.times, out.durations) == (whole.times, whole.durations)
        assert same(out, whole)


@pytest.mark.parametrize("frames", [2, 4])
def test_nothing_is_held_back_beyond_the_reach(frames: int) -> None:
    taken = 0

    def source() -> Iterator[Clip]:
        nonlocal taken
        for t in range(6):
            taken += 1
            yield video()[t : t + 1]

    stage = Interpolate(2, module=Mean(any_time=False, frames=frames))
    made = 0
    for part in stage(source()):
        made += len(part)
        assert taken <= made // 2 + 1 + stage.temporal_reach[1]
    assert made == 12


def test_halving_asks_for_middles_only_and_each_once() -> None:
    module = Mean(any_time=False)
    clip = video(2)
    out = run(Interpolate(8, module=module), clip)
    assert module.times == [0.5] * 7
    reference = run(Interpolate(8, module=Mean()), clip)
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(out.planes, reference.planes, strict=True))


def test_halving_meets_the_nearest_eighth_of_other_places() -> None:
    clip = video(2)
    out = run(Interpolate(3, module=Mean(any_time=False)), clip)
    eighths = run(Interpolate(8, module=Mean(any_time=False)), clip)
    assert same(out[1:3], join([eighths[3:4], eighths[5:6]]))
    assert out.times[1] == Fraction(1, 72)
    many = run(Interpolate(30, module=Mean(any_time=False)), clip)
    assert same(many[1:2], clip[:1])
    assert same(many[29:30], clip[1:2])


def test_networks_of_four_get_neighbours_of_the_same_scene() -> None:
    module = Mean(any_time=False, frames=4)
    clip = video(luma=CUT)
    corners = [float(picture[0, 0, 0]) for picture in (frame for frame in clip_to_rgb(clip))]
    a, b, c, d, e, f = (torch.tensor(corner) for corner in corners)
    run(Interpolate(2, module=module), clip)
    windows = [torch.stack(window) for window in ((a, a, b, c), (a, b, c, c), (d, d, e, f), (d, e, f, f))]
    assert len(module.asked) == 4
    for (_, asked), window in zip(module.asked, windows, strict=True):
        assert torch.equal(asked, window)


def test_published_networks_work() -> None:
    clip = video(3)
    torch.manual_seed(1)
    sizes = {"img_size": [4, 48, 64], "window_size": [4, 8, 8], "pa_frames": 0, "upscale": 1}
    widths = {"depths": [1] * 8, "indep_reconsts": [], "embed_dims": [12] * 8, "num_heads": [2] * 8}
    modules = {
        "rife": networks.build("rife"),
        "rife m": networks.build("rife", variant="m"),
        "ifrnet_s": networks.build("ifrnet_s"),
        "vrt": networks.build("vrt", **sizes, **widths),
    }
    for name, module in modules.items():
        out = run(Interpolate(2, module=module.eval()), clip)
        assert len(out) == 6, name
        assert untouched(out, clip) == [0, 1, 2], name
        assert not same(out[1:2], clip[:1]), name


def test_frames_that_do_not_fit_the_memory_are_cut_into_tiles() -> None:
    coarse = np.random.default_rng(3).integers(16, 235, (32, 81), np.uint8)
    wide = np.kron(coarse, np.ones((8, 8), np.uint8))
    y = np.stack([wide[:, :640], wide[:, 1:641]])
    u, v = np.full((2, 2, 128, 320), 128, np.uint8)
    clip = Clip((y, u, v), (Fraction(0), Fraction(1)), (Fraction(1), Fraction(1)))
    whole, parts = Mean(), Mean()
    expected = run(Interpolate(2, module=whole), clip)
    stage = Interpolate(2, module=parts, conditions=Conditions(memory=400 * 2**20))
    assert "tiles" in stage.describe_for(640, 256)
    assert stage.working_bytes(640, 256) <= 400 * 2**20
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(run(stage, clip).planes, expected.planes, strict=True))
    assert len(whole.asked) == 1
    assert len(parts.asked) > 1


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing was fetched."""
    monkeypatch.setenv("REVIVID_WEIGHTS", str(tmp_path / "weights"))


@pytest.mark.usefixtures("no_weights")
def test_the_stage_is_built_by_name() -> None:
    with pytest.raises(MissingWeights, match="rife-m"):
        list(restore_clips([video(2)], StageSpec("interpolate", {"rate": "60000/1001", "network": "rife-m"})))
    with pytest.raises(MissingWeights, match="nobody"):
        list(restore_clips([video(2)], StageSpec("interpolate", {"factor": 2, "network": "nobody"})))
    with pytest.raises(UsageError, match="not for interpolation"):
        list(restore_clips([video(2)], StageSpec("interpolate", {"factor": 2, "network": "fastdvdnet"})))


def test_without_a_network_the_choices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "names", list)  # whatever interpolator the package may have
    with pytest.raises(UsageError) as caught:
        Interpolate(2)
    assert "rife" in caught.value.hint
    assert "ifrnet-s" in caught.value.hint


@pytest.mark.usefixtures("no_weights")
def test_planning_needs_no_weights() -> None:
    stage = Interpolate(rate=60, network="vrt-interpolate-vimeo")
    assert stage.describe() == "interpolate to 60 frames/s with vrt-interpolate-vimeo"
    assert [fault.message for fault in stage.missing_weights()]
    assert stage.temporal_reach == (1, 2)
    assert 0 < stage.working_bytes(640, 480) <= stage.working_bytes(1280, 720)


def test_checkpoints_that_know_the_middle_are_asked_for_the_middle() -> None:
    assert Interpolate(3, network="ifrnet-s").interpolator.met(Fraction(1, 3)) == Fraction(3, 8)
    assert Interpolate(3, network="rife").interpolator.met(Fraction(1, 3)) == Fraction(3, 8)
    assert Interpolate(3, network="rife-m").interpolator.met(Fraction(1, 3)) == Fraction(1, 3)


@pytest.mark.parametrize(
    "options",
    [{}, {"factor": 2, "rate": 60}]
    + [{"factor": value} for value in (1, 0, -2, 257, "two", "1e9999999", "3/0", True, float("nan"), float("inf"))]
    + [{"rate": value} for value in (0, -1, 1001, "", "1e5", "60fps")],
)
def test_factors_and_rates_that_cannot_work(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Interpolate(**options, module=Mean())  # type: ignore[arg-type]


def test_a_frame_that_is_shown_for_hours_is_not_repeated_at_a_rate() -> None:
    clip = video(2, [Fraction(0), Fraction(10_000)])
    with pytest.raises(LimitExceeded, match="shown for"):
        run(Interpolate(rate=60, module=Mean()), clip)
    assert run(Interpolate(2, module=Mean()), clip).times == (0, 5_000, 10_000, 15_000)


@pytest.mark.parametrize("tick", [Fraction(1, 1000), Fraction(1, 90000), 1 / FILM, Fraction(1, 24)])
@pytest.mark.parametrize("options", [(2, None), (3, None), ("5/2", None), (None, 60), (None, Fraction(60000, 1001))], ids=str)
def test_the_time_base_holds_every_instant(tick: Fraction, options: tuple) -> None:
    steps = [0, 1, 3, 7, 8, 30]
    clip = video(6, [step * tick for step in steps])
    stage = Interpolate(*options, module=Mean())
    fine = stage.output_tick(tick)
    assert all((time / fine).denominator == 1 for time in run(stage, clip).times)
    assert (tick / fine).denominator == 1
    assert instants(*options).tick(tick) == fine


class PlanesMean(Mean):
    """The same from planes, and what makes sure that frames made side by side stay in order: early ones take longer."""

    def __init__(self) -> None:
        super().__init__()
        self.traits = replace(self.traits, takes_planes=True)

    def restore(self, y: torch.Tensor, uv: torch.Tensor, time: float, bit_depth: int) -> tuple[torch.Tensor, ...]:
        self.asked.append((time, y[0, :, 0, 0].clone()))
        sleep(0.02 * (1 - time))
        halves = (plane.float().chunk(2, dim=1) for plane in (y, uv))
        means = (torch.lerp(first, second, time).add_(0.5) for first, second in halves)
        dtype = torch.uint8 if bit_depth == 8 else torch.int16
        return tuple(mean.to(dtype) if bit_depth == 8 else mean.to(dtype).view(torch.uint16) for mean in means)


@pytest.mark.parametrize("color", [ColorSpec(1, 1, 1), ColorSpec(9, 9, 16, bit_depth=10)], ids=str)
@pytest.mark.parametrize("options", [{"factor": 2}, {"factor": 5}, {"rate": 60}])
def test_planes_are_asked_for_what_colours_would_be(color: ColorSpec, options: dict[str, Any]) -> None:
    clip = video(luma=CUT[[0, 1, 1, 2, 3, 4, 5]] // 2 + 60, times=VFR, color=color)
    planes, colours = PlanesMean(), Mean()
    out, wanted = (run(Interpolate(**options, module=module), clip) for module in (planes, colours))
    assert (out.times, out.durations, out.color) == (wanted.times, wanted.durations, wanted.color)
    assert sorted(planes.times) == sorted(colours.times)
    assert all(np.abs(a.astype(int) - b).max() <= 2 for a, b in zip(out.planes, wanted.planes, strict=True))
    assert untouched(out, clip) == untouched(wanted, clip)


def test_planes_that_do_not_fit_the_memory_go_as_colours_in_tiles() -> None:
    clip = video(luma=np.repeat(np.repeat(pattern(2), 6, axis=1), 10, axis=2), chroma=(144, 320))
    planes = PlanesMean()
    stage = Interpolate(2, module=planes, conditions=Conditions(memory=400 * 2**20))
    assert not stage.interpolator.takes_planes(288, 640)
    assert stage.interpolator.side_by_side(288, 640) == 1
    out = run(stage, clip)
    assert len(planes.asked) > 1
    assert len(out) == 4


def test_our_own_network_makes_the_same_of_planes_and_of_clips_of_any_length() -> None:
    module: Any = networks.build("compactinterp", widths=[16, 16, 16, 8], depths=[1, 1, 1, 1], state=8).eval()
    torch.manual_seed(5)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    clip = video(luma=CUT)
    whole = run(Interpolate(3, module=module), clip, length=6)
    for length in (1, 4):
        assert same(run(Interpolate(3, module=module), clip, length), whole)
    with torch.inference_mode():
        frames = [[torch.from_numpy(plane[t]) for plane in clip.planes] for t in (1, 2)]
        y = torch.stack([planes[0] for planes in frames])[None]
        uv = torch.stack([plane for planes in frames for plane in planes[1:]])[None]
        luma, chroma = module.restore(y, uv, 1 / 3)
    assert np.array_equal(whole.planes[0][4], luma[0, 0].numpy())
    assert np.array_equal(whole.planes[1][4], chroma[0, 0].numpy())
    assert np.array_equal(whole.planes[2][4], chroma[0, 1].numpy())
    assert same(whole[7:9], join([clip[2:3]] * 2))  # up to the cut


def test_as_many_frames_at_once_as_fit_the_memory() -> None:
    alone = Interpolate(2, module=PlanesMean(), conditions=Conditions(memory=500 * 2**20))
    several = Interpolate(2, module=PlanesMean(), conditions=Conditions(memory=2**40))
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert (alone.interpolator.side_by_side(144, 320), several.interpolator.side_by_side(144, 320)) == (1, 3)
        assert several.working_bytes(320, 144) == 3 * alone.working_bytes(320, 144)
    finally:
        torch.set_num_threads(threads)
    assert Interpolate(2, module=Mean()).interpolator.side_by_side(144, 320) == 1
