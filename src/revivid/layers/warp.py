"""Backward warping: bring a picture or feature map to another frame's grid along a flow field.

A flow has two channels, x (positive right) and y (positive down), in pixels of its own resolution. "Flow from a to b" lives on
a's grid: what is at pixel p of a is found in b at p + flow(p), so `warp(b, flow)` looks like a. Coordinates are computed in
float32 at least, whatever the input's dtype: bfloat16 holds no more than 8 bits of them. Only the sampled values are cast back.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from ..errors import ShapeError

#: Pixels from which it is worth sharing the work.
_LARGE = 1 << 16

Padding = Literal["zeros", "border"]
Mode = Literal["bilinear", "bicubic"]


def backward_warp(
    source: torch.Tensor, flow: torch.Tensor, *, padding: Padding = "zeros", mode: Mode = "bilinear"
) -> torch.Tensor:
    """Warp of `source` (N, C, H, W) by `flow` (N, 2, H, W): out[c, y, x] = source[c] at (x + flow_x, y + flow_y).

    `mode`: how it is interpolated there. Pixel coordinates are normalised after the flow is added, as SPyNet, VRT and the
    BasicVSR family do. `padding`: corners outside count as 0, or coordinates are clamped to the border. Raises `ShapeError`
    where the sizes differ.
    """
    _check(source, flow)
    dtype = torch.promote_types(source.dtype, torch.float32)
    x, y = _targets(flow, dtype)
    height, width = flow.shape[-2:]
    grid = torch.stack((2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1), dim=-1)
    return _sample(source, grid, padding, mode)


def backward_warp_spaced(source: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`backward_warp` with border padding in the arithmetic of RIFE and IFRNet: the same map, rounded differently.

    The base grid is evenly spaced values from -1 to 1, to which the normalised flow is added.
    """
    _check(source, flow)
    dtype = torch.promote_types(source.dtype, torch.float32)
    height, width = flow.shape[-2:]
    step = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2], dtype=dtype, device=flow.device)
    columns = torch.linspace(-1, 1, width, dtype=dtype, device=flow.device)
    rows = torch.linspace(-1, 1, height, dtype=dtype, device=flow.device)
    base = torch.stack((columns.expand(height, width), rows[:, None].expand(height, width)), dim=-1)
    return _sample(source, base + flow.to(dtype).permute(0, 2, 3, 1) / step, "border")


def warp_corners(source: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The four nearest neighbours of every target, (N, 4C, H, W), for VRT's input; integer lookups, 0 outside the picture.

    Order on channels, C each: (floor x, floor y), (floor x, ceil y), (ceil x, floor y), (ceil x, ceil y). Piecewise constant in
    the flow: gradients reach `source` only, and targets within rounding of an integer may jump by a pixel.
    """
    _check(source, flow)
    x, y = _targets(flow.detach(), torch.promote_types(source.dtype, torch.float32))
    columns, rows = (x.floor(), x.ceil()), (y.floor(), y.ceil())
    return torch.cat([_lookup(source, column, row) for column in columns for row in rows], dim=1)


def _targets(flow: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Absolute x and y coordinates that a flow points at, (N, H, W) each."""
    height, width = flow.shape[-2:]
    columns = torch.arange(width, dtype=dtype, device=flow.device)
    rows = torch.arange(height, dtype=dtype, device=flow.device)
    return flow[:, 0].to(dtype) + columns, flow[:, 1].to(dtype) + rows[:, None]


def _sample(source: torch.Tensor, grid: torch.Tensor, padding: Padding, mode: Mode = "bilinear") -> torch.Tensor:
    """`grid_sample` in the grid's dtype, given back in the source's dtype and memory format."""
    given = source.to(grid.dtype)
    bands = _bands(grid)
    if bands > 1:  # torch shares the pictures of a batch among its threads, and never one picture
        given, grid = given.expand(bands, -1, -1, -1), grid.view(bands, -1, *grid.shape[2:])
    out = F.grid_sample(given, grid, mode=mode, padding_mode=padding, align_corners=True).to(source.dtype)
    if bands > 1:
        out = out.transpose(0, 1).reshape(source.shape)
    return out.contiguous(memory_format=torch.channels_last) if is_channels_last(source) else out


def _bands(grid: torch.Tensor) -> int:
    """How many bands of rows to sample side by side: one for each thread, where there is a single large picture on a CPU."""
    threads = torch.get_num_threads()
    large = grid.shape[0] == 1 and grid.shape[1] * grid.shape[2] >= _LARGE and grid.shape[1] % threads == 0
    return threads if large and grid.device.type == "cpu" and not torch.is_grad_enabled() else 1


def _lookup(source: torch.Tensor, column: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    """source[n, :, row, column] for whole-numbered float coordinates (N, H, W); 0 where they fall outside."""
    batch, channels, height, width = source.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = torch.where(inside, row * width + column, 0).long().view(batch, 1, -1).expand(-1, channels, -1)
    found = source.reshape(batch, channels, -1).gather(2, index).view(source.shape)
    return torch.where(inside[:, None], found, 0)


def is_channels_last(x: torch.Tensor) -> bool:
    """Whether `x` (N, C, H, W) lies in memory as (N, H, W, C) and not also as (N, C, H, W)."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _check(source: torch.Tensor, flow: torch.Tensor) -> None:
    if source.ndim != 4 or flow.shape != (source.shape[0], 2, *source.shape[2:]):
        raise ShapeError(f"a flow of shape {tuple(flow.shape)} can't warp a source of shape {tuple(source.shape)}")
