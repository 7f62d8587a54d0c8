"""FastDVDnet: video denoising without motion estimation, two stages of three frames each.

Tassano, Delon, Veit: "FastDVDnet: Towards Real-Time Deep Video Denoising Without Flow Estimation", CVPR 2020, arXiv 1907.01361.
Published weights: MIT.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.mirror import mirror
from ..layers.residual import channels_last
from .checks import check_clip
from .published import renamed
from .streaming import State, Streaming
from .traits import Traits

FRAMES = 5
WIDTHS = (32, 64, 128)
#: Channels of the first layer for each of the three frames.
PER_FRAME = 30


class Folding(nn.Sequential):
    """A sequence that, in evaluation, runs each convolution and the batch normalisation after it as one convolution."""

    def forward(self, input: Tensor) -> Tensor:
        layers = list(self)
        x = input
        for i, layer in enumerate(layers):
            follower = layers[i + 1] if i + 1 < len(layers) else None
            if isinstance(layer, nn.Conv2d) and isinstance(follower, nn.BatchNorm2d) and not follower.training:
                x = _conv_normalised(x, layer, follower)
            elif not isinstance(layer, nn.BatchNorm2d) or layer.training:
                x = layer(x)
        return x


def _conv_normalised(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """norm(conv(x)) with running statistics, as one convolution; folded at every call, which costs next to nothing."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    gain = norm.weight.float() * (variance.float() + norm.eps).rsqrt()
    weight = (conv.weight.float() * gain[:, None, None, None]).to(conv.weight.dtype)
    bias = (norm.bias.float() - mean.float() * gain).to(conv.weight.dtype)
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def conv(in_channels: int, out_channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, groups=groups, bias=False)


