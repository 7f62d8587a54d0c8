"""Modulated deformable convolution (Zhu et al., "Deformable ConvNets v2", CVPR 2019), in plain PyTorch.

Every tap of the kernel is sampled bilinearly at its own fractional place (`grid_sample`), then one matrix product makes the
outputs. The samples of all taps are large (9 times the input), so rows of output are made in strips that fit a CPU's cache.
On CUDA torchvision's kernel is used where it happens to be installed; the numbers are the same.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import ShapeError
from .warp import is_channels_last

#: Float values of sampled taps held at a time (4 MB in float32); measured best between 2**18 and 2**23 on a CPU.
STRIP_VALUES = 2**20

Pair = int | tuple[int, int]


def deform_conv2d(
    x: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 1,
    dilation: Pair = 1,
) -> torch.Tensor:
    """Modulated deformable convolution of `x` (N, Cin, H, W) to (N, Cout, Ho, Wo).

    `offset` (N, 2*G*K, Ho, Wo) holds (dy, dx) in pixels for each of G groups and K = kh*kw taps (row-major, interleaved);
    `mask` (N, G*K, Ho, Wo) multiplies the samples; `weight` (Cout, Cin/R, kh, kw). The offset groups G = mask channels / K and
    the convolution groups R = Cin / weight.shape[1] follow from the shapes. Samples outside count as 0. Coordinates are float32
    at least. Raises `ShapeError` before any computing where the shapes don't fit.
    """
    stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
    size = _output_size(x, offset, mask, weight, stride, padding, dilation)
    kernel = _cuda_kernel() if x.is_cuda else None
    dtype = torch.promote_types(x.dtype, torch.float32)
    if kernel is not None:
        parts = [None if part is None else part.to(dtype) for part in (x, offset, weight, bias, mask)]
        return kernel(*parts[:4], stride, padding, dilation, parts[4]).to(x.dtype)
    batch, channels = x.shape[:2]
    taps = weight.shape[2] * weight.shape[3]
    groups, conv_groups = mask.shape[1] // taps, channels // weight.shape[1]
    source = x.to(dtype).reshape(batch * groups, channels // groups, *x.shape[2:])
    kernel_weight = weight.reshape(conv_groups, weight.shape[0] // conv_groups, -1)
    offset = offset.reshape(batch, groups, taps, 2, *size).to(dtype)
    mask = mask.reshape(batch, groups, taps, *size).to(dtype)
    base_y, base_x = _base(weight.shape[2:], size, stride, padding, dilation, offset)
    # grid_sample with align_corners=False wants pixel p at (2p + 1)/size - 1, which also holds for pictures one pixel wide.
    base_y, base_x = (2 * base_y + 1) / x.shape[2] - 1, (2 * base_x + 1) / x.shape[3] - 1

    strips = []
    height = max(1, STRIP_VALUES // max(1, batch * channels * taps * size[1]))
    for top in range(0, size[0], height):
        rows = slice(top, top + height)
        at_y = torch.add(base_y[:, rows], offset[:, :, :, 0, rows], alpha=2 / x.shape[2])
        at_x = torch.add(base_x, offset[:, :, :, 1, rows], alpha=2 / x.shape[3])
        samples = _sample_taps(source, torch.stack((at_x, at_y), dim=-1), mask[..., rows, :])
        columns = samples.reshape(batch, conv_groups, kernel_weight.shape[2], -1).to(weight.dtype)
        strips.append(torch.matmul(kernel_weight, columns).reshape(batch, weight.shape[0], -1, size[1]))
    out = torch.cat(strips, dim=2) if len(strips) > 1 else strips[0]
    if bias is not None:
        out = out + bias.to(out.dtype)[:, None, None]
    return out.contiguous(memory_format=torch.channels_last) if is_channels_last(x) else out


def split_predicted(raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A predictor's output (N, 3*G*K, H, W) as raw offsets (the first 2*G*K) and masks (sigmoid of the rest), in float32.

    The offsets are to be added to coordinates, which bfloat16 would round to a tenth of a pixel. Rows come last in memory: that is
    how the taps are sampled, and a copy here is cheaper than strided access in every step after.
    """
    count = raw.shape[1] // 3
    raw = raw.to(torch.promote_types(raw.dtype, torch.float32)).contiguous()
    return raw[:, : 2 * count], raw[:, 2 * count :].sigmoid()


