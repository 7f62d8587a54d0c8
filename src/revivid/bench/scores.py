"""How near an answer comes to the truth: PSNR-Y, SSIM-Y, MS-SSIM-Y and, where asked for, VMAF; the mean over frames.

Y is the luma plane as it is coded, as in codec curves.
"""

from __future__ import annotations

from statistics import fmean

import numpy as np
import torch

from ..color import rgb_8bit
from ..errors import ShapeError
from ..metrics.frame import measure
from ..metrics.niqe import BLOCK, niqe
from ..metrics.pixel import MS_SSIM_MIN_SIDE, ms_ssim, psnr, psnr_from_mse, ssim, ssim_and_ms_ssim
from ..metrics.vmaf import vmaf
from ..restoration.noise_level import luma_noise
from ..types import Clip

#: Metric -> (its name for people, digits that mean something); more is better in all of them.
METRICS = {"psnr_y": ("PSNR-Y", 3), "ssim_y": ("SSIM-Y", 4), "ms_ssim_y": ("MS-SSIM-Y", 4), "vmaf": ("VMAF", 2)}
#: What is told without the truth, where a task compares choices: -> (its name for people, digits); less is better.
WITHOUT_TRUTH = {"noise": ("noise left", 2), "niqe": ("NIQE", 2)}
#: Those of `score_table`, in the order of the papers' columns, with the digits that mean something.
TABLE_METRICS = {
    "psnr": ("PSNR", 2), "ssim": ("SSIM", 4), "ms_ssim": ("MS-SSIM", 4), "psnr_y": ("PSNR-Y", 2), "ssim_y": ("SSIM-Y", 4),
    "vmaf": ("VMAF", 1),
}  # fmt: skip
#: Those of `score_coded`; the first two in dB.
CODED_METRICS = ("psnr", "psnr_y", "ms_ssim")


def score(truth: Clip, answer: Clip, *, with_vmaf: bool = False, with_ssim: bool = True) -> dict[str, float]:
    """Means over the frames, by metric; small frames lack MS-SSIM.

    Raises `ShapeError` where frames don't fit, `MissingTool` where VMAF can't be had.
    """
    if truth.planes[0].shape != answer.planes[0].shape or truth.color.dtype != answer.color.dtype:
        raise ShapeError(f"the answer is {answer.planes[0].shape} {answer.color.dtype}, the truth {truth.planes[0].shape}")
    pairs = [
        (torch.from_numpy(x.astype(np.float32))[None, None], torch.from_numpy(y.astype(np.float32))[None, None])
        for x, y in zip(truth.planes[0], answer.planes[0], strict=True)
    ]
    peak = truth.color.peak
    scores = {"psnr_y": fmean(psnr_from_mse(float((x - y).square().mean()), peak) for x, y in pairs)}
    if with_ssim and min(truth.width, truth.height) >= MS_SSIM_MIN_SIDE:
        single, multiple = zip(*(map(float, ssim_and_ms_ssim(x, y, peak)) for x, y in pairs), strict=True)
        scores |= {"ssim_y": fmean(single), "ms_ssim_y": fmean(multiple)}
    elif with_ssim:
        scores["ssim_y"] = fmean(float(ssim(x, y, peak)) for x, y in pairs)
    if with_vmaf:
        scores["vmaf"] = fmean(vmaf(truth, answer))
    return scores


def score_blindly(answer: Clip) -> dict[str, float | None]:
    """What is told without the truth; None for NIQE of small or flat frames."""
    seen = niqe(answer) if min(answer.width, answer.height) >= BLOCK else None
    return {"noise": luma_noise(answer), "niqe": seen}


def score_coded(truth: Clip, answer: Clip) -> dict[str, float]:
    """What learned codecs are measured by: `psnr` and `ms_ssim` of R'G'B' in 8 bits, and `psnr_y`; small frames lack MS-SSIM."""
    scores = score(truth, answer, with_ssim=False)
    pairs = [(rgb_8bit(truth[t : t + 1]), rgb_8bit(answer[t : t + 1])) for t in range(len(truth))]
    found = {"psnr": fmean(float(psnr(x, y)) for x, y in pairs), **scores}
    if min(truth.width, truth.height) >= MS_SSIM_MIN_SIDE:
        found["ms_ssim"] = fmean(float(ms_ssim(x, y)) for x, y in pairs)
    return found


def score_table(truth: Clip, answer: Clip, *, with_vmaf: bool = False) -> dict[str, float]:
    """By the restoration tables' conventions (`metrics.frame`): R'G'B' in 8 bits, Y of it by BT.601; small frames lack MS-SSIM.

    Raises `ShapeError` where frames don't fit, `MissingTool` where VMAF can't be had.
    """
    frames = [one.to_dict() for one in measure(truth, answer)]
    found = {metric: [values[metric] for values in frames] for metric in TABLE_METRICS if metric in frames[0]}
    scores = {metric: fmean(present) for metric, values in found.items() if (present := [one for one in values if one is not None])}
    return {**scores, "vmaf": fmean(vmaf(truth, answer))} if with_vmaf else scores
