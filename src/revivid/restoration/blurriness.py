"""Whether a video is blurred by motion, judged by itself.

    a few frames -> deblurred, and compared: the change
                 -> Laplacian of luma: fine detail, which blur takes away
                 -> registered flows: motion, without which there is no motion blur
    change in dB + a part of the detail in dB - some dB for every doubling of motion -> below a limit it is blurred

The change alone tells less: fine texture is changed as much by a network that is not quite sure as smooth blur by one that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from ..metrics.pixel import psnr_from_mse
from ..types import Clip
from .own import Own
from .stage import Conditions

#: What detail and motion count for, and the limit, in dB: fitted to 31 training scenes, each sharp and blurred in three ways, both
#: also compressed at CRF 28. No sharp one comes below 44.8; of the blurred ones below the limit one loses by deblurring, 0.09 dB.
_DETAIL, _DOUBLING, LIMIT = 0.25, 2.0, 40.0
#: Energy in 8-bit code values and pixels per frame that are none: of flat pictures and of what stands still.
_LEAST_DETAIL, _LEAST_MOTION = 0.1, 0.5


@dataclass(frozen=True)
class Blurriness:
    """`change`: PSNR in dB between luma and what deblurring makes of it. `detail`: mean square of its Laplacian over that of white
    noise of variance 1, in 8-bit code values. `motion`: in pixels per frame, of half of the places more."""

    change: float
    detail: float
    motion: float

    @property
    def blurred(self) -> bool:
        """Whether deblurring is worth it."""
        detail = 10 * np.log10(self.detail + _LEAST_DETAIL)
        return bool(self.change + _DETAIL * detail - _DOUBLING * np.log2(self.motion + _LEAST_MOTION) < LIMIT)


def blurriness(samples: Sequence[Clip], conditions: Conditions) -> Blurriness:
    """Of the middle frames of `samples`, the median of each measure."""
    stage = Own("deblur", conditions)
    rows = [_measured(stage, sample) for sample in samples]
    change, detail, motion = (median(column) for column in zip(*rows, strict=True))
    return Blurriness(change, detail, motion)


def _measured(stage: Own, sample: Clip) -> tuple[float, float, float]:
    middle, (before, after) = len(sample) // 2, stage.temporal_reach
    near = sample[max(middle - before, 0) : middle + after + 1]
    luma, peak = near.planes[0].astype(np.float32), sample.color.peak
    # All of the sample is deblurred: scene cuts are told by how frames differ before and behind.
    own, deblurred = sample.planes[0][middle].astype(np.float32), stage.process(sample).planes[0][middle]
    change = psnr_from_mse(float(np.square(own - deblurred, dtype=np.float64).mean()), peak)
    motion = 0.0
    if len(near) == before + after + 1:  # else it is the first or the last frame of a very short clip
        with torch.inference_mode():
            flows = stage.module.guide(torch.from_numpy(luma)[None], peak)[0]
        motion = float(((flows[2:4] - flows[:2]) / 2).square().sum(0).sqrt().median())
    return change, _laplacian_energy(own * (255 / peak)), motion


def _laplacian_energy(y: np.ndarray) -> float:
    """Mean square of the Laplacian (-1 to its four neighbours, 4 to itself), over what white noise of variance 1 has."""
    if min(y.shape) < 3:
        return 0.0
    middle, around = 4 * y[1:-1, 1:-1], y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:]
    return float(np.square(middle - around).mean()) / 20
