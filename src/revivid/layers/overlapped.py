"""Blocks brought along their vectors so that they overlap (overlapped block motion compensation: Orchard, Sullivan, "Overlapped
Block Motion Compensation: An Estimation-Theoretic Approach", 1994).

    vectors -> of each block 16x16 pixels around its 8x8, sampled bicubically -> times a window -> summed

A pixel near an edge is a mean of what its own block and the nearest ones say. That smooths the edge, and means of two predictions
are nearer to the truth than either. Windows sum to 1; beyond the picture's border a block's neighbour is the block itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .row_warp import CUBIC, bordered

#: Side of a block, and how far it reaches beyond its edges, in pixels.
SIDE = 8
_MARGIN = SIDE // 2
#: What a block counts beyond its edge, pixel by pixel outwards; inside, what its neighbour leaves it.
_BEYOND = (0.3, 0.18, 0.09, 0.03)
_WIDE = SIDE + 2 * _MARGIN
#: Pixels that a block is sampled from along an axis, and of border that are enough for all of them to lie in it.
_TAPS = 4
_SEEN = _WIDE + _TAPS - 1
_BORDER = _SEEN + 1
#: Blocks at a time: what lies between two steps stays in the cache.
_CHUNK = 1024


def overlapped(pictures: Sequence[Tensor], vectors: Tensor, which: Tensor | None = None) -> Tensor:
    """Prediction (1, C, H, W), channels last, from `pictures` (1, C, H, W) float32 by `vectors` (2, H/8, W/8) in pixels, x and y.

    `which` (H/8, W/8): the picture that each block comes from; None: the first one. Outside, a picture repeats its border.
    """
    _, channels, height, width = pictures[0].shape
    rows, columns = vectors.shape[1:]
    padded = bordered(pictures, _BORDER)
    across, wide = _axis(vectors[0], width)
    down, tall = _axis(vectors[1].T, height)
    places = (down.T * padded.shape[2] + across) * channels
    if which is not None:
        places += which * padded[0].numel()
    steps = torch.arange(_SEEN, device=places.device) * (padded.shape[2] * channels)
    flat, run = padded.view(-1), _SEEN * channels
    lines = flat.as_strided((flat.numel() - run + 1, run), (1, 1))
    wide, tall = wide.repeat_interleave(channels, -1), tall.transpose(0, 1).reshape(rows, columns, _TAPS, _WIDE)
    # Blocks with their margins, moved by a margin, are four blocks each: what lies in the same one is summed.
    out = padded.new_zeros(rows + 1, SIDE, columns + 1, SIDE * channels)
    at_once = max(1, _CHUNK // columns)
    for top in range(0, rows, at_once):
        part = slice(top, min(top + at_once, rows))
        seen = lines.index_select(0, (places[part, :, None] + steps).flatten())
        found = _filtered(seen.view(-1, _SEEN, run), wide[part].flatten(0, 1), tall[part].flatten(0, 1), channels)
        _gathered(out, found.view(-1, columns, 2, SIDE, 2, SIDE * channels), top)
    picture = out.view(1, (rows + 1) * SIDE, (columns + 1) * SIDE, channels)
    picture = picture[:, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    return picture.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def neighbours(field: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """What each of the nine blocks around and at a place says there: `field` (N, C, h, w) moved by up to a block either way, and
    how much that counts in a picture (8 h, 8 w)."""
    rows, columns = field.shape[-2:]
    padded = F.pad(field, (1, 1, 1, 1), mode="replicate")
    axis = _window().view(2, SIDE).to(field)
    # The neighbour before, the block itself, the one behind: a window's ends, and its middle.
    parts = (F.pad(axis[1, _MARGIN:], (0, _MARGIN)), _window()[_MARGIN:-_MARGIN].to(field), F.pad(axis[0, :_MARGIN], (_MARGIN, 0)))
    for down, below in enumerate(parts):
        for across, right in enumerate(parts):
            weights = (below[:, None] * right).repeat(rows, columns)
            yield padded[..., down : down + rows, across : across + columns], weights


def _window() -> Tensor:
    """(16,)."""
    beyond = torch.tensor(_BEYOND)
    half = torch.cat((beyond.flip(0), 1 - beyond))
    return torch.cat((half, half.flip(0)))


def _axis(offsets: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """For offsets (h, n) in pixels of n blocks along an axis of `size`: where in the padded picture each begins to be sampled
    (h, n), and weights (h, n, 4, 16) of its taps times the window."""
    count = offsets.shape[1]
    floor = offsets.floor()
    first = torch.arange(count, device=offsets.device) * SIDE - _MARGIN - 1 + floor.long()
    powers = (offsets - floor)[..., None] ** torch.arange(_TAPS, device=offsets.device)
    taps = powers @ torch.tensor(CUBIC, dtype=offsets.dtype, device=offsets.device)
    window = _window().to(offsets).repeat(count, 1)
    # Beyond the picture's border there is no neighbour to leave anything to.
    window[0, _MARGIN:SIDE], window[-1, SIDE:-_MARGIN] = 1, 1
    return first.clamp(-_BORDER, size + _BORDER - _SEEN) + _BORDER, taps[..., None] * window[:, None]


def _filtered(seen: Tensor, wide: Tensor, tall: Tensor, channels: int) -> Tensor:
    """Blocks (B, 16, 16 C) of what they see (B, 19, 19 C), by weights of columns (B, 4, 16 C) and rows (B, 4, 16)."""
    run = _WIDE * channels
    found = seen[:, :, :run] * wide[:, 0, None]
    for tap in range(1, _TAPS):
        found.addcmul_(seen[:, :, tap * channels : tap * channels + run], wide[:, tap, None])
    out = found[:, :_WIDE] * tall[:, 0, :, None]
    for tap in range(1, _TAPS):
        out.addcmul_(found[:, tap : tap + _WIDE], tall[:, tap, :, None])
    return out


def _gathered(out: Tensor, found: Tensor, top: int) -> None:
    """Add blocks (h, w, 2, 8, 2, 8 C), rows from `top` on, to `out` (rows + 1, 8, columns + 1, 8 C)."""
    height, width = found.shape[:2]
    for down in range(2):
        for across in range(2):
            place = out[top + down : top + down + height, :, across : across + width]
            place += found[:, :, down, :, across].transpose(1, 2)
