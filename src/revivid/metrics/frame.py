"""All pixel metrics of one frame against its reference, by the conventions of the published tables.

Clip -> prepare -> Picture (8-bit RGB, BT.601 luma, stream planes) -> score -> FrameScores
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..color import luma_bt601, rgb_8bit
from ..errors import ShapeError
from ..types import MATRICES, Clip, ColorSpec, code_name
from .pixel import MS_SSIM_MIN_SIDE, WINDOW, psnr, ssim, ssim_and_ms_ssim


@dataclass(frozen=True)
class Metric:
    """How a metric is shown to people."""

    label: str
    #: dB, or empty for a ratio.
    unit: str
    #: Digits after the decimal point that mean something.
    digits: int
    meaning: str


#: The fields of `FrameScores`; more is better in all of them.
METRICS = {
    "psnr": Metric("PSNR", "dB", 2, "RGB rounded to 8 bits, all channels"),
    "ssim": Metric("SSIM", "", 4, "RGB rounded to 8 bits, mean of the channels"),
    "ms_ssim": Metric("MS-SSIM", "", 4, "RGB rounded to 8 bits, five scales, mean of the channels"),
    "psnr_y": Metric("PSNR-Y", "dB", 2, "BT.601 limited luma of the 8-bit RGB, as in the restoration tables"),
    "ssim_y": Metric("SSIM-Y", "", 4, "BT.601 limited luma of the 8-bit RGB, as in the restoration tables"),
    "psnr_luma": Metric("PSNR luma", "dB", 2, "luma plane as coded, at the stream's bit depth, as in codec curves"),
    "ssim_luma": Metric("SSIM luma", "", 4, "luma plane as coded, at the stream's bit depth: with PSNR luma the quickest"),
    "vmaf": Metric("VMAF", "", 2, "luma plane as coded and its motion, model vmaf_v0.6.1 of libvmaf, 0 to 100"),
}
#: Those that are measured unless others are asked for.
PIXEL_METRICS = tuple(name for name in METRICS if name not in ("ssim_luma", "vmaf"))
#: libvmaf takes no frame of 16 pixels a side.
VMAF_MIN_SIDE = 32


@dataclass(frozen=True)
class FrameScores:
    """The metrics of one frame; decibels are at most 100 (`PSNR_CAP`), which an identical frame has.

    None: not asked for, or `gaps` says why; VMAF is measured over several frames (`metrics.vmaf.VmafMeter`).
    """

    psnr: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    psnr_y: float | None = None
    ssim_y: float | None = None
    psnr_luma: float | None = None
    ssim_luma: float | None = None
    vmaf: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True)
class Picture:
    """One frame made ready for measuring; what no metric asks for is not converted."""

    #: One frame.
    clip: Clip

    @cached_property
    def rgb(self) -> Tensor:
        """(1, 3, H, W) float32, whole numbers 0..255."""
        return rgb_8bit(self.clip)

    @cached_property
    def luma(self) -> Tensor:
        """(1, 1, H, W) float32 in 16..235, not rounded."""
        return luma_bt601(self.rgb, white=255)

    @cached_property
    def coded_luma(self) -> Tensor:
        """(1, 1, H, W) float32, the luma plane's code values."""
        return torch.from_numpy(self.clip.planes[0].astype(np.float32))[None]


def prepare(clip: Clip) -> Picture:
    """A `Picture` of a clip of one frame; a reference that several videos are measured against is prepared once."""
    if len(clip) != 1:
        raise ShapeError(f"a picture is one frame, the clip has {len(clip)}")
    return Picture(clip)


def gaps(reference: Clip, distorted: Clip) -> dict[str, str]:
    """The metrics that can't be computed on this pair, each with the reason."""
    side = min(reference.width, reference.height)
    reasons = {}
    if side < WINDOW:
        reasons.update(dict.fromkeys(("ssim", "ssim_y", "ssim_luma"), f"SSIM needs {WINDOW} pixels a side, the frames have {side}"))
    if side < MS_SSIM_MIN_SIDE:
        reasons["ms_ssim"] = f"MS-SSIM needs {MS_SSIM_MIN_SIDE} pixels a side, the frames have {side}"
    if side < VMAF_MIN_SIDE:
        reasons["vmaf"] = f"VMAF needs {VMAF_MIN_SIDE} pixels a side, the frames have {side}"
    height = reference.height
    if _luma_scale(reference.color, height) != _luma_scale(distorted.color, height):
        ours, theirs = _describe(reference.color, height), _describe(distorted.color, height)
        reason = f"the luma planes don't mean the same: {ours} against {theirs}"
        reasons.update(dict.fromkeys(("psnr_luma", "ssim_luma", "vmaf"), reason))
    return reasons


def score(reference: Picture, distorted: Picture, metrics: Collection[str] = PIXEL_METRICS) -> FrameScores:
    """Measure one frame by any of `METRICS` but VMAF. Raises `ShapeError` where the sizes differ."""
    ours, theirs = reference.clip, distorted.clip
    if (ours.width, ours.height) != (theirs.width, theirs.height):
        raise ShapeError(
            f"the reference is {ours.width}x{ours.height} and the other video {theirs.width}x{theirs.height}",
            hint="Only frames of the same size can be compared: scale one of the videos first.",
        )
    wanted = set(metrics) - set(gaps(ours, theirs))
    found: dict[str, float] = {}
    if "ms_ssim" in wanted:
        structure, multi_scale = ssim_and_ms_ssim(reference.rgb, distorted.rgb)
        found |= {"ssim": float(structure), "ms_ssim": float(multi_scale)}
    elif "ssim" in wanted:
        found["ssim"] = float(ssim(reference.rgb, distorted.rgb))
    if "psnr" in wanted:
        found["psnr"] = float(psnr(reference.rgb, distorted.rgb))
    if "psnr_y" in wanted:
        found["psnr_y"] = float(psnr(reference.luma, distorted.luma))
    if "ssim_y" in wanted:
        found["ssim_y"] = float(ssim(reference.luma, distorted.luma))
    if "psnr_luma" in wanted:
        found["psnr_luma"] = float(psnr(reference.coded_luma, distorted.coded_luma, peak=ours.color.peak))
    if "ssim_luma" in wanted:
        found["ssim_luma"] = float(ssim(reference.coded_luma, distorted.coded_luma, peak=ours.color.peak))
    return FrameScores(**{name: value for name, value in found.items() if name in wanted})


def measure(reference: Clip, distorted: Clip) -> list[FrameScores]:
    """Scores of each frame of two clips of the same length and size; `ShapeError` otherwise."""
    if len(reference) != len(distorted):
        raise ShapeError(
            f"the reference has {len(reference)} frames and the other clip {len(distorted)}",
            hint="Compare clips of the same frames.",
        )
    frames = (slice(t, t + 1) for t in range(len(reference)))
    return [score(prepare(reference[frame]), prepare(distorted[frame])) for frame in frames]


def _luma_scale(color: ColorSpec, height: int) -> tuple[int, bool, int]:
    return color.bit_depth, color.full_range, color.resolved_matrix(height)


def _describe(color: ColorSpec, height: int) -> str:
    depth, full_range, matrix = _luma_scale(color, height)
    return f"{depth}-bit {'full' if full_range else 'limited'} {code_name(MATRICES, matrix)}"
