"""SwinIR in the most literal form, as an oracle and as a baseline for speed: not for use.

Softmax over whole logits, one mask per window, roll and reshape as in the paper's figures. Nothing is shared with revivid but the
weights: `ReferenceSwinIR(revivid_network.state_dict(), **the_same_hyperparameters)`. Sizes must be multiples of the window.

Liang et al., "SwinIR: Image Restoration Using Swin Transformer", arXiv 2108.10257.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_vrt import partition, relative_index, reverse, softmax_attention, window_masks


class ReferenceSwinIR:
    """Call with an image (N, C, H, W) in [0, 1]; hyper-parameters have their published names."""

    def __init__(
        self, weights: Mapping[str, Tensor], *, depths: Sequence[int], num_heads: Sequence[int], window_size: int,
        upscale: int = 2, upsampler: str = "", img_range: float = 1.0, resi_connection: str = "1conv", **_: object,
    ) -> None:  # fmt: skip
        self.w = weights
        self.depths, self.heads, self.window = depths, num_heads, window_size
        self.upscale, self.upsampler, self.range, self.connection = upscale, upsampler, img_range, resi_connection

    def __call__(self, image: Tensor) -> Tensor:
        mean = image.new_tensor((0.4488, 0.4371, 0.4040)).view(1, 3, 1, 1) if image.shape[1] == 3 else torch.zeros(1)
        x = (image - mean) * self.range
        first = self._conv("conv_first", x)
        tokens = first.permute(0, 2, 3, 1)
        if "patch_embed.norm.weight" in self.w:
            tokens = self._norm("patch_embed.norm", tokens)
        for i, depth in enumerate(self.depths):
            inside = tokens
            for j in range(depth):
                inside = self._block(f"layers.{i}.residual_group.blocks.{j}", inside, self.heads[i], j % 2 * (self.window // 2))
            tokens = tokens + self._close(f"layers.{i}.conv", inside.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        deep = self._norm("norm", tokens).permute(0, 3, 1, 2)
        return self._head(x, self._close("conv_after_body", deep) + first) / self.range + mean

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def _conv(self, name: str, x: Tensor) -> Tensor:
        weight = self.w[f"{name}.weight"]
        return F.conv2d(x, weight, self.w[f"{name}.bias"], padding=weight.shape[2] // 2)

    def _close(self, name: str, x: Tensor) -> Tensor:
        if self.connection == "1conv":
            return self._conv(name, x)
        x = F.leaky_relu(self._conv(f"{name}.0", x), 0.2)
        return self._conv(f"{name}.4", F.leaky_relu(self._conv(f"{name}.2", x), 0.2))

    def _block(self, name: str, x: Tensor, heads: int, shift: int) -> Tensor:
        batch, height, width, _ = x.shape
        window, size, shifts = (1, self.window, self.window), (1, height, width), (0, shift, shift)
        rolled = self._norm(f"{name}.norm1", x).roll((-shift, -shift), (1, 2))
        tokens = partition(rolled[:, None], window)
        q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in self._linear(f"{name}.attn.qkv", tokens).chunk(3, 2))
        index = relative_index(window)
        bias = self.w[f"{name}.attn.relative_position_bias_table"][index.reshape(-1)].view(*index.shape, heads).permute(2, 0, 1)
        masks = window_masks(size, window, shifts).repeat(batch, 1, 1) if shift else None
        out = self._linear(f"{name}.attn.proj", softmax_attention(q, k, v, bias, masks))
        x = x + reverse(out, window, batch, size)[:, 0].roll((shift, shift), (1, 2))
        hidden = F.gelu(self._linear(f"{name}.mlp.fc1", self._norm(f"{name}.norm2", x)))
        return x + self._linear(f"{name}.mlp.fc2", hidden)

    def _head(self, x: Tensor, features: Tensor) -> Tensor:
        if self.upsampler == "":
            return x + self._conv("conv_last", features)
        if self.upsampler == "pixelshuffledirect":
            return F.pixel_shuffle(self._conv("upsample.0", features), self.upscale)
        y = F.leaky_relu(self._conv("conv_before_upsample.0", features))
        if self.upsampler == "pixelshuffle":
            for i, factor in enumerate([3] if self.upscale == 3 else [2] * int(math.log2(self.upscale))):
                y = F.pixel_shuffle(self._conv(f"upsample.{2 * i}", y), factor)
            return self._conv("conv_last", y)
        for name in ("conv_up1", "conv_up2")[: self.upscale // 2]:
            y = F.leaky_relu(self._conv(name, F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
        return self._conv("conv_last", F.leaky_relu(self._conv("conv_hr", y), 0.2))
