"""Bjontegaard deltas: known by construction, and the curves against SciPy's PCHIP."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from revivid.errors import UsageError
from revivid.metrics.bd import bd_quality, bd_rate, frontier, quality_at

CURVE = [(0.01, 28.0), (0.022, 31.5), (0.06, 34.0), (0.11, 37.2), (0.4, 41.0)]


def test_constant_factor_of_bits() -> None:
    cheaper = [(0.8 * bits, quality) for bits, quality in CURVE]
    assert bd_rate(CURVE, cheaper) == pytest.approx(-20)
    assert bd_rate(cheaper, CURVE) == pytest.approx(25)
    assert bd_rate(CURVE, CURVE) == 0
    assert bd_rate(CURVE, cheaper, max_bits=0.05) == pytest.approx(-20)


def test_constant_gain_of_quality() -> None:
    better = [(bits, quality + 0.7) for bits, quality in CURVE]
    assert bd_quality(CURVE, better) == pytest.approx(0.7)
    assert bd_rate(CURVE, better) < 0  # type: ignore[operator]


def test_curves_are_scipys() -> None:
    rng = np.random.default_rng(0)
    for count in (2, 3, 4, 9):
        bits, quality = np.sort(rng.uniform(0.01, 1, (2, count)), axis=1)
        other = 1.3 * bits**1.1
        reference = [PchipInterpolator(quality, np.log(rate)) for rate in (bits, other)]
        low, high = quality[0], quality[-1]
        mean = (reference[1].integrate(low, high) - reference[0].integrate(low, high)) / (high - low)
        points = [list(zip(rate.tolist(), quality.tolist(), strict=True)) for rate in (bits, other)]
        assert bd_rate(*points) == pytest.approx(100 * (math.exp(mean) - 1))
        by_bits = PchipInterpolator(np.log(bits), quality)
        middle = math.sqrt(bits[0] * bits[-1])
        assert quality_at(points[0], middle) == pytest.approx(float(by_bits(math.log(middle))))


def test_only_what_both_reach_counts() -> None:
    """Where the curves overlap the other takes half the bits, beyond that nothing is known."""
    straight = [(0.1 * 2**k, 30.0 + k) for k in range(5)]
    half = [(bits / 2, quality) for bits, quality in straight[2:]] + [(5.0, 40.0)]
    assert bd_rate(straight, half) == pytest.approx(-50, abs=1)
    assert bd_rate(straight, [(0.01, 10.0), (0.02, 20.0)]) is None
    assert bd_quality(straight, [(50.0, 10.0), (60.0, 20.0)]) is None


def test_limit_of_bits() -> None:
    late = [(bits if bits < 0.1 else 0.5 * bits, quality) for bits, quality in CURVE]
    assert bd_rate(CURVE, late, max_bits=0.03) > bd_rate(CURVE, late)  # type: ignore[operator]
    assert bd_rate(CURVE, late, max_bits=9) == bd_rate(CURVE, late)
    assert bd_rate(CURVE, late, max_bits=0.001) is None


def test_points_that_are_not_worth_their_bits_are_left_out() -> None:
    assert frontier([(3, 5), (1, 2), (2, 1), (2, 4), (4, 5)]) == [(1, 2), (2, 4), (3, 5)]
    assert quality_at(CURVE, 0.001) is None
    with pytest.raises(UsageError):
        bd_rate(CURVE, [(0.1, 30.0), (0.2, 29.0)])
