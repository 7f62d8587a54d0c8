"""Colour conversion: known colours, exact round trips at every depth and size, siting, agreement with libswscale."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from revivid.color import clip_to_rgb, luma_bt601, rgb_8bit, rgb_to_planes
from revivid.errors import ShapeError, UsageError
from revivid.types import Clip, ColorSpec


def make_clip(planes: tuple[np.ndarray, np.ndarray, np.ndarray], color: ColorSpec) -> Clip:
    count = len(planes[0])
    return Clip(planes, tuple(Fraction(t, 25) for t in range(count)), (Fraction(1, 25),) * count, color)


def random_clip(height: int, width: int, color: ColorSpec, count: int = 2) -> Clip:
    """White noise in all planes, mild enough to stay inside the RGB cube."""
    rng = np.random.default_rng(height * 1000 + width)
    scale = 1 << (color.bit_depth - 8)
    chroma = (count, -(-height // 2), -(-width // 2))
    y = rng.integers(100 * scale, 150 * scale, (count, height, width))
    u, v = (rng.integers(118 * scale, 138 * scale, chroma) for _ in "uv")
    return make_clip((y.astype(color.dtype), u.astype(color.dtype), v.astype(color.dtype)), color)


def smooth_rgb(height: int, width: int) -> torch.Tensor:
    rows = torch.linspace(0, 3, height)[:, None]
    columns = torch.linspace(0, 4, width)[None, :]
    return torch.stack([0.5 + 0.4 * torch.sin(rows * a + columns * b) for a, b in ((1, 1), (0.5, -1), (1, 0.3))])[None]


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 9])
def test_noise_survives_yuv_rgb_yuv(bit_depth: int, full_range: bool, matrix: int) -> None:
    color = ColorSpec(matrix=matrix, full_range=full_range, bit_depth=bit_depth)
    clip = random_clip(34, 50, color)
    for before, after in zip(clip.planes, rgb_to_planes(clip_to_rgb(clip), color), strict=True):
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert np.abs(after.astype(int) - before.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (1, 7), (7, 1), (4, 5), (5, 4), (17, 23)])
def test_every_small_size_survives(size: tuple[int, int]) -> None:
    color = ColorSpec(matrix=1)
    clip = random_clip(*size, color)
    rgb = clip_to_rgb(clip)
    assert rgb.shape == (2, 3, *size)
    for before, after in zip(clip.planes, rgb_to_planes(rgb, color), strict=True):
        assert np.abs(after.astype(int) - before.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [(90, 160), (91, 161)])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_smooth_rgb_survives_rgb_yuv_rgb(size: tuple[int, int], bit_depth: int) -> None:
    color = ColorSpec(matrix=1, bit_depth=bit_depth)
    rgb = smooth_rgb(*size)
    back = clip_to_rgb(make_clip(rgb_to_planes(rgb, color), color))
    error = (back - rgb)[..., 2:-2, 2:-2].abs().max().item()
    assert error < (0.012 if bit_depth == 8 else 0.004)


@pytest.mark.parametrize(
    ("matrix", "full_range", "bit_depth", "rgb", "ycc"),
    [
        (1, False, 8, (1, 1, 1), (235, 128, 128)),
        (1, False, 8, (0, 0, 0), (16, 128, 128)),
        (1, False, 8, (1, 0, 0), (63, 102, 240)),
        (1, False, 8, (0, 0, 1), (32, 240, 118)),
        (6, False, 8, (1, 0, 0), (81, 90, 240)),
        (6, False, 8, (0, 1, 0), (145, 54, 34)),
        (6, True, 8, (1, 0, 0), (76, 85, 255)),
        (9, False, 10, (1, 1, 1), (940, 512, 512)),
        (9, False, 10, (1, 0, 0), (294, 387, 960)),
        (9, False, 12, (0, 0, 0), (256, 2048, 2048)),
    ],
)
def test_known_colours(
    matrix: int, full_range: bool, bit_depth: int, rgb: tuple[int, int, int], ycc: tuple[int, int, int]
) -> None:
    color = ColorSpec(matrix=matrix, full_range=full_range, bit_depth=bit_depth)
    frame = torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 4, 6)
    planes = rgb_to_planes(frame, color)
    assert tuple(int(plane.flat[0]) for plane in planes) == ycc
    assert all((plane == plane.flat[0]).all() for plane in planes)
    back = clip_to_rgb(make_clip(planes, color))
    assert (back - frame).abs().max() < 0.012


def test_unknown_matrix_is_guessed_from_the_height() -> None:
    frame = torch.tensor((1.0, 0.0, 0.0)).view(1, 3, 1, 1)
    small = rgb_to_planes(frame.expand(1, 3, 576, 4), ColorSpec())
    large = rgb_to_planes(frame.expand(1, 3, 720, 4), ColorSpec())
    assert small[0].flat[0] == 81
    assert large[0].flat[0] == 63


def test_chroma_sits_on_even_columns_and_between_rows() -> None:
    """On a linear ramp of blue, the chroma sample (j, k) is the ramp's value at row 2j + 1/2 and column 2k."""
    color = ColorSpec(matrix=1, full_range=True, bit_depth=12)
    row, column = torch.arange(32.0)[:, None], torch.arange(48.0)[None, :]
    rgb = torch.zeros(1, 3, 32, 48)
    rgb[:, 2] = 0.2 + 0.004 * row + 0.007 * column
    _, u, _ = rgb_to_planes(rgb, color)
    blue = 0.2 + 0.004 * (torch.arange(0, 32, 2) + 0.5)[:, None] + 0.007 * torch.arange(0, 48, 2)[None, :]
    expected = 2048 + 4095 * 0.5 * blue.numpy()
    assert np.abs(u[0].astype(float) - expected)[1:-1, 1:-1].max() <= 0.51
    back = clip_to_rgb(make_clip(rgb_to_planes(rgb, color), color))
    assert (back - rgb)[..., 4:-4, 4:-4].abs().max() < 0.001


