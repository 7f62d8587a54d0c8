"""How good: PSNR, SSIM and MS-SSIM by the published conventions, on tensors (`pixel`) and on frames of video (`frame`), and NIQE
without a reference."""

from .frame import METRICS, PIXEL_METRICS, FrameScores, Metric, gaps, measure
from .niqe import niqe
from .pixel import MS_SSIM_MIN_SIDE, PSNR_CAP, ms_ssim, psnr, ssim

__all__ = [
    "METRICS",
    "MS_SSIM_MIN_SIDE",
    "PIXEL_METRICS",
    "PSNR_CAP",
    "FrameScores",
    "Metric",
    "gaps",
    "measure",
    "ms_ssim",
    "niqe",
    "psnr",
    "ssim",
]
