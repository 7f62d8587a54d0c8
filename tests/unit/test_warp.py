"""Warps against a loop that follows the definition, their borders, gradients and types."""

import pytest
import torch

from revivid.errors import ShapeError
from revivid.layers.warp import backward_warp, backward_warp_spaced, warp_corners


def naive_sample(picture: torch.Tensor, x: float, y: float, padding: str) -> torch.Tensor:
    """Bilinear value of `picture` (C, H, W) at one place."""
    _, height, width = picture.shape
    if padding == "border":
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    x0, y0 = int(x // 1), int(y // 1)
    value = torch.zeros(picture.shape[0], dtype=picture.dtype)
    for row, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
        for column, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            if 0 <= row < height and 0 <= column < width:
                value += wy * wx * picture[:, row, column]
    return value


def naive_warp(source: torch.Tensor, flow: torch.Tensor, padding: str) -> torch.Tensor:
    out = torch.empty_like(source)
    for n in range(source.shape[0]):
        for y in range(source.shape[2]):
            for x in range(source.shape[3]):
                at = (x + float(flow[n, 0, y, x]), y + float(flow[n, 1, y, x]))
                out[n, :, y, x] = naive_sample(source[n], *at, padding)
    return out


def pictures(height: int, width: int, reach: float = 3.0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(5)
    source = torch.rand(2, 3, height, width, generator=made, dtype=torch.float64)
    return source, (torch.rand(2, 2, height, width, generator=made, dtype=torch.float64) - 0.5) * 2 * reach


@pytest.mark.parametrize("size", [(6, 9), (9, 6), (2, 2)])
@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_equals_the_definition(size, padding):
    source, flow = pictures(*size)
    want = naive_warp(source, flow, padding)
    torch.testing.assert_close(backward_warp(source, flow, padding=padding), want, atol=1e-12, rtol=0)
    torch.testing.assert_close(backward_warp(source.float(), flow.float(), padding=padding), want.float(), atol=2e-5, rtol=0)


def test_spaced_form_is_the_same_map():
    source, flow = pictures(7, 10)
    want = backward_warp(source, flow, padding="border")
    torch.testing.assert_close(backward_warp_spaced(source, flow), want, atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (1, 1)])
def test_one_pixel_sides_stay_finite(size):
    source, flow = pictures(*size)
    for warped in (backward_warp(source, flow), backward_warp_spaced(source, flow), warp_corners(source, flow)):
        assert torch.isfinite(warped).all()


def test_flow_points_right_and_down():
    source = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 1
    torch.testing.assert_close(backward_warp(source, flow)[0, 0], torch.tensor([[1.0, 2, 3, 0], [5, 6, 7, 0], [9, 10, 11, 0]]))
    flow[:, 0], flow[:, 1] = 0, 1
    want = torch.tensor([[4.0, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]])
    torch.testing.assert_close(backward_warp(source, flow, padding="border")[0, 0], want)


def test_corners_follow_their_order():
    source, flow = pictures(6, 8, reach=9.0)
    flow[0, :, 2] = flow[0, :, 2].round()  # whole numbers: floor and ceil meet
    got = warp_corners(source, flow).unflatten(1, (4, 3))
    for y in range(6):
        for x in range(8):
            u, v = flow[0, 0, y, x] + x, flow[0, 1, y, x] + y
            for i, (column, row) in enumerate([(c, r) for c in (u.floor(), u.ceil()) for r in (v.floor(), v.ceil())]):
                inside = 0 <= row < 6 and 0 <= column < 8
                want = source[0, :, int(row), int(column)] if inside else torch.zeros(3, dtype=source.dtype)
                assert torch.equal(got[0, i, :, y, x], want)


def test_gradients():
    source, flow = pictures(4, 5)
    source.requires_grad_(True)
    flow.requires_grad_(True)
    assert torch.autograd.gradcheck(backward_warp, (source, flow))
    assert torch.autograd.gradcheck(backward_warp_spaced, (source, flow))
    assert torch.autograd.gradcheck(lambda s: warp_corners(s, flow), (source,))


def test_bfloat16_keeps_fine_coordinates():
    """A ramp of 256 columns: bfloat16 coordinates would be off by up to half a pixel, float32 ones round the value only."""
    source = torch.linspace(0, 1, 256).expand(1, 1, 4, 256).contiguous()
    flow = torch.full((1, 2, 4, 256), 0.25)
    got = backward_warp(source.bfloat16(), flow.bfloat16(), padding="border")
    assert got.dtype == torch.bfloat16
    assert (got.float() - backward_warp(source, flow, padding="border")).abs().max() < 2**-8


def test_keeps_the_memory_format():
    source, flow = pictures(6, 8)
    source = source.contiguous(memory_format=torch.channels_last)
    assert backward_warp(source, flow).is_contiguous(memory_format=torch.channels_last)


def test_sizes_must_agree():
    with pytest.raises(ShapeError, match="flow of shape"):
        backward_warp(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 9))


def test_bicubic_keeps_a_parabola_that_bilinear_flattens():
    x = torch.arange(12, dtype=torch.float64)
    source = (x**2).expand(1, 1, 9, 12).contiguous()
    flow = torch.tensor([0.5, 0.0], dtype=torch.float64).view(1, 2, 1, 1).expand(1, 2, 9, 12)
    wanted = (x + 0.5)[2:-3] ** 2
    missed = {mode: (backward_warp(source, flow, mode=mode)[0, 0, 4, 2:-3] - wanted).abs() for mode in ("bicubic", "bilinear")}
    assert missed["bicubic"].max() < missed["bilinear"].min()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_threads_share_a_large_picture(mode) -> None:
    """In bands of rows, which changes no bit."""
    source, flow = torch.rand(1, 3, 192, 384), 20 * torch.rand(1, 2, 192, 384) - 10
    before, answers = torch.get_num_threads(), []
    with torch.no_grad():
        for threads in (1, 2, 3, 5):  # five don't divide the rows
            torch.set_num_threads(threads)
            answers.append(backward_warp(source, flow, padding="border", mode=mode))
    torch.set_num_threads(before)
    assert all(torch.equal(answers[0], answer) for answer in answers)
