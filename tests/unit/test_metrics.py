"""PSNR, SSIM, MS-SSIM: agreement with scikit-image, pytorch-msssim and FFmpeg, edge cases, whole frames of video."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
import pytest
import pytorch_msssim
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from revivid.color import clip_to_rgb, rgb_to_planes
from revivid.errors import ShapeError
from revivid.metrics import METRICS, PSNR_CAP, gaps, measure, ms_ssim, psnr, ssim
from revivid.types import Clip, ColorSpec


def pair(height: int, width: int, noise: float = 8.0, count: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A textured picture (count, 3, H, W) of whole numbers 0..255, and the same with noise."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / a) * np.cos(columns / b) for a, b in ((9, 5), (23, 7), (4, 31))]
    picture = 128 + 60 * np.stack(waves) + rng.normal(0, 12, (count, 3, height, width))
    noisy = picture + rng.normal(0, noise, picture.shape)
    first, second = (torch.from_numpy(p.round().clip(0, 255)).float() for p in (picture, noisy))
    return first, second


def clip_of(rgb: torch.Tensor, color: ColorSpec) -> Clip:
    """Frames 0..255 as a clip."""
    count = len(rgb)
    times = tuple(Fraction(t, 25) for t in range(count))
    return Clip(rgb_to_planes(rgb / 255, color), times, (Fraction(1, 25),) * count, color)


def scikit_ssim(reference: torch.Tensor, distorted: torch.Tensor) -> float:
    """Of one frame (3, H, W): scikit-image's map on the windows that lie wholly inside."""
    values = []
    for x, y in zip(reference.numpy(), distorted.numpy(), strict=True):
        _, full = structural_similarity(
            x, y, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        values.append(full[5:-5, 5:-5].mean())
    return float(np.mean(values))


@pytest.mark.parametrize("size", [(11, 11), (12, 43), (50, 42), (51, 137), (200, 300), (90, 2000)])
def test_ssim_agrees_with_scikit_image(size: tuple[int, int]) -> None:
    reference, distorted = pair(*size, count=2)
    ours = ssim(reference, distorted)
    assert ours.shape == (2,)
    for frame in range(2):
        # scikit-image can't make a map of 11x11 frames with its own border: pad, and keep the valid part.
        x, y = (np.pad(p[frame].numpy(), ((0, 0), (6, 6), (6, 6)), mode="edge") for p in (reference, distorted))
        maps = [
            structural_similarity(
                x[c], y[c], data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
            )[1]
            for c in range(3)
        ]
        valid = np.mean([m[11:-11, 11:-11].mean() for m in maps])
        assert float(ours[frame]) == pytest.approx(valid, abs=1e-5)


@pytest.mark.parametrize("noise", [1.0, 30.0])
def test_ssim_agrees_with_scikit_image_on_little_and_much_noise(noise: float) -> None:
    reference, distorted = pair(100, 120, noise)
    assert float(ssim(reference, distorted)) == pytest.approx(scikit_ssim(reference[0], distorted[0]), abs=1e-5)


def test_ssim_and_ms_ssim_agree_with_pytorch_msssim() -> None:
    reference, distorted = pair(176, 208, noise=25.0, count=2)
    theirs = pytorch_msssim.ssim(reference.double(), distorted.double(), data_range=255, size_average=False)
    assert torch.allclose(ssim(reference, distorted), theirs, atol=1e-5)
    theirs = pytorch_msssim.ms_ssim(reference.double(), distorted.double(), data_range=255, size_average=False)
    assert torch.allclose(ms_ssim(reference, distorted), theirs, atol=1e-5)


def direct_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang 2003 on one plane, written down plainly in float64."""
    product = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            x, y = (np.pad(p, ((0, p.shape[0] % 2), (0, p.shape[1] % 2)), mode="edge") for p in (x, y))
            x, y = ((p[0::2, 0::2] + p[0::2, 1::2] + p[1::2, 0::2] + p[1::2, 1::2]) / 4 for p in (x, y))
        taps = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
        window = np.outer(taps, taps) / taps.sum() ** 2
        views = [np.lib.stride_tricks.sliding_window_view(p, (11, 11)) for p in (x, y)]
        mx, my = ((v * window).sum((2, 3)) for v in views)
        xx, yy = (((v * v) * window).sum((2, 3)) for v in views)
        xy = ((views[0] * views[1]) * window).sum((2, 3)) - mx * my
        structure = (2 * xy + 58.5225) / (xx - mx**2 + yy - my**2 + 58.5225)
        luminance = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        product *= (structure * luminance if scale == 4 else structure).mean() ** weight
    return float(product)


def test_ms_ssim_at_the_smallest_and_odd_sizes() -> None:
    reference, distorted = pair(161, 183, noise=20.0)
    ours = ms_ssim(reference[:, :1], distorted[:, :1])
    expected = direct_ms_ssim(reference[0, 0].double().numpy(), distorted[0, 0].double().numpy())
    assert float(ours) == pytest.approx(expected, abs=1e-5)


def test_ms_ssim_of_opposite_pictures_is_zero_not_nan() -> None:
    reference, _ = pair(161, 161)
    assert float(ms_ssim(reference, 255 - reference)) == 0


def test_ms_ssim_under_161_pixels_is_a_clear_error() -> None:
    reference, distorted = pair(160, 400)
    with pytest.raises(ShapeError, match=r"161 pixels a side.*400x160"):
        ms_ssim(reference, distorted)


def test_ssim_under_11_pixels_and_unequal_sizes_are_errors() -> None:
    with pytest.raises(ShapeError, match="11 pixels"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
    for metric in (psnr, ssim, ms_ssim):
        with pytest.raises(ShapeError, match="can't be compared"):
            metric(torch.zeros(1, 3, 200, 200), torch.zeros(1, 3, 200, 201))


def test_identical_frames_have_the_top_scores() -> None:
    reference, _ = pair(170, 180)
    assert float(psnr(reference, reference)) == PSNR_CAP
    assert float(ssim(reference, reference)) == 1
    assert float(ms_ssim(reference, reference)) == 1


def test_flat_bright_frames_are_exact() -> None:
    """Variance by E[x^2] - E[x]^2 must not drown in rounding where the mean is large and the variance none."""
    reference, distorted = torch.full((1, 1, 64, 64), 250.0), torch.full((1, 1, 64, 64), 252.0)
    expected = (2 * 250 * 252 + 6.5025) / (250**2 + 252**2 + 6.5025)
    assert float(ssim(reference, distorted)) == pytest.approx(expected, abs=1e-6)


def test_psnr_agrees_with_scikit_image_and_takes_integers() -> None:
    reference, distorted = pair(40, 60, count=3)
    ours = psnr(reference.to(torch.uint8), distorted.to(torch.uint8))
    for frame in range(3):
        theirs = peak_signal_noise_ratio(reference[frame].numpy(), distorted[frame].numpy(), data_range=255)
        assert float(ours[frame]) == pytest.approx(theirs, abs=1e-4)
    assert float(psnr(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4), peak=1.0)) == 0


def test_inputs_are_left_alone() -> None:
    reference, distorted = pair(165, 167)
    before = reference.clone(), distorted.clone()
    ms_ssim(reference, distorted)
    psnr(reference, distorted)
    assert torch.equal(reference, before[0])
    assert torch.equal(distorted, before[1])


def test_measure_follows_the_conventions_of_the_tables() -> None:
    color = ColorSpec(matrix=1)
    clean, noisy = (clip_of(rgb, color) for rgb in pair(168, 176, count=2))
    scores = measure(clean, noisy)
    assert len(scores) == 2
    for t, row in enumerate(scores):
        x, y = ((clip_to_rgb(clip[t : t + 1])[0] * 255).round().double() for clip in (clean, noisy))
        weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64).view(3, 1, 1) / 255
        x_luma, y_luma = ((p * weights).sum(0) + 16 for p in (x, y))
        assert row.psnr == pytest.approx(10 * math.log10(255**2 / float((x - y).square().mean())), abs=1e-4)
        assert row.psnr_y == pytest.approx(10 * math.log10(255**2 / float((x_luma - y_luma).square().mean())), abs=1e-4)
        assert row.ssim == pytest.approx(scikit_ssim(x.float(), y.float()), abs=1e-5)
        assert row.ssim_y == pytest.approx(scikit_ssim(x_luma.float()[None], y_luma.float()[None]), abs=1e-5)
        theirs = pytorch_msssim.ms_ssim(x[None], y[None], data_range=255)
        assert row.ms_ssim == pytest.approx(float(theirs), abs=5e-3)  # it pads odd sizes with zeros at the coarse scales
        planes = clean.planes[0][t].astype(float) - noisy.planes[0][t].astype(float)
        assert row.psnr_luma == pytest.approx(10 * math.log10(255**2 / np.mean(planes**2)), abs=1e-4)
        assert list(row.to_dict()) == list(METRICS)


def ffmpeg_psnr_y(reference: Clip, distorted: Clip) -> float:
    """What FFmpeg's psnr filter says about the luma of the first frame."""
    name = "yuv420p" if reference.color.bit_depth == 8 else "yuv420p10le"
    graph = av.filter.Graph()
    sources = [
        graph.add_buffer(width=reference.width, height=reference.height, format=name, time_base=Fraction(1, 25)) for _ in "rd"
    ]
    compare, sink = graph.add("psnr"), graph.add("buffersink")
    sources[0].link_to(compare, 0, 0)
    sources[1].link_to(compare, 0, 1)
    compare.link_to(sink)
    graph.configure()
    for source, clip in zip(sources, (reference, distorted), strict=True):
        frame = av.VideoFrame(clip.width, clip.height, name)
        for plane, data in zip(frame.planes, clip.planes, strict=True):
            stride = plane.line_size // data.itemsize
            padded = np.zeros((plane.height, stride), data.dtype)
            padded[:, : plane.width] = data[0]
            plane.update(padded)
        frame.pts = 0
        frame.time_base = Fraction(1, 25)
        source.push(frame)
        source.push(None)
    return float(sink.pull().metadata["lavfi.psnr.psnr.y"])


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_native_luma_agrees_with_ffmpeg(bit_depth: int) -> None:
    color = ColorSpec(matrix=1, bit_depth=bit_depth)
    clean, noisy = (clip_of(rgb, color) for rgb in pair(64, 96))
    assert measure(clean, noisy)[0].psnr_luma == pytest.approx(ffmpeg_psnr_y(clean, noisy), abs=0.01)


def test_small_frames_leave_metrics_out_and_say_why() -> None:
    color = ColorSpec(matrix=1)
    clean, noisy = (clip_of(rgb, color) for rgb in pair(100, 240))
    row = measure(clean, noisy)[0]
    assert row.ms_ssim is None
    assert row.ssim is not None
    assert "161" in gaps(clean, noisy)["ms_ssim"]
    clean, noisy = (clip_of(rgb, color) for rgb in pair(8, 10))
    row = measure(clean, noisy)[0]
    assert row.ssim is None
    assert row.ssim_y is None
    assert row.psnr < 100
    assert set(gaps(clean, noisy)) == {"ssim", "ssim_y", "ssim_luma", "ms_ssim", "vmaf"}


def test_different_bit_depths_are_compared_as_8_bit_rgb() -> None:
    reference, _ = pair(64, 64)
    eight, ten = (clip_of(reference, ColorSpec(matrix=1, bit_depth=depth)) for depth in (8, 10))
    row = measure(eight, ten)[0]
    assert row.psnr_luma is None
    assert row.psnr_y > 45
    assert "8-bit limited bt709 against 10-bit limited bt709" in gaps(eight, ten)["psnr_luma"]


def test_an_identical_clip_scores_100_decibels() -> None:
    clip = clip_of(pair(170, 170)[0], ColorSpec(matrix=1))
    row = measure(clip, clip)[0]
    assert (row.psnr, row.psnr_y, row.psnr_luma) == (PSNR_CAP,) * 3
    assert (row.ssim, row.ms_ssim, row.ssim_y) == (1.0,) * 3


def test_measure_refuses_unequal_clips() -> None:
    color = ColorSpec(matrix=1)
    clean, _ = (clip_of(rgb, color) for rgb in pair(32, 32, count=2))
    with pytest.raises(ShapeError, match="2 frames and the other clip 1"):
        measure(clean, clean[:1])
    with pytest.raises(ShapeError, match="32x32 and the other video 32x30"):
        measure(clean[:1], clip_of(pair(30, 32)[0], color))
