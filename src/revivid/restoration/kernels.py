"""Blur kernels by name or picture: what `p` is in f = g * p + n (first paper, Figure 3).

    gaussian:SIGMA         standard deviation in pixels
    motion:LENGTH,ANGLE    a straight line, one pixel wide; degrees counterclockwise from the x axis
    disk:RADIUS            out of focus
    PICTURE                the grey values of a picture file, divided by their sum
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .. import limits
from ..errors import CorruptInput, InputNotReadable, LimitExceeded, UsageError

#: What a user may write; for hints.
FORMS = "gaussian:SIGMA, motion:LENGTH,ANGLE, disk:RADIUS or a picture file"
#: Sample points per pixel and axis in the coverage of lines and disks.
_SAMPLES = 8
#: Picture formats that are decoded in this process alone (PostScript, for one, would start a program).
_PICTURES = ("PNG", "TIFF", "BMP", "PPM", "JPEG", "WEBP", "GIF")
#: A Gaussian ends at so many standard deviations, where less than 0.01 % of it is left.
_GAUSSIAN_REACH = 4.0


@dataclass(frozen=True, eq=False)
class Kernel:
    """A blur kernel: `weights` (odd height, odd width) float64, none negative, sum 1, centre in the middle; `text` names it."""

    text: str
    weights: np.ndarray

    def halved(self) -> Kernel:
        """The same blur on a grid of half the resolution, such as that of 4:2:0 chroma.

        Every weight is divided linearly between the two nearest samples of the coarser grid, so that sum and centre stay.
        """
        rows, columns = (_halving(side) for side in self.weights.shape)
        return Kernel(self.text, rows @ self.weights @ columns.T)


def parse_kernel(text: str) -> Kernel:
    """The kernel that `text` describes (module docstring); a text that begins with no known shape is the path of a picture.

    Raises `UsageError` for numbers that make no kernel and for pictures that are black, `InputNotReadable` and `CorruptInput`
    for files that hold no picture, `LimitExceeded` for kernels of more than `limits.MAX_KERNEL_SIDE` pixels a side.
    """
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{text!r} is no blur kernel", hint=f"Write {FORMS}.")
    if is_picture(text):
        return make_kernel(_read_picture(text), text)
    shape, _, numbers = text.strip().partition(":")
    make, names = _SHAPES[shape.lower()]
    return make_kernel(make(*_numbers(text, numbers, names)), text.strip())


def is_picture(text: str) -> bool:
    """Whether `parse_kernel` would take `text` for the path of a picture."""
    shape, colon, _ = text.strip().partition(":")
    return not (colon and shape.lower() in _SHAPES)


def make_kernel(weights: np.ndarray, text: str = "kernel") -> Kernel:
    """A kernel from any grid of weights (H, W): divided by its sum; an even side gets a last row or column of zeros.

    The centre of an even side n is n // 2, as in other software. Raises `UsageError` where a weight is negative or not finite,
    or all are zero, and `LimitExceeded` over `limits.MAX_KERNEL_SIDE`.
    """
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or weights.size == 0:
        raise UsageError(f"{text}: a blur kernel is a grid of numbers, not of shape {weights.shape}")
    _check_side(max(weights.shape), text)
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise UsageError(f"{text}: a blur kernel needs finite weights, none of them negative")
    total = weights.sum()
    if not 0 < total < math.inf:
        raise UsageError(f"{text}: the blur kernel is black, its weights sum to {total:g}")
    height, width = weights.shape
    return Kernel(text, np.pad(weights / total, ((0, 1 - height % 2), (0, 1 - width % 2))))


def gaussian(sigma: float) -> np.ndarray:
    """A sampled Gaussian of standard deviation `sigma` pixels, cut at four of them."""
    offsets = _offsets(_GAUSSIAN_REACH * sigma, f"gaussian:{sigma:g}")
    line = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.outer(line, line)


def motion(length: float, angle: float) -> np.ndarray:
    """The area that a rectangle of `length` by 1 pixels, turned by `angle` degrees counterclockwise, takes of each pixel."""
    along, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # Rows count downwards: a counterclockwise turn on the screen has -y.
        return (np.abs(x * along - y * up) <= length / 2) & (np.abs(x * up + y * along) <= 0.5)

    reach = (length * max(abs(along), abs(up)) + min(abs(along), abs(up))) / 2
    return _coverage(inside, reach, f"motion:{length:g},{angle:g}")


def disk(radius: float) -> np.ndarray:
    """The area that a disk takes of each pixel."""
    return _coverage(lambda x, y: x * x + y * y <= radius * radius, radius, f"disk:{radius:g}")


#: Shape -> (weights from numbers, what the numbers are called).
_SHAPES: dict[str, tuple[Callable[..., np.ndarray], tuple[str, ...]]] = {
    "gaussian": (gaussian, ("SIGMA",)),
    "motion": (motion, ("LENGTH", "ANGLE")),
    "disk": (disk, ("RADIUS",)),
}


def _numbers(text: str, numbers: str, names: tuple[str, ...]) -> list[float]:
    """As many finite numbers as there are names; all but an angle above zero."""
    wanted = f"Write {text.partition(':')[0]}:{','.join(names)}, numbers in pixels and degrees."
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError as exc:
        raise UsageError(f"{text!r} is no blur kernel", hint=wanted) from exc
    if len(values) != len(names):
        raise UsageError(f"{text!r} is no blur kernel: it has {len(values)} numbers, not {len(names)}", hint=wanted)
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value) or (name != "ANGLE" and value <= 0):
            raise UsageError(f"{text!r} is no blur kernel: {name} is {value:g}", hint=wanted)
    return values


def _check_side(side: float, text: str) -> None:
    if side > limits.MAX_KERNEL_SIDE:
        raise LimitExceeded(
            f"{text}: the blur kernel is {side:.0f} pixels a side, over the limit of {limits.MAX_KERNEL_SIDE}",
            hint="Deconvolve a smaller version of the video with a smaller kernel.",
        )


def _offsets(reach: float, text: str) -> np.ndarray:
    """Whole numbers from -reach to reach."""
    radius = math.ceil(min(reach, 1e6))
    _check_side(2 * radius + 1, text)
    return np.arange(-radius, radius + 1, dtype=np.float64)


def _coverage(inside: Callable[[np.ndarray, np.ndarray], np.ndarray], reach: float, text: str) -> np.ndarray:
    """The part of each pixel's sample points that lie `inside`; x to the right and y down, in pixels from the centre."""
    # A pixel at offset k begins at k - 1/2.
    centres = _offsets(reach - 0.5, text)
    points = (centres[:, None] + ((np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5)).ravel()
    hits = inside(points[None, :], points[:, None])
    side = len(centres)
    return hits.reshape(side, _SAMPLES, side, _SAMPLES).mean((1, 3))


def _halving(side: int) -> np.ndarray:
    """(n, side): weights of `side` samples, an odd number, in the samples of a grid with the same centre and twice the step."""
    radius = side // 2
    reach = -(-radius // 2)
    fine, coarse = np.arange(-radius, radius + 1) / 2, np.arange(-reach, reach + 1)
    return np.clip(1 - np.abs(coarse[:, None] - fine[None, :]), 0, None)


def _read_picture(text: str) -> np.ndarray:
    """Grey values of a picture file; its size is checked before it is decoded."""
    path = Path(text)
    try:
        if not path.is_file():  # a pipe would block, a device may never end
            raise FileNotFoundError(2, "no such file")
        with Image.open(path, formats=_PICTURES) as picture:
            _check_side(max(picture.size), text)
            # "I" and "F" pictures hold one number per pixel already, often beyond 8 bits.
            grey = picture if picture.mode.startswith(("I", "F")) else picture.convert("L")
            return np.array(grey, np.float64)
    except LimitExceeded:
        raise
    except Image.DecompressionBombError as exc:
        raise LimitExceeded(f"{text}: far too large for a blur kernel") from exc
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as exc:
        # The system's own errors have a number, those of decoders have none.
        if isinstance(exc, UnidentifiedImageError) or getattr(exc, "errno", None) is not None:
            raise InputNotReadable(f"{text}: no blur kernel and no picture that can be read", hint=f"Write {FORMS}.") from exc
        raise CorruptInput(f"{text}: the picture of the blur kernel is damaged: {exc}") from exc