def test_agrees_with_libswscale_on_smooth_pictures() -> None:
    picture = (smooth_rgb(96, 128)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    for code, name in ((1, "ITU709"), (6, "ITU601")):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        theirs = frame.reformat(format="yuv420p", dst_colorspace=name)
        ours = rgb_to_planes(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255, ColorSpec(matrix=code))
        for index, plane in enumerate(theirs.planes):
            stored = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            difference = np.abs(ours[index][0].astype(int) - stored.astype(int))
            assert difference[2:-2, 2:-2].max() <= 2, (name, index)


def test_out_of_gamut_values_are_clipped() -> None:
    color = ColorSpec(matrix=1)
    rgb = torch.tensor([-3.0, 7.0, 0.5]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    clipped = rgb_to_planes(rgb.clamp(0, 1), color)
    for ours, theirs in zip(rgb_to_planes(rgb, color), clipped, strict=True):
        assert (ours == theirs).all()
    y = np.full((1, 4, 4), 255, np.uint8)
    u = v = np.zeros((1, 2, 2), np.uint8)
    assert clip_to_rgb(make_clip((y, u, v), color)).max() <= 1
    checkered = torch.zeros(1, 3, 8, 8)
    checkered[..., ::3] = 1
    _, u, v = rgb_to_planes(checkered * torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1), color)
    assert min(u.min(), v.min()) >= 16
    assert max(u.max(), v.max()) <= 240


def test_inputs_are_left_alone_and_may_be_read_only_or_strided() -> None:
    color = ColorSpec(matrix=1)
    clip = random_clip(12, 20, color)
    expected = clip_to_rgb(clip)
    wide = [np.repeat(plane, 2, axis=2)[:, :, ::2] for plane in clip.planes]
    for plane in wide:
        plane.flags.writeable = False
    assert torch.equal(clip_to_rgb(clip.with_planes(wide[0], wide[1], wide[2])), expected)
    before = expected.clone()
    rgb_to_planes(expected.double(), color)
    rgb_to_planes(expected, color)
    assert torch.equal(expected, before)


def test_empty_clip() -> None:
    clip = random_clip(6, 8, ColorSpec())[0:0]
    assert clip_to_rgb(clip).shape == (0, 3, 6, 8)


def test_unsupported_matrix_and_shape_are_typed_errors() -> None:
    with pytest.raises(UsageError, match="ycgco") as caught:
        clip_to_rgb(random_clip(4, 4, ColorSpec(matrix=8)))
    assert "bt709" in caught.value.hint
    with pytest.raises(ShapeError):
        rgb_to_planes(torch.zeros(3, 4, 4), ColorSpec())


def test_luma_bt601_spans_16_to_235() -> None:
    ends = luma_bt601(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 2, 2))
    assert ends.shape == (2, 1, 2, 2)
    assert torch.allclose(ends[:, 0, 0, 0], torch.tensor([16.0, 235.0]))
    green = luma_bt601(torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
    assert green.item() == pytest.approx(128.553 + 16, abs=1e-4)


def test_rgb_8bit_is_whole_numbers() -> None:
    clip = random_clip(8, 10, ColorSpec(matrix=1, bit_depth=10))
    rounded = rgb_8bit(clip)
    assert torch.equal(rounded, rounded.round())
    assert (rounded / 255 - clip_to_rgb(clip)).abs().max() <= 0.5 / 255 + 1e-6
