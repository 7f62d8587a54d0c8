"""What the encoder of a BVC with `blocks` chooses: what predicts best, and what is coded of the rest, for the bits that it takes.

    flow -> medians, means -> one vector for 16x16 pixels, in quarters -> four for 8x8, where that is worth its bits
    the same for each of the last frames -> which of them 16x16 pixels come from
    residual's integers -> without those of blocks that gain less than their bits are worth

What a vector costs: the squared error of what it brings, and the price of each bit that it is away from what its neighbours say.
Only encoders come here, so nothing depends on how it is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.row_warp import CUBIC

#: Squared error that a bit is worth, in squared steps of the residual's quantiser: of motion, which later frames profit from, and
#: of the residual. What a block's integers take, roughly: some bits for there being any, and for each.
_MOTION_BIT, _RESIDUAL_BIT = 0.3, 0.15
_FOR_ANY, _FOR_EACH = 4, 4
#: How often references are chosen again by what was chosen around, and the least share that one is thought to have.
_ROUNDS, _RAREST = 2, 1 / 64
_LARGE, _SMALL = 16, 8
#: By how many quarters vectors are moved around the best so far: in the first round, which looks at every fourth pixel, after
#: their neighbours', and of small blocks.
_FIRST, _AGAIN, _FINE = (8, 4, 2, 1), (2, 1), (4, 2, 1)
#: Vectors are in quarters of a pixel and go no further, so that a latent's integers hold their means.
_QUARTERS, _FARTHEST = 4, 124
#: Pixels of border that such vectors see: what they reach, the filter's taps and a block's remainder.
_BORDER = 34
_AROUND = tuple((down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across)


def matched(target: Tensor, references: Sequence[Tensor], flow: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Flow on cells of 4x4 pixels (1, 2, H/4, W/4), in pixels and even in blocks of 8x8, from `target` to the best of `references`
    (1, 3, H, W), newest first, sides multiples of 16; and which of them (H/16, W/16) it leads to. `flow`: to the newest, where the
    search begins. `step`: of the residual's quantiser."""
    # Grey alone is looked at: about a third of the error.
    price = _MOTION_BIT * step**2 / 3
    grey = target.mean(1, keepdim=True)
    said, fields, costs = _QUARTERS * flow[0], [], []
    for age, reference in enumerate(references, 1):
        vectors, cost = _searched(grey, _phases(reference.mean(1, keepdim=True)), (age * said).round(), price)
        said = vectors.repeat_interleave(2, 1).repeat_interleave(2, 2) if age == 1 else said
        fields.append(vectors)
        costs.append(cost)
    which = _choice(torch.stack(costs), price)
    by_block = which.repeat_interleave(2, 0).repeat_interleave(2, 1)
    vectors = torch.stack(fields).gather(0, by_block.expand(1, 2, -1, -1))[0]
    return (vectors / _QUARTERS).repeat_interleave(2, 1).repeat_interleave(2, 2)[None], which


