"""Smooth random movement, for cameras and for things: a uniform cubic B-spline through random-walk knots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: How much of its velocity a movement keeps from knot to knot.
_INERTIA = 0.75


@dataclass(frozen=True)
class Pose:
    """Where something is: in pixels of the view from its first place, in octaves of size, in radians counterclockwise."""

    y: float
    x: float
    octaves: float
    angle: float


@dataclass(frozen=True)
class Movement:
    """A movement: knots of (y, x, octaves, angle), `rate` of them per second; it lasts (number of knots - 3) / rate seconds."""

    knots: tuple[tuple[float, float, float, float], ...]
    rate: float

    def at(self, time: float) -> Pose:
        """The pose at `time` in seconds; before the start and after the end it stays where it was. Twice differentiable."""
        place = min(max(time * self.rate, 0.0), len(self.knots) - 3 - 1e-9)
        index = int(place)
        s = place - index
        weights = ((1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, -3 * s**3 + 3 * s**2 + 3 * s + 1, s**3)
        knots = self.knots[index : index + 4]
        y, x, octaves, angle = (sum(w * knot[i] for w, knot in zip(weights, knots, strict=True)) / 6 for i in range(4))
        return Pose(y, x, octaves, angle)


def random_movement(
    rng: np.random.Generator, seconds: float, *, speed: float, zoom_speed: float = 0.0, spin: float = 0.0, rate: float = 8.0
) -> Movement:
    """A movement of at least `seconds` whose velocity is a random walk with inertia, `rate` steps per second.

    speed: root mean square of the knots' velocity in pixels per second, both axes together; zoom_speed: of the size in octaves
    per second; spin: of the angle in radians per second.
    """
    count = int(np.ceil(seconds * rate)) + 4
    scales = np.array([speed / np.sqrt(2), speed / np.sqrt(2), zoom_speed, spin]) / rate
    velocity = np.empty((count, 4))
    velocity[0] = rng.standard_normal(4)
    for k in range(1, count):
        velocity[k] = _INERTIA * velocity[k - 1] + np.sqrt(1 - _INERTIA**2) * rng.standard_normal(4)
    knots = np.cumsum(velocity * scales, axis=0)
    knots -= knots[1]
    return Movement(tuple(tuple(float(v) for v in knot) for knot in knots), rate)  # type: ignore[misc]
