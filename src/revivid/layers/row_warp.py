"""Bicubic backward warping of a picture whose channels lie last, by rows of four neighbours: `backward_warp` for playing video.

    flow -> taps: of each pixel the first of its 4 rows, weights of the rows, weights within a row
    picture (H, W, 3) -> padded -> at each pixel the 12 numbers of four neighbours -> 4 of these by `below` -> 4 pixels by `right`

`grid_sample` looks up 16 neighbours three times for each pixel, one number at a time; here whole rows are weighted and summed by
`embedding_bag`. The same map as `backward_warp(padding="border", mode="bicubic")`, rounded differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: How many pixels the padded picture has beyond each border; what lies farther out sees the border's pixel alone.
_REACH = 3
#: Cubic convolution with A = -0.75 (Keys, 1981), as torch has it: weights of the taps -1, 0, 1, 2 as polynomials of 1, t, t^2, t^3.
CUBIC = ((0.0, 1.0, 0.0, 0.0), (-0.75, 0.0, 0.75, 0.0), (1.5, -2.25, 1.5, -0.75), (-0.75, 1.25, -1.25, 0.75))
#: Pixels at a time: what lies between two steps stays in the cache.
_CHUNK = 1 << 16


class Taps(NamedTuple):
    """Where each pixel of a picture of a certain size is sampled: places (P, 4) int32, among the padded picture's pixels, where its
    four rows begin; weights (P, 4) of the rows and of the neighbours in each."""

    rows: Tensor
    below: Tensor
    right: Tensor


def taps_of(flow: Tensor) -> Taps:
    """Taps for a flow (1, 2, H, W) float32 in pixels."""
    _, _, height, width = flow.shape
    stride, lines = width + 2 * _REACH, max(1, _CHUNK // width)
    down = stride * torch.arange(4, dtype=torch.int32, device=flow.device)
    cubic = torch.tensor(CUBIC, dtype=flow.dtype, device=flow.device)
    columns = torch.arange(width, dtype=flow.dtype, device=flow.device)
    below, right = flow.new_empty(2, height, width, 4)
    rows = torch.empty(height, width, 4, dtype=torch.int32, device=flow.device)
    powers = flow.new_ones(4, lines, width)
    for top in range(0, height, lines):
        part = slice(top, min(top + lines, height))
        used = powers[:, : part.stop - top]
        x = _axis(flow[0, 0, part] + columns, used, width, cubic, right[part])
        numbers = torch.arange(top, part.stop, dtype=flow.dtype, device=flow.device)[:, None]
        y = _axis(flow[0, 1, part] + numbers, used, height, cubic, below[part])
        torch.add(y.mul_(stride).add_(x)[..., None], down, out=rows[part])
    return Taps(rows.view(-1, 4), below.view(-1, 4), right.view(-1, 4))


def row_warp(picture: Tensor, taps: Taps) -> Tensor:
    """`picture` (1, C, H, W) float32 sampled at taps: (1, C, H, W), channels last. What is outside repeats the border."""
    _, channels, height, width = picture.shape
    return _sampled(picture, taps).view(1, height, width, channels).permute(0, 3, 1, 2)


def rows_warp(pictures: Sequence[Tensor], which: Tensor, taps: Taps) -> Tensor:
    """As `row_warp` of several pictures of one size; `which` (h, w) says of which one each block of H/h x W/w pixels comes."""
    _, channels, height, width = pictures[0].shape
    counts = which.flatten().bincount(minlength=len(pictures)).tolist()
    usual = counts.index(max(counts))
    out = _sampled(pictures[usual], taps)
    rows, columns = height // which.shape[0], width // which.shape[1]
    for number, count in enumerate(counts):
        if count and number != usual:
            theirs = which.eq(number).repeat_interleave(columns, 1).repeat_interleave(rows, 0)
            places = theirs.flatten().nonzero()[:, 0]
            there = Taps(*(part.index_select(0, places) for part in taps))
            out.index_copy_(0, places, _sampled(pictures[number], there))
    return out.view(1, height, width, channels).permute(0, 3, 1, 2)


def _sampled(picture: Tensor, taps: Taps) -> Tensor:
    """(P, C) at taps."""
    channels = picture.shape[1]
    flat = bordered([picture], _REACH).view(-1)
    neighbours = flat.as_strided((flat.numel() // channels - 3, 4 * channels), (channels, 1)).contiguous()
    out = picture.new_empty(len(taps.rows), channels)
    order = torch.arange(4 * min(_CHUNK, len(out)), dtype=torch.int32, device=picture.device).view(-1, 4)
    for begin in range(0, len(out), _CHUNK):
        rows, below, right = (part[begin : begin + _CHUNK] for part in taps)
        columns = F.embedding_bag(rows, neighbours, per_sample_weights=below, mode="sum").view(-1, channels)
        out[begin : begin + _CHUNK] = F.embedding_bag(order[: len(rows)], columns, per_sample_weights=right, mode="sum")
    return out


def _axis(place: Tensor, powers: Tensor, size: int, cubic: Tensor, weights: Tensor) -> Tensor:
    """Of coordinates (h, w), which are clamped: the first of their four neighbours in the padded picture, int32, and into `weights`
    (h, w, 4) those of the neighbours. `powers` is room for the polynomials, ones already in place."""
    floor = place.clamp_(1 - _REACH, size).floor()
    torch.sub(place, floor, out=powers[1])
    torch.mul(powers[1], powers[1], out=powers[2])
    torch.mul(powers[2], powers[1], out=powers[3])
    torch.mm(powers.flatten(1).t(), cubic, out=weights.view(-1, 4))
    return floor.to(torch.int32).add_(_REACH - 1)


def bordered(pictures: Sequence[Tensor], border: int) -> Tensor:
    """Pictures (1, C, H, W) as (N, H + 2 border, W + 2 border, C), their edges repeated; faster than `F.pad` with its layouts."""
    _, channels, height, width = pictures[0].shape
    padded = pictures[0].new_empty(len(pictures), height + 2 * border, width + 2 * border, channels)
    middle = padded[:, border:-border]
    for number, picture in enumerate(pictures):
        middle[number, :, border:-border] = picture[0].permute(1, 2, 0)
    middle[:, :, :border], middle[:, :, -border:] = middle[:, :, border : border + 1], middle[:, :, -border - 1 : -border]
    padded[:, :border], padded[:, -border:] = middle[:, :1], middle[:, -1:]
    return padded
