"""PSNR, SSIM and MS-SSIM by their published definitions, on tensors (N, C, H, W) of values 0..peak.

PSNR: over all channels of a frame. SSIM: Wang et al. 2004, 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03,
population covariance, the mean over the windows that lie wholly inside; per channel, then the mean of the channels. MS-SSIM:
Wang et al. 2003, five scales with the published exponents.

How SSIM is computed: with d = x - y and s = x + y (G: the Gaussian window),

    luminance = (A - 2 G(d)^2) / A,  A = G(d)^2 + G(s)^2 + 2 C1        structure = (B - 2 var(d)) / B,  B = var(d) + var(s) + 2 C2

so four filtered maps and one division do, and the window is applied as products with banded matrices, strip by strip: several
times faster than grouped convolutions, which leave the vector units idle on one channel.
"""

from __future__ import annotations

import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ..errors import ShapeError

#: An identical frame counts as 100 dB, and no frame counts as more: means stay finite and JSON can hold them.
PSNR_CAP = 100.0
WINDOW = 11
SIGMA = 1.5
#: Exponents of the five scales, finest first (Wang et al. 2003, section 4).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: The smallest side that leaves a whole window at the fifth scale.
MS_SSIM_MIN_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
# Output pixels of a strip (its four maps stay in the second-level cache, and torch runs it on one thread) and output columns
# of a block (small enough to waste little of the banded products, large enough to fill the vector units).
_STRIP_PIXELS = 32_768
_BLOCK = 32


def psnr(reference: Tensor, distorted: Tensor, peak: float = 255.0) -> Tensor:
    """Peak signal-to-noise ratio in dB of each frame (N,), at most `PSNR_CAP`; the squared error is over all channels."""
    _check(reference, distorted, 1)
    errors = [_mean_squared(x, y) for x, y in zip(reference, distorted, strict=True)]
    return torch.tensor([psnr_from_mse(error, peak) for error in errors], dtype=torch.float64)


def _mean_squared(x: Tensor, y: Tensor) -> float:
    """Mean squared difference, in pieces that stay in the cache."""
    pieces = zip(x.detach().reshape(-1).split(_STRIP_PIXELS), y.detach().reshape(-1).split(_STRIP_PIXELS), strict=True)
    differences = (first.float() - second.float() for first, second in pieces)
    return sum(float(torch.dot(difference, difference)) for difference in differences) / x.numel()


def psnr_from_mse(mse: float, peak: float) -> float:
    """dB of a mean squared error, at most `PSNR_CAP`."""
    return PSNR_CAP if mse <= 0 else min(PSNR_CAP, 10 * math.log10(peak * peak / mse))


def ssim(reference: Tensor, distorted: Tensor, peak: float = 255.0) -> Tensor:
    """SSIM of each frame (N,) in [-1, 1], 1 for identical frames. Raises `ShapeError` under 11 pixels a side."""
    _check(reference, distorted, WINDOW)
    return _structure(reference, distorted, peak, alone=False)[0].mean(dim=1)


def ms_ssim(reference: Tensor, distorted: Tensor, peak: float = 255.0) -> Tensor:
    """MS-SSIM of each frame (N,) in [0, 1]. Raises `ShapeError` under 161 pixels a side."""
    return ssim_and_ms_ssim(reference, distorted, peak)[1]


def ssim_and_ms_ssim(reference: Tensor, distorted: Tensor, peak: float = 255.0) -> tuple[Tensor, Tensor]:
    """Both at little more than the cost of MS-SSIM: the finest scale is shared. Raises `ShapeError` under 161 pixels a side.

    A negative structure term counts as 0 (it has no real power); odd sizes repeat their last row or column when halved.
    """
    _check(reference, distorted, MS_SSIM_MIN_SIDE, "MS-SSIM has five scales and")
    single, product = None, None
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            reference, distorted = _halve(reference), _halve(distorted)
        coarsest = scale == len(SCALE_WEIGHTS) - 1
        whole, structure = _structure(reference, distorted, peak, alone=not coarsest)
        single = whole if single is None else single
        term = (whole if coarsest else structure).clamp(min=0) ** weight
        product = term if product is None else product * term
    assert single is not None
    assert product is not None
    return single.mean(dim=1), product.mean(dim=1)


def _check(reference: Tensor, distorted: Tensor, smallest: int, who: str = "the metric") -> None:
    if reference.shape != distorted.shape or reference.ndim != 4:
        raise ShapeError(
            f"frames of {tuple(reference.shape)} and {tuple(distorted.shape)} can't be compared",
            hint="Both must be (N, C, H, W) of the same size.",
        )
    height, width = reference.shape[-2:]
    if min(height, width) < smallest:
        raise ShapeError(
            f"{who} needs at least {smallest} pixels a side, the frames are {width}x{height}",
            hint="Measure at a larger size, or leave this metric out.",
        )


