"""Cutting pictures into overlapping tiles and blending what a network makes of them: pure geometry, no network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from ..errors import UsageError


@dataclass(frozen=True)
class Axis:
    """The tiles along one axis, in input pixels. Made by `split`."""

    size: int
    #: (start, stop) of each tile.
    spans: tuple[tuple[int, int], ...]
    #: Pixels of each overlap, at either side, that are not trusted; what is left between is where tiles are blended.
    margin: int = 0


def split(size: int, tile: int, overlap: int, multiple: int = 1, margin: int = 0) -> Axis:
    """Cover `size` pixels with tiles of `tile` that overlap by at least `overlap`, as few and as evenly spread as possible.

    All tiles start at multiples of `multiple`, of which `tile` is one, and are `tile` long, but for the last, which ends with the
    picture and is shorter by less than `multiple`. A picture that fits into one tile is one tile. Raises `UsageError` where tiles
    would not advance.
    """
    if size <= tile:
        return Axis(size, ((0, size),), margin)
    stride = (tile - overlap) // multiple
    if stride < 1 or tile % multiple or overlap < 2 * margin:
        raise UsageError(f"tiles of {tile} pixels can't overlap by {overlap}, with margins of {margin} in steps of {multiple}")
    last = -(-(size - tile) // multiple)
    steps = -(-last // stride)
    starts = [i * last // steps * multiple for i in range(steps + 1)]
    return Axis(size, tuple((start, min(start + tile, size)) for start in starts), margin)


@lru_cache(maxsize=256)
def weights(axis: Axis, index: int, ratio: Fraction, count: int) -> Tensor:
    """How much each of the `count` output pixels of tile `index` counts: raised cosines over the overlaps, 1 in all for each pixel.

    `ratio` is output pixels per input pixel.
    """
    start, stop = axis.spans[index]
    position = start + (torch.arange(count, dtype=torch.float64) + 0.5) / float(ratio)
    near = [i for i, (first, last) in enumerate(axis.spans) if first < stop and last > start]
    shares = {i: _share(axis, i, position) for i in near}
    return (shares[index] / torch.stack(list(shares.values())).sum(0)).float()


def _share(axis: Axis, index: int, position: Tensor) -> Tensor:
    """The weight of a tile at input positions before normalising: rises over its first overlap and falls over its last."""
    share = torch.ones_like(position)
    if index > 0:
        share *= _rise(position, axis.spans[index][0], axis.spans[index - 1][1], axis.margin)
    if index + 1 < len(axis.spans):
        share *= 1 - _rise(position, axis.spans[index + 1][0], axis.spans[index][1], axis.margin)
    return share


def _rise(position: Tensor, start: int, stop: int, margin: int) -> Tensor:
    """A raised cosine from 0 to 1 over an overlap without its margins; a step in its middle where nothing is left."""
    low, high = start + margin, stop - margin
    if high <= low:
        return (position >= (start + stop) / 2).to(position.dtype)
    return 0.5 - 0.5 * torch.cos(math.pi * ((position - low) / (high - low)).clamp(0, 1))


@dataclass(frozen=True)
class Tiling:
    """Tiles of a picture: every row of tiles with every column."""

    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        return len(self.rows.spans) * len(self.columns.spans)


class Canvas:
    """A picture that tiles are blended into; `ratio` output pixels per input pixel, `height` x `width` of them."""

    def __init__(self, tiling: Tiling, ratio: Fraction, height: int, width: int) -> None:
        self.tiling, self.ratio, self.size = tiling, ratio, (height, width)
        self.picture: Tensor | None = None

    def add(self, row: int, column: int, tile: Tensor, like: Tensor) -> None:
        """Blend in a tile (..., C, h, w). A single tile is taken as it is; a sum is float32 and lies where `like` does."""
        if self.tiling.count == 1:
            self.picture = tile
            return
        if self.picture is None:
            self.picture = torch.zeros(*tile.shape[:-2], *self.size, device=like.device)
        region: list[slice] = []
        part, factors = tile, []
        for axis, index, dim in ((self.tiling.rows, row, -2), (self.tiling.columns, column, -1)):
            factor = weights(axis, index, self.ratio, tile.shape[dim])
            used = factor.nonzero()
            low, high = int(used[0]), int(used[-1]) + 1
            offset = axis.spans[index][0] * self.ratio
            region.append(slice(int(offset) + low, int(offset) + high))
            part = part.narrow(dim, low, high - low)
            factors.append(factor[low:high].to(like.device))
        target = self.picture[..., region[0], region[1]]
        target.addcmul_(part.to(like.device, torch.float32), factors[0][:, None] * factors[1])


def tiled(function: Callable[[Tensor], Tensor], x: Tensor, tiling: Tiling, scale: int = 1) -> Tensor:
    """`function` of `x` (..., C, H, W), tile by tile: (..., C', scale*H, scale*W).

    `function` takes any (..., C, h, w) to (..., C', scale*h, scale*w).
    """
    picture, _ = tiled_step(lambda tile, _: (function(tile), ()), x, (), tiling, scale)
    assert picture is not None
    return picture


def tiled_step(
    function: Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor | None, tuple[Tensor, ...]]],
    x: Tensor,
    state: tuple[Tensor, ...],
    tiling: Tiling,
    scale: int = 1,
    multiple: int = 1,
) -> tuple[Tensor | None, tuple[Tensor, ...]]:
    """`tiled` for a function that also takes a state and returns the next one: maps that cover the whole picture here.

    Because the state is blended like the picture, each step starts from one consistent state, errors at tile borders don't
    build up from frame to frame, and the next step may use other tiles. Each map covers the picture extended to `multiple`, at
    full size or at a whole fraction of it.
    """
    whole = [-(-side // multiple) * multiple for side in x.shape[-2:]]
    picture = Canvas(tiling, Fraction(scale), *(scale * side for side in x.shape[-2:]))
    made: list[Canvas] = []
    for row, (top, bottom) in enumerate(tiling.rows.spans):
        for column, (left, right) in enumerate(tiling.columns.spans):
            pieces = tuple(_piece(part, whole, multiple, (top, bottom), (left, right)) for part in state)
            tile, following = function(x[..., top:bottom, left:right], pieces)
            if tile is not None:
                picture.add(row, column, tile, x)
            if not made:
                height = -(-(bottom - top) // multiple) * multiple
                ratios = [Fraction(part.shape[-2], height) for part in following]
                made = [Canvas(tiling, ratio, *(int(side * ratio) for side in whole)) for ratio in ratios]
            for canvas, part in zip(made, following, strict=True):
                canvas.add(row, column, part, x)
    return picture.picture, tuple(canvas.picture for canvas in made if canvas.picture is not None)


def _piece(part: Tensor, whole: list[int], multiple: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """What of a map of the state belongs to a tile."""
    for dim, side, (start, stop) in ((-2, whole[0], rows), (-1, whole[1], columns)):
        ratio = Fraction(part.shape[dim], side)
        low, high = start * ratio, -(-stop // multiple) * multiple * ratio
        part = part.narrow(dim, int(low), int(high - low))
    return part
