"""Coding by what is known before each integer: `codecs.bvc.contexts`, `codecs.bvc.context_coder`, `train.contexts`."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from context_tables import SHAPES, alike, random_coder, random_tables
from revivid import networks
from revivid.codecs.bvc.adaptive import MOST_COUNT, mixed
from revivid.codecs.bvc.context_coder import ContextCoder
from revivid.codecs.bvc.contexts import Layout, ring
from revivid.codecs.bvc.gop import CodedFrame
from revivid.codecs.bvc.header import Header
from revivid.codecs.bvc.records import RecordReader
from revivid.errors import UsageError
from revivid.layers.latent_contexts import LatentContexts
from revivid.learned.decoder import Decoder
from revivid.learned.encoder import Encoder
from revivid.learned.model import Model
from revivid.learned.reader import BvcReader
from revivid.learned.tables import contexts_of_tensors, step_of
from revivid.networks.bvc import Bvc
from revivid.networks.bvc_compact import residual_coder
from revivid.train import contexts
from revivid.types import join
from tiny_bvc import moving_clip


def latents(frames: int = 4, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(*(alike(shape, frames, seed + n) for n, shape in enumerate(SHAPES)), strict=True))


@pytest.mark.parametrize(("fold", "channels"), [(1, 5), (2, 12)])
def test_blocks_are_a_latent_in_another_order(fold: int, channels: int) -> None:
    latent = np.arange(channels * 4 * 6, dtype=np.int32).reshape(channels, 4, 6)
    order = np.random.default_rng(0).permutation(channels // fold**2)
    layout = Layout(order, fold, 1)
    blocks = layout.blocks(latent)
    assert blocks.shape == (channels // fold**2, 4 * fold, 6 * fold)
    assert np.array_equal(layout.latent(blocks), latent)
    if fold == 2:  # coefficient k of block (i, j) is channel 4 k + 2 i + j
        assert np.array_equal(blocks[0, 1::2, 0::2], latent[4 * order[0] + 2])


def test_ring_is_the_sum_of_eight_neighbours() -> None:
    plane = np.random.default_rng(0).integers(0, 9, (5, 7))
    rows, columns = np.mgrid[0:5, 0:7]
    for y, x in ((0, 0), (2, 3), (4, 6), (0, 5)):
        near = (abs(rows - y) <= 1) & (abs(columns - x) <= 1)
        assert ring(plane)[y, x] == plane[near].sum() - plane[y, x]
    assert np.array_equal(ring(np.stack([plane, 2 * plane]))[1], 2 * ring(plane))


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_latents_come_back_and_cost_what_the_tables_say(seed: int, adaptive: bool) -> None:
    coder = random_coder(seed, adaptive=adaptive)
    writing, reading, size = coder.group(), coder.group(), 0
    for motion, residual in latents(seed=seed):
        frame = writing.encode(motion, residual)
        size += len(frame.data)
        again = reading.decode(frame)
        assert np.array_equal(again[0], motion)
        assert np.array_equal(again[1], residual)
    assert abs(8 * size - writing.bits) <= 0.01 * writing.bits + 4 * 64


def test_extremes_and_nothing() -> None:
    coder = random_coder()
    for value in (-128, 127, 0):
        pair = [np.full(shape, value, np.int32) for shape in SHAPES]
        frame = coder.group().encode(*pair)
        assert all(np.array_equal(found, given) for found, given in zip(coder.group().decode(frame), pair, strict=True))
    for wrong in (-129, 128):
        with pytest.raises(ValueError, match="outside its table"):
            coder.group().encode(np.full(SHAPES[0], wrong), np.zeros(SHAPES[1], np.int32))
    with pytest.raises(ValueError, match="expected"):
        coder.group().encode(np.zeros(SHAPES[1], np.int32), np.zeros(SHAPES[1], np.int32))


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_frame_needs_those_before_it(adaptive: bool) -> None:
    coder = random_coder(adaptive=adaptive)
    writing = coder.group()
    frames = [writing.encode(*pair) for pair in latents(2)]
    with pytest.raises(ValueError, match=r"other integers|don't decode"):
        coder.group().decode(frames[1])


@pytest.mark.parametrize("adaptive", [False, True])
def test_any_bytes_do_no_harm(adaptive: bool) -> None:
    coder, generator = random_coder(adaptive=adaptive), np.random.default_rng(2)
    whole = coder.group().encode(*latents(1)[0])
    for _ in range(60):
        flipped = bytearray(whole.data)
        flipped[generator.integers(len(flipped))] ^= 1 << generator.integers(8)
        cut = whole.data[: int(generator.integers(len(whole.data)))]
        drawn = generator.bytes(4 * int(generator.integers(0, 600)))
        for data in (bytes(flipped), cut, drawn):
            with pytest.raises(ValueError, match=r"fewer|don't decode|other integers|whole words"):
                coder.group().decode(CodedFrame(data, whole.crc))


def test_tables_that_follow_save_bits_and_each_group_begins_anew() -> None:
    """Where frames are not what the tables were made for: drawn ones fit no latents."""
    fixed, adaptive = random_coder(), random_coder(adaptive=True)
    frames = latents(6)
    bits, sizes = {}, {}
    for coder in (fixed, adaptive):
        group = coder.group()
        sizes[coder.adaptive] = [len(group.encode(*pair).data) for pair in frames]
        bits[coder.adaptive] = group.bits
    assert sizes[True][0] == sizes[False][0]
    assert bits[True] < 0.85 * bits[False]
    assert adaptive.group().encode(*frames[0]) == fixed.group().encode(*frames[0])
    # Still frames cost less than the model's own tables could say of them, and decode.
    still = [np.zeros(shape, np.int32) for shape in SHAPES]
    writing, reading = adaptive.group(), adaptive.group()
    for _ in range(12):
        assert all(np.array_equal(*pair) for pair in zip(reading.decode(writing.encode(*still)), still, strict=True))


def test_mixed_tables_are_tables() -> None:
    generator = np.random.default_rng(0)
    cdf = random_tables(134, 1, 2, 0).coefficient_cdf.reshape(-1, 257)
    prior = 50 * np.diff(cdf).astype(np.int64)
    for most in (1, 100, 2 * MOST_COUNT):
        counts = generator.integers(0, most, prior.shape) * (generator.random(prior.shape) < 0.05)
        found = mixed(prior, counts, 50)
        assert (found.sum(-1) == 65536).all()
        assert found.min() >= 1
    assert abs(mixed(prior, np.zeros_like(prior), 50) - np.diff(cdf)).max() <= 256
    many = np.zeros_like(prior)
    many[:, 7] = 1 << 40 - 18  # of as many symbols as a table may have counted before it is halved, and a large frame's beside
    assert (mixed(prior, many, 50)[:, 7] > 65000).all()


def test_tables_that_no_coder_can_use_are_refused() -> None:
    tables = random_tables(4, 1, 2, 0)
    broken = tables.last_cdf.copy()
    broken[0, 0, 1] = 0
    with pytest.raises(ValueError, match="does not rise"):
        dataclasses.replace(tables, last_cdf=broken)
    with pytest.raises(ValueError, match="no order"):
        dataclasses.replace(tables, order=np.array([0, 1, 2, 2], np.int32))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": np.array([3, 2], np.int32)}, "3 a side"),
        ({"shape": np.array([1, 4], np.int32)}, "4 of them leading"),
        ({"shape": np.array([1, 1], np.int32)}, r"a model's scale is \(3,\), not \(4,\)"),
        ({"shape": np.array([1], np.int32)}, "layout"),
        ({"numbers": np.zeros((2, 2), np.int32)}, "numbers"),
        ({"value_limits": np.zeros((2, 5), np.int32)}, "value_limits"),
        ({"coefficient_limits": np.zeros((2, 0), np.int32)}, "coefficient_limits"),
        ({"coefficient_cdf": random_tables(4, 1, 2, 0).coefficient_cdf[:, :2]}, "3, 4 and 2 tables"),
    ],
)
def test_tables_of_other_shapes_are_refused(changes: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(random_tables(4, 1, 2, 0), **changes)


def test_more_coefficients_than_add_up_are_refused() -> None:
    random_tables(134, 1, 2, 0)
    with pytest.raises(ValueError, match="135 coefficients"):
        random_tables(135, 1, 2, 0)


def test_tables_have_a_crc_of_their_own() -> None:
    assert random_coder(0).tables_crc() == random_coder(0).tables_crc() != random_coder(1).tables_crc()


def test_buffers_hold_the_tables() -> None:
    module = LatentContexts(4, 1, (0, 1))
    arrays = {name: values.clone() for name, values in module.arrays().items()}
    assert contexts_of_tensors(arrays).layout.others == 2
    drawn = random_tables(4, 1, 2, 3, classes=(8, 24, 9))
    given = {field.name: torch.from_numpy(getattr(drawn, field.name)) for field in dataclasses.fields(drawn) if field.init}
    module.fill(given)
    assert all(torch.equal(module.arrays()[name], values) for name, values in given.items())


@pytest.mark.parametrize(("quality", "step"), [(1.0, 0), (1.24, 0), (1.25, 1), (4.5, 7), (4.74, 7), (4.75, 8), (8.0, 14)])
def test_steps_of_quality(quality: float, step: int) -> None:
    assert step_of(quality) == step


def fitted() -> tuple[Bvc, Bvc, list[contexts.Coded]]:
    """An untrained network, the same with contexts, and what the latter coded."""
    torch.manual_seed(0)
    hyper = {"size": "compact", "venet": False}
    plain = networks.build("bvc", **hyper)
    assert isinstance(plain, Bvc)
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    clip = [(0.5 + 0.4 * torch.sin((columns + 3 * t) / 6) * torch.cos(rows / 9)).expand(1, 3, -1, -1) for t in range(6)]
    clip = [(frame + 0.03 * torch.randn(frame.shape)).clamp(0, 1) for frame in clip]
    made = contexts.with_contexts(plain.eval(), hyper, [clip])
    coded = [contexts.code(made, clip, quality) for quality in (1.0, 4.0, 8.0)]
    contexts.fit(made, coded)
    return plain, made, coded


@pytest.fixture(scope="module")
def pair() -> tuple[Bvc, Bvc, list[contexts.Coded]]:
    return fitted()


def test_fitted_tables_save_bits() -> None:
    """Against each channel's own distribution, which is the least that a table for each channel can cost; on other latents."""
    made = networks.build("bvc", size="compact", venet=False, contexts=True)
    assert isinstance(made, Bvc)

    def coded(seed: int) -> contexts.Coded:
        return contexts.Coded(4.0, alike((32, 16, 24), 5, seed, 1.0), alike((128, 16, 24), 5, seed + 1, 0.5))

    contexts.fit(made, [coded(10 * seed) for seed in range(4)])
    known, one = made.contexts(), coded(100)
    assert known is not None
    motion, residual = map(contexts_of_tensors, known)
    group = ContextCoder(motion, residual, one.motion[0].shape, one.residual[0].shape, step_of(one.quality)).group()
    for latents in zip(one.motion, one.residual, strict=True):
        group.encode(*latents)
    alone = sum(_entropy(np.stack(part)[:, c]) for part in (one.motion, one.residual) for c in range(len(part[0])))
    assert group.bits < 0.92 * alone


