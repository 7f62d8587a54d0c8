"""The search for a CRF on made-up curves: few looks, the right place, and no place that misses the target."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revivid.workflows.search import last_reaching

LOOKS = 8


def searched(curve: Callable[[int], float], target: float, places: int, begin: int, fall: float) -> int | None:
    """The answer; the looks were few, and none was wasted on a place twice."""
    seen: list[int] = []

    def look(place: int) -> float:
        assert 0 <= place < places
        assert place not in seen
        seen.append(place)
        assert len(seen) <= LOOKS
        return curve(place)

    return last_reaching(look, target, places, begin=begin, fall=fall, looks=LOOKS)


@settings(max_examples=100, deadline=None)
@given(
    drops=st.lists(st.floats(0, 3), min_size=1, max_size=120),
    top=st.floats(-50, 50),
    aim=st.floats(-0.2, 1.2),
    begin=st.integers(-5, 130),
    fall=st.floats(1e-3, 10),
)
def test_falling_curves_flat_parts_included(drops: list[float], top: float, aim: float, begin: int, fall: float) -> None:
    values = [top - sum(drops[:i]) for i in range(len(drops))]
    target = values[-1] + aim * (values[0] - values[-1] + 0.01)
    expected = max((i for i, value in enumerate(values) if value >= target), default=None)
    assert searched(values.__getitem__, target, len(values), begin, fall) == expected


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(-100, 100), min_size=1, max_size=101), target=st.floats(-100, 100), begin=st.integers(0, 100))
def test_noisy_curves(values: list[float], target: float, begin: int) -> None:
    found = searched(values.__getitem__, target, len(values), begin, 0.2)
    if found is None:
        assert values[0] < target
    else:
        assert values[found] >= target
        assert found + 1 == len(values) or values[found + 1] < target


@pytest.mark.parametrize("level", [-1e12, 1e12, 5.0])
def test_curves_that_say_nothing(level: float) -> None:
    assert searched(lambda _: level, 5.0, 101, 54, 0.125) == (None if level < 5 else 100)


def test_real_looking_curves_take_few_looks() -> None:
    counts = []
    for target in range(26, 40):
        places = []

        def look(place: int, places: list[int] = places) -> float:
            places.append(place)
            crf = 1 + place / 2
            return 44 - 0.18 * crf - 0.006 * crf**2

        last_reaching(look, target, 101, begin=54, fall=0.25, looks=LOOKS)
        counts.append(len(places))
    assert sum(counts) / len(counts) <= 5


def test_too_few_looks_are_told_before_any_is_taken() -> None:
    with pytest.raises(ValueError, match="8 looks"):
        searched(lambda _: 0.0, 0.0, 256, 0, 1.0)
