"""SwinIR: single-image super-resolution, denoising and JPEG artefact removal with shifted-window attention.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: "SwinIR: Image Restoration Using Swin Transformer", ICCV Workshops 2021,
arXiv 2108.10257. Published weights: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import lcm

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import ShapeError, UsageError
from ..layers.attention import DropPath, attend, path_rates, relative_bias, split_heads
from ..layers.fused import linear_add, linear_gelu
from ..layers.mirror import mirror
from ..layers.residual import add_branch
from ..layers.windows import WindowLayout, attend_in_windows, relative_position_index, window_layout
from .published import without_derived
from .traits import Traits

#: Mean of DIV2K in RGB; a constant of the network, not of its checkpoints.
RGB_MEAN = (0.4488, 0.4371, 0.4040)
FEATURES = 64


class WindowAttention(nn.Module):
    """Self-attention over the tokens of each window with a learned bias per relative position.

    The call gives the heads' answers; `onto` projects them and adds them to what came in.
    """

    def __init__(self, dim: int, window: int, heads: int, *,
                 qkv_bias: bool, scale: float | None, attn_drop: float, drop: float) -> None:  # fmt: skip
        super().__init__()
        self.heads = heads
        self.scale = scale if scale is not None else (dim // heads) ** -0.5
        self.attn_drop = attn_drop
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(drop)

    def forward(self, tokens: Tensor, mask: Tensor | None, bias: Tensor) -> Tensor:
        """(windows, w*w, C) with the bias (heads, w*w, w*w) and the mask (w*w, w*w) of these windows -> the same shape."""
        q, k, v = split_heads(self.qkv(tokens), self.heads)
        return attend(q, k, v, bias if mask is None else bias + mask, self.scale, self.attn_drop if self.training else 0.0)

    def onto(self, tokens: Tensor, attended: Tensor, factor: Tensor | None) -> Tensor:
        """tokens + factor * projection, all (N, n, C)."""
        return _onto(tokens, self.proj, attended, self.proj_drop, factor)


class Mlp(nn.Module):
    """Two linear layers with GELU between them, per token."""

    def __init__(self, dim: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def onto(self, tokens: Tensor, x: Tensor, factor: Tensor | None) -> Tensor:
        """tokens + factor * mlp(x), all (N, n, C)."""
        return _onto(tokens, self.fc2, self.drop(linear_gelu(self.fc1, x)), self.drop, factor)


def _onto(tokens: Tensor, linear: nn.Linear, x: Tensor, drop: nn.Dropout, factor: Tensor | None) -> Tensor:
    """tokens + factor * drop(linear(x)), in one pass where nothing is dropped."""
    if not drop.training and factor is None:
        return linear_add(linear, x, tokens)
    return add_branch(tokens, drop(linear(x)), factor)


class Block(nn.Module):
    """x + attention(norm1(x)), then x + mlp(norm2(x)); paper, equation 8."""

    def __init__(self, dim: int, window: int, heads: int, hidden: int, path_rate: float, drop: float, attn_drop: float,
                 qkv_bias: bool, qk_scale: float | None, norm: Callable[[int], nn.Module]) -> None:  # fmt: skip
        super().__init__()
        self.norm1 = norm(dim)
        self.attn = WindowAttention(dim, window, heads, qkv_bias=qkv_bias, scale=qk_scale, attn_drop=attn_drop, drop=drop)
        self.norm2 = norm(dim)
        self.mlp = Mlp(dim, hidden, drop)
        self.drop_path = DropPath(path_rate)

    def forward(self, x: Tensor, layout: WindowLayout, index: Tensor) -> Tensor:
        """(N, H*W, C) with the window layout of this block's shift -> the same shape."""
        attention = partial(self.attn, bias=relative_bias(self.attn.relative_position_bias_table, index))
        factors = self.drop_path.draw(x), self.drop_path.draw(x)

        def finish(tokens: Tensor, attended: Tensor) -> Tensor:
            tokens = self.attn.onto(tokens, attended, factors[0])
            return self.mlp.onto(tokens, self.norm2(tokens), factors[1])

        return attend_in_windows(x, layout, self.norm1, attention, finish)


