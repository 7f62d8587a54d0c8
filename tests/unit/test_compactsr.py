"""CompactSR: exactly bicubic before training, any size, integer planes, tiles that join without seams."""

import pytest
import torch
import torch.nn.functional as F

from revivid import networks
from revivid.errors import ShapeError, UsageError


def planes(height, width, count=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.rand(count, 1, height, width, generator=generator)
    uv = torch.rand(count, 2, -(-height // 2), -(-width // 2), generator=generator)
    return y, uv, torch.linspace(20, 36, count)


def trained(scale=4, **hyperparameters):
    """A network whose heads and modulation are no longer zero."""
    torch.manual_seed(1)
    network = networks.build("compactsr", scale=scale, channels=16, layers=2, **hyperparameters).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(2, 2), (2, 6), (18, 26), (34, 16), (7, 5)])
def test_untrained_is_bicubic(scale, size):
    network = networks.build("compactsr", scale=scale, channels=16, layers=1)
    y, uv, crf = planes(*size, count=2)
    out_y, out_uv = network(y, uv, crf)
    assert out_y.shape == (2, 1, scale * size[0], scale * size[1])
    assert out_uv.shape == (2, 2, scale * size[0] // 2, scale * size[1] // 2)
    torch.testing.assert_close(out_y, F.interpolate(y, scale_factor=scale, mode="bicubic"), atol=2e-6, rtol=0)
    expected = F.interpolate(uv, scale_factor=scale, mode="bicubic")[..., : out_uv.shape[2], : out_uv.shape[3]]
    torch.testing.assert_close(out_uv, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, torch.uint8), (10, torch.uint16), (12, torch.uint16)])
def test_restore_is_forward_rounded_and_clamped(bit_depth, dtype):
    network, peak = trained(), (1 << bit_depth) - 1
    y, uv, crf = planes(20, 12)
    codes_y, codes_uv = ((plane * 1.4 - 0.2).clamp(0, 1).mul(peak).round().to(torch.int32) for plane in (y, uv))
    restored = network.restore(codes_y.to(dtype), codes_uv.to(dtype), crf, bit_depth)
    exact = network(codes_y / peak, codes_uv / peak, crf)
    assert exact[0].max() > 1  # the clamp has work to do
    assert exact[0].min() < 0
    for codes, plane in zip(restored, exact, strict=True):
        assert codes.dtype == dtype
        # A hair's breadth around x.5 may fall either way.
        off = (codes.to(torch.float64) - (plane.double().clamp(0, 1) * peak)).abs().max()
        assert off <= 0.5 + 1e-3


def test_crf_matters_and_batch_items_are_independent():
    network = trained()
    y, uv, crf = planes(16, 16, count=3)
    together = network(y, uv, crf)
    for i in range(3):
        alone = network(y[i : i + 1], uv[i : i + 1], crf[i : i + 1])
        torch.testing.assert_close(together[0][i], alone[0][0], atol=1e-5, rtol=0)
    assert (network(y, uv, crf + 8)[0] - together[0]).abs().max() > 1e-3


def test_chroma_helps_luma_and_luma_helps_chroma():
    network = trained()
    y, uv, crf = planes(16, 16)
    base = network(y, uv, crf)
    assert (network(y, 1 - uv, crf)[0] - base[0]).abs().max() > 1e-3
    assert (network(1 - y, uv, crf)[1] - base[1]).abs().max() > 1e-3


def test_signal_reaches_the_heads_from_the_start():
    """Each layer must pass on about as much variation as it gets, or deep units die before they learn anything."""
    network, deviations = networks.build("compactsr", channels=32, layers=6), []
    for layer in network.body[::2]:
        layer.register_forward_hook(lambda _layer, _given, out: deviations.append(out.std().item()))
    network(*planes(32, 32))
    assert 0.1 < deviations[0] < 2
    assert 0.3 < deviations[-1] / deviations[0] < 3


def test_spatial_reach_is_what_the_traits_say():
    network = trained()
    reach = network.traits.spatial_reach
    y, uv, crf = planes(64, 64)
    y.requires_grad_()
    network(y, uv, crf)[0][0, 0, 4 * 32 : 4 * 33, 4 * 32 : 4 * 33].sum().backward()
    rows = y.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert rows.min() >= 32 - reach
    assert rows.max() <= 32 + reach
    # A tile with that much margin equals the whole.
    whole = network(y, uv, crf)[0]
    margin = -(-reach // 2) * 2
    low, high = 32 - margin, 32 + margin + 2
    tile = network(y[..., low:high, low:high], uv[..., low // 2 : high // 2, low // 2 : high // 2], crf)[0]
    inner = slice(4 * margin, 4 * (margin + 2))
    torch.testing.assert_close(tile[..., inner, inner], whole[..., 128:136, 128:136], atol=1e-5, rtol=0)


def test_bfloat16_keeps_the_bicubic_part_in_float32():
    network = networks.build("compactsr", channels=16, layers=1).eval()
    y, uv, crf = planes(16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, _ = network(y, uv, crf)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, F.interpolate(y, scale_factor=4, mode="bicubic"), atol=2e-6, rtol=0)


def test_planes_that_do_not_fit_are_named():
    network = networks.build("compactsr", channels=16, layers=1)
    y, uv, crf = planes(16, 16)
    with pytest.raises(ShapeError, match=r"uv \(1, 2, 7, 8\)"):
        network(y, uv[:, :, :7], crf)
    with pytest.raises(ShapeError):
        network(y, uv, crf[0])
    with pytest.raises(UsageError):
        networks.build("compactsr", scale=3)
