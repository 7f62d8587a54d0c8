"""RIFE: real-time frame interpolation by direct estimation of the flow from the new frame to its two neighbours.

Huang, Zhang, Heng, Shi, Zhou: "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022,
arXiv 2011.06294; the paper's model. Published weights: MIT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.interpolation import conv_prelu, pad_edges, resize
from ..layers.residual import channels_last
from ..layers.warp import backward_warp_spaced
from .checks import check_clip
from .published import renamed
from .traits import Traits

#: Working scales of the three flow blocks: they see the picture at 1/4, 1/2 and 1/1.
SCALES = (4.0, 2.0, 1.0)
VARIANTS = ("base", "m", "2R")


class FlowBlock(nn.Module):
    """IFBlock: one estimate of the flows and the blending mask, or of their correction; paper, figure 4."""

    def __init__(self, in_channels: int, width: int, double_resolution: bool) -> None:
        super().__init__()
        first_stride = 1 if double_resolution else 2
        self.conv0 = nn.Sequential(
            conv_prelu(in_channels, width // 2, stride=first_stride), conv_prelu(width // 2, width, stride=2)
        )
        self.convblock = nn.Sequential(*(conv_prelu(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)
        self.enlargement = first_stride

    def forward(self, x: Tensor, flow: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
        """(N, in, H, W) and the flows so far (N, 4, H, W) -> their correction and the mask's, at full size, in float32."""
        x = resize(x, 1 / scale)
        if flow is not None:
            x = torch.cat((x, (resize(flow, 1 / scale) / scale).to(x.dtype)), dim=1)
        features = self.conv0(channels_last(x))
        out = self.lastconv(self.convblock(features) + features)
        factor = scale * self.enlargement
        out = resize(out.to(torch.promote_types(out.dtype, torch.float32)), factor)
        return out[:, :4] * factor, out[:, 4:]


class Stage(nn.Module):
    """Two convolutions, the first of which may halve the size."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2) -> None:
        super().__init__()
        self.conv1 = conv_prelu(in_channels, out_channels, stride=stride)
        self.conv2 = conv_prelu(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


def up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1), nn.PReLU(out_channels))


class ContextNet(nn.Module):
    """Features of a neighbouring frame at four sizes, each warped to the new frame's time."""

    def __init__(self, double_resolution: bool) -> None:
        super().__init__()
        self.double_resolution = double_resolution
        self.conv1 = Stage(3, 16, stride=1 if double_resolution else 2)
        self.conv2 = Stage(16, 32)
        self.conv3 = Stage(32, 64)
        self.conv4 = Stage(64, 128)

    def forward(self, picture: Tensor, flow: Tensor) -> list[Tensor]:
        x, found = channels_last(picture), []
        for number, stage in enumerate((self.conv1, self.conv2, self.conv3, self.conv4)):
            x = stage(x)
            if number or not self.double_resolution:
                flow = resize(flow, 0.5) * 0.5
            found.append(backward_warp_spaced(x, flow))
        return found


class RefineNet(nn.Module):
    """The U-net that makes the residual of the blended picture; paper, appendix."""

    def __init__(self, double_resolution: bool) -> None:
        super().__init__()
        self.down0 = Stage(17, 32, stride=1 if double_resolution else 2)
        self.down1 = Stage(64, 64)
        self.down2 = Stage(128, 128)
        self.down3 = Stage(256, 256)
        self.up0 = up(512, 128)
        self.up1 = up(256, 64)
        self.up2 = up(128, 32)
        self.up3 = up(64, 16)
        self.conv = nn.Conv2d(16, 3, 3, 2 if double_resolution else 1, 1)

    def forward(self, x: Tensor, contexts: list[Tensor]) -> Tensor:
        """(N, 17, H, W) and both frames' contexts (N, 2c, h, w) at four sizes -> (N, 3, H, W) in (0, 1)."""
        steps = [self.down0(channels_last(x))]
        for down, context in zip((self.down1, self.down2, self.down3), contexts[:3], strict=True):
            steps.append(down(torch.cat((steps[-1], context), dim=1)))
        x = self.up0(torch.cat((steps.pop(), contexts[3]), dim=1))
        for layer in (self.up1, self.up2, self.up3):
            x = layer(torch.cat((x, steps.pop()), dim=1))
        return self.conv(x).sigmoid()


