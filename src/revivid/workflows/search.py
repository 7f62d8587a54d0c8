"""The search for a CRF: the last place of a falling curve that still reaches a target, in few looks. Pure: it knows no video.

As ab-av1 does it: go where a curve through what was seen meets the target. Two safeguards keep that honest: what is between the
last place that reached the target and the first that did not always shrinks, and no look leaves more places than halving can
tell apart with the looks that remain.
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: A line through two places that fall by less than this part of the expected fall is taken for flat.
_FLAT = 1 / 8


def last_reaching(
    look: Callable[[int], float], target: float, places: int, *, begin: int, fall: float, looks: int
) -> int | None:
    """The last of the places 0 .. `places` - 1 at which `look` gives `target` or more; None where not even the first does.

    `look` gives finite numbers, which are expected to fall from place to place by about `fall` (positive). Each place is looked at
    once at most, `begin` first, and never more than `looks` in all. Where the curve does not fall everywhere, the answer is a place
    that reached the target and whose next one did not. Raises `ValueError` where `looks` are too few to tell `places` apart.
    """
    if places < 1 or places + 1 > 1 << looks or fall <= 0:
        raise ValueError(f"{looks} looks can't tell {places} places apart that fall by {fall}")
    seen: dict[int, float] = {}
    low, high = -1, places  # the target is reached at `low` and missed at `high`, or they lie outside
    place = begin
    while high - low > 1:
        left = 1 << (looks - len(seen) - 1)  # places that the looks after this one can tell apart
        place = min(max(place, low + 1, high - left), high - 1, low + left)
        seen[place] = look(place)
        if seen[place] >= target:
            low = place
        else:
            high = place
        place = _meeting(seen, low, high, target, fall)
    return low if low >= 0 else None


def _meeting(seen: dict[int, float], low: int, high: int, target: float, fall: float) -> int:
    """The last place before the curve through those that were seen nearby falls under the target."""
    if low in seen and high in seen:
        return math.floor(_between(seen, low, high, target))
    edge = low if low in seen else high
    others = [place for place in seen if place != edge]
    if others:
        near = min(others, key=lambda place: abs(place - edge))
        measured = (seen[near] - seen[edge]) / (edge - near)
        fall = max(measured, _FLAT * fall)
    return edge + math.floor((seen[edge] - target) / fall)


def _between(seen: dict[int, float], low: int, high: int, target: float) -> float:
    """Inverse quadratic interpolation through both ends and the nearest other place; the line where that leads astray."""
    line = low + (seen[low] - target) / (seen[low] - seen[high]) * (high - low)
    others = [place for place in seen if place not in (low, high) and seen[place] not in (seen[low], seen[high])]
    if not others:
        return line
    places = (low, high, min(others, key=lambda place: min(abs(place - low), abs(place - high))))
    curve = 0.0
    for place in places:
        a, b = (seen[other] for other in places if other != place)
        curve += place * (target - a) / (seen[place] - a) * (target - b) / (seen[place] - b)
    return curve if low < curve < high else line