def flow_guided_offsets(raw: torch.Tensor, flows: list[torch.Tensor], magnitude: float) -> torch.Tensor:
    """Offsets (N, 2*G*K, H, W) = magnitude * tanh(raw) + flow, where the offset groups are shared out among the flows in order.

    BasicVSR++ (Chan et al., CVPR 2022, section 3.2) with two flows, VRT with one to three. `flows` are (N, 2, H, W) in (x, y)
    order; offsets are in (y, x) order.
    """
    if raw.shape[1] % (2 * len(flows)):
        raise ShapeError(f"{raw.shape[1]} offset channels can't be shared out among {len(flows)} flows")
    guide = torch.stack([flow.to(raw.dtype).flip(1) for flow in flows], dim=1)
    offsets = torch.add(guide[:, :, None], raw.unflatten(1, (len(flows), -1, 2)).tanh(), alpha=magnitude)
    return offsets.flatten(1, 3)


def _sample_taps(source: torch.Tensor, grid: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Modulated bilinear samples (N*G, Cin/G, K, h*Wo) of `source` (N*G, Cin/G, H, W).

    `grid` (N, G, K, h, Wo, 2) holds normalised coordinates, `mask` (N, G, K, h, Wo) the factors.
    """
    batch, groups, taps, rows, columns = mask.shape
    samples = F.grid_sample(source, grid.view(batch * groups, taps * rows, columns, 2), align_corners=False)
    samples = samples.view(batch * groups, -1, taps, rows * columns)
    mask = mask.reshape(batch * groups, 1, taps, rows * columns)
    return samples * mask if torch.is_grad_enabled() else samples.mul_(mask)


def _base(
    kernel: tuple[int, ...],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    like: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the undeformed taps lie: rows (K, Ho, 1) and columns (K, 1, Wo)."""
    kh, kw = kernel

    def axis(count: int, taps: int, i: int) -> torch.Tensor:
        start = torch.arange(count, dtype=like.dtype, device=like.device) * stride[i] - padding[i]
        return torch.arange(taps, dtype=like.dtype, device=like.device)[:, None] * dilation[i] + start

    return axis(size[0], kh, 0).repeat_interleave(kw, 0)[:, :, None], axis(size[1], kw, 1).repeat(kh, 1)[:, None, :]


def _output_size(
    x: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Rows and columns of the output, or a `ShapeError` that says which shapes don't fit."""
    shapes = f"x {tuple(x.shape)}, offset {tuple(offset.shape)}, mask {tuple(mask.shape)}, weight {tuple(weight.shape)}"
    if not x.ndim == offset.ndim == mask.ndim == weight.ndim == 4:
        raise ShapeError(f"deformable convolution wants four axes each: {shapes}")
    channels, taps = x.shape[1], weight.shape[2] * weight.shape[3]
    conv_groups = channels // weight.shape[1]
    groups = mask.shape[1] // taps
    if channels % weight.shape[1] or weight.shape[0] % max(conv_groups, 1):
        raise ShapeError(f"the weight's channels don't divide those of x: {shapes}")
    if not groups or mask.shape[1] % taps or offset.shape[1] != 2 * mask.shape[1] or channels % groups:
        raise ShapeError(f"the channels of offset, mask and x don't make whole groups of {taps} taps: {shapes}")
    rows, columns = (
        (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in (0, 1)
    )
    if any(part.shape[0] != x.shape[0] or part.shape[2:] != (rows, columns) for part in (offset, mask)):
        raise ShapeError(f"offset and mask must cover the output of {rows}x{columns}: {shapes}")
    return rows, columns


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


@functools.cache
def _cuda_kernel() -> Callable[..., torch.Tensor] | None:
    """torchvision's kernel, or None where it is missing or was built for another PyTorch."""
    try:
        return importlib.import_module("torchvision.ops").deform_conv2d
    except (ImportError, RuntimeError):
        return None
