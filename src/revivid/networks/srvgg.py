"""SRVGGNetCompact: the small single-image super-resolution network of Real-ESRGAN.

Wang, Xie, Dong, Shan: "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV Workshops 2021,
arXiv 2107.10833. Published weights (realesr-animevideov3, realesr-general-x4v3): BSD-3-Clause.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.residual import channels_last
from .checks import check_positive
from .traits import Traits


def _activation(kind: str, channels: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(channels)
    return nn.ReLU(inplace=True) if kind == "relu" else nn.LeakyReLU(0.1, inplace=True)


class SRVGGNetCompact(nn.Module):
    """Image (N, C, H, W), RGB in [0, 1] -> (N, C, upscale*H, upscale*W), not clamped. Any size.

        image -> conv3 -> [activation, conv3] x (num_conv + 1) -(+)-> pixel shuffle
          +------------------------- each pixel, repeated ------+

    All work is done at the input's size. `act_type`: relu, prelu or leakyrelu (slope 0.1). One output pixel depends on
    num_conv + 2 pixels of input on each side. Published: 64 features, 16 or 32 convolutions, x4.
    Raises `UsageError` for hyper-parameters that can't work and `ShapeError` for inputs that aren't such images.
    """

    def __init__(
        self, num_in_ch: int = 3, num_out_ch: int = 3, num_feat: int = 64, num_conv: int = 16, upscale: int = 4,
        act_type: str = "prelu",
    ) -> None:  # fmt: skip
        super().__init__()
        check_positive("SRVGGNetCompact", num_in_ch=num_in_ch, num_feat=num_feat, upscale=upscale, layers=num_conv + 1)
        if num_in_ch != num_out_ch:
            raise UsageError(f"SRVGGNetCompact adds its input to its output: {num_in_ch} and {num_out_ch} channels don't fit")
        if act_type not in ("relu", "prelu", "leakyrelu"):
            raise UsageError(f"SRVGGNetCompact has no act_type {act_type!r}", hint="Known: relu, prelu, leakyrelu.")
        self.channels, self.upscale = num_in_ch, upscale
        layers: list[nn.Module] = []
        for i in range(num_conv + 1):
            layers += [nn.Conv2d(num_feat if i else num_in_ch, num_feat, 3, padding=1), _activation(act_type, num_feat)]
        self.body = nn.Sequential(*layers, nn.Conv2d(num_feat, num_out_ch * upscale**2, 3, padding=1))
        self.traits = Traits(
            tasks=("super-resolve",), kind="image", scale=upscale, channels=num_in_ch, spatial_reach=num_conv + 2,
            bytes_per_pixel=4 * max(2 * num_feat, 3 * num_out_ch * upscale**2) + 32,
            licence="BSD-3-Clause", paper='Wang et al., "Real-ESRGAN", ICCV Workshops 2021',
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, upscale*H, upscale*W)."""
        if image.ndim != 4 or image.shape[1] != self.channels or 0 in image.shape:
            raise ShapeError(f"SRVGGNetCompact takes images (N, {self.channels}, H, W), not {tuple(image.shape)}")
        # Before the shuffle, nearest-neighbour enlargement is a repetition of channels.
        phases = self.body(channels_last(image)) + image.repeat_interleave(self.upscale**2, dim=1)
        return F.pixel_shuffle(phases, self.upscale)
