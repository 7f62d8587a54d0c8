"""Motion blur as high-speed video shows it: the mean of consecutive frames at 240 per second (second paper, section 4.1).

    B_t = mean of n frames, then m are left out: n + m = 10 makes 24 blurry frames a second; the truth X_t is the middle of the n

    photograph + Shot -> instants in linear light -> mean -> blurry, middle instant -> truth          film_blurred
    clip at a high rate -> mean of its frames                                                         blur_clip
    clip at an ordinary rate -> interpolated frames between -> the same; truths are real frames       slow_and_blur

`draw` makes training pairs of both, with random shots and shutters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch

from ..color import clip_to_rgb, rgb_to_planes
from ..errors import ShapeError, UsageError
from ..media.slow_motion import slowed
from ..types import Clip, ColorSpec
from .light import from_linear, to_linear
from .moving_picture import MovingPicture
from .shot import Shot

#: Frames per second of the camera whose frames are averaged.
HIGH_RATE = Fraction(240)
#: Farther than this between two instants, in pixels, and the mean shows separate copies: more instants are taken then.
_MAX_STEP = 2.0
#: At most so many instants for one frame of the high-speed camera.
_MAX_INSTANTS = 3


@dataclass(frozen=True)
class Shutter:
    """How many consecutive high-rate frames are averaged and how many are left out before the next ones.

    `frames` is odd, so that one is in the middle. `linear`: average light, as sensors do; else gamma-coded values, as the data
    sets of the field do (GoPro's and Adobe240's blurry frames are means of coded frames).
    """

    frames: int = 7
    gap: int = 3
    linear: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % 2 == 0 or self.gap < 0:
            raise UsageError(f"a shutter of {self.frames} frames and a gap of {self.gap}", hint="Average an odd number of frames.")

    @property
    def period(self) -> int:
        """High-rate frames from one blurry frame to the next."""
        return self.frames + self.gap


#: Those of the second paper.
PAPER_SHUTTERS = (Shutter(5, 5), Shutter(7, 3), Shutter(9, 1))


@dataclass(frozen=True)
class BlurredPair:
    """Truth and blurry of the same frames at the same times."""

    truth: Clip
    blurry: Clip


def film_blurred(
    photo: Clip, shot: Shot, view: tuple[int, int], frames: int, shutter: Shutter, color: ColorSpec | None = None
) -> BlurredPair:
    """`frames` frames of `view` (height, width) of `photo`'s first picture as `shot` moves over it, seen through `shutter`.

    The photograph's own transfer is taken for making light of it; `color` is what the result is coded in, by default the photo's.
    Instants are exact: where anything moves more than two pixels between two frames of the high-speed camera, more are taken.
    """
    coded = color or photo.color
    picture = MovingPicture(photo, shot, view)
    instant = float(1 / HIGH_RATE)
    truth, blurry = torch.empty(2, frames, 3, *view)
    for t in range(frames):
        middle = (t * shutter.period + shutter.frames // 2) * instant
        span = shutter.frames * instant
        step = picture.travel(middle - span / 2, middle + span / 2) / shutter.frames
        count = shutter.frames * _odd(min(math.ceil(step / _MAX_STEP), _MAX_INSTANTS))
        total = torch.zeros(3, *view)
        for k in range(count):
            light = picture.at(middle + (k - count // 2) * span / count)
            if k == count // 2:
                truth[t] = from_linear(light, coded.transfer)
            total += light if shutter.linear else from_linear(light, coded.transfer)
        total /= count
        blurry[t] = from_linear(total, coded.transfer) if shutter.linear else total
    rate = HIGH_RATE / shutter.period
    times = tuple(t / rate for t in range(frames))
    clips = (Clip(rgb_to_planes(rgb, coded), times, (1 / rate,) * frames, coded) for rgb in (truth, blurry))
    return BlurredPair(*clips)


def blur_clip(clip: Clip, shutter: Shutter, first: int | None = None) -> BlurredPair:
    """Every period of `clip`, a video at a high rate, becomes one blurry frame; its truth is the frame in the middle.

    `first`: number of the first frame that is a truth, by default the earliest possible; the others follow one period apart, as
    long as there are frames. Raises `ShapeError` where there are too few for one, `UsageError` as `light.to_linear` does.
    """
    half = shutter.frames // 2
    middles = range(half if first is None else max(first, half), len(clip) - half, shutter.period)
    if not middles:
        raise ShapeError(f"{len(clip)} frames are too few for a shutter of {shutter.frames}")
    windows = [clip[middle - half : middle + half + 1] for middle in middles]
    planes = [_mean_light(window) if shutter.linear else _mean_coded(window) for window in windows]
    y, u, v = (np.concatenate([frame[i] for frame in planes]) for i in range(3))
    truth = clip[middles.start : middles[-1] + 1 : shutter.period]
    durations = tuple(b - a for a, b in pairwise(truth.times))
    durations += (durations[-1] if durations else sum(windows[0].durations, Fraction(0)),)
    truth = Clip(truth.planes, truth.times, durations, clip.color)
    return BlurredPair(truth, truth.with_planes(y, u, v))


def slow_and_blur(clip: Clip, shutter: Shutter) -> BlurredPair:
    """A clip of an ordinary rate, its frames from the third to the last but one blurred along their motion; truths are untouched.

    As `blur_clip` of a clip with interpolated frames, as many as the shutter's period has. Where interpolation errs, the blurry
    frame shows it; the truth doesn't. (The second frame is left out because the search for motion begins badly: ten times the
    error of the later ones on a moving pattern.) Raises what `blur_clip` and `media.slow_motion.slowed` raise.
    """
    if len(clip) < 4:
        raise ShapeError(f"{len(clip)} frames are too few to blur along their motion; it takes four")
    if shutter.frames == 1:
        return BlurredPair(clip[2:-1], clip[2:-1])
    return blur_clip(slowed(clip, shutter.period), shutter, first=2 * shutter.period)


def _mean_light(window: Clip) -> tuple[np.ndarray, ...]:
    total = torch.zeros(1, 3, window.height, window.width)
    for t in range(len(window)):
        total += to_linear(clip_to_rgb(window[t : t + 1]), window.color.transfer)
    return rgb_to_planes(from_linear(total / len(window), window.color.transfer), window.color)


def _mean_coded(window: Clip) -> Sequence[np.ndarray]:
    """Of the planes themselves: the conversion to R'G'B' is linear but for clipping."""
    return [np.rint(plane.mean(0, np.float32, keepdims=True)).astype(plane.dtype) for plane in window.planes]


def _odd(count: int) -> int:
    return max(count, 1) | 1
