"""Deconvolution with known kernels: what is gained, what must not change, and the same numbers as scikit-image."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import restoration as reference

from revivid import limits
from revivid.errors import CorruptInput, InputNotReadable, LimitExceeded, UsageError
from revivid.recipe import StageSpec
from revivid.restoration import build
from revivid.restoration.deconvolve import Deconvolve, coding_noise
from revivid.restoration.inverse import Blur, tile_size
from revivid.restoration.kernels import Kernel, make_kernel, parse_kernel
from revivid.restoration.noise_level import estimate_noise
from revivid.restoration.stage import Conditions
from revivid.types import Clip, ColorSpec

SIZE = (140, 172)


def scene(height: int, width: int, seed: int = 3) -> np.ndarray:
    """A picture with the statistics of photographs: flat shapes with edges before a background of 1/f texture; 20..230."""
    rng = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    falloff = 1 / np.maximum(np.hypot(rows, columns), 1 / width) ** 1.2
    picture = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * falloff, s=(height, width))
    picture = 125 + 25 * picture / picture.std()
    y, x = np.mgrid[:height, :width]
    for _ in range(25):
        top, left, tall, wide = rng.uniform(0, 1, 4) * (height, width, 30, 30)
        inside = (np.abs(y - top) < tall / 2 + 3) & (np.abs(x - left + rng.normal() * (y - top)) < wide / 2 + 3)
        picture = np.where(inside, picture * 0.3 + rng.uniform(20, 160), picture)
    return picture.clip(20, 230)


def blurred(picture: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Only where the whole kernel lies on the picture: what is beyond the result's border was really blurred into it."""
    weights = torch.from_numpy(kernel.weights[::-1, ::-1].copy())
    return F.conv2d(torch.from_numpy(picture)[None, None], weights[None, None])[0, 0].numpy()