class ResidualGroup(nn.Module):
    """Blocks, alternately unshifted and shifted, then a convolution, plus the input (RSTB; paper, figure 2a)."""

    def __init__(self, blocks: Sequence[Block], conv: nn.Module, use_checkpoint: bool) -> None:
        super().__init__()
        self.residual_group = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})
        self.conv = conv
        self.use_checkpoint = use_checkpoint

    def forward(self, x: Tensor, layouts: tuple[WindowLayout, WindowLayout], index: Tensor, height: int) -> Tensor:
        tokens = x
        for number, block in enumerate(self.residual_group["blocks"]):  # type: ignore[arg-type]
            if self.use_checkpoint and self.training:
                tokens = checkpoint(block, tokens, layouts[number % 2], index, use_reentrant=False)
            else:
                tokens = block(tokens, layouts[number % 2], index)
        return x + to_tokens(self.conv(to_image(tokens, height)))


def to_image(tokens: Tensor, height: int) -> Tensor:
    """(N, H*W, C) -> (N, C, H, W) as a view, which is channels_last in memory."""
    return tokens.unflatten(1, (height, -1)).permute(0, 3, 1, 2)


def to_tokens(image: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H*W, C)."""
    return image.permute(0, 2, 3, 1).flatten(1, 2)


def _connection(dim: int, kind: str) -> nn.Module:
    """The convolution that closes a residual group: `1conv`, or the lighter `3conv` of the large real-world model."""
    if kind == "1conv":
        return nn.Conv2d(dim, dim, 3, 1, 1)
    narrow = dim // 4
    return nn.Sequential(
        nn.Conv2d(dim, narrow, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(narrow, narrow, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, dim, 3, 1, 1),
    )  # fmt: skip


class SwinIR(nn.Module):
    """Image (N, in_chans, H, W), RGB or grey in [0, 1] -> (N, in_chans, scale*H, scale*W), not clamped.

        image -> reflect to windows -> centre -> conv_first -+-> residual groups -> norm -> conv_after_body -+-> head -> crop
                                                             +-----------------------------------------------+

    Every size works: the image is reflected at the bottom and right to whole windows and the result cropped. One output pixel
    depends on at most (blocks * window + convolutions) pixels around it; in practice the tiler overlaps by 32.
    The scale is `upscale`, except that `upsampler=''` (denoising, JPEG) always keeps the size.

    Published settings: paper, section 4.1; `mlp_ratio=2`, window 8 (JPEG: 7 and `img_range=255`). `img_size` matters only for
    `ape`, and where it is no larger than the window, which then shrinks to it and never shifts.
    Raises `UsageError` for hyper-parameters that can't work and `ShapeError` for inputs that aren't such images.
    """

    mean: Tensor

    def __init__(
        self,
        img_size: int | Sequence[int] = 64, patch_size: int = 1, in_chans: int = 3, embed_dim: int = 96,
        depths: Sequence[int] = (6, 6, 6, 6), num_heads: Sequence[int] = (6, 6, 6, 6), window_size: int = 7,
        mlp_ratio: float = 4.0, qkv_bias: bool = True, qk_scale: float | None = None, drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0, drop_path_rate: float = 0.1, norm_layer: Callable[[int], nn.Module] = nn.LayerNorm,
        ape: bool = False, patch_norm: bool = True, use_checkpoint: bool = False, upscale: int = 2, img_range: float = 1.0,
        upsampler: str = "", resi_connection: str = "1conv",
    ) -> None:  # fmt: skip
        super().__init__()
        _check(patch_size, embed_dim, depths, num_heads, upscale, upsampler, resi_connection)
        self.img_size = (img_size, img_size) if isinstance(img_size, int) else (img_size[0], img_size[1])
        self.window = min(window_size, *self.img_size)
        self.shift = window_size // 2 if min(self.img_size) > window_size else 0
        self.multiple = lcm(window_size, self.window)
        self.img_range = img_range
        self.upsampler = upsampler
        self.scale = upscale if upsampler else 1
        self.in_chans = in_chans
        mean = RGB_MEAN if in_chans == 3 else (0.0,) * in_chans
        self.register_buffer("mean", torch.tensor(mean).view(1, in_chans, 1, 1), persistent=False)

        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, 1, 1)
        self.patch_embed = nn.ModuleDict({"norm": norm_layer(embed_dim)} if patch_norm else {})
        self.absolute_pos_embed = nn.Parameter(torch.zeros(1, self.img_size[0] * self.img_size[1], embed_dim)) if ape else None
        self.pos_drop = nn.Dropout(drop_rate)
        rates = iter(path_rates(drop_path_rate, sum(depths)))
        self.layers = nn.ModuleList(
            ResidualGroup(
                [
                    Block(embed_dim, self.window, heads, int(embed_dim * mlp_ratio), next(rates), drop_rate, attn_drop_rate,
                          qkv_bias, qk_scale, norm_layer)
                    for _ in range(depth)
                ],
                _connection(embed_dim, resi_connection),
                use_checkpoint,
            )
            for depth, heads in zip(depths, num_heads, strict=True)
        )  # fmt: skip
        self.norm = norm_layer(embed_dim)
        self.conv_after_body = _connection(embed_dim, resi_connection)
        self._make_head(embed_dim)
        self.apply(_initialise)
        self.traits = Traits(
            tasks=("super-resolve",) if self.scale > 1 else ("deartifact",) if img_range == 255 else ("denoise",),
            kind="image", scale=self.scale, channels=in_chans, size_multiple=self.multiple,
            tile_multiple=self.multiple, overlap=32, bytes_per_pixel=max(25 * embed_dim, 12 * embed_dim + self._head_bytes()),
            licence="Apache-2.0",
            paper='Liang et al., "SwinIR: Image Restoration Using Swin Transformer", ICCV Workshops 2021',
        )  # fmt: skip

    def _make_head(self, dim: int) -> None:
        """The layers from features to image, under their published names."""
        if self.upsampler == "":
            self.conv_last = nn.Conv2d(dim, self.in_chans, 3, 1, 1)
            return
        if self.upsampler == "pixelshuffledirect":
            self.upsample = nn.Sequential(nn.Conv2d(dim, self.scale**2 * self.in_chans, 3, 1, 1), nn.PixelShuffle(self.scale))
            return
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(dim, FEATURES, 3, 1, 1), nn.LeakyReLU(0.01))
        if self.upsampler == "pixelshuffle":
            factors = [3] if self.scale == 3 else [2] * (self.scale.bit_length() - 1)
            steps = ((nn.Conv2d(FEATURES, FEATURES * f * f, 3, 1, 1), nn.PixelShuffle(f)) for f in factors)
            self.upsample = nn.Sequential(*(layer for step in steps for layer in step))
        else:
            self.conv_up1 = nn.Conv2d(FEATURES, FEATURES, 3, 1, 1)
            if self.scale == 4:
                self.conv_up2 = nn.Conv2d(FEATURES, FEATURES, 3, 1, 1)
            self.conv_hr = nn.Conv2d(FEATURES, FEATURES, 3, 1, 1)
        self.conv_last = nn.Conv2d(FEATURES, self.in_chans, 3, 1, 1)

    def _head_bytes(self) -> float:
        """Peak memory of the head per input pixel: maps at the output's size, two for a shuffle, three for nearest neighbours."""
        maps = {"pixelshuffle": 2.2, "nearest+conv": 2.8}.get(self.upsampler, 0)
        return 4 * FEATURES * self.scale**2 * maps

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Drop the index tables and masks that published checkpoints store and this network derives."""
        tokens = self.window**2
        derived: dict[str, tuple[int, ...] | None] = {}
        for name, module in self.named_modules():
            if isinstance(module, Block):
                derived[f"{name}.attn.relative_position_index"] = (tokens, tokens)
                derived[f"{name}.attn_mask"] = None  # as many windows as fit the training size, which is of no consequence
        return without_derived(state_dict, derived)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_chans, H, W) in [0, 1] -> (N, in_chans, scale*H, scale*W)."""
        if image.dim() != 4 or image.shape[1] != self.in_chans or 0 in image.shape:
            raise ShapeError(f"SwinIR takes images (N, {self.in_chans}, H, W), not {tuple(image.shape)}")
        height, width = image.shape[-2:]
        for axis in (2, 3):
            image = mirror(image, axis, -(-image.shape[axis] // self.multiple) * self.multiple, repeat_edge=False)
        if self.absolute_pos_embed is not None and tuple(image.shape[-2:]) != self.img_size:
            raise ShapeError(
                f"with ape=True SwinIR takes only images of {self.img_size} pixels, not {height}x{width}",
                hint="Build it with this img_size, or with ape=False.",
            )
        x = (image - self.mean) * self.img_range
        first = self.conv_first(x.contiguous(memory_format=torch.channels_last))
        y = self._head(x, self.conv_after_body(self._deep(first)) + first)
        y = y / self.img_range + self.mean
        return y[..., : height * self.scale, : width * self.scale].contiguous()

    def _deep(self, first: Tensor) -> Tensor:
        """The residual groups between `conv_first` and `conv_after_body`, on tokens."""
        _, _, height, width = first.shape
        size, window = (1, height, width), (1, self.window, self.window)
        shifts = ((0, 0, 0), (0, self.shift, self.shift))
        plain, shifted = (window_layout(size, window, shift, first.device) for shift in shifts)
        index = relative_position_index(window, first.device)
        tokens = to_tokens(first)
        if "norm" in self.patch_embed:
            tokens = self.patch_embed["norm"](tokens)
        if self.absolute_pos_embed is not None:
            tokens = tokens + self.absolute_pos_embed
        tokens = self.pos_drop(tokens)
        for group in self.layers:
            tokens = group(tokens, (plain, shifted), index, height)
        return to_image(self.norm(tokens), height)

    def _head(self, x: Tensor, features: Tensor) -> Tensor:
        if self.upsampler == "":
            return x + self.conv_last(features)
        if self.upsampler == "pixelshuffledirect":
            return self.upsample(features)
        y = self.conv_before_upsample(features)
        if self.upsampler == "pixelshuffle":
            return self.conv_last(self.upsample(y))
        convs = [self.conv_up1, self.conv_up2] if self.scale == 4 else [self.conv_up1]
        for conv in convs:
            y = F.leaky_relu(conv(F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), 0.2))


def _check(
    patch_size: int, embed_dim: int, depths: Sequence[int], heads: Sequence[int], upscale: int, upsampler: str, connection: str
) -> None:
    """Raise `UsageError` for hyper-parameters that no SwinIR can have."""
    scales = {
        "": range(1, 1 << 10),
        "pixelshuffle": (1, 2, 3, 4, 8, 16),
        "pixelshuffledirect": range(1, 1 << 10),
        "nearest+conv": (2, 4),
    }
    if upsampler not in scales:
        raise UsageError(f"SwinIR has no upsampler {upsampler!r}", hint=f"Known: {', '.join(map(repr, scales))}.")
    if upscale not in scales[upsampler]:
        raise UsageError(f"SwinIR's upsampler {upsampler!r} can't do upscale={upscale}", hint=f"It does {scales[upsampler]}.")
    if connection not in ("1conv", "3conv"):
        raise UsageError(f"SwinIR has no resi_connection {connection!r}", hint="Known: '1conv', '3conv'.")
    if patch_size != 1:
        raise UsageError(f"SwinIR works on single pixels: patch_size must be 1, not {patch_size}")
    if len(depths) != len(heads) or any(embed_dim % h for h in heads):
        raise UsageError(
            f"SwinIR wants a head count per group that divides embed_dim: embed_dim={embed_dim}, depths={list(depths)}, "
            f"num_heads={list(heads)}"
        )


def _initialise(module: nn.Module) -> None:
    """As published: truncated normals of std 0.02 for linear layers and bias tables, PyTorch's defaults for the rest."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
    elif isinstance(module, SwinIR) and module.absolute_pos_embed is not None:
        nn.init.trunc_normal_(module.absolute_pos_embed, std=0.02)
