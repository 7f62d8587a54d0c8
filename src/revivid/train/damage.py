"""What training undoes: compression, motion blur and noise, each also as it looks after a real encoder; or nothing.

    compression   swscale bicubic 1/scale -> x265 at one CRF from each part of the range            told: the CRF
    blur          the blurry frames themselves, and through x265 at CRFs of the range               told: 0, the CRF
    sharpened     blurry frames, deblurred by the package's network and then through x265           told: the CRF
    noise         clean frames, to which patches add noise anew; noise through x265                 told: sigma in luma
    none          no degraded version: frames are wanted that are not there (interpolation)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..codecs.loop import LoopSettings, encode_decode
from ..degrade.draw import NoiseRange
from ..degrade.motion_blur import BlurredPair
from ..errors import UsageError
from ..media.scale import resize
from ..restoration.noise_level import luma_noise
from ..restoration.own import Own
from ..restoration.stage import Conditions
from ..types import Clip

if TYPE_CHECKING:
    from .data import DataSettings

KINDS = ("compression", "blur", "sharpened", "noise", "none")
#: Those that begin with blurry frames.
BLURRED = ("blur", "sharpened")
#: Degraded versions of a clip, and what a network is told of each; None: noise is still to be added.
Versions = tuple[list[Clip], list[float | None]]


def check(settings: DataSettings) -> None:
    """`UsageError` for a kind of damage that there is not, and for blur or noise at another size."""
    if settings.damage not in KINDS:
        raise UsageError(f"there is no damage {settings.damage!r}", hint=f"Known: {', '.join(KINDS)}.")
    if settings.damage != "compression" and settings.scale != 1:
        raise UsageError(f"damage {settings.damage!r} is undone at scale 1, not {settings.scale}")


def compressed(truth: Clip, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """`truth` at 1/scale through the encoder, once from each part of the CRF range."""
    small = resize(truth, truth.width // settings.scale, truth.height // settings.scale) if settings.scale > 1 else truth
    crfs = _crfs(settings, rng)
    return [_coded(small, crf, settings) for crf in crfs], list(crfs)


def blurry(pair: BlurredPair, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The blurry frames as they are and through the encoder."""
    crfs = _crfs(settings, rng)
    return [pair.blurry, *(_coded(pair.blurry, crf, settings) for crf in crfs)], [0.0, *crfs]


def sharpened(pair: BlurredPair, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The blurry frames as the hybrid codec stores them: deblurred, then through the encoder."""
    crfs = _crfs(settings, rng)
    sharp = Own("deblur", Conditions(crf=0.0)).process(pair.blurry)
    return [_coded(sharp, crf, settings) for crf in crfs], list(crfs)


def noisy(truth: Clip, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The clean frames, whose noise is drawn for each patch, and noise of random strengths through the encoder.

    Of the latter the network is told what can be seen of it afterwards, as when it restores.
    """
    versions, strengths = [truth], cast("list[float | None]", [None])
    for crf in _crfs(settings, rng):
        noise = NoiseRange(sigma_min=2.0).draw(rng)
        versions.append(_coded(noise.apply(truth), crf, settings))
        strengths.append(luma_noise(versions[-1]))
    return versions, strengths


def _crfs(settings: DataSettings, rng: np.random.Generator) -> list[float]:
    part = (settings.crf_max - settings.crf_min) / settings.crf_steps
    return [round(settings.crf_min + part * (k + rng.random()), 1) for k in range(settings.crf_steps)]


def _coded(clip: Clip, crf: float, settings: DataSettings) -> Clip:
    return encode_decode(clip, LoopSettings(crf=crf, preset=settings.preset))[0]
