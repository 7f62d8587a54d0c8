"""What a video needs, judged by itself: noise by measuring it, blur by what deblurring would change.

    a few frames from several places -> noise in luma        -> denoise, told how much
                                     -> `blurriness`           -> deblur, or sharp already
                                     -> size                   -> super-resolve, where it is that of a thumbnail
    CRF of the stream                ---------------------------> said

Compression artefacts alone are left: no network of the package improves them reliably (docs/compact-networks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..recipe import StageSpec
from ..types import Clip
from .blurriness import blurriness
from .noise_level import luma_noise
from .own import Own, best_weights
from .stage import Conditions

#: Noise from which denoising is worth it, in 8-bit code values of luma. The finest texture of 18 clean clips measures up to 5.5;
#: weaker noise is left with it.
NOISY = 6.0
#: Rows (columns, where they are fewer) up to which a video is enlarged, and how much.
SMALL, ENLARGED = 144, 4
#: Where to look, as parts of the length, and at how many frames.
PLACES, SAMPLE_FRAMES = ("0.1", "0.5", "0.8"), 5


@dataclass(frozen=True)
class Choice:
    """Stages in their order, and a sentence for each question that was asked."""

    stages: tuple[StageSpec, ...]
    reasons: tuple[str, ...]


def choose(samples: Sequence[Clip], conditions: Conditions) -> Choice:
    """What to do with a video of which `samples` show a few consecutive frames each."""
    stages, reasons = [], []
    if conditions.crf > 0:
        reasons.append(f"compressed about like x265 at CRF {conditions.crf:.0f}: no network of the package improves that reliably")
    level = min(luma_noise(sample) for sample in samples)
    if level >= NOISY:
        stages.append(StageSpec("denoise", {"sigma": "auto"}))
        reasons.append(f"noise of sigma {level:.1f} in luma: denoise")
    else:
        reasons.append(f"noise of sigma {level:.1f} in luma: too little to denoise")
    if level >= NOISY:
        denoise = Own("denoise", conditions, sigma="auto")
        samples = [denoise.process(sample) for sample in samples]
    blur = blurriness(samples, conditions)
    seen = f"deblurring changes frames to {blur.change:.0f} dB of themselves, {blur.motion:.1f} pixels of motion a frame"
    if blur.blurred:
        stages.append(StageSpec("deblur"))
        reasons.append(f"{seen}: deblur")
    else:
        reasons.append(f"{seen}: sharp enough")
    width, height = samples[0].width, samples[0].height
    if min(width, height) <= SMALL:
        # The best costs little where frames are so small.
        effort = "fast" if conditions.effort == "fast" else "best"
        stages.append(StageSpec("super-resolve", {"scale": ENLARGED, "network": best_weights("super-resolve", ENLARGED, effort)}))
        reasons.append(f"{width}x{height} pixels are few: super-resolve x{ENLARGED}")
    else:
        reasons.append(f"{width}x{height} pixels: the size stays")
    return Choice(tuple(stages), tuple(reasons))
