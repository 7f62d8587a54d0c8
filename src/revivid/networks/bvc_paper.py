"""The parts of BVC at the second paper's size: 12.7 million parameters (its Table 1). See docs/bvc.md for the table by module."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.gdn import GDN
from ..layers.spynet import SPyNet

#: Channels of the autoencoders and their latents, a sixteenth of the picture's size; and of MCNet.
CHANNELS = 128
_COMPENSATION_CHANNELS = 64


class PixelFlow(nn.Module):
    """SPyNet with five levels, on R'G'B' as it is: flow (N, 2, H, W) from a picture to its reference, in pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.spynet = SPyNet((4,), count=5, normalise=False)

    def forward(self, target: Tensor, reference: Tensor) -> Tensor:
        return self.spynet(target, reference)[0]


class FlowRefinement(nn.Module):
    """FRNet (Eq. 3): `network` sees the enhanced frame, the reference and the flow, and answers what is to be added to it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, target: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        return self.network(torch.cat((target, reference, flow), 1))


class Compensation(nn.Module):
    """MCNet (Eq. 8): a residual U-Net over warped frame, reference and flow, whose answer is added to the warped frame."""

    def __init__(self) -> None:
        super().__init__()
        width = _COMPENSATION_CHANNELS
        self.first = nn.Conv2d(8, width, 3, padding=1)
        self.fine, self.middle = _Residual(width), _Residual(width)
        self.coarse = nn.Sequential(_Residual(width), _Residual(width))
        self.back_to_middle, self.back_to_fine = _Residual(width), _Residual(width)
        self.last = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, warped: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        fine = self.fine(self.first(torch.cat((warped, reference, flow), 1)))
        middle = self.middle(F.avg_pool2d(fine, 2))
        coarse = self.coarse(F.avg_pool2d(middle, 2))
        middle = self.back_to_middle(middle + F.interpolate(coarse, scale_factor=2, mode="bilinear"))
        fine = self.back_to_fine(fine + F.interpolate(middle, scale_factor=2, mode="bilinear"))
        return warped + self.last(fine)


class _Residual(nn.Module):
    """x + conv3(relu(conv3(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.outer = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(F.relu(self.inner(F.relu(x))))


def encoder(inputs: int, kernel: int) -> nn.Module:
    """(N, inputs, H, W) -> (N, 128, H/16, W/16): four convolutions of stride 2 with GDN between them."""
    widths = (inputs, CHANNELS, CHANNELS, CHANNELS)
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(widths):
        layers += [nn.Conv2d(into, out, kernel, 2, kernel // 2), GDN(out)]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, CHANNELS, kernel, 2, kernel // 2, bias=False))


def decoder(outputs: int, kernel: int) -> nn.Module:
    """And back, with IGDN."""
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, 2, kernel // 2, 1), GDN(CHANNELS, inverse=True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(CHANNELS, outputs, kernel, 2, kernel // 2, 1))