def _entropy(integers: np.ndarray) -> float:
    _, counts = np.unique(integers, return_counts=True)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def test_pictures_stay_what_they_were(pair: tuple[Bvc, Bvc, list[contexts.Coded]]) -> None:
    """Only the rounding of centred channels differs."""
    plain, made, _ = pair
    frame, reference = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    coded = made.encode(frame, reference, 6.0)
    assert torch.equal(made.decode(coded.motion, coded.residual, reference, 6.0), coded.decoded)
    mine, theirs = (((one.encode(frame, reference, 6.0).decoded - frame) ** 2).mean() for one in (made, plain))
    assert mine < 1.1 * theirs


def test_centring_is_undone(pair: tuple[Bvc, Bvc, list[contexts.Coded]]) -> None:
    _, made, _ = pair
    coder = made.residual_coder
    before = coder.center.clone()
    coder.center.copy_(torch.linspace(-3, 3, coder.channels))
    picture = torch.randn(1, 3, 64, 64) / 20
    with torch.no_grad():
        latent = coder.encoder(picture)
        gain, inverse, _ = coder.gains(torch.tensor([8.0]))
        assert ((coder.dequantised(coder.integers(picture, 8.0), 8.0) - latent * gain * inverse).abs() <= inverse / 2 + 1e-4).all()
    coder.center.copy_(before)


