"""What a video needs, judged by itself: noise by measuring it, blur by asking the deblurring network whether it would change much.

    a few frames from several places -> noise in luma        -> denoise, told how much
                                     -> deblurred and compared -> deblur, or sharp already

Compression artefacts alone are left: no network of the package improves them reliably (docs/compact-networks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ..metrics.pixel import psnr_from_mse
from ..recipe import StageSpec
from ..types import Clip
from .noise_level import luma_noise
from .own import Own
from .stage import Conditions

#: Noise from which denoising is worth it, in 8-bit code values of luma. Of 18 clean clips all but panned photographs full of the
#: finest texture measure below it, all of them after x265 at CRF 30.
NOISY = 4.0
#: Deblurring that changes frames to less than this PSNR in dB of themselves is for blurry ones: sharp clips stay above 40 dB, a
#: clip with motion blur of its own, which nobody wants changed where it is the reference, at 38.4 (results/quality.json, `sharp`).
BLURRY = 37.0


@dataclass(frozen=True)
class Choice:
    """Stages in their order, and a sentence for each question that was asked."""

    stages: tuple[StageSpec, ...]
    reasons: tuple[str, ...]


def choose(samples: Sequence[Clip], conditions: Conditions) -> Choice:
    """What to do with a video of which `samples` show a few consecutive frames each."""
    stages, reasons = [], []
    level = min(luma_noise(sample) for sample in samples)
    if level >= NOISY:
        stages.append(StageSpec("denoise", {"sigma": "auto"}))
        reasons.append(f"noise of sigma {level:.1f} in luma: denoise")
    else:
        reasons.append(f"noise of sigma {level:.1f} in luma: too little to denoise")
    if level >= NOISY:
        denoise = Own("denoise", conditions, sigma="auto")
        samples = [denoise.process(sample) for sample in samples]
    change = median(deblurring_change(sample, conditions) for sample in samples)
    if change < BLURRY:
        stages.append(StageSpec("deblur"))
        reasons.append(f"deblurring changes frames to {change:.0f} dB of themselves: deblur")
    else:
        reasons.append(f"deblurring would hardly change a frame ({change:.0f} dB): sharp enough")
    return Choice(tuple(stages), tuple(reasons))


def deblurring_change(sample: Clip, conditions: Conditions) -> float:
    """PSNR in dB between the luma of a sample's middle frame and what the deblurring network makes of it."""
    middle = len(sample) // 2
    before, after = (clip.planes[0][middle].astype(np.float64) for clip in (sample, Own("deblur", conditions).process(sample)))
    error = float(np.square(before - after).mean())
    return psnr_from_mse(error, sample.color.peak)
