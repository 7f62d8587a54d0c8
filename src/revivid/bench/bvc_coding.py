"""What `bench bvc` measures: one arm on one clip in one test, by a key that says all that its scores depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..degrade.motion_blur import BlurredPair, Shutter
from ..media.scale import crop
from ..types import Clip
from . import blur
from .bvc_arms import Arm
from .jobs import Clipping

#: The kinds of blur, clip by clip.
BLURS: tuple[tuple[blur.Kind, Shutter], ...] = tuple((kind, shutter) for kind in blur.KINDS for shutter in blur.SHUTTERS[kind])
#: Larger frames are cut to their middle.
MAX_WIDTH, MAX_HEIGHT = 512, 320


@dataclass(frozen=True)
class Coding:
    """One arm on one clip in one test, at all rates; it can be sent to another process."""

    clip: Clipping
    blur: tuple[blur.Kind, Shutter]
    test: str
    arm: Arm
    rates: tuple[float, ...]

    def key(self) -> dict[str, Any]:
        kind, shutter = self.blur
        place = {"clip": self.clip.digest, "blur": f"{kind} {shutter.frames}+{shutter.gap}", "test": self.test}
        return {"bench": "bvc", **place, "rates": self.rates, "arm": self.arm.key(), "size": [MAX_WIDTH, MAX_HEIGHT]}

    def pair(self) -> BlurredPair:
        """What is coded (`blurry`) and what it is scored against."""
        source = self.clip.read()
        pair = blur.blurred(source, *self.blur)
        blurry, sharp = _middle(pair.blurry), _middle(pair.truth)
        return BlurredPair(blurry if self.test == "preserve" else sharp, sharp if self.test == "sharp" else blurry)


def _middle(clip: Clip) -> Clip:
    """At most `MAX_WIDTH` x `MAX_HEIGHT` pixels, at an even place."""
    width, height = min(clip.width, MAX_WIDTH) // 2 * 2, min(clip.height, MAX_HEIGHT) // 2 * 2
    top, left = (clip.height - height) // 4, (clip.width - width) // 4
    y, u, v = clip.planes
    cut = crop(clip.with_planes(y[:, 2 * top :, 2 * left :], u[:, top:, left:], v[:, top:, left:]), width, height)
    return cut.with_planes(*map(np.ascontiguousarray, cut.planes))