def _halve(frames: Tensor) -> Tensor:
    """Means of 2x2 pixels: (..., H, W) to (..., ceil(H/2), ceil(W/2))."""
    frames = frames.float()
    if frames.shape[-2] % 2:
        frames = torch.cat((frames, frames[..., -1:, :]), dim=-2)
    if frames.shape[-1] % 2:
        frames = torch.cat((frames, frames[..., -1:]), dim=-1)
    rows = frames[..., 0::2, :] + frames[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def _structure(reference: Tensor, distorted: Tensor, peak: float, *, alone: bool) -> tuple[Tensor, Tensor]:
    """Mean SSIM and, where wanted `alone`, the mean contrast-structure term of each plane: two float64 tensors (N, C)."""
    pairs = zip(*(frames.detach().flatten(0, 1).unbind() for frames in (reference, distorted)), strict=True)
    threads = torch.get_num_threads()
    measure = functools.partial(_plane_means, peak=peak, alone=alone)
    # With one thread the caller is likely to be one of several that measure frames side by side.
    means = list(map(measure, pairs) if threads == 1 else _workers(threads, os.getpid()).map(measure, pairs))
    terms = torch.tensor(means, dtype=torch.float64).view(*reference.shape[:2], 2)
    return terms[..., 0], terms[..., 1]


@functools.cache
def _workers(count: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 (a forked process needs threads of its own)
    """One plane to a thread: strips are too small for torch to share out, and planes need no waiting for each other."""
    return ThreadPoolExecutor(count, thread_name_prefix="revivid-ssim")


def _plane_means(pair: tuple[Tensor, Tensor], peak: float, alone: bool) -> tuple[float, float]:
    """Means of SSIM and, where wanted, of the contrast-structure term (else 0) of one plane (H, W)."""
    x, y = pair
    rows, columns = x.shape[0] - WINDOW + 1, x.shape[1] - WINDOW + 1
    window = _Window(min(rows, max(8, _STRIP_PIXELS // columns)), columns, peak, x.device)
    ssim_sum = structure_sum = 0.0
    for start in range(0, rows, window.rows):
        # The last strip begins early enough to be whole; the rows that it shares with the one before count once.
        top = min(start, rows - window.rows)
        bottom = top + window.rows + WINDOW - 1
        window.filter(x[top:bottom], y[top:bottom])
        if alone:
            structure_sum += window.structure(start - top)
        ssim_sum += window.ssim(start - top)
    return ssim_sum / (rows * columns), structure_sum / (rows * columns)


class _Window:
    """The Gaussian window over strips of one size, in buffers that stay in the cache.

    x, y strips (rows + 10, W) -> four maps -> columns under the window -> rows under the window -> numerators and denominators
    """

    def __init__(self, rows: int, columns: int, peak: float, device: torch.device) -> None:
        self.rows = rows
        self.blocks = blocks = -(-columns // _BLOCK)
        self.beyond = columns - (blocks - 1) * _BLOCK
        padded = blocks * _BLOCK + WINDOW - 1
        # Zeros past the frame's edge fill the last block up.
        self.maps = torch.zeros(4, rows + WINDOW - 1, padded, device=device)
        self.tall = torch.empty(4, rows, padded, device=device)
        self.wide = torch.empty(blocks, 4 * rows, _BLOCK, device=device)
        self.terms = torch.empty(3, blocks, rows, _BLOCK, device=device)
        self.down = _band(rows, device).expand(4, -1, -1)
        self.across = _band(_BLOCK, device).T.contiguous().expand(blocks, -1, -1)
        # As tensors, since a number would be made one at every strip.
        constants = torch.tensor([peak, 2 * (0.01 * peak) ** 2, 2 * (0.03 * peak) ** 2], device=device)
        self.peak, self.c1, self.c2 = constants.unbind()

    def filter(self, x: Tensor, y: Tensor) -> None:
        """Fill `terms` with both numerators and the luminance's denominator; the structure's stays in `wide`."""
        self._fill(x, y)
        torch.bmm(self.down, self.maps, out=self.tall)
        overlapping = self.tall.as_strided((self.blocks, 4 * self.rows, _BLOCK + WINDOW - 1), (_BLOCK, self.tall.shape[2], 1))
        torch.bmm(overlapping, self.across, out=self.wide)
        difference, total, variance, power = self._filtered()
        structure, luminance, denominator = self.terms
        difference.mul_(difference)
        variance.sub_(difference)
        power.addcmul_(total, total, value=-1).sub_(difference).add_(self.c2)
        torch.sub(power, variance, alpha=2, out=structure)
        total.add_(self.peak)
        torch.addcmul(difference, total, total, out=denominator).add_(self.c1)
        torch.sub(denominator, difference, alpha=2, out=luminance)

    def structure(self, skipped: int) -> float:
        """The sum of the contrast-structure terms but those of the `skipped` first rows."""
        power = self._filtered()[3]
        return self._sum(torch.div(self.terms[0], power, out=self._filtered()[0]), skipped)

    def ssim(self, skipped: int) -> float:
        """The sum of SSIM but that of the `skipped` first rows; the terms are used up."""
        structure, luminance, denominator = self.terms
        denominator.mul_(self._filtered()[3])
        return self._sum(luminance.mul_(structure).div_(denominator), skipped)

    def _filtered(self) -> tuple[Tensor, ...]:
        """G(d), G(s), G(d^2) and G(d^2 + s^2): (blocks, rows, _BLOCK) each."""
        return self.wide.view(self.blocks, 4, self.rows, _BLOCK).unbind(1)

    def _sum(self, values: Tensor, skipped: int) -> float:
        values[-1, :, self.beyond :] = 0
        return float((values[:, skipped:] if skipped else values).sum())

    def _fill(self, x: Tensor, y: Tensor) -> None:
        """d = x - y, s = x + y - peak, d^2 and d^2 + s^2; s is centred on zero, so that its variance keeps single precision."""
        difference, total, difference_power, power = self.maps[..., : x.shape[1]].unbind()
        x, y = x.float(), y.float()
        torch.sub(x, y, out=difference)
        torch.add(x, y, out=total).sub_(self.peak)
        torch.mul(difference, difference, out=difference_power)
        torch.addcmul(difference_power, total, total, out=power)


@functools.lru_cache(maxsize=8)
def _band(size: int, device: torch.device) -> Tensor:
    """(size, size + 10): row i holds the Gaussian window from column i."""
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-offsets.square() / (2 * SIGMA**2))
    window /= window.sum()
    band = torch.zeros(size, size + WINDOW - 1)
    for row in range(size):
        band[row, row : row + WINDOW] = window
    return band.to(device)