class Block(nn.Module):
    """Holds a sequence under the published name."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.convblock = Folding(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.convblock(x)


def conv_norm_relu(in_channels: int, out_channels: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [conv(in_channels, out_channels, stride, groups), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def twice(channels: int) -> Block:
    return Block(*conv_norm_relu(channels, channels), *conv_norm_relu(channels, channels))


class DenoisingBlock(nn.Module):
    """A U-net of three sizes that denoises the middle of three frames; paper, figure 2b."""

    def __init__(self) -> None:
        super().__init__()
        full, half, quarter = WIDTHS
        self.inc = Block(*conv_norm_relu(3 * 4, 3 * PER_FRAME, groups=3), *conv_norm_relu(3 * PER_FRAME, full))
        self.downc0 = Block(*conv_norm_relu(full, half, stride=2), twice(half))
        self.downc1 = Block(*conv_norm_relu(half, quarter, stride=2), twice(quarter))
        self.upc2 = Block(twice(quarter), conv(quarter, 4 * half), nn.PixelShuffle(2))
        self.upc1 = Block(twice(half), conv(half, 4 * full), nn.PixelShuffle(2))
        self.outc = Block(*conv_norm_relu(full, full), conv(full, 3))

    def forward(self, before: Tensor, middle: Tensor, after: Tensor, noise: Tensor) -> Tensor:
        """Three frames (N, 3, H, W) and the noise map (N, 1, H, W) -> the middle frame; H and W multiples of 4."""
        x0 = self.inc(channels_last(torch.cat((before, noise, middle, noise, after, noise), dim=1)))
        x1 = self.downc0(x0)
        x2 = self.downc1(x1)
        x1 = x1 + self.upc2(x2)
        return middle - self.outc(x0 + self.upc1(x1))


class FastDVDnet(Streaming, nn.Module):
    """Five frames (N, 5, 3, H, W), RGB in [0, 1], and their noise level -> the middle one (N, 1, 3, H, W), not clamped.

        f0 f1 f2 -> temp1 -> y1 -+
        f1 f2 f3 -> temp1 -> y2 -+-> temp2 -> denoised f2
        f2 f3 f4 -> temp1 -> y3 -+

    `restore_clip` denoises clips of any length and computes every first stage once: half the work. A frame depends on two before
    and after it, and a pixel on 80 to each side. `sigma` is the standard
    deviation of the noise in units of [0, 1] (trained for 5/255 to 55/255): a number, one per sample (N,), or a map
    (N, 1, H, W). Pictures and maps are mirrored at the bottom and right to multiples of 4 and the result cropped.
    Raises `ShapeError` for inputs that aren't such frames or maps.
    """

    traits = Traits(
        tasks=("denoise",), kind="clip", temporal_reach=(2, 2), spatial_reach=80, min_frames=FRAMES, streams=True,
        extends=(2, 2), size_multiple=4, noise="argument", bytes_per_pixel=880, state_bytes_per_pixel=48, licence="MIT",
        paper='Tassano et al., "FastDVDnet", CVPR 2020',
    )  # fmt: skip

    def __init__(self, num_input_frames: int = FRAMES) -> None:
        super().__init__()
        if num_input_frames != FRAMES:
            raise UsageError(f"FastDVDnet works on {FRAMES} frames, not num_input_frames={num_input_frames}")
        self.temp1 = DenoisingBlock()
        self.temp2 = DenoisingBlock()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Strip the wrapper's prefix; the training-step counters of the normalisations are of no consequence."""
        entries = renamed(state_dict, ((r"^module\.", ""),))
        counters = {key: value for key, value in self.state_dict().items() if key.endswith("num_batches_tracked")}
        return {**counters, **entries}

    def forward(self, clip: Tensor, sigma: float | Tensor) -> Tensor:
        """(N, 5, 3, H, W) -> (N, 1, 3, H, W), not clamped."""
        check_clip("FastDVDnet", clip, frames=FRAMES)
        frames, noise = self._prepare(clip, sigma)
        firsts = [self.temp1(*frames[c - 1 : c + 2], noise) for c in (1, 2, 3)]
        return self.temp2(*firsts, noise)[:, None, :, : clip.shape[3], : clip.shape[4]]

    def restore_clip(self, clip: Tensor, sigma: float | Tensor) -> Tensor:
        """Every frame of a clip (N, T, 3, H, W) of any length -> (N, T, 3, H, W), clamped to [0, 1]; mirrored in time.

        The same numbers as calls on windows of five; the noise map is the same for all frames.
        """
        check_clip("FastDVDnet", clip)
        return self.run_mirrored(clip, sigma=sigma)

    def step(self, frame: Tensor, state: State, sigma: float | Tensor) -> tuple[Tensor | None, State]:
        """One frame (N, 3, H, W); the state is the last two frames, then what the first stage made around the last but one.

        Past a clip's ends the first stage sees its frames in reversed order, which is not what it gave for their mirror image.
        """
        (whole,), noise = self._prepare(frame[:, None], sigma)
        frames = (*state[:2], whole)
        if len(frames) < 3:
            return None, frames
        firsts = (*state[2:], self.temp1(*frames, noise))
        if len(firsts) < 3:
            return None, (*frames[1:], *firsts)
        picture = self.temp2(*firsts, noise)[..., : frame.shape[2], : frame.shape[3]].clamp(0, 1)
        return picture, (*frames[1:], *firsts[1:])

    def _prepare(self, clip: Tensor, sigma: float | Tensor) -> tuple[list[Tensor], Tensor]:
        """Frames and noise map at multiples of 4."""
        noise = torch.as_tensor(sigma, dtype=clip.dtype, device=clip.device)
        size = (clip.shape[0], 1, *clip.shape[3:])
        if noise.ndim not in (0, 1, 4) or (noise.ndim and noise.shape[0] not in (1, size[0])):
            raise ShapeError(f"sigma is a number, (N,) or (N, 1, H, W), not {tuple(noise.shape)} for a clip {tuple(clip.shape)}")
        if noise.ndim == 4 and noise.shape[1:] not in (size[1:], (1, 1, 1)):
            raise ShapeError(f"a noise map {tuple(noise.shape)} doesn't fit a clip {tuple(clip.shape)}")
        noise = (noise.view(-1, 1, 1, 1) if noise.ndim < 4 else noise).expand(size)
        for axis in (2, 3):
            multiple = -(-noise.shape[axis] // 4) * 4
            noise = mirror(noise, axis, multiple, repeat_edge=False)
            clip = mirror(clip, axis + 1, multiple, repeat_edge=False)
        return list(clip.unbind(1)), noise
