"""Temporal mutual self-attention: VRT's attention group (Liang et al., arXiv 2201.12288, section 3.2 and figure 2).

Volumes stay channels-last, (N, D, H, W, C), from one end of a group to the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import UsageError
from .attention import DropPath, attend, relative_bias, split_heads
from .residual import add_branch
from .windows import WindowLayout, attend_in_windows, effective_window, relative_position_index, window_layout


@dataclass(frozen=True)
class BlockOptions:
    """What all blocks of one group share."""

    dim: int
    heads: int
    #: Nominal attention window in frames, rows, columns; 2 frames where `mutual`.
    window: tuple[int, int, int]
    #: Whether two neighbouring frames also attend to each other.
    mutual: bool
    mlp_ratio: float = 2.0
    qkv_bias: bool = True
    qk_scale: float | None = None
    norm: Callable[[int], nn.Module] = nn.LayerNorm
    checkpoint_attention: bool = False
    checkpoint_mlp: bool = False


def position_code(rows: int, columns: int, channels: int, device: torch.device | None = None) -> Tensor:
    """The sine code (rows * columns, channels) that the mutual branch adds: half of the channels for rows, half for columns."""
    half = channels // 2
    component = torch.arange(half, dtype=torch.float32, device=device)
    period = 10000 ** (2 * torch.div(component, 2, rounding_mode="floor") / half)

    def encode(count: int) -> Tensor:
        position = torch.arange(1, count + 1, dtype=torch.float32, device=device) / (count + 1e-6) * (2 * math.pi)
        angle = position[:, None] / period
        return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

    by_row = encode(rows)[:, None].expand(-1, columns, -1)
    by_column = encode(columns)[None].expand(rows, -1, -1)
    return torch.cat((by_row, by_column), dim=2).flatten(0, 1)


class WindowAttention(nn.Module):
    """Self-attention over all tokens of a window, and mutual attention between its two frames; paper, equations 3 to 5."""

    def __init__(self, options: BlockOptions) -> None:
        super().__init__()
        dim, heads = options.dim, options.heads
        if dim % heads or (options.mutual and dim % 4):
            raise UsageError(
                f"attention of width {dim} can't have {heads} heads", hint="The width is a multiple of heads and of 4."
            )
        self.heads = heads
        self.scale = options.qk_scale if options.qk_scale is not None else (dim // heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.empty(math.prod(2 * w - 1 for w in options.window), heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.qkv_self = nn.Linear(dim, 3 * dim, bias=options.qkv_bias)
        self.qkv_mut = nn.Linear(dim, 3 * dim, bias=options.qkv_bias) if options.mutual else None
        self.proj = nn.Linear(2 * dim if options.mutual else dim, dim)

    def forward(self, tokens: Tensor, mask: Tensor | None, bias: Tensor, code: Tensor | None) -> Tensor:
        """(windows, n, C) with a bias (heads, n, n) and the mask (n, n) of these windows -> the same shape."""
        out = attend(*split_heads(self.qkv_self(tokens), self.heads), bias if mask is None else bias + mask, self.scale)
        if self.qkv_mut is not None and code is not None:
            out = torch.cat((self._mutual(tokens, mask, code), out), dim=2)
        return self.proj(out)

    def _mutual(self, tokens: Tensor, mask: Tensor | None, code: Tensor) -> Tensor:
        """What each frame's keys and values answer to the other frame's queries, in the slots of the frame that answers.

        Only the first frame's corner of the mask applies, to both, so that under a shift the clip's first and last frame do
        meet here: the published weights were trained that way.
        """
        windows, count, width = tokens.shape
        frames = tokens.view(2 * windows, count // 2, width) + code.to(tokens.dtype)
        q, k, v = split_heads(self.qkv_mut(frames), self.heads)  # type: ignore[misc]
        q = q.unflatten(0, (windows, 2)).flip(1).flatten(0, 1)
        corner = None if mask is None else mask[: count // 2, : count // 2]
        return attend(q, k, v, corner, self.scale).view(windows, count, width)


class Geglu(nn.Module):
    """fc2(gelu(fc11(x)) * fc12(x)) per token (Shazeer, arXiv 2002.05202)."""

    def __init__(self, dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.fc11 = nn.Linear(dim, hidden)
        self.fc12 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc11(x)) * self.fc12(x))


class TmsaBlock(nn.Module):
    """x + attention(norm1(x)), then x + GEGLU(norm2(x))."""

    def __init__(self, options: BlockOptions, drop_path: float) -> None:
        super().__init__()
        self.norm1 = options.norm(options.dim)
        self.attn = WindowAttention(options)
        self.norm2 = options.norm(options.dim)
        self.mlp = Geglu(options.dim, int(options.dim * options.mlp_ratio), options.dim)
        self.drop_path = DropPath(drop_path)
        self.checkpoint_attention = options.checkpoint_attention
        self.checkpoint_mlp = options.checkpoint_mlp

    def forward(self, x: Tensor, layout: WindowLayout, index: Tensor, code: Tensor | None) -> Tensor:
        """(N, D*H*W, C) -> the same shape."""
        bias = relative_bias(self.attn.relative_position_bias_table, index)
        factors = self.drop_path.draw(x), self.drop_path.draw(x)

        def attention(tokens: Tensor, mask: Tensor | None) -> Tensor:
            return _maybe_checkpoint(self.checkpoint_attention, self.attn, tokens, mask, bias, code)

        def finish(tokens: Tensor, attended: Tensor) -> Tensor:
            tokens = add_branch(tokens, attended, factors[0])
            return add_branch(tokens, _maybe_checkpoint(self.checkpoint_mlp, self._feed_forward, tokens), factors[1])

        return attend_in_windows(x, layout, self.norm1, attention, finish)

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        return self.mlp(self.norm2(tokens))


def _maybe_checkpoint(wanted: bool, function: Callable[..., Tensor], *arguments: object) -> Tensor:
    """Call a function, and where wanted recompute it in the backward pass instead of keeping its activations."""
    if wanted and torch.is_grad_enabled():
        return checkpoint(function, *arguments, use_reentrant=False)  # type: ignore[return-value]
    return function(*arguments)


class TmsaGroup(nn.Module):
    """Blocks in a row, alternately with unshifted and shifted windows. Tables and masks are made once per call, not stored."""

    def __init__(self, options: BlockOptions, drop_paths: Sequence[float]) -> None:
        super().__init__()
        self.options = options
        self.blocks = nn.ModuleList(TmsaBlock(options, rate) for rate in drop_paths)

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, H, W, C) -> the same shape. A mutual group wants at least a whole window in each axis."""
        nominal, device = self.options.window, x.device
        size = x.shape[1:4]
        window, shift = effective_window(size, nominal)
        plain = window_layout(size, window, (0, 0, 0), device)
        shifted = window_layout(size, window, shift, device) if any(shift) else plain
        tokens = math.prod(window)
        # Where a clip is shorter than the window, its frames are the first ones: the corner of the nominal table.
        index = relative_position_index(nominal, device)[:tokens, :tokens]
        code = position_code(nominal[1], nominal[2], x.shape[-1], device) if self.options.mutual else None
        out = x.flatten(1, 3)
        for number, block in enumerate(self.blocks):
            out = block(out, shifted if number % 2 else plain, index, code)
        return out.view(x.shape)
