"""YUV 4:2:0 planes <-> RGB tensors: H.273 matrices, ranges and bit depths, MPEG-2 chroma siting.

    planes (Y, U, V) -> upsample chroma -> matrix -> R'G'B' in [0, 1] -> matrix -> downsample chroma -> planes

Only the matrix and the range are converted; primaries and transfer stay what they are (R'G'B' is gamma-coded as in the stream).

Chroma sits on even luma columns and halfway between two luma rows ("left" siting, the default of MPEG-2, H.264 and HEVC).
The filters are two biorthogonal pairs, so that downsampling undoes upsampling exactly and repeated conversions don't blur:
horizontally the LeGall 5/3 pair (up: linear interpolation), vertically 2/6 (down: the mean of two rows; up: second order).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .errors import ShapeError, UsageError
from .types import MATRICES, Clip, ColorSpec, code_name

#: Luma weights (Kr, Kb) by H.273 MatrixCoefficients code; Kg is what remains to 1.
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
# Pixels of a strip: its three planes stay in the second-level cache, and torch runs it on one thread.
_STRIP_PIXELS = 32_768


def clip_to_rgb(clip: Clip) -> Tensor:
    """The frames of `clip` as float32 R'G'B' (T, 3, H, W) in [0, 1]; what the planes hold outside the RGB cube is clipped.

    Raises `UsageError` for a matrix that is no plain weighting of R, G and B (YCgCo, constant luminance, ICtCp).
    """
    return _to_rgb(clip, 1.0)


def rgb_to_planes(rgb: Tensor, color: ColorSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y (T, H, W) and U, V (T, ceil(H/2), ceil(W/2)) code values of R'G'B' frames (T, 3, H, W).

    Values outside [0, 1] are clipped first; code values are rounded and stay in the nominal range of `color` (16..235 and
    16..240 at 8 bits, limited). Raises `ShapeError` for other axes and `UsageError` for a matrix that `clip_to_rgb` can't take.
    """
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise ShapeError(f"RGB frames are (T, 3, H, W), not {tuple(rgb.shape)}")
    count, _, height, width = rgb.shape
    matrix = _ycc_from_rgb(color, height).float()
    luma_zero, chroma_zero = _zeros(color)
    lowest, highest = _chroma_range(color)
    y = np.empty((count, height, width), color.dtype)
    uv = np.empty((2, count, -(-height // 2), -(-width // 2)), color.dtype)
    frame = torch.empty(3, height, width)
    for t in range(count):
        frame.copy_(rgb[t].detach()).clamp_(0, 1)
        luma = torch.mm(matrix[:1], frame.view(3, -1)).view(height, width)
        # The conversion to integers truncates: half a code value more makes it round.
        y[t] = luma.add_(luma_zero + 0.5).numpy()
        rows = _downsample_rows(frame)
        chroma = torch.mm(matrix[1:], rows.reshape(3, -1)).view(2, -1, width)
        chroma = _downsample_columns(chroma).add_(chroma_zero).clamp_(lowest, highest)
        uv[:, t] = chroma.add_(0.5).numpy()
    return y, uv[0], uv[1]


def rgb_8bit(clip: Clip) -> Tensor:
    """`clip_to_rgb` rounded to 8 bits: whole numbers 0..255 as float32 (T, 3, H, W), as quality is measured on."""
    return _to_rgb(clip, 255.0, whole=True)


def luma_bt601(rgb: Tensor, white: float = 1.0) -> Tensor:
    """BT.601 limited-range luma (..., 1, H, W) in [16, 235] of R'G'B' (..., 3, H, W) in [0, `white`], not rounded.

    The Y of the restoration tables, as in the evaluation of VRT, SwinIR and BasicVSR: 65.481 R + 128.553 G + 24.966 B + 16,
    whatever matrix the video itself uses.
    """
    red, green, blue = rgb.unbind(-3)
    luma = torch.mul(red, 65.481 / white).add_(green, alpha=128.553 / white).add_(blue, alpha=24.966 / white).add_(16)
    return luma.unsqueeze(-3)


def _to_rgb(clip: Clip, white: float, *, whole: bool = False) -> Tensor:
    """float32 R'G'B' (T, 3, H, W) in [0, `white`], rounded where `whole`; in strips, so that what is between stays in the cache."""
    count, height, width = len(clip), clip.height, clip.width
    rgb = torch.empty(count, 3, height, width)
    matrix = torch.linalg.inv(_ycc_from_rgb(clip.color, height)).mul_(white).float()
    luma_zero, chroma_zero = _zeros(clip.color)
    rows = min(height, max(1, _STRIP_PIXELS // width))
    ycc = torch.empty(3, rows, width)
    y, u, v = (_as_tensor(plane) for plane in clip.planes)
    for t in range(count):
        tall = [_upsample_rows(plane[t], chroma_zero, height) for plane in (u, v)]
        for top in range(0, height, rows):
            strip = ycc[:, : min(rows, height - top)]
            end = top + strip.shape[1]
            torch.sub(y[t, top:end], luma_zero, out=strip[0])
            for plane, out in zip(tall, strip[1:], strict=True):
                _upsample_columns(plane[top:end], out)
            into = rgb[t].view(3, -1)[:, top * width : end * width]
            torch.mm(matrix, strip.reshape(3, -1), out=into).clamp_(0, white)
            if whole:
                into.round_()
    return rgb


def _ycc_from_rgb(color: ColorSpec, height: int) -> Tensor:
    """float64 (3, 3): R'G'B' in [0, 1] to code values less their zero points."""
    code = color.resolved_matrix(height)
    if code not in LUMA_WEIGHTS:
        known = ", ".join(code_name(MATRICES, known) for known in LUMA_WEIGHTS)
        raise UsageError(
            f"colour matrix {code_name(MATRICES, code)} can't be converted to RGB",
            hint=f"Convert the video to one of {known} first.",
        )
    kr, kb = LUMA_WEIGHTS[code]
    luma = torch.tensor([kr, 1 - kr - kb, kb], dtype=torch.float64)
    red, _, blue = torch.eye(3, dtype=torch.float64)
    scale = 1 << (color.bit_depth - 8)
    luma_gain, chroma_gain = (color.peak, color.peak) if color.full_range else (219 * scale, 224 * scale)
    return torch.stack(
        (luma_gain * luma, chroma_gain * (blue - luma) / (2 * (1 - kb)), chroma_gain * (red - luma) / (2 * (1 - kr)))
    )


def _zeros(color: ColorSpec) -> tuple[float, float]:
    """The code values of black luma and of neutral chroma."""
    scale = 1 << (color.bit_depth - 8)
    return (0.0 if color.full_range else 16.0 * scale), 128.0 * scale


def _chroma_range(color: ColorSpec) -> tuple[float, float]:
    scale = 1 << (color.bit_depth - 8)
    return (0.0, float(color.peak)) if color.full_range else (16.0 * scale, 240.0 * scale)


def _as_tensor(plane: np.ndarray) -> Tensor:
    """A tensor of a plane, without a copy where it can be; code values have at most 12 bits, so int16 holds them."""
    plane = np.ascontiguousarray(plane)
    if not plane.flags.writeable:
        plane = plane.copy()
    return torch.from_numpy(plane if plane.dtype == np.uint8 else plane.view(np.int16))


def _upsample_rows(chroma: Tensor, zero: float, height: int) -> Tensor:
    """Code values (ceil(H/2), W) to differences from `zero` (H, W): the second-order filter."""
    padded = torch.empty(chroma.shape[0] + 2, chroma.shape[1])
    middle = torch.sub(chroma, zero, out=padded[1:-1])
    padded[0], padded[-1] = middle[0], middle[-1]
    slope = (padded[2:] - padded[:-2]).mul_(0.125)
    tall = torch.empty(height, chroma.shape[1])
    torch.sub(middle, slope, out=tall[0::2])
    torch.add(middle[: height // 2], slope[: height // 2], out=tall[1::2])
    if height % 2:
        tall[-1] = middle[-1]
    return tall


def _upsample_columns(chroma: Tensor, out: Tensor) -> None:
    """(H, ceil(W/2)) to `out` (H, W): what lies between two columns is their mean."""
    width = out.shape[1]
    out[:, 0::2] = chroma
    out[:, 1 : width - 1 : 2] = (chroma[:, : (width - 1) // 2] + chroma[:, 1 : (width + 1) // 2]).mul_(0.5)
    if width % 2 == 0:
        out[:, -1] = chroma[:, -1]


def _downsample_rows(planes: Tensor) -> Tensor:
    """(C, H, W) to (C, ceil(H/2), W): means of row pairs; an odd last row stands for itself."""
    height = planes.shape[1]
    means = planes[:, 0 : height - 1 : 2].add(planes[:, 1::2]).mul_(0.5)
    return torch.cat((means, planes[:, -1:]), dim=1) if height % 2 else means


def _downsample_columns(planes: Tensor) -> Tensor:
    """(C, H, W) to (C, H, ceil(W/2)): LeGall's 5/3 analysis low-pass [-1 2 6 2 -1]/8 by lifting, symmetric at the edges."""
    even, odd = planes[..., 0::2], planes[..., 1::2]
    if odd.shape[-1] == 0:
        return even.clone()
    right = even[..., 1:] if planes.shape[-1] % 2 else torch.cat((even[..., 1:], even[..., -1:]), dim=-1)
    detail = odd - (even[..., : odd.shape[-1]] + right).mul_(0.5)
    edges = (detail[..., :1], detail, detail[..., -1:]) if planes.shape[-1] % 2 else (detail[..., :1], detail)
    detail = torch.cat(edges, dim=-1)
    return even + (detail[..., :-1] + detail[..., 1:]).mul_(0.25)
