"""What the flow-based frame interpolators share: resizing by a factor, convolutions with PReLU, edge padding."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def resize(x: Tensor, factor: float) -> Tensor:
    """Bilinear resize of (N, C, h, w) by a factor, corners not aligned."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def conv_prelu(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution and a PReLU with a slope per channel."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2)
    return nn.Sequential(conv, nn.PReLU(out_channels))


def pad_edges(x: Tensor, multiple: int, *, centred: bool) -> tuple[Tensor, int, int]:
    """(N, C, H, W) grown to multiples by repeating its edge pixels, and the rows and columns added at the top and left.

    Not mirrored: what moves towards the border would meet itself there.
    """
    rows, columns = (-side % multiple for side in x.shape[2:])
    top, left = (rows // 2, columns // 2) if centred else (0, 0)
    if rows or columns:
        x = F.pad(x, (left, columns - left, top, rows - top), mode="replicate")
    return x, top, left
