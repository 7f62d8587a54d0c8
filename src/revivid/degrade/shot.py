"""What happens in a made-up shot, as data: a camera moves over a photograph, and pieces of it move over the view on their own.

A `Shot` says everything but the photograph itself, so that a shot can be recorded as JSON and filmed again (`moving_picture`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError
from .movement import Movement, random_movement


@dataclass(frozen=True)
class ShotSettings:
    """How shots are drawn; a section of a training recipe."""

    #: Root mean square speed of the camera in pixels of the view per 1/24 second; drawn evenly in its logarithm.
    speed_min: float = 1.0
    speed_max: float = 32.0
    #: Moving pieces, at most, and their speeds relative to the view.
    patches: int = 3
    patch_speed_min: float = 1.0
    patch_speed_max: float = 24.0
    #: Size of the pieces as parts of the view's height.
    patch_size_min: float = 0.15
    patch_size_max: float = 0.5
    #: Source pixels per pixel of the view: two at least, for the photograph is compressed.
    zoom_min: float = 2.0
    zoom_max: float = 2.4
    #: Octaves and radians per second, root mean square.
    zoom_speed: float = 0.1
    spin: float = 0.15


@dataclass(frozen=True)
class Patch:
    """A piece of the photograph with a rounded outline that moves over the view."""

    #: Upper left corner in the photograph, in its pixels.
    corner: tuple[float, float]
    #: Largest diameter in pixels of the view, and where the centre is at first.
    size: float
    start: tuple[float, float]
    #: Amplitude and phase of the second, third ... harmonic of the radius over the angle.
    outline: tuple[tuple[float, float], ...]
    movement: Movement


@dataclass(frozen=True)
class Shot:
    """A camera over a photograph, with patches in front of it."""

    #: What the centre of the view looks at at first, in pixels of the photograph, and how many of those make a pixel of the view.
    origin: tuple[float, float]
    zoom: float
    camera: Movement
    patches: tuple[Patch, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Shot:
        """What `to_dict` made, also after a way through JSON."""
        patches = (
            Patch(_pair(p["corner"]), p["size"], _pair(p["start"]), tuple(map(_pair, p["outline"])), _movement(p["movement"]))
            for p in data["patches"]
        )
        return cls(_pair(data["origin"]), data["zoom"], _movement(data["camera"]), tuple(patches))


def random_shot(
    picture: tuple[int, int],
    view: tuple[int, int],
    seconds: float,
    rng: np.random.Generator,
    settings: ShotSettings | None = None,
) -> Shot:
    """A shot of `seconds` of a `view` (height, width) over a `picture` (height, width), which goes on mirrored beyond its edges.

    Raises `ShapeError` where the view doesn't fit the picture at the smallest zoom.
    """
    chosen = settings or ShotSettings()
    largest = min(chosen.zoom_max, *(have / want for have, want in zip(picture, view, strict=True)))
    if largest < chosen.zoom_min:
        raise ShapeError(f"a view of {view} at {chosen.zoom_min} pixels per pixel doesn't fit a picture of {picture}")
    zoom = rng.uniform(chosen.zoom_min, largest)
    speed = 24 * _between(rng, chosen.speed_min, chosen.speed_max)
    camera = random_movement(rng, seconds, speed=speed, zoom_speed=chosen.zoom_speed, spin=chosen.spin)
    ways = zip(picture, view, _ends(camera), strict=True)
    origin = [_origin(rng, have, zoom * seen, zoom * travelled) for have, seen, travelled in ways]
    patches = [_random_patch(rng, picture, view, zoom, seconds, chosen) for _ in range(rng.integers(0, chosen.patches + 1))]
    return Shot((origin[0], origin[1]), zoom, camera, tuple(patches))


def _random_patch(
    rng: np.random.Generator, picture: tuple[int, int], view: tuple[int, int], zoom: float, seconds: float, settings: ShotSettings
) -> Patch:
    size = view[0] * rng.uniform(settings.patch_size_min, settings.patch_size_max)
    corner = [rng.uniform(0, max(have - zoom * size, 0)) for have in picture]
    speed = 24 * _between(rng, settings.patch_speed_min, settings.patch_speed_max)
    movement = random_movement(rng, seconds, speed=speed, zoom_speed=2 * settings.zoom_speed, spin=4 * settings.spin)
    # It is at a random place of the view in the middle of the shot.
    start = [rng.uniform(0, side) - travelled / 2 for side, travelled in zip(view, _ends(movement), strict=True)]
    outline = tuple((float(rng.uniform(0, 0.5 / k)), float(rng.uniform(0, 2 * math.pi))) for k in range(2, 6))
    return Patch((corner[0], corner[1]), float(size), (start[0], start[1]), outline, movement)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _ends(movement: Movement) -> tuple[float, float]:
    """How far down and right the movement gets in all."""
    end = movement.at(math.inf)
    return end.y, end.x


def _origin(rng: np.random.Generator, have: float, seen: float, travelled: float) -> float:
    """A place to begin along one axis, so that the middle of the way is inside and both ends are as well where there is room."""
    room = max(have - seen - abs(travelled), 0)
    middle = have / 2 + rng.uniform(-0.5, 0.5) * room
    return float(middle - travelled / 2)


def _pair(values: Any) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _movement(data: Mapping[str, Any]) -> Movement:
    return Movement(tuple(tuple(knot) for knot in data["knots"]), data["rate"])
