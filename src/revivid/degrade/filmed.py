"""A photograph as a video of 240 frames per second: a random camera over it, and pieces of it moving over the view (`Shot`).

What a high-speed camera would deliver, made up: every frame is the view at one instant, coded as the photograph is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..color import rgb_to_planes
from ..errors import ShapeError, UsageError
from ..media.frames import Planes, working_format
from ..media.read import VideoReader
from ..media.reader import exact
from ..media.steady import SteadyReader
from .light import from_linear
from .motion_blur import HIGH_RATE
from .moving_picture import MovingPicture
from .shot import ShotSettings, random_shot

#: The view's sides over what the photograph's zoom leaves: a fifth is room for the camera to move.
_VIEW = 0.8
#: Sides are multiples of this, as most codecs like them.
_UNIT = 8
#: Seconds of the longest shot.
_LONGEST = 600


class FilmedReader(SteadyReader):
    """`seconds` of a shot over a photograph, drawn from `seed`; the same seed gives the same frames. Options as `SteadyReader`.

    Raises `ShapeError` where the photograph is too small: a pixel of the view takes two of its pixels each way, and `UsageError`
    for more than ten minutes.
    """

    def __init__(self, photo: str | os.PathLike[str], seconds: Fraction | float, seed: int = 0, **options: Any) -> None:
        length = exact(seconds, "seconds", positive=True)
        if length is None or length > _LONGEST:
            raise UsageError(f"a shot of {seconds} seconds is not offered", hint=f"Choose at most {_LONGEST}.")
        reader = VideoReader(photo)
        picture = next(iter(reader))[:1]
        settings = ShotSettings()
        height, width = (int(_VIEW * side / settings.zoom_min) // _UNIT * _UNIT for side in (picture.height, picture.width))
        if min(height, width) < _UNIT:
            raise ShapeError(f"{os.fspath(photo)}: {picture.width}x{picture.height} pixels are too few for a camera to move over")
        shot = random_shot((picture.height, picture.width), (height, width), float(length), np.random.default_rng(seed), settings)
        self._view = MovingPicture(picture, shot, (height, width))
        count = max(round(length * HIGH_RATE), 1)
        info = replace(
            reader.info,
            container="shot",
            width=width,
            height=height,
            pixel_format=working_format(picture.color.bit_depth),
            color=replace(picture.color, matrix=picture.color.resolved_matrix(picture.height)),
            frame_rate=HIGH_RATE,
            time_base=1 / HIGH_RATE,
            duration=count / HIGH_RATE,
            frames=count,
        )
        super().__init__(photo, info, **options)
        self.notices.append(f"the motion is made up: a camera moves over the photograph, seed {seed}")

    def _picture(self, number: int) -> Planes:
        light = self._view.at(number / float(HIGH_RATE))
        y, u, v = rgb_to_planes(from_linear(light, self.info.color.transfer)[None], self.info.color)
        return y[0], u[0], v[0]
