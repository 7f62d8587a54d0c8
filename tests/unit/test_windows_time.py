"""Scenes, mirrored ends and windows over time: every frame once and in order, nothing held beyond the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from revivid.layers.frames import reflect
from revivid.restoration.engine import Frame
from revivid.restoration.windows import mirrored, scenes, windowed


class Counted:
    """An iterator over numbers that knows how many were taken."""

    def __init__(self, count: int) -> None:
        self.taken, self.count = 0, count

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.taken == self.count:
            raise StopIteration
        self.taken += 1
        return self.taken - 1


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 5), st.integers(0, 5))
def test_mirrored_is_what_networks_do_at_the_ends_of_a_clip(count, before, after):
    got = list(mirrored(Counted(count), before, after))
    assert got == ([reflect(t, count) for t in range(-before, count + after)] if count else [])


def test_mirrored_reads_no_further_than_it_must():
    frames = Counted(1000)
    for number, _ in enumerate(mirrored(frames, 2, 3)):
        assert frames.taken <= max(3, number)


def test_scenes_are_split_before_the_frame_that_starts_one():
    starts = [False, False, True, True, False, False, True]
    frames = (Frame(torch.tensor([float(t)]), starts[t]) for t in range(len(starts)))
    assert [[int(frame.rgb) for frame in scene] for scene in scenes(frames)] == [[0, 1], [2], [3, 4, 5], [6]]


def numbers(window: Sequence[int]) -> Tensor:
    return torch.tensor([float(x) for x in window])


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 6), st.integers(0, 8), st.integers(1, 4), st.integers(1, 9))
def test_windows_give_every_frame_once_and_in_order(count, groups, overlap, multiple, least):
    length = groups * multiple + 2 * overlap
    length = -(-length // multiple) * multiple
    seen: list[list[int]] = []

    def restore(window: Sequence[int]) -> Tensor:
        seen.append(list(window))
        return numbers(window)

    frames = Counted(count)
    for emitted, picture in enumerate(windowed(frames, length, overlap, restore, multiple=multiple, least=least)):
        assert picture.item() == pytest.approx(emitted, abs=1e-4)
        assert frames.taken <= emitted + length
    assert [round(x.item()) for x in windowed(Counted(count), length, overlap, numbers)] == list(range(count))
    assert all(len(window) <= max(length, least) for window in seen)
    if count > length >= least:
        assert all(len(window) % multiple == 0 for window in seen)


def test_a_scene_that_fits_one_window_is_restored_whole():
    seen = []
    list(windowed(Counted(7), 20, 4, lambda window: seen.append(list(window)) or numbers(window), multiple=5))
    assert seen == [list(range(7))]


def test_a_short_scene_is_mirrored_and_cut():
    seen = []
    out = list(windowed(Counted(2), 20, 4, lambda window: seen.append(list(window)) or numbers(window), least=5))
    assert seen == [[0, 1, 0, 1, 0]]
    assert [x.item() for x in out] == [0, 1]


def test_windows_fade_into_one_another_and_their_ends_are_discarded():
    calls = iter((0.0, 1.0, 2.0))

    def restore(window: Sequence[int]) -> Tensor:
        out = torch.full((len(window),), next(calls))
        out[0] = out[-1] = -100.0  # what a window knows least about
        return out

    out = torch.stack(list(windowed(Counted(28), 12, 4, restore)))
    assert out[0] == out[-1] == -100
    inner = out[1:-1]
    assert (inner >= 0).all(), "no window's end is seen inside a scene"
    assert (inner.diff() >= 0).all()
    assert inner.diff().max() < 0.6
