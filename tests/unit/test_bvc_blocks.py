"""BVC in blocks: motion is found by search, and a decoder without networks leaves alone what does not change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small import pictures
from torch import Tensor

from revivid import networks
from revivid.errors import UsageError
from revivid.layers.block_transform import Analysis, Synthesis, step_basis
from revivid.layers.deblocking import deblock
from revivid.layers.warp import backward_warp
from revivid.networks.bvc import _AsModules
from revivid.networks.bvc_choices import matched, worthwhile
from revivid.networks.bvc_compact import brought_in_blocks
from revivid.networks.bvc_decoding import OnBlocks, coded_blocks


@pytest.fixture(scope="module")
def network() -> Any:
    return networks.build("bvc", venet=False, refine=False, blocks=True, references=4).eval()


@pytest.fixture(scope="module")
def overlapping() -> Any:
    return networks.build("bvc", venet=False, refine=False, blocks=True, references=4, overlap=True).eval()


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    return pictures(1, 192, 256)[0][None]


def error(ours: Tensor, theirs: Tensor) -> float:
    """Without the border, beyond which there is nothing to be found."""
    return float((ours - theirs)[..., 32:-32, 32:-32].square().mean())


@torch.no_grad()
def test_the_search_finds_motion_that_flow_has_missed(photograph: Tensor) -> None:
    """The left half moves by (5.25, -2.5), the right half by (-3, 1.75), and nobody has said so."""
    truth = torch.zeros(1, 2, 192, 256)
    truth[0, :, :, :128] = torch.tensor([5.25, -2.5])[:, None, None]
    truth[0, :, :, 128:] = torch.tensor([-3.0, 1.75])[:, None, None]
    target = backward_warp(photograph, truth, padding="border", mode="bicubic")
    found, ages = matched(target, [photograph], torch.zeros(1, 2, 48, 64), 0.02)
    assert not ages.any()
    assert found.shape == (1, 2, 48, 64)
    cells = truth[..., ::4, ::4]
    right = ((found - cells).abs() < 0.01).all(1)[..., 8:-8, 8:-8]
    assert right.float().mean() > 0.9
    assert error(brought_in_blocks(photograph, found), target) < error(photograph, target) / 20


@torch.no_grad()
def test_dear_bits_make_few_vectors(photograph: Tensor) -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat_interleave(8).repeat(16).expand(1, 2, 192, 256)
    target = backward_warp(photograph, stripes, padding="border", mode="bicubic")
    for step, splits in ((0.001, True), (100.0, False)):
        found, _ = matched(target, [photograph], torch.zeros(1, 2, 48, 64), step)
        blocks = found[0].unflatten(1, (12, 4)).unflatten(3, (16, 4))
        assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks)) != splits


@torch.no_grad()
def test_vectors_stay_in_the_range_of_integers(network: Any, photograph: Tensor) -> None:
    far = torch.full((1, 2, 48, 64), 90.0)
    found, _ = matched(photograph, [photograph.roll(37, 3)], far, 0.02)
    assert found.abs().max() <= 31
    coded = network.motion_coder.integers(found, 4.0)
    assert coded.abs().max() <= 127


@torch.no_grad()
def test_each_block_comes_from_the_frame_that_shows_it_best(network: Any, photograph: Tensor) -> None:
    """What was hidden a frame ago is still to be seen in the one before that."""
    hidden = photograph.clone()
    hidden[..., 64:128, 64:160] = 0.5
    noise = torch.rand(photograph.shape, generator=torch.Generator().manual_seed(0))
    coded = network.encode(photograph, hidden, 4.0, before=[noise, photograph])
    ages = torch.zeros(12, 16, dtype=torch.int16)
    ages[4:8, 4:10] = 2
    assert torch.equal(coded.motion[8], ages)
    assert not coded.motion[:8].any()
    assert not coded.residual.any()
    assert torch.equal(coded.decoded, photograph)
    assert torch.equal(network.decode(coded.motion, coded.residual, hidden, 4.0, [noise, photograph]), photograph)
    without = network.encode(photograph, hidden, 4.0)
    assert not without.motion[8].any()
    assert without.residual.any()


@torch.no_grad()
def test_ages_beyond_the_frames_there_are_mean_the_oldest(network: Any, photograph: Tensor) -> None:
    coded = network.encode(photograph, photograph, 4.0)
    for age, expected in ((-128, photograph), (0, photograph), (1, 1 - photograph), (127, 1 - photograph)):
        coded.motion[8] = age
        assert torch.equal(network.decode(coded.motion, coded.residual, photograph, 4.0, [1 - photograph]), expected)


@pytest.mark.parametrize("how", ["network", "overlapping"])
@torch.no_grad()
def test_rows_and_modules_bring_the_same(how: str, photograph: Tensor, request: pytest.FixtureRequest) -> None:
    network: Any = request.getfixturevalue(how)
    dice = torch.Generator().manual_seed(0)
    motion = torch.randint(-9, 10, (9, 12, 16), generator=dice)
    motion[8] = torch.randint(-1, 6, (12, 16), generator=dice)
    seen = [photograph.roll(shift, 3) for shift in range(3)]
    ways = OnBlocks(network.motion_coder, network.residual_coder, network.overlap), _AsModules(network)
    ours, theirs = (way.predicted(way.motion(motion, 4.0), seen) for way in ways)
    assert (ours - theirs).abs().max() < 1e-5
    assert (ours - ways[0].predicted(ways[0].motion(motion, 4.0), seen[:1])).abs().max() > 0.05


@torch.no_grad()
def test_what_does_not_change_costs_nothing_and_stays(network: Any, photograph: Tensor) -> None:
    picture = photograph.clone()
    for _ in range(3):
        coded = network.encode(photograph, picture, 4.0)
        assert not coded.motion.any()
        assert not coded.residual.any()
        assert torch.equal(coded.decoded, photograph)
        picture = coded.decoded


@torch.no_grad()
def test_blocks_that_overlap_stay_where_nothing_changes(overlapping: Any, photograph: Tensor) -> None:
    coded = overlapping.encode(photograph, photograph, 4.0)
    assert not coded.motion.any()
    assert not coded.residual.any()
    assert (coded.decoded - photograph).abs().max() < 1e-6


@torch.no_grad()
def test_blocks_that_overlap_have_no_edges(network: Any, overlapping: Any, photograph: Tensor) -> None:
    """Of a turned picture every block has a vector of its own."""
    turned = F.affine_grid(torch.tensor([[[0.999, 0.03, 0.0], [-0.03, 0.999, 0.0]]]), list(photograph.shape), align_corners=False)
    target = F.grid_sample(photograph, turned, mode="bicubic", padding_mode="border", align_corners=False)
    flow, ages = matched(target, [photograph], torch.zeros(1, 2, 48, 64), 0.02)
    motion = torch.cat((network.motion_coder.quantise(flow, 4.0), ages[None].to(torch.int16)))
    missed = []
    for model in (network, overlapping):
        way = OnBlocks(model.motion_coder, model.residual_coder, model.overlap)
        missed.append(error(way.predicted(way.motion(motion, 4.0), [photograph]), target))
    assert missed[1] < 0.9 * missed[0]


@torch.no_grad()
def test_quality_is_what_it_costs(network: Any) -> None:
    first, second = (frame[None] for frame in pictures(2, 128, 192))
    errors, sizes = [], []
    for quality in (1.0, 4.5, 8.0):
        coded = network.encode(second, first, quality)
        assert torch.equal(network.decode(coded.motion, coded.residual, first, quality), coded.decoded)
        errors.append(float((coded.decoded - second).square().mean()))
        sizes.append(int(coded.residual.ne(0).sum()))
    assert errors == sorted(errors, reverse=True)
    assert sizes == sorted(sizes)
    assert errors[-1] < 2e-4


def test_what_hardly_helps_is_not_coded() -> None:
    """Of four blocks one has a coefficient of hardly more than half a step, one a large one, one many, one none."""
    scaled = torch.zeros(384, 1, 1)
    scaled[4 * 7], scaled[4 * 7 + 1] = 0.8, 2.9
    scaled[2 : 4 * 20 : 4] = -1.0
    kept = worthwhile(scaled, scaled.round().to(torch.int16))
    assert kept.dtype == torch.int16
    expected = scaled.round()
    expected[4 * 7] = 0
    assert torch.equal(kept.float(), expected)


def test_edges_of_coded_blocks_are_smoothed() -> None:
    torch.manual_seed(0)
    steps = torch.rand(1, 3, 4, 4).sub(0.5).mul(0.02).add(0.5).repeat_interleave(8, 2).repeat_interleave(8, 3)
    nothing, all_of_them = (torch.full((1, 1, 4, 4), answer) for answer in (False, True))
    assert torch.equal(deblock(steps.clone(), nothing, 8, 0.2), steps)
    smooth = deblock(steps.clone(), all_of_them, 8, 0.2)

    def jumps(frame: Tensor) -> Tensor:
        return (frame[..., 8::8] - frame[..., 7:-1:8]).abs()

    assert jumps(smooth).mean() < 0.6 * jumps(steps).mean()
    assert (smooth - steps).abs().max() <= 2 * 0.07 * 0.2 + 1e-6
    inside = steps.clone()
    inside[..., 7::8], inside[..., 0::8], inside[..., 7::8, :], inside[..., 0::8, :] = (0.0,) * 4
    left = smooth.clone()
    left[..., 7::8], left[..., 0::8], left[..., 7::8, :], left[..., 0::8, :] = (0.0,) * 4
    assert torch.equal(inside, left)
    edge = torch.where(torch.arange(32) < 16, 0.3, 0.7).expand(1, 3, 32, 32)
    assert torch.equal(deblock(edge.clone(), all_of_them, 8, 0.2), edge), "edges of the picture's own stay"
    alone = nothing.clone()
    alone[..., 1, 2] = True
    touched = F.max_pool2d((deblock(steps.clone(), alone, 8, 0.2) != steps).any(1, keepdim=True).float(), 8)
    assert touched[0, 0].tolist() == [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_blocks_with_integers_are_coded() -> None:
    symbols = torch.zeros(384, 2, 3, dtype=torch.int16)
    symbols[4 * 7 + 1, 0, 2], symbols[4 * 95 + 2, 1, 0] = 1, -1  # top right of one place, bottom left of another
    found = coded_blocks(symbols)
    assert found.shape == (1, 1, 4, 6)
    assert found[0, 0].nonzero().tolist() == [[0, 5], [3, 0]]


@torch.no_grad()
def test_quarters_of_blocks_come_back() -> None:
    basis = step_basis(4, 2)
    assert torch.allclose(basis.flatten(1) @ basis.flatten(1).T, torch.eye(8), atol=1e-6)
    even = torch.randn(1, 2, 6, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(Synthesis(basis, 3.0, bias=False)(Analysis(basis, 3.0)(even)), even, atol=1e-5)


@pytest.mark.parametrize("how", ["network", "overlapping"])
@torch.no_grad()
def test_a_decoder_by_the_book(how: str, request: pytest.FixtureRequest) -> None:
    """docs/FORMAT.md, section 10, pixel by pixel."""
    network: Any = request.getfixturevalue(how)
    quality, (first, second) = 6.0, (frame[None] for frame in pictures(2, 64, 64))
    coded = network.encode(second, first, quality)
    coded.motion[:, 1, 2] = torch.tensor([9, 2, -3, 1, -7, 0, 2, 5, 1])
    coded.motion[8, 3, 3] = 3
    gains = [gain.flatten().double().numpy() for gain in network.residual_coder.gains(torch.tensor([quality]))]
    seen = [frame[0].double().numpy() for frame in (first, 1 - first)]
    residual = residual_by_the_book(coded.residual.numpy() * gains[1][:, None, None])
    frame = brought_by_the_book(seen, coded.motion.numpy(), network.overlap) + residual
    step = 27 / 255 / gains[0].mean()
    for axis in (2, 1):
        smooth_by_the_book(np.moveaxis(frame, axis, 2), np.moveaxis(residual, axis, 2), step)
    ours = network.decode(coded.motion, coded.residual, first, quality, [1 - first])
    assert np.abs(ours[0].numpy() - frame.clip(0, 1)).max() < 1e-4
    assert coded.residual.any()


def brought_by_the_book(seen: list[np.ndarray], motion: np.ndarray, overlap: bool) -> np.ndarray:
    _, height, width = seen[0].shape
    out = np.zeros_like(seen[0])
    for row in range(height):
        for column in range(width):
            for i, below in blocks_by_the_book(row, height, overlap):
                for j, right in blocks_by_the_book(column, width, overlap):
                    m = motion[:, i // 2, j // 2].astype(float)
                    sx, sy = 1 - 2 * (j % 2), 1 - 2 * (i % 2)
                    x, y = (m[k] + sx * m[k + 1] + sy * m[k + 2] + sx * sy * m[k + 3] for k in (0, 4))
                    reference = seen[min(max(motion[8, i // 2, j // 2], 0), len(seen) - 1)]
                    out[:, row, column] += below * right * cubic_by_the_book(reference, row + y / 4, column + x / 4)
    return out


def blocks_by_the_book(place: int, size: int, overlap: bool) -> list[tuple[int, float]]:
    """The blocks of 8 along an axis that a pixel comes from, and how much each counts."""
    block, inside = divmod(place, 8)
    other = block - 1 if inside < 4 else block + 1
    if not overlap or not 0 <= other < size // 8:
        return [(block, 1.0)]
    share = (0.3, 0.18, 0.09, 0.03)[min(inside, 7 - inside)]
    return [(block, 1 - share), (other, share)]


def cubic_by_the_book(picture: np.ndarray, y: float, x: float) -> np.ndarray:
    _, height, width = picture.shape
    top, left, total = math.floor(y), math.floor(x), np.zeros(3)
    for row in range(top - 1, top + 3):
        for column in range(left - 1, left + 3):
            seen = picture[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            total += keys(y - row) * keys(x - column) * seen
    return total


def keys(distance: float, a: float = -0.75) -> float:
    d = abs(distance)
    return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def residual_by_the_book(coefficients: np.ndarray) -> np.ndarray:
    """(384, h, w) -> (3, 16 h, 16 w)."""
    frequencies = sorted(((u, v) for u in range(8) for v in range(8)), key=lambda f: f[0] ** 2 + f[1] ** 2)
    places = np.arange(8) + 0.5
    waves = [np.cos(np.pi / 8 * places * u) * math.sqrt((1 if u == 0 else 2) / 8) for u in range(8)]
    colors = [np.array(axis) / np.linalg.norm(axis) for axis in ((1, 1, 1), (-1, 0, 1), (-1, 2, -1))]
    atoms = [(color, u, v) for color, count in zip(colors, (64, 16, 16), strict=True) for u, v in frequencies[:count]]
    _, h, w = coefficients.shape
    out = np.zeros((3, 16 * h, 16 * w))
    for k, (color, u, v) in enumerate(atoms):
        for i in range(2):
            for j in range(2):
                for row in range(h):
                    for column in range(w):
                        value = coefficients[4 * k + 2 * i + j, row, column] * 27 / 255
                        if value:
                            block = out[:, 16 * row + 8 * i :, 16 * column + 8 * j :][:, :8, :8]
                            block += value * color[:, None, None] * waves[u][:, None] * waves[v]
    return out


def smooth_by_the_book(frame: np.ndarray, residual: np.ndarray, step: float) -> None:
    for edge in range(8, frame.shape[2], 8):
        p0, p1, p2 = (frame[:, :, edge - k].copy() for k in (1, 2, 3))
        q0, q1, q2 = (frame[:, :, edge + k].copy() for k in (0, 1, 2))
        d = (9 * (q0 - p0) - 3 * (q1 - p1)) / 16
        uneven = abs(p2 - 2 * p1 + p0) + abs(q2 - 2 * q1 + q0)
        t = d.clip(-0.07 * step, 0.07 * step) * (2 - 2 * uneven / (0.6 * step)).clip(0, 1)
        t *= (2 - 2 * abs(d) / (0.7 * step)).clip(0, 1)
        t *= ((abs(residual[:, :, edge - 1]) > 1e-12) | (abs(residual[:, :, edge]) > 1e-12)).any(0)
        frame[:, :, edge - 1] += t
        frame[:, :, edge] -= t


def test_it_learns_as_any_other() -> None:
    torch.manual_seed(0)
    network: Any = networks.build("bvc", venet=False, refine=False, blocks=True)
    target, reference = (frame[None] for frame in pictures(2, 64, 64))
    quality = torch.tensor([4.0])
    flow, motion_bits = network.motion_coder(network.flow(target, reference), quality)
    predicted = network.compensated(network.warped(reference, flow), reference, flow)
    found, bits = network.residual(target - predicted, quality, "noise")
    ((predicted + found - target).square().mean() + 1e-6 * (bits + motion_bits).mean()).backward()
    for name in ("motion_coder.encoder.project.weight", "residual_coder.decoder.1.expand.weight", "residual_coder.log_gains"):
        assert network.get_parameter(name).grad.abs().max() > 0, name


def test_what_blocks_do_not_go_with_is_said() -> None:
    with pytest.raises(UsageError, match="has all detail"):
        networks.build("bvc", blocks=True, detail=True)
    with pytest.raises(UsageError, match="only the compact BVC"):
        networks.build("bvc", size="paper", blocks=True)
    with pytest.raises(UsageError, match="only blocks overlap"):
        networks.build("bvc", overlap=True)
    for references, blocks in ((2, False), (0, True), (5, True)):
        with pytest.raises(UsageError, match="references"):
            networks.build("bvc", blocks=blocks, references=references)
