"""Cutting a volume of tokens into shifted attention windows and putting it together again.

The published implementations pad, roll, reshape and transpose, and keep one mask per window. Here a `WindowLayout` holds two
index tables instead: one gather cuts, pads and shifts at once, one gather undoes all of it. The tables sort the windows by
class (first or last window along each shifted axis), so that at most 8 masks exist and each window class is one contiguous run.

The shift and its mask: Liu et al., "Swin Transformer", ICCV 2021, section 3.2; in space and time: Liang et al., "VRT", arXiv
2201.12288, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor, nn

#: Two tokens that the shift brought together across the volume's border get this added to their logit. Finite as published.
MASKED = -100.0
#: Tokens that go through one block at a time: bounds the memory of their wide activations, and keeps them in the cache.
CHUNK_TOKENS = 1 << 12


@dataclass(frozen=True)
class WindowLayout:
    """Where every token of one volume goes; made by `window_layout`, shared by all blocks of a group."""

    #: (windows, tokens): flat position in the volume of each window slot; padded slots hold 0.
    rows: Tensor
    #: (volume,): flat position among the window slots of each token of the volume.
    inverse: Tensor
    #: (windows, tokens, 1): True at slots that lie beyond the volume; None where there are none.
    padding: Tensor | None
    #: (start, stop, mask): runs of windows with the same mask (tokens, tokens) of 0 and -100; None lets all tokens meet.
    runs: tuple[tuple[int, int, Tensor | None], ...]


def effective_window(size: Sequence[int], window: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The window shrunk to a volume of `size`, and the shift of odd blocks: zero along axes that one window covers."""
    covered = [s <= w for s, w in zip(size, window, strict=True)]
    shrunk = tuple(s if c else w for s, w, c in zip(size, window, covered, strict=True))
    shift = tuple(0 if c else w // 2 for w, c in zip(window, covered, strict=True))
    return shrunk, shift


def relative_position_index(window: Sequence[int], device: torch.device | None = None) -> Tensor:
    """Row of the bias table for each pair of tokens (n, n) of a (frames, rows, columns) window, n = its volume."""
    axes = torch.meshgrid(*(torch.arange(w, device=device) for w in window), indexing="ij")
    index = torch.zeros((), dtype=torch.long, device=device)
    for axis, extent in zip(axes, window, strict=True):
        position = axis.flatten()
        index = index * (2 * extent - 1) + (position[:, None] - position[None, :] + extent - 1)
    return index


def window_layout(
    size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device | None = None
) -> WindowLayout:
    """Lay windows over a (frames, rows, columns) volume that is rolled by `-shift` and padded at the end of each axis.

    Tokens of a window are in row-major order; windows come sorted by class. Padded slots are not masked, as published.
    """
    counts = [-(-s // w) for s, w in zip(size, window, strict=True)]
    flat = torch.zeros((), dtype=torch.long, device=device)
    beyond = torch.zeros((), dtype=torch.bool, device=device)
    kind = torch.zeros((), dtype=torch.long, device=device)
    for axis, (extent, w, s, count) in enumerate(zip(size, window, shift, counts, strict=True)):
        shape = [1] * 6
        shape[axis], shape[axis + 3] = count, w
        source = ((torch.arange(count * w, device=device) + s) % (count * w)).view(shape)
        flat = flat * extent + source
        beyond = beyond | (source >= extent)
        last = torch.zeros(count, dtype=torch.long, device=device)
        last[-1:] = 1 if s else 0
        kind = kind * 2 + last.view([count if a == axis else 1 for a in range(3)])
    order = torch.argsort(kind.flatten(), stable=True)
    slots = prod(window)
    volume = prod(size)
    rows = flat.reshape(-1, slots)[order]
    padded = beyond.expand(flat.shape).reshape(-1, slots)[order]
    inverse = torch.empty(volume + 1, dtype=torch.long, device=device)
    inverse[torch.where(padded, volume, rows).flatten()] = torch.arange(rows.numel(), device=device)
    has_padding = any(c * w != s for c, w, s in zip(counts, window, size, strict=True))
    return WindowLayout(
        rows=torch.where(padded, 0, rows) if has_padding else rows,
        inverse=inverse[:volume],
        padding=padded[..., None] if has_padding else None,
        runs=_runs(counts, window, shift, device),
    )


def _runs(
    counts: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device | None
) -> tuple[tuple[int, int, Tensor | None], ...]:
    """The runs of equal window class, in the order of the class number (one bit per axis: is it the last window?)."""
    runs = []
    start = 0
    for last in product((False, True), repeat=3):
        if any(b and not s for b, s in zip(last, shift, strict=True)):
            continue
        windows = prod((1 if b else c - 1) if s else c for b, c, s in zip(last, counts, shift, strict=True))
        if windows:
            runs.append((start, start + windows, _mask(last, window, shift, device)))
        start += windows
    return tuple(runs)


def _mask(last: Sequence[bool], window: Sequence[int], shift: Sequence[int], device: torch.device | None) -> Tensor | None:
    """0 where two tokens of a window come from the same side of the border along every axis, -100 elsewhere."""
    if not any(last):
        return None
    axes = torch.meshgrid(
        *(torch.arange(w, device=device) >= (w - s if b else w) for b, w, s in zip(last, window, shift, strict=True)),
        indexing="ij",
    )
    side = torch.stack([axis.flatten() for axis in axes])
    apart = (side[:, :, None] != side[:, None, :]).any(0)
    return torch.zeros(apart.shape, device=device).masked_fill_(apart, MASKED)


def attend_in_windows(
    x: Tensor,
    layout: WindowLayout,
    norm: nn.Module,
    attention: Callable[[Tensor, Tensor | None], Tensor],
    finish: Callable[[Tensor, Tensor], Tensor] = lambda _, attended: attended,
) -> Tensor:
    """Apply `norm`, then `attention(tokens, mask)` to the windows of volumes (N, volume, C); return the same shape.

    `finish(tokens, attended)`, both (N, n, C), makes the result of each piece from what came in and what attention answered:
    the rest of a block that treats tokens one by one belongs there, so that its input is still in the cache.
    Padded slots are zero after the norm, so that they act as tokens whose key and value are the layers' biases.
    """
    batch, _, channels = x.shape
    slots = layout.rows.shape[1]
    step = max(1, CHUNK_TOKENS // (batch * slots))
    done = []
    for first, last, mask in layout.runs:
        for start in range(first, last, step):
            stop = min(start + step, last)
            tokens = _take(x, layout.rows[start:stop].flatten())
            seen = norm(tokens).view(batch, stop - start, slots, channels)
            if layout.padding is not None:
                seen = seen.masked_fill(layout.padding[start:stop], 0)
            done.append(finish(tokens, attention(seen.flatten(0, 1), mask).view(tokens.shape)))
    joined = done[0] if len(done) == 1 else torch.cat(done, 1)
    del done
    return _take(joined, layout.inverse)


def _take(x: Tensor, index: Tensor) -> Tensor:
    """x[:, index] for x (N, volume, C), gathered along the first axis of its tokens: two to four times as fast."""
    batch, volume, channels = x.shape
    if batch > 1:
        index = (index + volume * torch.arange(batch, device=index.device)[:, None]).flatten()
    return x.flatten(0, 1).index_select(0, index).view(batch, -1, channels)


def in_chunks(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a per-token function to tensors (..., C) in pieces, so that its hidden activations never exist whole."""
    rows = [x.flatten(0, -2).split(CHUNK_TOKENS) for x in inputs]
    parts = [function(*part) for part in zip(*rows, strict=True)]
    joined = parts[0] if len(parts) == 1 else torch.cat(parts)
    return joined.view(*inputs[0].shape[:-1], -1)
