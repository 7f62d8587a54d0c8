"""Tiles: they cover the picture, their weights sum to one, and what is exact in every tile is exact in the whole."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from revivid.errors import UsageError
from revivid.restoration.tiles import Tiling, split, tiled, tiled_step, weights

axes = st.builds(
    lambda size, multiple, steps, overlap, share: (size, (steps + 1 + overlap) * multiple, overlap * multiple, multiple, share),
    size=st.integers(1, 200), multiple=st.sampled_from([1, 4, 8]), steps=st.integers(0, 6), overlap=st.integers(0, 6),
    share=st.integers(0, 2),
)  # fmt: skip


@settings(deadline=None)
@given(axes)
def test_tiles_cover_the_axis_evenly(axis):
    size, tile, overlap, multiple, share = axis
    made = split(size, tile, overlap, multiple, overlap * share // 4)
    lengths = [stop - start for start, stop in made.spans]
    assert made.spans[0][0] == 0
    assert made.spans[-1][1] == size
    assert all(start % multiple == 0 for start, _ in made.spans)
    assert all(length == tile for length in lengths[:-1]), "tiles are of one size"
    assert len(lengths) == 1 or tile - multiple < lengths[-1] <= tile
    assert all(stop - start >= overlap for (_, stop), (start, _) in itertools.pairwise(made.spans))
    assert len(lengths) <= max(1, -(-(size - overlap) // (tile - overlap)) + 1), "no more tiles than needed"


@settings(max_examples=60, deadline=None)
@given(axes, st.sampled_from([Fraction(1), Fraction(2), Fraction(3), Fraction(1, 4)]))
def test_weights_of_all_tiles_sum_to_one(axis, ratio):
    size, tile, overlap, multiple, share = axis
    if ratio < 1:
        multiple, tile, overlap = 4 * multiple, 4 * tile, 4 * overlap
    made = split(size, tile, overlap, multiple, overlap * share // 4)
    step = 1 / ratio if ratio < 1 else 1
    total = torch.zeros(int(-(-size // step) * step * ratio))
    for index, (start, stop) in enumerate(made.spans):
        count = int(-(-(stop - start) // step) * step * ratio)
        part = weights(made, index, ratio, count)
        assert part.min() >= 0
        total[int(start * ratio) : int(start * ratio) + count] += part
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)


def test_tiles_that_cannot_advance_are_refused():
    with pytest.raises(UsageError, match="overlap"):
        split(100, 32, 32)
    with pytest.raises(UsageError, match="margins"):
        split(100, 32, 8, margin=5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.sampled_from([1, 2, 4]))
def test_what_is_exact_between_the_margins_is_exact_everywhere(height, width, layers, scale):
    """A convolutional network whose reach is the margin: tiled equals whole, at the picture's borders too."""
    kernel = torch.randn(1, 1, 3, 3, generator=torch.Generator().manual_seed(layers)) / 3

    def network(x: Tensor) -> Tensor:
        for _ in range(layers):
            x = F.conv2d(x.flatten(0, 1)[:, None], kernel, padding=1).view(x.shape).tanh()
        return x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)

    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(7))
    tiling = Tiling(*(split(size, 24, 2 * layers + 4, 4, margin=layers) for size in (height, width)))
    assert torch.allclose(tiled(network, x, tiling, scale), network(x), atol=1e-5)


def test_each_step_starts_from_one_consistent_state():
    """Recurrent at a quarter of the size, and with other tiles in every step: tiled still equals whole."""
    kernel = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0)) / 3

    def step(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        tall, wide = (-(-side // 4) * 4 for side in x.shape[-2:])
        whole = F.pad(x, (0, wide - x.shape[-1], 0, tall - x.shape[-2]))
        small = F.avg_pool2d(whole, 4)
        hidden = state[0] if state else torch.zeros_like(small)
        hidden = F.conv2d(torch.cat((small, hidden), -3)[None], kernel, padding=1)[0].tanh()
        picture = F.interpolate(hidden[None], scale_factor=4)[0][..., : x.shape[-2], : x.shape[-1]]
        return (picture if state else None), (hidden, whole)

    frames = torch.randn(4, 1, 50, 61, generator=torch.Generator().manual_seed(1))
    alone: tuple[Tensor, ...] = ()
    cut: tuple[Tensor, ...] = ()
    for t, frame in enumerate(frames):
        want, alone = step(frame, alone)
        tile = (32, 40, 64, 48)[t]
        tiling = Tiling(*(split(size, tile, 16, 4, margin=5) for size in (50, 61)))
        got, cut = tiled_step(step, frame, cut, tiling, multiple=4)
        assert (got is None) == (want is None)
        assert got is None or torch.allclose(got, want, atol=1e-6)
    assert [part.shape for part in cut] == [part.shape for part in alone]


def test_blending_turns_one_tile_into_the_next_without_a_step():
    calls = itertools.count()
    tiling = Tiling(split(16, 16, 0), split(112, 64, 16, margin=4))
    out = tiled(lambda x: torch.full_like(x, float(next(calls))), torch.zeros(1, 16, 112), tiling)
    row = out[0, 0]
    assert row[0] == 0
    assert row[-1] == 1
    assert (row.diff() >= 0).all()
    assert row.diff().max() < 0.25