def test_streams_of_contexts(pair: tuple[Bvc, Bvc, list[contexts.Coded]], tmp_path: Path) -> None:
    """Whole streams, whose version says so, decode from any group."""
    model, clip = Model("mine", bytes(32), pair[1]), moving_clip(7, 120, 60)
    tables = model.coder(clip.width, clip.height, 4.0).tables_crc()
    step = clip.durations[0]
    header = Header(clip.width, clip.height, clip.color, 1 / step, step, "mine", bytes(32), tables, 4.0, gop=3, contexts=True)
    stored = io.BytesIO()
    encoder = Encoder(model, header, stored.write)
    encoder.write(clip)
    encoder.finish()
    assert stored.getvalue()[8] == 3
    assert RecordReader(io.BytesIO(stored.getvalue()), "it").header.contexts
    (tmp_path / "clip.bvc").write_bytes(stored.getvalue())
    shown = join(list(BvcReader(tmp_path / "clip.bvc", model=model)))
    assert shown.times == clip.times
    assert np.abs(shown.planes[0].astype(int) - clip.planes[0]).mean() < 12
    assert encoder.bits < 8 * encoder.video_bytes


@pytest.mark.parametrize("which", [0, 1])
def test_a_version_that_is_not_the_models_is_refused(pair: tuple[Bvc, Bvc, list[contexts.Coded]], which: int) -> None:
    """Whatever CRC of tables the header claims: versions 1 and 2 are not coded by contexts, 3 and 4 are."""
    model, clip = Model("mine", bytes(32), pair[which]), moving_clip(1, 64, 64)
    tables, step = model.coder(64, 64, 4.0).tables_crc(), clip.durations[0]
    header = Header(64, 64, clip.color, 1 / step, step, "mine", bytes(32), tables, 4.0, contexts=model.contexts)
    Decoder(model, header, "it")
    with pytest.raises(UsageError, match="other tables"):
        Decoder(model, dataclasses.replace(header, contexts=not model.contexts), "it")


