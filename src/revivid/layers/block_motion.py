"""Block motion: where each 4x4 block of a picture is found in a neighbouring one, and fetching features from there without blur.

    pictures -- quarter size: full search -- half size: +-2 -- full size: +-1 twice, zero motion again, parabola -- vectors, cost
    vectors + features whose channels hold several sub-positions of each cell -- one lookup of rows -- aligned features

No parameters and no gradient for the vectors: the search is plain arithmetic that a processor does in a few milliseconds, and a
network that is trained behind it gets aligned neighbours from the first iteration on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError

#: Side of a block in luma samples; sizes must be multiples of it.
BLOCK = 4
#: Reach of the full search at quarter size, in its samples: four times as much at full size.
REACH = 3
#: What a vector must win per sample of its length over shorter ones, in units of the picture's peak.
PRICE = 4e-4
#: Comparisons that bring the median of nine values to the middle place.
_EXCHANGES = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


def search(current: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Where the blocks of `current` lie in `reference`, both (N, 1, H, W) of value / peak, H and W multiples of 4.

    Returns vectors (N, 2, H/4, W/4) in samples, y before x, fractional; what is at p of `current` is at p + vector of `reference`;
    and the mean absolute difference that is left at the nearest whole vector, (N, 1, H/4, W/4). Each block is judged together
    with its eight neighbours. Motion up to 18 samples is found. Raises `ShapeError` for other sizes.
    """
    if current.shape != reference.shape or current.ndim != 4 or current.shape[2] % BLOCK or current.shape[3] % BLOCK:
        raise ShapeError(f"block search between {tuple(current.shape)} and {tuple(reference.shape)}: (N,1,H,W), multiples of 4")
    pyramid = [(current, reference)]
    for _ in range(2):
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    vectors = torch.zeros_like(pyramid[2][0], dtype=torch.long).expand(-1, 2, -1, -1)
    vectors, _ = _whole(*pyramid[2], vectors, REACH, 4 * PRICE)
    vectors, _ = _whole(*pyramid[1], 2 * _median(vectors), 2, 2 * PRICE)
    vectors, _ = _whole(current, reference, 2 * _median(vectors), 1, PRICE)
    vectors, costs = _whole(current, reference, _median(vectors), 1, PRICE)
    return _with_zero_and_fraction(current, reference, vectors, costs)


def turned(vectors: Tensor) -> Tensor:
    """Vectors from a picture to its neighbour as vectors from the neighbour to the picture, (N, 2, h, w) on its own blocks.

    Each block takes the vector that seems to point at it: exact where motion is even over the length of the vectors.
    """
    batch, _, rows, columns = vectors.shape
    steps = (vectors / BLOCK).round().long()
    y = (torch.arange(rows, device=vectors.device)[:, None] - steps[:, 0]).clamp_(0, rows - 1)
    x = (torch.arange(columns, device=vectors.device) - steps[:, 1]).clamp_(0, columns - 1)
    index = (y * columns + x).view(batch, 1, -1).expand(-1, 2, -1)
    return -vectors.reshape(batch, 2, -1).gather(2, index).view(vectors.shape)


def remaining(current: Tensor, found: Tensor) -> Tensor:
    """What `search` calls the cost, (N, 1, h, w), of what was fetched: both (N, 4, 2h, 2w), luma unshuffled by 2."""
    return _with_neighbours(_halved((current - found).abs().mean(1, keepdim=True)))


def _halved(picture: Tensor) -> Tensor:
    rows = picture[:, :, ::2] + picture[:, :, 1::2]
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


