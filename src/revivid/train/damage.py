"""What training undoes: compression, motion blur and noise, each also as it looks after a real encoder; or nothing.

    compression   swscale bicubic 1/scale -> encoder at one CRF from each part of the range         told: the CRF
    blur          the blurry frames themselves, and encoded at CRFs of the range                    told: 0, the CRF
    sharpened     blurry frames, deblurred by the package's network and then encoded                told: the CRF
    noise         clean frames, to which patches add noise anew; noise that was encoded             told: sigma in luma
    none          no degraded version: frames are wanted that are not there (interpolation)

The encoder is x265, or drawn for each version among those that `[data]` names. CRFs are on x265's scale, whatever the encoder
(`codecs.Codec`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ..codecs import CODECS
from ..codecs import codec as codec_named
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
    """`UsageError` for a kind of damage or an encoder that there is not, for blur or noise at another size, and for presets that
    leave an encoder without one."""
    if settings.damage not in KINDS:
        raise UsageError(f"there is no damage {settings.damage!r}", hint=f"Known: {', '.join(KINDS)}.")
    if settings.damage != "compression" and settings.scale != 1:
        raise UsageError(f"damage {settings.damage!r} is undone at scale 1, not {settings.scale}")
    for name, presets in encoders(settings).items():
        if not presets or name == "ffv1":
            raise UsageError(f"[data] names no preset of {name}", hint="Known: x265, x264, av1; av1's presets are '0' to '13'.")


def compressed(truth: Clip, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """`truth` at 1/scale through the encoder, once from each part of the CRF range."""
    small = resize(truth, truth.width // settings.scale, truth.height // settings.scale) if settings.scale > 1 else truth
    crfs = _crfs(settings, rng)
    return _versions(small, crfs, settings, rng)


def blurry(pair: BlurredPair, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The blurry frames as they are and through the encoder."""
    versions, told = _versions(pair.blurry, _crfs(settings, rng), settings, rng)
    return [pair.blurry, *versions], [0.0, *told]


def sharpened(pair: BlurredPair, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The blurry frames as the hybrid codec stores them: deblurred, then through the encoder."""
    crfs = _crfs(settings, rng)
    sharp = Own("deblur", Conditions(crf=0.0)).process(pair.blurry)
    return _versions(sharp, crfs, settings, rng)


def noisy(truth: Clip, settings: DataSettings, rng: np.random.Generator) -> Versions:
    """The clean frames, whose noise is drawn for each patch, and noise of random strengths through the encoder.

    Of the latter the network is told what can be seen of it afterwards, as when it restores.
    """
    versions, strengths = [truth], cast("list[float | None]", [None])
    for crf in _crfs(settings, rng):
        noise = NoiseRange(sigma_min=2.0).draw(rng)
        versions.append(_coded(noise.apply(truth), crf, settings, rng)[0])
        strengths.append(luma_noise(versions[-1]))
    return versions, strengths


def _crfs(settings: DataSettings, rng: np.random.Generator) -> list[float]:
    part = (settings.crf_max - settings.crf_min) / settings.crf_steps
    return [round(settings.crf_min + part * (k + rng.random()), 1) for k in range(settings.crf_steps)]


def encoders(settings: DataSettings) -> dict[str, tuple[str, ...]]:
    """Codecs that versions are drawn from, and the presets of each. Raises `UsageError` for a codec that there is not."""
    named = settings.presets or (settings.preset,)
    return {name: tuple(preset for preset in named if preset in codec_named(name).presets) for name in settings.encoders}


def _versions(clip: Clip, crfs: list[float], settings: DataSettings, rng: np.random.Generator) -> Versions:
    coded = [_coded(clip, crf, settings, rng) for crf in crfs]
    return [version for version, _ in coded], [told for _, told in coded]


def _coded(clip: Clip, crf: float, settings: DataSettings, rng: np.random.Generator) -> tuple[Clip, float]:
    """The clip through an encoder that is drawn, and x265's CRF that its own is worth. One encoder and one preset draw nothing, so
    that recipes which name no others make the same scenes as ever."""
    choices = encoders(settings)
    name = _drawn(list(choices), rng)
    preset, codec = _drawn(choices[name], rng), CODECS[name]
    own = codec.of_x265(crf)
    told = crf if own == crf else round(codec.as_x265(own), 1)
    return encode_decode(clip, LoopSettings(codec.encoder, own, preset))[0], told


def _drawn(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))] if len(choices) > 1 else choices[0]