def clip_of(luma: np.ndarray, depth: int = 8, *, full: bool = False, chroma: np.ndarray | None = None) -> Clip:
    color = ColorSpec(1, 1, 1, full, depth)
    step = 1 << (depth - 8)
    height, width = (-(-side // 2) for side in luma.shape)
    chroma = np.full((height, width), 128.0) if chroma is None else chroma
    y, u, v = ((plane * step).round().clip(0, color.peak).astype(color.dtype)[None] for plane in (luma, chroma, chroma))
    return Clip((y, u, v), (Fraction(0),), (Fraction(1, 24),), color)


def psnr(ours: np.ndarray, theirs: np.ndarray, border: int = 0) -> float:
    inner = slice(border, -border or None)
    return float(10 * np.log10(255**2 / np.mean((ours.astype(float) - theirs)[..., inner, inner] ** 2)))


def gain(kernel_text: str, noise: float, depth: int = 8, *, full: bool = False, **options: object) -> float:
    """dB of luma over the blurry and noisy input."""
    kernel = parse_kernel(kernel_text)
    reach = [side // 2 for side in kernel.weights.shape]
    picture = scene(SIZE[0] + 2 * reach[0], SIZE[1] + 2 * reach[1])
    truth = picture[reach[0] : reach[0] + SIZE[0], reach[1] : reach[1] + SIZE[1]]
    seen = blurred(picture, kernel) + noise * np.random.default_rng(0).normal(size=SIZE)
    clip = clip_of(seen, depth, full=full)
    out = Deconvolve(kernel_text, **options).process(clip)  # type: ignore[arg-type]
    step = 1 << (depth - 8)
    return psnr(out.planes[0][0] / step, truth) - psnr(clip.planes[0][0] / step, truth)


@pytest.mark.parametrize(
    ("kernel", "noise", "wiener", "richardson_lucy"),
    [
        ("gaussian:1.5", 0, 3.0, 1.3),
        ("gaussian:2", 2, 1.5, 1.2),
        ("motion:15,30", 0, 4.5, 2.2),
        ("motion:9,-60", 2, 2.6, 1.9),
        ("motion:12,90", 5, 2.2, 1.4),
        ("disk:3", 0, 5.0, 1.7),
        ("disk:4", 2, 1.6, 1.5),
    ],
)
def test_known_blur_is_undone(kernel: str, noise: float, wiener: float, richardson_lucy: float) -> None:
    a, b = gain(kernel, noise), gain(kernel, noise, method="richardson-lucy")
    assert a > wiener
    assert b > richardson_lucy


@pytest.mark.parametrize(("depth", "full"), [(8, True), (10, False), (12, True)])
def test_every_depth_and_range(depth: int, full: bool) -> None:
    assert gain("motion:12,90", 5, depth, full=full) == pytest.approx(gain("motion:12,90", 5), abs=0.05)


def test_borders_do_not_ring() -> None:
    """The rim of the picture comes out about as well as its middle, though half of what was blurred into it lies outside."""
    kernel = parse_kernel("motion:15,30")
    reach = kernel.weights.shape[0] // 2
    picture = scene(SIZE[0] + 2 * reach, SIZE[1] + 2 * reach)
    truth, seen = picture[reach:-reach, reach:-reach], blurred(picture, kernel)
    out = Deconvolve(kernel).process(clip_of(seen)).planes[0][0]
    rim = np.ones(SIZE, bool)
    rim[12:-12, 12:-12] = False
    before, after = (np.square(image - truth)[rim].mean() for image in (seen, out))
    assert after < 0.6 * before


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
def test_no_blur_leaves_the_frame_alone(method: str) -> None:
    clip = clip_of(scene(*SIZE), chroma=scene(70, 86))
    out = Deconvolve("disk:0.4", method=method).process(clip)
    assert all(np.array_equal(a, b) for a, b in zip(out.planes, clip.planes, strict=True))


def test_hardly_any_blur_hardly_changes_the_frame() -> None:
    clip = clip_of(scene(*SIZE))
    assert psnr(Deconvolve("gaussian:0.4").process(clip).planes[0], clip.planes[0]) > 35
    assert psnr(Deconvolve("gaussian:0.4", noise=0.1).process(clip).planes[0], clip.planes[0]) > 38


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
@pytest.mark.parametrize("kernel", ["gaussian:2", "motion:15,30", "disk:3"])
def test_mean_brightness_stays(method: str, kernel: str) -> None:
    clip = clip_of(blurred(scene(*SIZE), parse_kernel(kernel)))
    out = Deconvolve(kernel, method=method).process(clip)
    assert out.planes[0].mean() == pytest.approx(clip.planes[0].mean(), rel=0.005)


def test_flat_pictures_stay_flat() -> None:
    for value in (0, 16, 128, 255):
        clip = clip_of(np.full((33, 20), float(value)))
        for method in ("wiener", "richardson-lucy"):
            out = Deconvolve("motion:9,20", method=method).process(clip)
            assert (out.planes[0] == value).all()
            assert (out.planes[1] == 128).all()


def test_overshoot_stays_in_the_nominal_range() -> None:
    edge = np.where(np.arange(80)[None, :] < 40, 16.0, 235.0).repeat(60, 0)
    kernel = parse_kernel("gaussian:2")
    out = Deconvolve("gaussian:3", noise=0.5).process(clip_of(blurred(edge, kernel)))
    assert out.planes[0].min() == 16
    assert out.planes[0].max() == 235


def test_chroma_is_deconvolved_by_the_kernel_at_half_the_size() -> None:
    kernel = parse_kernel("gaussian:3")
    color = scene(2 * SIZE[0] + 24, 2 * SIZE[1] + 24)
    decimate = parse_kernel("gaussian:0.8")
    truth = blurred(color, decimate)[8:-8:2, 8:-8:2]
    seen = blurred(blurred(color, kernel), decimate)[::2, ::2]
    border = (truth.shape[0] - seen.shape[0]) // 2
    truth = truth[border : border + seen.shape[0], border : border + seen.shape[1]]
    clip = clip_of(np.full((2 * seen.shape[0], 2 * seen.shape[1]), 100.0), chroma=seen)
    out = Deconvolve("gaussian:3").process(clip)
    assert psnr(out.planes[1][0], truth) > psnr(seen, truth) + 2
    left = Deconvolve("gaussian:3", chroma=False).process(clip)
    assert np.array_equal(left.planes[1], clip.planes[1])


def test_same_wiener_filter_as_scikit_image() -> None:
    kernel = parse_kernel("gaussian:1.2")
    seen = blurred(scene(128, 144), kernel) / 255
    height, width = seen.shape
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    gradient = np.sqrt(4 * np.sin(np.pi * rows) ** 2 + 4 * np.sin(np.pi * columns) ** 2).astype(complex)
    theirs = reference.wiener(seen, kernel.weights, 0.03, reg=gradient, clip=False)
    ours = Blur(kernel.weights, height, width).wiener(torch.from_numpy(seen).float(), 0.03).numpy()
    inner = np.s_[30:-30, 30:-30]
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.3 / 255)
    assert np.abs(theirs - seen)[inner].max() > 10 / 255


def test_same_iteration_as_scikit_image() -> None:
    kernel = parse_kernel("motion:5,30")
    seen = blurred(scene(128, 144), kernel)
    theirs = 255 * reference.richardson_lucy(seen / 255, kernel.weights, num_iter=8, clip=False)
    ours = Blur(kernel.weights, *seen.shape).richardson_lucy(torch.from_numpy(seen).float(), 8).numpy()
    inner = np.s_[36:-36, 36:-36]
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.05)
    assert np.abs(theirs - seen)[inner].max() > 10


def test_noise_is_measured() -> None:
    smooth = blurred(scene(300, 340), parse_kernel("gaussian:2"))
    for sigma in (1.0, 3.0, 10.0, 25.0):
        noisy = torch.from_numpy(smooth + sigma * np.random.default_rng(1).normal(size=smooth.shape))
        assert estimate_noise(noisy) == pytest.approx(sigma, rel=0.06)
        assert estimate_noise(F.pad(noisy, (0, 0, 80, 80))) == pytest.approx(sigma, rel=0.06)  # letterbox
    for size in ((1, 1), (1, 9), (9, 1), (2, 2)):
        assert estimate_noise(torch.zeros(size)) == 0


def test_coding_noise_is_reckoned_with() -> None:
    """A coded picture has no noise to be seen, so the CRF says what to expect."""
    assert [coding_noise(crf) for crf in (0, 16, 28, 40)] == [0.5, 1, 2, 3]
    clip = clip_of(blurred(scene(*SIZE), parse_kernel("gaussian:2")))
    stages = [build(StageSpec("deconvolve", {"kernel": "gaussian:2"}), Conditions(crf=crf)) for crf in (0, 28)]
    careless, careful = (np.diff(stage.process(clip).planes[0].astype(float)).std() for stage in stages)
    assert careful < 0.9 * careless


def test_tiles_have_room_and_small_factors() -> None:
    for side in (1, 2, 7, 101, 719, 1279):
        for extent, kernel in zip(tile_size((9, 31), side, side), (9, 31), strict=True):
            assert extent >= side + 2 * (kernel - 1)
            while extent % 2 == 0 or extent % 3 == 0 or extent % 5 == 0:
                extent //= next(p for p in (2, 3, 5) if extent % p == 0)
            assert extent == 1


def test_shapes_of_kernels() -> None:
    assert np.array_equal(parse_kernel("motion:5,0").weights, np.pad(np.full((1, 5), 0.2), ((2, 2), (0, 0))))
    assert np.allclose(parse_kernel("motion:5,90").weights, parse_kernel("motion:5,0").weights.T)
    rising = parse_kernel("motion:9,45").weights
    assert rising[1, -2] > 0.05
    assert rising[1, 1] == 0
    assert np.allclose(parse_kernel(" Motion:9,225").weights, rising)
    line = parse_kernel("gaussian:1.5").weights.sum(0)
    offsets = np.arange(len(line)) - len(line) // 2
    assert (line * offsets**2).sum() == pytest.approx(1.5**2, rel=0.01)
    round_one = parse_kernel("disk:5.5").weights
    assert np.count_nonzero(round_one) == pytest.approx(np.pi * 5.5**2, rel=0.2)
    assert np.allclose(round_one, round_one[::-1].T)
    for text in ("gaussian:0.1", "gaussian:7.3", "motion:0.2,10", "motion:40.5,-170", "disk:0.2", "disk:60"):
        weights = parse_kernel(text).weights
        assert weights.sum() == pytest.approx(1)
        assert weights.min() >= 0
        assert weights.shape[0] % 2 == weights.shape[1] % 2 == 1


def test_half_the_size() -> None:
    for text in ("gaussian:3", "motion:15,30", "disk:4", "motion:6,0"):
        kernel = parse_kernel(text)
        half = kernel.halved().weights
        assert half.sum() == pytest.approx(1)
        for weights, spread in ((kernel.weights, 1), (half, 2)):
            rows = np.arange(weights.shape[0]) - weights.shape[0] // 2
            assert (weights.sum(1) * rows).sum() == pytest.approx(0, abs=1e-9)
            if spread == 2:  # interpolating adds at most a quarter of a pixel to the variance
                whole = (kernel.weights.sum(1) * (np.arange(len(kernel.weights)) - len(kernel.weights) // 2) ** 2).sum()
                assert (weights.sum(1) * rows**2).sum() == pytest.approx(whole / 4, abs=0.25)


def test_kernel_from_a_picture(tmp_path: Path) -> None:
    weights = np.zeros((5, 8), np.uint8)
    weights[1, 2], weights[3, 7], weights[2, 4] = 100, 50, 250
    for name, picture in {
        "grey.png": Image.fromarray(weights),
        "colour.png": Image.fromarray(weights).convert("RGB"),
        "palette.png": Image.fromarray(weights).convert("P"),
        "deep.png": Image.fromarray(weights.astype(np.uint16) * 257),
        "grey.tif": Image.fromarray(weights.astype(np.float32)),
    }.items():
        picture.save(tmp_path / name)
        read = parse_kernel(str(tmp_path / name)).weights
        assert read.shape == (5, 9)  # an even side gets a column of zeros, its centre at 8 // 2
        assert np.allclose(read[:, :8], weights / 400)
        assert (read[:, 8] == 0).all()
    known = parse_kernel("motion:9,30")
    scaled = (known.weights / known.weights.max() * 65535).round().astype(np.uint16)
    Image.fromarray(scaled).save(tmp_path / "motion.png")
    assert np.allclose(parse_kernel(str(tmp_path / "motion.png")).weights, known.weights, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "gaussian:", "gaussian:-1", "gaussian:0", "gaussian:nan", "gaussian:inf", "gaussian:1,2",
        "gaussian:2px", "motion:3", "motion:0,0", "motion:3,nan", "motion:1,2,3", "disk:-0", "disk:x",
    ],
)
def test_no_kernel(text: str) -> None:
    with pytest.raises(UsageError):
        parse_kernel(text)


@pytest.mark.parametrize("text", ["gaussian:33", "gaussian:1e300", "motion:256,0", "motion:1e300,45", "disk:128.6"])
def test_kernels_over_the_limit(text: str) -> None:
    with pytest.raises(LimitExceeded):
        parse_kernel(text)


def test_hostile_pictures(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    Image.fromarray(np.random.default_rng(0).integers(1, 255, (99, 99), dtype=np.uint8)).save(good)
    data = good.read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    Image.new("L", (limits.MAX_KERNEL_SIDE + 1, 3), 255).save(tmp_path / "wide.png")
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    Image.new("L", (9, 9)).save(tmp_path / "black.png")
    expected = {"cut.png": CorruptInput, "text.png": InputNotReadable, "empty.png": InputNotReadable, "page.eps": InputNotReadable}
    expected |= {"wide.png": LimitExceeded, "bomb.png": LimitExceeded, "black.png": UsageError}
    expected |= {"missing.png": InputNotReadable, ".": InputNotReadable, "a" * 5000: InputNotReadable, "nul\0": InputNotReadable}
    for name, error in expected.items():
        with pytest.raises(error):
            parse_kernel(str(tmp_path / name))


@pytest.mark.parametrize("weights", [np.ones(3), np.zeros((0, 3)), np.zeros((3, 3)), np.full((3, 3), np.nan), -np.ones((3, 3))])
def test_grids_that_are_no_kernel(weights: np.ndarray) -> None:
    with pytest.raises(UsageError):
        make_kernel(weights)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": 3},
        {"method": "inverse"},
        {"noise": -1},
        {"noise": "much"},
        {"noise": float("nan")},
        {"iterations": 0},
        {"iterations": 1e9},
        {"iterations": True},
        {"kernels": "gaussian:1"},
    ],
)
def test_options_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        build(StageSpec("deconvolve", {"kernel": "gaussian:1", **options}), Conditions())


def test_kernel_larger_than_the_picture() -> None:
    kernel = parse_kernel("motion:90,20")
    clip = clip_of(blurred(scene(160, 160), kernel)[:24, :30])
    for method in ("wiener", "richardson-lucy"):
        out = Deconvolve(kernel, method=method).process(clip)
        assert out.planes[0].mean() == pytest.approx(clip.planes[0].mean(), rel=0.1)


def test_described() -> None:
    assert Deconvolve("motion:15,30").describe() == "deconvolve motion:15,30 (Wiener, noise auto)"
    assert Deconvolve("disk:2", noise=4).describe() == "deconvolve disk:2 (Wiener, noise 4)"
    assert "20 iterations" in Deconvolve("disk:2", method="richardson-lucy").describe()