def _whole(current: Tensor, reference: Tensor, base: Tensor, reach: int, price: float) -> tuple[Tensor, Tensor]:
    """The best whole vectors within `reach` of `base` (N,2,h,w), and the costs (N,K,h,w) around `base`, K = (2 reach + 1)^2."""
    count = 2 * reach + 1
    costs = _costs(current, reference, base, reach)
    steps = torch.arange(-reach, reach + 1, device=current.device)
    lengths = steps.abs()[:, None] + steps.abs()
    best = _least(costs + price * lengths.view(1, -1, 1, 1))
    return base + torch.cat([best // count - reach, best % count - reach], 1), costs


def _costs(current: Tensor, reference: Tensor, base: Tensor, reach: int) -> Tensor:
    """Mean absolute differences (N,K,h,w) of blocks and their neighbours at `base` plus every step within `reach`."""
    batch, _, height, width = current.shape
    rows, columns = base.shape[2:]
    side = height // rows
    window = torch.arange(-reach, side + reach, device=current.device)
    y = base[:, 0, None] + (torch.arange(rows, device=current.device)[:, None] * side) + window[:, None, None]
    x = base[:, 1, None] + (torch.arange(columns, device=current.device) * side) + window[:, None, None]
    index = (y.clamp_(0, height - 1) * width)[:, :, None] + x.clamp_(0, width - 1)[:, None]
    found = reference.reshape(batch, -1).gather(1, index.view(batch, -1)).view(index.shape)  # (N, side+2r, side+2r, h, w)
    count = 2 * reach + 1
    own = current.view(batch, rows, side, columns, side).permute(0, 2, 4, 1, 3).contiguous()
    costs = current.new_zeros(batch, count, count, rows, columns)
    for i in range(side):
        for j in range(side):
            costs += (found[:, i : i + count, j : j + count] - own[:, i, j, None, None]).abs_()
    costs = costs.view(batch, -1, rows, columns).div_(side * side)
    return _with_neighbours(costs)


def _with_neighbours(costs: Tensor) -> Tensor:
    """Mean over 3x3 blocks; several times faster than `avg_pool2d`."""
    padded = F.pad(costs, (1, 1, 1, 1), mode="replicate")
    padded = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
    return (padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]).div_(9)


def _least(costs: Tensor) -> Tensor:
    """Which of K <= 128 channels (N,K,h,w) is the smallest, (N,1,h,w), to 16 bits of cost; `argmin` takes ten times as long."""
    keyed = (costs * 2**16).to(torch.int32).mul_(128).add_(torch.arange(costs.shape[1], dtype=torch.int32)[:, None, None])
    return (keyed.amin(1, keepdim=True) % 128).long()


def _median(vectors: Tensor) -> Tensor:
    """Each component's median over 3x3 blocks: neighbours are judged together, so their searches should begin alike."""
    padded = F.pad(vectors.float(), (1, 1, 1, 1), mode="replicate")
    height, width = vectors.shape[2:]
    around = [padded[..., i : i + height, j : j + width] for i in range(3) for j in range(3)]
    # Devillard's sorting network; `Tensor.median` takes thirty times as long.
    for low, high in _EXCHANGES:
        around[low], around[high] = torch.minimum(around[low], around[high]), torch.maximum(around[low], around[high])
    return around[4].long()


def _with_zero_and_fraction(current: Tensor, reference: Tensor, vectors: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
    """No motion where that is as good; elsewhere the fraction of a parabola through the costs beside the best vector."""
    at = _least(costs)
    row, column = at // 3, at % 3
    best = costs.gather(1, at)
    parts = []
    for place, stride in ((row, 3), (column, 1)):
        inside = place == 1
        before = costs.gather(1, (at - stride).clamp_(min=0))
        after = costs.gather(1, (at + stride).clamp_(max=8))
        bend = before + after - 2 * best
        parts.append(torch.where(inside & (bend > 1e-6), 0.5 * (before - after) / bend.clamp(min=1e-6), 0.0).clamp_(-0.5, 0.5))
    # The price may have chosen another step than the least cost; the parabola's place is then unknown.
    fraction = torch.cat(parts, 1)
    still = _with_neighbours(_halved(_halved((current - reference).abs())))
    moving = (still > best + 2 * PRICE) | ~vectors.any(1, keepdim=True)
    return torch.where(moving, vectors + fraction, 0.0), torch.where(moving, best, still)


def rows_index(vectors: Tensor, size: tuple[int, int], cell: int) -> Tensor:
    """Which row each position takes, for `fetch`: (N, H/cell, W/cell, cell * cell) flat, over the whole batch.

    `vectors` (N, 2, h, w) are whole numbers in positions of a grid of `size` (H, W), constant over equal blocks; positions are
    ordered as the channels of a tensor that holds `cell` x `cell` positions per element. Targets outside are moved to the border.
    """
    batch, _, rows, columns = vectors.shape
    height, width = size
    block = height // rows
    down = torch.arange(height, device=vectors.device)
    right = torch.arange(width, device=vectors.device)
    # A position's row in memory is the sum of one part that y decides and one that x decides.
    of_y = torch.div(down, cell, rounding_mode="floor") * (width * cell) + down % cell * cell
    of_x = torch.div(right, cell, rounding_mode="floor") * cell**2 + right % cell
    y = (vectors[:, 0, ..., None] + down.view(rows, 1, block)).clamp_(0, height - 1)
    x = (vectors[:, 1, ..., None] + right.view(columns, block)).clamp_(0, width - 1)
    batches = torch.arange(batch, device=vectors.device).view(-1, 1, 1, 1) * (height * width)
    y, x = (of_y[y] + batches).view(batch, rows, columns, -1, cell), of_x[x].view(batch, rows, columns, -1, cell)
    return (y.transpose(2, 3)[:, :, :, :, None, :, None] + x[:, :, None, :, :, None, :]).reshape(-1)


def fetch(features: Tensor, index: Tensor, cell: int) -> Tensor:
    """`features` (N, cell * cell * k, H, W) from where `rows_index` points, in the same layout, channels_last.

    Channels are ordered (position in the cell, k), so that one position's k values are one row in memory.
    """
    batch, channels, height, width = features.shape
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels // cell**2)
    return F.embedding(index, rows).view(batch, height, width, channels).permute(0, 3, 1, 2)
