"""The engine with every kind of network: streams as whole clips, tiles without seams, cuts that nothing crosses, and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import small
import torch
from torch import Tensor, nn

from revivid import networks
from revivid.errors import NotEnoughMemory, ShapeError, UsageError
from revivid.restoration import planning
from revivid.restoration.engine import Engine, Frame

MANY = pytest.mark.parametrize("name", small.NETWORKS)
#: Depends on what lies near, however many frames it went through: convolutions, and flow or offsets over a few pixels.
CONVOLUTIONAL = ("srvgg", "fastdvdnet", "ifirnn", "edvr", "basicvsr", "iconvsr", "basicvsr++")
ATTENTION = ("swinir", "swinir-grey", "vrt", "vrt-denoise")


def channels(module: Any) -> int:
    return module.traits.channels - (module.traits.noise == "channel")


def frames_for(module: Any, count: int, height: int, width: int, seed: int = 0) -> list[Tensor]:
    return small.pictures(count, height, width, channels(module), seed)


def run(engine: Engine, pictures: Iterable[Tensor], cuts: tuple[int, ...] = ()) -> Tensor:
    return torch.stack(list(engine.stream(Frame(x, t in cuts) for t, x in enumerate(pictures))))


def tiles_of(engine: Engine, pixels: int) -> Engine:
    """The engine with tiles of at most so many pixels, as after memory ran out."""
    engine._tile_pixels = pixels
    return engine


def whole(module: Any, told: dict[str, Any], clip: Tensor) -> Tensor:
    """What the network itself makes of a clip (T, C, H, W) of R'G'B'."""
    traits = module.traits
    x = clip.flip(1) if traits.channel_order == "bgr" else clip
    x = (x - traits.mean) / traits.std
    sigma = told.get("sigma", 0) / 255
    if traits.noise == "channel":
        x = torch.cat((x, torch.full_like(x[:, :1], sigma)), dim=1)
    call = getattr(module, "restore_clip", module)
    with torch.no_grad():
        out = module(x) if traits.kind == "image" else call(x[None], **({"sigma": sigma} if traits.noise == "argument" else {}))[0]
    out = out * traits.std + traits.mean
    return (out.flip(1) if traits.channel_order == "bgr" else out).clamp(0, 1)


@MANY
@pytest.mark.parametrize("count", [1, 7])
def test_a_stream_gives_what_the_whole_clip_gives(name, count):
    module, told = small.build(name)
    pictures = frames_for(module, count, 18, 29)
    got = run(Engine(module, memory=2**32, **told), pictures)
    want = whole(module, told, torch.stack(pictures))
    assert got.std() > 0.01, "the network answers with a picture"
    assert (got - want).abs().max() < 1e-5


