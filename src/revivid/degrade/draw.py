"""Random degradations for training, drawn from ranges: the same generator state gives the same pair, bit for bit.

How to make training data of them, once, ahead, and cached:

    rng = np.random.default_rng([seed, zlib.crc32(source.name.encode()), scene])
    pair = blurred_photo(photo, (height, width), frames, rng, BlurRange())     # a photograph; two source pixels per pixel at least
    pair = blurred_clip(clip, rng, BlurRange())                                # a clip of ordinary rate, halved before
    coded, _ = codecs.loop.encode_decode(pair.blurry, LoopSettings(crf=28))    # blur that went through a codec
    noisy = NoiseRange().draw(rng).apply(truth)                                # noise; before encode_decode for coded noise

`pair.truth` and `pair.blurry` have equal sizes, times and numbers of frames. Some pairs are not blurred at all, so that a network
learns to leave sharp video alone. Noise is cheap enough to be drawn anew for every batch; blur is not: on one busy core about 6
frames of 640x384 a second from photographs, and 1.3 frames of 640x360 from clips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..types import Clip
from .motion_blur import HIGH_RATE, PAPER_SHUTTERS, BlurredPair, Shutter, film_blurred, slow_and_blur
from .noise import Noise
from .shot import ShotSettings, random_shot


@dataclass(frozen=True)
class NoiseRange:
    """Noise from nothing to `sigma_max`, in 8-bit code values; a section of a training recipe."""

    sigma_min: float = 0.0
    sigma_max: float = 55.0
    #: The share of draws with noise in R'G'B' instead of the planes.
    rgb: float = 0.5
    #: 1: all strengths are equally likely; above, weak ones are likelier.
    skew: float = 1.0

    def draw(self, rng: np.random.Generator) -> Noise:
        """Noise of a random strength, with a seed of its own."""
        sigma = self.sigma_min + (self.sigma_max - self.sigma_min) * float(rng.random()) ** self.skew
        return Noise(sigma, "rgb" if rng.random() < self.rgb else "yuv", int(rng.integers(2**31)))


@dataclass(frozen=True)
class BlurRange:
    """Motion blur through one of the second paper's shutters; a section of a training recipe."""

    #: The share of pairs whose blurry frames are the truth.
    sharp: float = 0.1
    #: The share of the others that average light instead of code values.
    linear: float = 0.7

    def draw(self, rng: np.random.Generator) -> Shutter:
        """One of `PAPER_SHUTTERS`, or one that is open for a single frame."""
        sharp, linear = rng.random() < self.sharp, rng.random() < self.linear
        shutter = PAPER_SHUTTERS[rng.integers(len(PAPER_SHUTTERS))]
        return Shutter(1, shutter.period - 1) if sharp else replace(shutter, linear=bool(linear))


def blurred_photo(
    photo: Clip,
    view: tuple[int, int],
    frames: int,
    rng: np.random.Generator,
    blur: BlurRange | None = None,
    shots: ShotSettings | None = None,
) -> BlurredPair:
    """`frames` frames of `view` (height, width), filmed over the first picture of `photo` by a random camera.

    Raises `ShapeError` where the view doesn't fit (it may have (height, width) of the photo over `shots.zoom_min`).
    """
    shutter = (blur or BlurRange()).draw(rng)
    seconds = float(frames * shutter.period / HIGH_RATE)
    shot = random_shot((photo.height, photo.width), view, seconds, rng, shots)
    return film_blurred(photo, shot, view, frames, shutter)


def blurred_clip(clip: Clip, rng: np.random.Generator, blur: BlurRange | None = None) -> BlurredPair:
    """The frames of an 8-bit `clip` from the third to the last but one, blurred along their motion.

    Raises `ShapeError` for fewer than four frames and for pictures under 32 pixels a side.
    """
    return slow_and_blur(clip, (blur or BlurRange()).draw(rng))
