"""Deformable convolution against loops over the definition, and its special cases."""

import pytest
import torch
import torch.nn.functional as F

from revivid.errors import ShapeError
from revivid.layers import deform
from revivid.layers.deform import deform_conv2d, flow_guided_offsets, split_predicted


def naive(x, offset, mask, weight, bias, stride, padding, dilation):
    """The definition, one output value at a time (float64)."""
    batch, channels, height, width = x.shape
    outputs, per_group, kh, kw = weight.shape
    taps, groups = kh * kw, mask.shape[1] // (kh * kw)
    out = torch.zeros(batch, outputs, *mask.shape[2:], dtype=x.dtype)

    def at(n, c, row, column):
        value, top, left = 0.0, int(row // 1), int(column // 1)
        for r in (top, top + 1):
            for col in (left, left + 1):
                if 0 <= r < height and 0 <= col < width:
                    value += (1 - abs(row - r)) * (1 - abs(column - col)) * x[n, c, r, col].item()
        return value

    for n in range(batch):
        for o in range(outputs):
            first = o // (outputs // (channels // per_group)) * per_group
            for y in range(out.shape[2]):
                for z in range(out.shape[3]):
                    total = bias[o].item()
                    for c in range(first, first + per_group):
                        q = c // (channels // groups)
                        for k in range(taps):
                            dy, dx = offset[n, 2 * (taps * q + k), y, z].item(), offset[n, 2 * (taps * q + k) + 1, y, z].item()
                            row = y * stride[0] - padding[0] + k // kw * dilation[0] + dy
                            column = z * stride[1] - padding[1] + k % kw * dilation[1] + dx
                            sample = mask[n, taps * q + k, y, z].item() * at(n, c, row, column)
                            total += weight[o, c - first, k // kw, k % kw].item() * sample
                    out[n, o, y, z] = total
    return out


def case(channels, outputs, groups, conv_groups, kernel, stride, padding, dilation, size=(5, 6), batch=2):
    made = torch.Generator().manual_seed(3)

    def noise(*shape):
        return torch.randn(*shape, generator=made, dtype=torch.float64)

    rows, columns = ((size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1))
    taps = kernel[0] * kernel[1]
    return (
        noise(batch, channels, *size),
        1.5 * noise(batch, 2 * groups * taps, rows, columns),
        noise(batch, groups * taps, rows, columns).sigmoid(),
        noise(outputs, channels // conv_groups, *kernel),
        noise(outputs),
    )


NAMES = ("channels", "outputs", "groups", "conv_groups", "kernel", "stride", "padding", "dilation")
GEOMETRIES = [
    dict(zip(NAMES, row, strict=True))
    for row in (
        (4, 3, 1, 1, (3, 3), (1, 1), (1, 1), (1, 1)),
        (4, 4, 4, 2, (3, 3), (1, 1), (1, 1), (1, 1)),
        (6, 3, 2, 3, (3, 3), (2, 1), (0, 2), (1, 2)),
        (2, 2, 2, 1, (1, 2), (1, 2), (0, 1), (1, 1)),
    )
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("strip", [1, 2**21])
def test_equals_the_definition(geometry, strip, monkeypatch):
    monkeypatch.setattr(deform, "STRIP_VALUES", strip)  # one row at a time, or all at once
    x, offset, mask, weight, bias = case(**geometry)
    how = {key: geometry[key] for key in ("stride", "padding", "dilation")}
    got = deform_conv2d(x, offset, mask, weight, bias, **how)
    torch.testing.assert_close(got, naive(x, offset, mask, weight, bias, **how), atol=1e-10, rtol=0)


def test_without_deformation_it_is_a_convolution():
    x, offset, mask, weight, bias = case(**GEOMETRIES[1])
    got = deform_conv2d(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(got, F.conv2d(x, weight, bias, padding=1, groups=2), atol=1e-10, rtol=0)


def test_whole_offsets_shift_the_picture():
    x = torch.arange(20.0).view(1, 1, 4, 5)
    offset = torch.zeros(1, 2, 4, 5)
    offset[:, 0], offset[:, 1] = 1, -2  # one down, two left
    got = deform_conv2d(x, offset, torch.ones(1, 1, 4, 5), torch.ones(1, 1, 1, 1), padding=0)
    want = torch.zeros(4, 5)
    want[:3, 2:] = x[0, 0, 1:, :3]
    torch.testing.assert_close(got[0, 0], want, atol=1e-5, rtol=0)


def test_one_pixel_wide():
    x, offset, mask, weight, bias = case(**GEOMETRIES[0], size=(4, 1))
    how = {key: GEOMETRIES[0][key] for key in ("stride", "padding", "dilation")}
    torch.testing.assert_close(deform_conv2d(x, offset, mask, weight, bias), naive(x, offset, mask, weight, bias, **how))


def test_gradients(monkeypatch):
    monkeypatch.setattr(deform, "STRIP_VALUES", 200)
    inputs = [part.requires_grad_(True) for part in case(**GEOMETRIES[1], size=(3, 4), batch=1)]
    assert torch.autograd.gradcheck(lambda *parts: deform_conv2d(*parts), inputs, fast_mode=True)


def test_bfloat16_rounds_values_not_places():
    x, offset, mask, weight, bias = (part.float() for part in case(**GEOMETRIES[0], size=(20, 200), batch=1))
    want = deform_conv2d(x, offset, mask, weight, bias)
    got = deform_conv2d(x.bfloat16(), offset, mask, weight.bfloat16(), bias.bfloat16())
    assert got.dtype == torch.bfloat16
    assert (got.float() - want).abs().max() < 0.02 * want.abs().max()


def test_predictor_channels():
    raw = torch.randn(1, 27 * 2, 3, 4)
    offsets, mask = split_predicted(raw.bfloat16())
    assert offsets.shape[1] == 36
    assert mask.shape[1] == 18
    assert offsets.dtype == mask.dtype == torch.float32
    torch.testing.assert_close(mask, raw[:, 36:].bfloat16().float().sigmoid())


def test_flow_guides_in_row_column_order():
    flows = [torch.full((1, 2, 3, 4), value) for value in (1.0, 5.0)]
    for flow in flows:
        flow[:, 1] += 1  # y
    guided = flow_guided_offsets(torch.zeros(1, 8, 3, 4), flows, 10)
    assert guided[0, :, 0, 0].tolist() == [2, 1, 2, 1, 6, 5, 6, 5]
    assert flow_guided_offsets(torch.full((1, 8, 3, 4), 50.0), flows, 10)[0, 0, 0, 0] == 12
    with pytest.raises(ShapeError, match="shared out"):
        flow_guided_offsets(torch.zeros(1, 6, 3, 4), flows, 10)


def test_shapes_that_do_not_fit_are_named():
    x, offset, mask, weight, bias = case(**GEOMETRIES[0])
    with pytest.raises(ShapeError, match="whole groups"):
        deform_conv2d(x, offset[:, :-2], mask, weight, bias)
    with pytest.raises(ShapeError, match="output of 5x6"):
        deform_conv2d(x, offset[..., :-1], mask[..., :-1], weight, bias)
    with pytest.raises(ShapeError, match="don't divide"):
        deform_conv2d(x[:, :3], offset, mask, weight, bias)
