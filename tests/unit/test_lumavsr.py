"""LumaVSR: begins as bicubic interpolation of its middle frame, sees registered neighbours, and takes every size, in parts too."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.networks.lumavsr import LumaVSR
from revivid.weights import embedded


def lumavsr(scale: int = 2, reach: int = 1, *, trained: bool = False) -> LumaVSR:
    torch.manual_seed(0)
    network = networks.build("lumavsr", scale=scale, channels=8, layers=1, reach=reach)
    assert isinstance(network, LumaVSR)
    if trained:
        for name, parameter in network.named_parameters():
            if not name.startswith("motion."):
                torch.nn.init.normal_(parameter, std=0.05)
    network.motion.load_state_dict(embedded.load("compactinterp-x2")[1])
    return network.eval()


def planes(reach: int, height: int = 32, width: int = 48) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    frames = 2 * reach + 1
    smooth = F.interpolate(torch.rand(1, frames, 5, 7, generator=generator), (height, width), mode="bicubic").clamp(0, 1)
    chroma = torch.rand(1, 2 * frames, -(-height // 2), -(-width // 2), generator=generator)
    return smooth, chroma, torch.tensor([28.0])


@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("scale", [2, 4])
def test_untrained_is_bicubic_of_the_middle_frame(scale, reach):
    y, uv, crf = planes(reach)
    with torch.inference_mode():
        made = lumavsr(scale, reach)(y, uv, crf)
    middle = y[:, reach : reach + 1], uv[:, 2 * reach : 2 * reach + 2]
    for plane, out in zip(middle, made, strict=True):
        torch.testing.assert_close(out, F.interpolate(plane, scale_factor=scale, mode="bicubic"), atol=1e-5, rtol=0)


def test_what_is_seen_of_a_neighbour_that_moved_is_hardly_different():
    network = lumavsr(2, 2)
    x = torch.arange(96.0)
    y = torch.stack([(0.5 + 0.3 * torch.sin((x - 1.5 * t) / 6)).expand(64, 96) for t in range(5)])[None]
    flows = torch.zeros(1, 8, 32, 48)
    flows[:, ::2] = torch.tensor([-1.5, 1.5, -3.0, 3.0]).view(1, 4, 1, 1)
    seen = network._neighbours(y, flows)
    assert seen.shape == (1, 25, 64, 96)
    still = network._neighbours(y, torch.zeros_like(flows))
    inside = (slice(None), slice(0, 4), slice(8, -8), slice(8, -8))
    assert seen[inside].abs().mean() < still[inside].abs().mean() / 50
    # Half a pixel beside the grid is where the sine is 0 and the cosine -1.
    assert seen[0, 9, 32, 48] == pytest.approx(0.0, abs=1e-4)
    assert seen[0, 17, 32, 48] == pytest.approx(-0.25, abs=1e-4)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_every_frame_counts(frame):
    network = lumavsr(trained=True)
    y, uv, crf = planes(1)
    other = y.clone()
    other[:, frame, 8:24, 8:24] += 0.05
    with torch.inference_mode():
        assert (network(y, uv, crf)[0] - network(other, uv, crf)[0]).abs().max() > 1e-3


def test_a_part_is_restored_as_in_the_whole_by_what_the_whole_guides():
    network = lumavsr(trained=True)
    y, uv, crf = planes(1, 64, 64)
    with torch.inference_mode():
        guide = network.guide(y)
        whole = network(y, uv, crf, guide)
        # Motion is slow here, so that a few rows are enough of what lies beyond.
        rows, halves = slice(16, 64), slice(8, 32)
        part = network(y[..., rows, :], uv[..., halves, :], crf, guide[..., halves, :].clamp(-4, 4))
        near = network(y, uv, crf, guide.clamp(-4, 4))
    torch.testing.assert_close(part[0][..., 32:, :], near[0][..., 64:, :], atol=1e-4, rtol=0)
    assert whole[0].shape == (1, 1, 128, 128)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 33)])
@pytest.mark.parametrize("depth", [8, 10])
def test_any_size_and_depth(size, depth):
    y, uv, crf = planes(1, *size)
    peak = 2**depth - 1
    dtype = torch.uint8 if depth == 8 else torch.uint16
    codes = [(plane * peak).round().to(torch.int32).to(dtype) for plane in (y, uv)]
    with torch.inference_mode():
        luma, chroma = lumavsr(trained=True).restore(codes[0], codes[1], crf, depth)
    assert luma.shape == (1, 1, 2 * size[0], 2 * size[1])
    assert chroma.shape == (1, 2, size[0], size[1])
    assert luma.dtype == chroma.dtype == dtype


def test_frames_that_are_missing_are_refused():
    y, uv, crf = planes(1)
    with pytest.raises(ShapeError, match=r"wants y \(N,3,H,W\)"):
        lumavsr()(y[:, :1], uv[:, :2], crf)


def test_no_neighbours_at_all_are_refused():
    with pytest.raises(UsageError, match="reach 0"):
        networks.build("lumavsr", reach=0)