class RIFE(nn.Module):
    """Two frames (N, 2, 3, H, W) in [0, 1], RGB or BGR alike -> the frame between them (N, 1, 3, H, W), clamped to [0, 1].

        I0, I1 -> block0 (1/4) -> block1 (1/2) -> block2 (1/1) -> flows to I0 and I1, mask -> blend of both warped -(+)-> frame
                                                                   contexts of I0, I1 warped -> U-net residual ------+

    `variant`: `base` and `2R` (double resolution inside) always give the middle frame; `m` takes any `time` in (0, 1). What a
    pixel depends on follows the motion: it has no bound in space. Any size: edges are repeated at the bottom and right to multiples
    of 16 and the result is cropped (the published scripts pad zeros). Raises `UsageError` for a time or scale that can't work
    and `ShapeError` for inputs that aren't two frames.
    """

    traits = Traits(
        tasks=("interpolate",), kind="pair", temporal_reach=(1, 1), min_frames=2, size_multiple=16, tile_multiple=16,
        bytes_per_pixel=860, licence="MIT",
        paper='Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022',
    )  # fmt: skip

    def __init__(self, variant: str = "base") -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise UsageError(f"RIFE has no variant {variant!r}", hint=f"Known: {', '.join(VARIANTS)}.")
        self.any_time, double_resolution = variant == "m", variant == "2R"
        self.traits = replace(
            RIFE.traits, any_time=self.any_time, bytes_per_pixel=RIFE.traits.bytes_per_pixel * (3 if double_resolution else 1)
        )
        extra = 1 if self.any_time else 0
        self.block0 = FlowBlock(6 + extra, 240, double_resolution)
        self.block1 = FlowBlock(17 + extra, 150, double_resolution)
        self.block2 = FlowBlock(17 + extra, 90, double_resolution)
        self.contextnet = ContextNet(double_resolution)
        self.unet = RefineNet(double_resolution)

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Strip the wrapper's prefix; drop the teacher, which only training uses."""
        return renamed(state_dict, ((r"^module\.", ""), (r"^block_tea\.", None)))

    def forward(self, clip: Tensor, time: float = 0.5, *, scale: float = 1.0) -> Tensor:
        """(N, 2, 3, H, W) -> (N, 1, 3, H, W) at `time` between the frames; `scale` 0.5 or 0.25 estimates motion on smaller
        pictures (for 4K), 2 or 4 on larger ones."""
        check_clip("RIFE", clip, frames=2)
        if not 0 < time < 1 or not (self.any_time or time == 0.5):
            raise UsageError(
                f"this RIFE can't make a frame at time={time}",
                hint="variant 'm' takes any time in (0, 1)." if not self.any_time else "The time lies in (0, 1).",
            )
        if scale not in (0.25, 0.5, 1, 2, 4):
            raise UsageError(f"RIFE can't have scale={scale}", hint="It is 0.25, 0.5, 1, 2 or 4.")
        height, width = clip.shape[3:]
        padded, _, _ = pad_edges(clip.flatten(0, 1), int(16 / min(scale, 1)), centred=False)
        first, second = padded.unflatten(0, clip.shape[:2]).unbind(1)
        flow, mask, warped = self._estimate(first, second, time, scale)
        blended = torch.lerp(warped[1].to(mask.dtype), warped[0].to(mask.dtype), mask.sigmoid())
        pictures, flows = torch.cat((first, second)), torch.cat((flow[:, :2], flow[:, 2:]))
        contexts = [torch.cat(context.chunk(2), dim=1) for context in self.contextnet(pictures, flows)]
        x = torch.cat((first, second, *warped, mask, flow), dim=1).to(first.dtype)
        picture = (blended + 2 * self.unet(x, contexts) - 1).clamp(0, 1)
        return picture[:, None, :, :height, :width].to(clip.dtype)

    def _estimate(self, first: Tensor, second: Tensor, time: float, scale: float) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Flows from the new frame to both (N, 4, H, W), the mask's logits (N, 1, H, W) and both frames warped."""
        given = [first, second]
        if self.any_time:
            given.append(first.new_full((first.shape[0], 1, *first.shape[2:]), time))
        flow, mask = self.block0(torch.cat(given, dim=1), None, SCALES[0] / scale)
        warped = _warp_both(first, second, flow)
        for block, working in ((self.block1, SCALES[1]), (self.block2, SCALES[2])):
            x = torch.cat((*given, *warped, mask.to(first.dtype)), dim=1)
            flow_change, mask_change = block(x, flow, working / scale)
            flow, mask = flow + flow_change, mask + mask_change
            warped = _warp_both(first, second, flow)
        return flow, mask, warped


def _warp_both(first: Tensor, second: Tensor, flow: Tensor) -> list[Tensor]:
    return [backward_warp_spaced(first, flow[:, :2]), backward_warp_spaced(second, flow[:, 2:])]