@MANY
@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 5)])
def test_any_size(name, height, width):
    module, told = small.build(name)
    out = run(Engine(module, memory=2**31, **told), frames_for(module, 2, height, width))
    scale = module.traits.scale
    assert out.shape == (2, channels(module), scale * height, scale * width)
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_tiled_equals_whole(name):
    module, told = small.build(name)
    engine = Engine(module, memory=2**32, **told)
    height, width, count = (12, 420, 1) if module.traits.spatial_reach == 80 else (32, 192, 2)
    pictures = frames_for(module, count, height, width)
    want = run(engine, pictures)
    cut = tiles_of(engine, height * width * 7 // 8)
    assert cut.plan(height, width).tiling.count > 1
    assert (run(cut, pictures) - want).abs().max() < 1e-3


def test_windows_come_close_to_the_whole_where_cut_ones_do_not(monkeypatch):
    """A network that carries states both ways, in windows of 8 frames: nearer to the whole than eights side by side."""
    module, _ = small.build("basicvsr")
    engine, pictures = Engine(module, memory=2**32), frames_for(module, 20, 16, 16)
    want = run(engine, pictures)
    monkeypatch.setattr(planning, "LONGEST_WINDOW", 8)
    overlapping, apart = run(engine, pictures), run(engine, pictures, cuts=(8, 16))
    assert 0 < (overlapping - want).abs().mean() < 0.7 * (apart - want).abs().mean()
    assert (overlapping - want).abs().max() < 0.5 * (apart - want).abs().max()


def seam(picture: Tensor, reference: Tensor, borders: list[int]) -> float:
    """Mean gradient across columns over that elsewhere, against the same of the reference, minus 1."""

    def energy(x: Tensor) -> Tensor:
        gradient = x.diff(dim=-1).abs().mean(dim=(0, 1, 2))
        at = torch.zeros_like(gradient, dtype=torch.bool)
        at[[border - 1 for border in borders]] = True
        return gradient[at].mean() / gradient[~at].mean()

    return float(energy(picture) / energy(reference) - 1)


@pytest.mark.parametrize("name", ATTENTION)
def test_tiles_of_attention_networks_show_no_seam(name):
    module, told = small.build(name)
    engine = Engine(module, memory=2**32, **told)
    pictures = frames_for(module, 1 + (module.traits.kind == "clip"), 64, 192)
    want = run(engine, pictures)
    columns = tiles_of(engine, 64 * 128).plan(64, 192).tiling.columns
    got = run(engine, pictures)
    borders = set()
    for (_, stop), (start, _) in zip(columns.spans, columns.spans[1:], strict=False):
        borders |= {start, start + columns.margin, (start + stop) // 2, stop - columns.margin, stop}
    assert len(columns.spans) > 1
    assert abs(seam(got, want, sorted(borders))) < 0.02
    assert (got - want).abs().mean() < 0.02 * want.std()


@MANY
def test_nothing_crosses_a_cut(name):
    module, told = small.build(name)
    engine = Engine(module, memory=2**31, **told)
    first, second = frames_for(module, 3, 8, 12), frames_for(module, 2, 8, 12, seed=5)
    together = run(engine, first + second, cuts=(3,))
    alone = torch.cat((run(engine, first), run(engine, second, cuts=(0,))))
    assert torch.equal(together, alone)
    assert not torch.allclose(run(engine, first + second), together, atol=1e-5) or module.traits.kind == "image"


class Blur(nn.Module):
    """A network for tests of the engine: takes any frames, and can be made to run out of memory."""

    def __init__(self, kind: str = "image", fault: Exception | None = None, most: int = 1 << 60, **traits: Any) -> None:
        super().__init__()
        from revivid.networks.traits import Traits

        self.conv = nn.Conv2d(3, 3, 5, padding=2)
        nn.init.constant_(self.conv.weight, 1 / 75)
        nn.init.zeros_(self.conv.bias)
        reach = None if kind == "clip" else (0, 0)
        self.traits = Traits(tasks=("deblur",), kind=kind, spatial_reach=2, temporal_reach=reach, bytes_per_pixel=100, **traits)
        self.fault, self.most, self.calls = fault, most, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.fault is not None and x.shape[-1] * x.shape[-2] > self.most:
            raise self.fault
        return self.conv(x.flatten(0, -4)).view(x.shape)


FAULTS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried 99 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=("python", "cpu", "cuda"))
@pytest.mark.parametrize("kind", ["image", "clip"])
def test_tiles_are_halved_when_memory_runs_out(kind, fault):
    pictures = small.pictures(25, 40, 70)
    want = run(Engine(Blur(kind), memory=2**30), pictures)
    said: list[str] = []
    module = Blur(kind, fault, most=1000)
    got = run(Engine(module, memory=2**30, notify=said.append), pictures)
    assert got.shape == want.shape, "no frame is lost and none comes twice"
    assert torch.allclose(got, want, atol=1e-6)
    assert said
    assert all("out of memory" in line for line in said)
    calls = module.calls
    run(Engine(module, memory=2**30), pictures[:1])
    assert len(said) < 6, "what was learnt is kept"
    assert calls < 25 * 20


def test_halving_keeps_the_state_of_a_recurrent_network():
    module, told = small.build("ifirnn")
    pictures = frames_for(module, 5, 40, 200)
    want = run(Engine(module, memory=2**31), pictures)
    step, calls = module.step, []

    def failing(frame: Tensor, state: tuple[Tensor, ...]) -> Any:
        calls.append(frame.shape)
        if len(calls) > 2 and frame.shape[-1] > 150:
            raise MemoryError
        return step(frame, state)

    module.step = failing
    said: list[str] = []
    got = run(Engine(module, memory=2**31, notify=said.append, **told), pictures)
    assert len(said) == 1
    assert (got - want).abs().max() < 1e-3


def test_when_nothing_is_left_to_halve_the_error_says_so():
    engine = Engine(Blur(fault=MemoryError(), most=0), memory=2**30)
    with pytest.raises(NotEnoughMemory, match="smallest tiles"):
        run(engine, small.pictures(1, 40, 70))


def test_other_faults_are_not_swallowed():
    with pytest.raises(RuntimeError, match="shapes"):
        run(Engine(Blur(fault=RuntimeError("shapes don't fit"), most=0), memory=2**30), small.pictures(1, 40, 70))


def test_a_budget_that_is_too_small_is_refused_before_any_computing():
    module = Blur()
    engine = Engine(module, memory=2**20)
    with pytest.raises(NotEnoughMemory, match="needs at least") as caught:
        engine.plan(1080, 1920)
    assert caught.value.exit_code == 5
    with pytest.raises(NotEnoughMemory):
        run(engine, [torch.zeros(3, 1080, 1920)])
    assert module.calls == 0


@pytest.mark.parametrize(("name", "ahead"), [("srvgg", 1), ("fastdvdnet", 3), ("estrnn", 4), ("basicvsr", 60)])
def test_no_more_frames_are_held_than_a_window(name, ahead):
    module, told = small.build(name)
    taken = 0

    def endless() -> Iterator[Frame]:
        nonlocal taken
        while True:
            taken += 1
            yield Frame(torch.full((3, 4, 4), 0.5))

    stream = Engine(module, memory=2**30, **told).stream(endless())
    for emitted in range(8):
        next(stream)
        assert taken <= emitted + ahead


def test_what_an_engine_is_told_is_checked():
    denoiser, _ = small.build("fastdvdnet")
    for sigma in (None, -1, 256, float("nan")):
        with pytest.raises(UsageError, match="noise level"):
            Engine(denoiser, sigma=sigma)
    with pytest.raises(UsageError, match="not for deblur"):
        Engine(denoiser, sigma=5, task="deblur")
    with pytest.raises(UsageError, match="interpolate"):
        Engine(networks.build("rife"))
    with pytest.raises(UsageError, match="restores a stream"):
        Engine(networks.build("compactsr"))


@pytest.mark.parametrize("name", ["fastdvdnet", "vrt-denoise"])
def test_the_noise_level_reaches_the_network(name):
    module, _ = small.build(name)
    pictures = frames_for(module, 2, 16, 16)
    weak, strong = (run(Engine(module, memory=2**30, sigma=sigma), pictures) for sigma in (5, 50))
    assert (weak - strong).abs().max() > 1e-3


@pytest.mark.parametrize("second", [torch.zeros(3, 8, 9), torch.zeros(1, 8, 8), torch.zeros(8, 8)])
def test_frames_of_another_shape_are_refused(second):
    engine = Engine(Blur(), memory=2**30)
    with pytest.raises(ShapeError, match="a frame is"):
        run(engine, [torch.zeros(3, 8, 8), second])


def test_a_plan_needs_no_weights():
    with torch.device("meta"):
        module = networks.build("srvgg")
    assert "memory" in Engine(module, memory=2**31).plan(720, 1280).describe()


def test_half_precision_comes_back_as_float():
    module, _ = small.build("srvgg")
    pictures = frames_for(module, 1, 24, 24)
    out = run(Engine(module, memory=2**30, dtype=torch.bfloat16), pictures)
    assert out.dtype == torch.float32
    assert 0 < (out - run(Engine(module, memory=2**30), pictures)).abs().max() < 0.05
