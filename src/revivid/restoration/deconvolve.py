"""Classical restoration with a known blur kernel: f = g * p + n, the deblurring of the first paper's Figure 3."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from ..types import Clip, ColorSpec
from .inverse import Blur, tile_size
from .kernels import Kernel, parse_kernel
from .noise_level import estimate_noise
from .stage import Stage
from .workers import each_frame, keep_freed_memory

METHODS = ("wiener", "richardson-lucy")
MAX_ITERATIONS = 1000
#: Noise that every picture has, in 8-bit code values: rounding alone is 0.29, and no kernel is known exactly.
LEAST_NOISE = 0.5


def coding_noise(crf: float) -> float:
    """The noise, in 8-bit code values, to reckon with after x265 at this CRF.

    Coding errors hide from `estimate_noise`, since encoders remove the fine detail that it looks at. Measured on blurred Kodak
    pictures (Gaussian, motion, disk): at CRF 28 the estimate alone loses 0.5 dB against the blurry input, 2 gains 1.6 dB.
    """
    return max(LEAST_NOISE, 1 + (crf - 16) / 12)


class Deconvolve(Stage):
    """Undo a known blur, frame by frame, by Wiener's filter or by Richardson and Lucy's iteration, on the stream's code values.

    kernel: as `kernels.parse_kernel` takes it, or a `Kernel`. noise (Wiener): standard deviation in 8-bit code values, as in
    denoising; "auto" measures it in every frame. crf: of the x265 encoding that the input went through, None for none; the least
    noise that "auto" assumes. iterations (Richardson-Lucy): more of them sharpen more and amplify more noise.

    Chroma is deconvolved by the kernel at half the size unless `chroma` is False. Measured over RGB on Kodak pictures, it adds
    0.1-0.2 dB where there is little noise and 0.5 dB at a sigma of 5, and costs 0.02 dB after x265 at CRF 24.
    Raises `UsageError` for options that can't work, and what `parse_kernel` raises.
    """

    name = "deconvolve"

    def __init__(
        self,
        kernel: str | Kernel,
        method: str = "wiener",
        noise: float | str = "auto",
        iterations: int = 20,
        chroma: bool = True,
        crf: float | None = None,
    ) -> None:
        self.kernel = kernel if isinstance(kernel, Kernel) else parse_kernel(kernel)
        if method not in METHODS:
            raise UsageError(f"there is no deconvolution by {method!r}", hint=f"Choose {' or '.join(METHODS)}.")
        if isinstance(iterations, bool) or not isinstance(iterations, int) or not 1 <= iterations <= MAX_ITERATIONS:
            raise UsageError(f"{iterations!r} iterations", hint=f"Choose a whole number from 1 to {MAX_ITERATIONS}.")
        self.method, self.iterations, self.chroma = method, iterations, bool(chroma)
        self.noise = _noise(noise)
        self.least_noise = LEAST_NOISE if crf is None else coding_noise(crf)
        # Two at a time: of luma and of chroma.
        self._blur: Callable[[bool, int, int], Blur] = lru_cache(maxsize=2)(self._new_blur)
        keep_freed_memory()

    def working_bytes(self, width: int, height: int) -> int:
        tile = tile_size(self.kernel.weights.shape, height, width)
        # Tiles of float32 alive at once in `inverse`, spectra counted as such: six for the blur, five more per frame.
        return 4 * tile[0] * tile[1] * (6 + 5 * torch.get_num_threads())

    def process(self, clip: Clip) -> Clip:
        if self.kernel.weights.max() == 1:
            return clip  # no blur: Wiener's filter would go on to remove fine texture as noise
        planes = [self._sharpened(plane, i > 0, clip.color) for i, plane in enumerate(clip.planes)]
        return clip.with_planes(planes[0], planes[1], planes[2])

    def describe(self) -> str:
        if self.method == "wiener":
            how = f"Wiener, noise {'auto' if self.noise is None else format(self.noise, 'g')}"
        else:
            how = f"Richardson-Lucy, {self.iterations} iterations"
        return f"deconvolve {self.kernel.text} ({how})"

    def _new_blur(self, chroma: bool, height: int, width: int) -> Blur:
        kernel = self.kernel.halved() if chroma else self.kernel
        return Blur(kernel.weights, height, width)

    def _sharpened(self, plane: np.ndarray, chroma: bool, color: ColorSpec) -> np.ndarray:
        """All frames (T, H, W) of one plane."""
        if (chroma and not self.chroma) or not plane.size:
            return plane
        blur = self._blur(chroma, *plane.shape[1:])
        return np.stack(each_frame(lambda frame: self._frame(frame, blur, chroma, color), plane))

    def _frame(self, frame: np.ndarray, blur: Blur, chroma: bool, color: ColorSpec) -> np.ndarray:
        step = 1 << (color.bit_depth - 8)
        with torch.inference_mode():
            picture = torch.from_numpy(frame.astype(np.float32)).div_(step)
            sharp = self._restored(picture, blur).mul(step)
            lowest, highest = _range(frame, chroma, color)
            return sharp.round_().clamp_(lowest, highest).numpy().astype(frame.dtype)

    def _restored(self, picture: Tensor, blur: Blur) -> Tensor:
        if self.method == "richardson-lucy":
            return blur.richardson_lucy(picture, self.iterations)
        sigma = max(estimate_noise(picture), self.least_noise) if self.noise is None else self.noise
        return blur.wiener(picture, blur.noise_ratio(picture, sigma))


def _noise(noise: float | str) -> float | None:
    """Code values, or None for "auto"."""
    if noise == "auto":
        return None
    try:
        sigma = float(noise)
    except (TypeError, ValueError):
        sigma = -1.0
    if not 0 <= sigma <= 255:
        raise UsageError(f"noise of {noise!r} code values", hint='Write a number from 0 to 255, or "auto".')
    return sigma


def _range(frame: np.ndarray, chroma: bool, color: ColorSpec) -> tuple[int, int]:
    """What overshoot is cut to: the nominal range, widened to what the frame itself holds beyond it."""
    step = 1 << (color.bit_depth - 8)
    lowest, highest = (0, color.peak) if color.full_range else (16 * step, (240 if chroma else 235) * step)
    return min(lowest, int(frame.min())), max(highest, int(frame.max()))