def test_detail_gets_contexts_too() -> None:
    torch.manual_seed(0)
    hyper: dict[str, object] = {"size": "compact", "venet": False, "detail": True}
    plain = networks.build("bvc", **hyper)
    assert isinstance(plain, Bvc)
    clip = [torch.rand(1, 3, 64, 64) for _ in range(3)]
    made = contexts.with_contexts(plain.eval(), hyper, [clip])
    coded = contexts.code(made, clip, 4.0)
    contexts.fit(made, [coded])
    coder = Model("", b"", made).coder(64, 64, 4.0)
    writing, reading = coder.group(), coder.group()
    for motion, residual in zip(coded.motion, coded.residual, strict=True):
        back = reading.decode(writing.encode(motion, residual))
        assert all(np.array_equal(a, b) for a, b in zip(back, (motion, residual), strict=True))


def test_training_sees_what_decoding_makes() -> None:
    coder = residual_coder(4, 1, 8, contexts=True)
    coder.center.uniform_(-2, 2)
    picture = 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        trained, _ = coder(picture, torch.tensor([4.0]), "round")
        decoded = coder.reconstruct(coder.integers(picture, 4.0), 4.0)
    assert torch.allclose(trained, decoded, atol=1e-5)


def test_contexts_have_no_tables_by_channel(pair: tuple[Bvc, Bvc, list[contexts.Coded]]) -> None:
    with pytest.raises(UsageError, match="no tables by channel"):
        pair[1].tables(4.0)


def test_who_can_have_contexts(pair: tuple[Bvc, Bvc, list[contexts.Coded]]) -> None:
    with pytest.raises(UsageError, match="compact"):
        networks.build("bvc", size="paper", contexts=True)
    with pytest.raises(UsageError, match="none yet"):
        contexts.with_contexts(pair[1], {"size": "compact"}, [])
    with pytest.raises(UsageError, match="no contexts to fit"):
        contexts.fit(pair[0], [])
