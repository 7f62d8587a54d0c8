"""IFRNet: frame interpolation that refines intermediate flow and intermediate features together, coarse to fine.

Kong, Jiang, Luo, Chu, Huang, Tai, Wang, Yang: "IFRNet: Intermediate Feature Refine Network for Efficient Frame Interpolation",
CVPR 2022, arXiv 2205.14620. Published weights: MIT.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.interpolation import conv_prelu, pad_edges, resize
from ..layers.residual import channels_last
from ..layers.warp import backward_warp_spaced
from .checks import check_clip
from .traits import Traits


class Encoder(nn.Module):
    """Features of a frame at 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, widths: tuple[int, ...], first_kernel: int) -> None:
        super().__init__()
        for k, (a, b) in enumerate(zip((3, *widths[:-1]), widths, strict=True), start=1):
            first = conv_prelu(a, b, first_kernel if k == 1 else 3, stride=2)
            self.add_module(f"pyramid{k}", nn.Sequential(first, conv_prelu(b, b)))

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for pyramid in self.children():
            x = pyramid(x)
            found.append(x)
        return found


class SideResidual(nn.Module):
    """A residual block whose last `side` channels get convolutions of their own in between; paper, figure 4."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.conv1 = conv_prelu(channels, channels)
        self.conv2 = conv_prelu(side, side)
        self.conv3 = conv_prelu(channels, channels)
        self.conv4 = conv_prelu(side, side)
        self.conv5 = nn.Conv2d(channels, channels, 3, padding=1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self._beside(self.conv1(x), self.conv2)
        y = self._beside(self.conv3(y), self.conv4)
        return self.prelu(x + self.conv5(y))

    def _beside(self, x: Tensor, conv: nn.Module) -> Tensor:
        return torch.cat((x[:, : -self.side], conv(channels_last(x[:, -self.side :]))), dim=1)


class Decoder(nn.Module):
    """(N, in, h, w) -> (N, out, 2h, 2w)."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(
            conv_prelu(in_channels, hidden), SideResidual(hidden, side), nn.ConvTranspose2d(hidden, out_channels, 4, 2, 1)
        )

    def forward(self, *parts: Tensor) -> Tensor:
        return self.convblock(channels_last(torch.cat(parts, dim=1)))


class IFRNet(nn.Module):
    """Two frames (N, 2, 3, H, W), RGB in [0, 1] -> the frame at `time` between them (N, 1, 3, H, W), clamped to [0, 1].

        I0, I1 less their mean -> features at 1/2 .. 1/16 (both in one batch)
        1/16: decoder4 -> flows, features -> warp 1/8 -> decoder3 -> warp 1/4 -> decoder2 -> warp 1/2 -> decoder1
        1/1:  mask * warp(I0) + (1 - mask) * warp(I1) + residual + mean

    What a pixel depends on follows the motion: it has no bound in space. Any size: edges are repeated on all sides to multiples
    of 16 and the result is cropped. Published for time 0.5 (Vimeo-90K)
    and k/8 (GoPro). There are no hyper-parameters; `IFRNetS` and `IFRNetL` are its smaller and larger form.
    Raises `UsageError` for a time or scale that can't work and `ShapeError` for inputs that aren't two frames.
    """

    #: Encoder widths at 1/2 .. 1/16, side channels of the decoders, kernel of the very first convolution.
    widths: tuple[int, int, int, int] = (32, 48, 72, 96)
    side = 32
    first_kernel = 3

    traits = Traits(
        tasks=("interpolate",), kind="pair", temporal_reach=(1, 1), min_frames=2, any_time=True, size_multiple=16,
        tile_multiple=16, bytes_per_pixel=1700, licence="MIT",
        paper='Kong et al., "IFRNet", CVPR 2022',
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        e1, e2, e3, e4 = self.widths
        self.encoder = Encoder(self.widths, self.first_kernel)
        self.decoder4 = Decoder(2 * e4 + 1, 2 * e4, 4 + e3, self.side)
        self.decoder3 = Decoder(3 * e3 + 4, 3 * e3, 4 + e2, self.side)
        self.decoder2 = Decoder(3 * e2 + 4, 3 * e2, 4 + e1, self.side)
        self.decoder1 = Decoder(3 * e1 + 4, 3 * e1, 8, self.side)

    def forward(self, clip: Tensor, time: float = 0.5, *, scale_factor: float = 1.0) -> Tensor:
        """(N, 2, 3, H, W) -> (N, 1, 3, H, W); `scale_factor` 0.5 or 0.25 estimates motion on smaller pictures (for 4K)."""
        check_clip("IFRNet", clip, frames=2)
        if not 0 < time < 1:
            raise UsageError(f"IFRNet can't make a frame at time={time}", hint="The time lies in (0, 1).")
        if scale_factor not in (0.25, 0.5, 1, 2):
            raise UsageError(f"IFRNet can't have scale_factor={scale_factor}", hint="It is 0.25, 0.5, 1 or 2.")
        batch, height, width = clip.shape[0], *clip.shape[3:]
        pictures = clip.transpose(0, 1).flatten(0, 1)  # all first frames, then all second
        pictures, top, left = pad_edges(pictures, int(16 / min(scale_factor, 1)), centred=True)
        mean = pictures.unflatten(0, (2, batch)).mean(dim=(0, 2, 3, 4)).view(-1, 1, 1, 1)
        pictures = pictures - mean.repeat(2, 1, 1, 1)
        flows, mask, residual = self._decode(resize(pictures, scale_factor), time)
        if scale_factor != 1:
            flows, mask, residual = (resize(part, 1 / scale_factor) for part in (flows, mask, residual))
            flows = flows / scale_factor
        first, second = backward_warp_spaced(pictures, flows).to(mask.dtype).chunk(2)
        picture = (torch.lerp(second, first, mask) + mean + residual).clamp(0, 1)
        return picture[:, None, :, top : top + height, left : left + width].to(clip.dtype)

    def _decode(self, pictures: Tensor, time: float) -> tuple[Tensor, Tensor, Tensor]:
        """Centred frames (2N, 3, h, w), first ones first -> flows to both (2N, 2, h, w), mask (N, 1, h, w), residual."""
        features = self.encoder(channels_last(pictures))
        deepest = features.pop()
        first, second = deepest.chunk(2)
        moment = first.new_full((first.shape[0], 1, *first.shape[2:]), time)
        out = self.decoder4(first, second, moment)
        flows = _flows(out)
        for decoder in (self.decoder3, self.decoder2, self.decoder1):
            warped = backward_warp_spaced(features.pop(), flows)
            out = decoder(out[:, 4:], *warped.chunk(2), *flows.to(out.dtype).chunk(2))
            flows = _flows(out) + 2 * resize(flows, 2)
        out = out.to(flows.dtype)
        return flows, out[:, 4:5].sigmoid(), out[:, 5:]


def _flows(out: Tensor) -> Tensor:
    """The first four channels as flows to both frames (2N, 2, h, w), float32: bfloat16 would lose fractions of pixels."""
    return torch.cat(out[:, :4].to(torch.promote_types(out.dtype, torch.float32)).split(2, dim=1))


class IFRNetS(IFRNet):
    """The small IFRNet, 2.8 million parameters."""

    widths = (24, 36, 54, 72)
    side = 24


class IFRNetL(IFRNet):
    """The large IFRNet, 19.7 million parameters."""

    widths = (64, 96, 144, 192)
    side = 64
    first_kernel = 7
