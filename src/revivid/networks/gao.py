"""Gao et al.: deblurring of single pictures over a pyramid, coarse to fine, whose scales share what transforms features.

Gao, Tao, Shen, Jia: "Dynamic Scene Deblurring With Parameter Selective Sharing and Nested Skip Connections", CVPR 2019.

    picture at 1/4 -> [scale] -> picture at 1/2 -> [scale] -> picture -> [scale] -> sharp picture

    scale: picture, coarser answer - conv - T - conv/2 - T - conv/2 - T - T' - up - (+) - T' - up - (+) - T' - conv - (+ picture)

Convolutions that change the number of channels are each scale's own; the transforms T and T' are the same at all scales, and each
is applied twice. Colours are deblurred one by one, as grey pictures. What skips are nested is our reading of the paper.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError
from ..layers.mirror import mirror
from ..layers.residual import ResidualBlock, channels_last
from .checks import check_positive
from .traits import Traits

#: Residual blocks of a transform, and how often it is applied.
BLOCKS, USES = 4, 2
#: Grids of a scale, each half as fine as the one before.
_GRIDS = 3


class Transform(nn.Module):
    """Residual blocks in a row with a skip around all of them: x + block(block(block(block(x)))), twice with the same weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(USES):
            x = x + self.blocks(x)
        return x


class Scale(nn.Module):
    """The convolutions that are a scale's own."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.first = nn.Conv2d(2, fine, 3, padding=1)
        self.down = nn.ModuleList((nn.Conv2d(fine, middle, 3, 2, 1), nn.Conv2d(middle, coarse, 3, 2, 1)))
        self.up = nn.ModuleList((nn.ConvTranspose2d(coarse, middle, 4, 2, 1), nn.ConvTranspose2d(middle, fine, 4, 2, 1)))
        self.last = nn.Conv2d(fine, 1, 3, padding=1)
        with torch.no_grad():
            # Untrained, a transform is about as many times its input as it has skips, and the answer is the picture.
            for layer in (self.first, *self.down, *self.up):
                layer.weight.mul_(2.0**-USES)  # type: ignore[union-attr, operator]
            self.last.weight.mul_(0.01)


class Gao(nn.Module):
    """R'G'B' (N, 3, H, W) in [0, 1] -> the same, not clamped; any size, mirrored at the bottom and right to a multiple of 16.

    `width`: channels on the finest grid (32 as published: 3,871,715 parameters), twice and four times as many on the others.
    `scales`: of the pyramid. Raises `UsageError` for hyper-parameters under 1 and `ShapeError` for other inputs.
    """

    def __init__(self, width: int = 32, scales: int = 3) -> None:
        super().__init__()
        check_positive("Gao", width=width, scales=scales)
        widths = tuple(width * 2**k for k in range(_GRIDS))
        self.scales = nn.ModuleList(Scale(widths) for _ in range(scales))
        self.encoder = nn.ModuleList(Transform(w) for w in widths)
        self.decoder = nn.ModuleList(Transform(w) for w in reversed(widths))
        self.multiple = 2 ** (_GRIDS - 1) * 2 ** (scales - 1)
        self.traits = Traits(
            tasks=("deblur",), kind="image", size_multiple=self.multiple, tile_multiple=self.multiple, bytes_per_pixel=72.0 * width,
            licence="no published weights here",
            paper='Gao et al., "Dynamic Scene Deblurring With Parameter Selective Sharing and Nested Skip Connections", CVPR 2019',
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W)."""
        if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
            raise ShapeError(f"Gao takes images (N, 3, H, W), not {tuple(image.shape)}")
        height, width = image.shape[-2:]
        for axis in (2, 3):
            image = mirror(image, axis, -(-image.shape[axis] // self.multiple) * self.multiple, repeat_edge=False)
        planes = image.flatten(0, 1)[:, None]
        pyramid = [planes]
        for _ in self.scales[1:]:  # type: ignore[index]
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        answer = pyramid[-1]
        for scale, picture in zip(self.scales, reversed(pyramid), strict=True):
            if answer.shape != picture.shape:
                answer = F.interpolate(answer, scale_factor=2.0, mode="bilinear")
            answer = self._deblurred(scale, picture, answer)  # type: ignore[arg-type]
        return answer.unflatten(0, (len(image), 3)).squeeze(2)[..., :height, :width]

    def _deblurred(self, scale: Scale, picture: Tensor, coarser: Tensor) -> Tensor:
        features = self.encoder[0](scale.first(channels_last(torch.cat((picture, coarser), 1))))
        skips = []
        for down, transform in zip(scale.down, self.encoder[1:], strict=True):  # type: ignore[arg-type, index]
            skips.append(features)
            features = transform(down(features))
        features = self.decoder[0](features)
        for up, transform in zip(scale.up, self.decoder[1:], strict=True):  # type: ignore[arg-type, index]
            features = transform(up(features) + skips.pop())
        return picture + scale.last(features)