def _searched(target: Tensor, planes: Tensor, said: Tensor, price: float) -> tuple[Tensor, Tensor]:
    """Vectors (2, H/8, W/8) in quarters of a pixel for grey (1, 1, H, W), from what is said of them on cells, and what the four of
    16x16 pixels cost (H/16, W/16)."""
    large, small = _Blocks(target, planes, _LARGE), _Blocks(target, planes, _SMALL)
    sparse = _Blocks(target, planes, _LARGE, every=2)
    means = F.avg_pool2d(said, _LARGE // 4).round()
    usual = _median(means)
    overall = means.flatten(1).median(1).values[:, None, None].expand_as(means)
    vectors, _ = sparse.best([usual, means, torch.zeros_like(means), overall], usual, price, _FIRST)
    expected = _median(vectors)
    vectors, cost = large.best([vectors, *_neighbours(vectors)], expected, price, _AGAIN)
    whole = vectors.repeat_interleave(2, 1).repeat_interleave(2, 2)
    starts = [whole, F.avg_pool2d(said, _SMALL // 4).round(), *_neighbours(whole)]
    parts, _ = small.best(starts, whole, price, _FINE)
    apart = price * (_bits_apart(parts) + _bits(vectors, expected)) + _quarters_summed(small.error(parts))
    split = apart < cost
    return torch.where(split.repeat_interleave(2, 0).repeat_interleave(2, 1), parts, whole), torch.minimum(apart, cost)


def _choice(costs: Tensor, price: float) -> Tensor:
    """The cheapest of n references for each block, of costs (n, h, w); naming one takes as many bits as it is rare, and as its
    neighbours have others."""
    which = costs.argmin(0)
    for _ in range(_ROUNDS):
        mine = F.one_hot(which, len(costs)).permute(2, 0, 1).float()
        around = F.avg_pool2d(F.pad(mine[None], (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
        likely = (around + mine.mean((1, 2), keepdim=True)) / 2
        which = (costs - price * likely.clamp(min=_RAREST).log2()).argmin(0)
    return which


def worthwhile(scaled: Tensor, symbols: Tensor) -> Tensor:
    """A residual's integers (C, h, w), without those of blocks whose squared error they hardly lessen; `scaled`: before rounding.

    Channel 4 k + b is coefficient k of block b of four."""
    gained, count = ((scaled.square() - (scaled - symbols).square()), symbols != 0)
    gained, count = (part.unflatten(0, (-1, 4)).sum(0) for part in (gained, count))
    kept = gained > _RESIDUAL_BIT * (_FOR_ANY + _FOR_EACH * count)
    return symbols * kept.repeat(len(symbols) // 4, 1, 1)


class _Blocks:
    """Blocks of `side` pixels of a picture, and what vectors (2, h, w) in quarters of a pixel make of them; only `every` so manyth
    row and column of them is looked at."""

    def __init__(self, target: Tensor, planes: Tensor, side: int, every: int = 1) -> None:
        _, _, height, width = target.shape
        self._target = _by_block(target[0, 0, ::every, ::every], side // every)
        self._every, flat = every, planes.flatten()
        # Rows of a block are copied whole; looking up pixel by pixel takes seven times as long.
        self._rows = flat.as_strided((flat.numel() - side + 1, side), (1, 1))
        self._stride = planes.shape[-1]
        self._plane = planes.shape[-2] * self._stride
        place = torch.arange(_BORDER, _BORDER + max(height, width), side, device=target.device)
        self._corners = place[: height // side, None] * self._stride + place[: width // side]
        self._down = torch.arange(0, side, every, device=target.device) * self._stride

    def error(self, vectors: Tensor) -> Tensor:
        """Squared error (h, w) of grey."""
        across, down = vectors.long().clamp(-_FARTHEST, _FARTHEST)
        plane = (down % _QUARTERS) * _QUARTERS + across % _QUARTERS
        starts = self._corners + plane * self._plane + (down // _QUARTERS) * self._stride + across // _QUARTERS
        found = self._rows.index_select(0, (starts[..., None] + self._down).flatten())[:, :: self._every].reshape_as(self._target)
        return found.sub_(self._target).square_().sum(-1).mul_(self._every**2)

    def best(self, starts: list[Tensor], expected: Tensor, price: float, steps: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The best of some vectors and of those around it, `steps` apart, and its cost; bits are those of its distance from
        `expected`."""
        found = starts[0], torch.full_like(expected[0], torch.inf)
        for start in starts:
            found = self._better(start, *found, expected, price)
        for step in steps:
            middle = found[0]
            for down, across in _AROUND:
                moved = torch.stack((middle[0] + step * across, middle[1] + step * down))
                found = self._better(moved, *found, expected, price)
        return found

    def _better(self, other: Tensor, vectors: Tensor, cost: Tensor, expected: Tensor, price: float) -> tuple[Tensor, Tensor]:
        other = other.clamp(-_FARTHEST, _FARTHEST)
        total = self.error(other) + price * _bits(other, expected)
        better = total < cost
        return torch.where(better, other, vectors), torch.where(better, total, cost)


def _phases(picture: Tensor) -> Tensor:
    """A picture (1, 1, H, W) at quarters of a pixel, with a border: 16 planes (16, H + .., W + ..), 4 y + x by (y, x) quarters."""
    quarters = torch.arange(_QUARTERS, device=picture.device)[:, None] / _QUARTERS
    weights = quarters ** torch.arange(4, device=picture.device) @ torch.tensor(CUBIC, device=picture.device)
    padded = F.pad(picture, (_BORDER + 1, _BORDER + 2, _BORDER + 1, _BORDER + 2), mode="replicate")
    wide = F.conv2d(padded, weights[:, None, None, :])
    tall = F.conv2d(wide.transpose(0, 1), weights[:, None, :, None])
    return tall.transpose(0, 1).flatten(0, 1)


def _by_block(picture: Tensor, side: int) -> Tensor:
    """The blocks of (H, W): (h, w, side^2)."""
    height, width = picture.shape
    return picture.view(height // side, side, width // side, side).transpose(1, 2).flatten(2)


def _median(vectors: Tensor) -> Tensor:
    """Of the 3x3 vectors around each, component by component."""
    padded = F.pad(vectors[None], (1, 1, 1, 1), mode="replicate")[0]
    return padded.unfold(1, 3, 1).unfold(2, 3, 1).flatten(3).median(-1).values


def _neighbours(vectors: Tensor) -> list[Tensor]:
    """The vectors left, right, above and below of each."""
    padded = F.pad(vectors[None], (1, 1, 1, 1), mode="replicate")[0]
    return [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]


def _quarters_summed(x: Tensor) -> Tensor:
    """Sums over 2x2 (h, w) -> (h/2, w/2)."""
    return 4 * F.avg_pool2d(x[None, None], 2)[0, 0]


def _bits(vectors: Tensor, expected: Tensor) -> Tensor:
    """About how many bits (h, w) it takes to tell vectors (2, h, w) from what is expected."""
    return 2 * (1 + (vectors - expected).abs()).log2().sum(0)


def _bits_apart(parts: Tensor) -> Tensor:
    """About how many bits (h, w) it takes to tell four vectors (2, 2h, 2w) from their mean."""
    corners = parts[:, ::2, ::2], parts[:, ::2, 1::2], parts[:, 1::2, ::2], parts[:, 1::2, 1::2]
    a, b, c, d = corners
    differences = torch.stack((a - b + c - d, a + b - c - d, a - b - c + d)).abs() / 4
    coded = differences.round()
    return ((2 * (1 + coded).log2() + 2) * (coded > 0)).sum((0, 1)) + 3
