"""Multi-head attention inside windows, the form chosen by what is fastest for the size and type at hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Windows up to this many tokens run the plain form in half precision on a CPU (8x8 windows, width 180, AVX512-BF16: 45 ms
#: plain against 51 ms fused); everywhere else the fused kernel is faster and holds no logits.
PLAIN_TOKENS = 64


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """(windows, tokens, 3C), ordered [q | k | v], heads outermost in each -> three of (windows, heads, tokens, C / heads)."""
    windows, tokens, width = qkv.shape
    q, k, v = qkv.view(windows, tokens, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
    return q, k, v


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float, dropout: float = 0.0) -> Tensor:
    """softmax(scale * q k^T + bias) v over (windows, heads, tokens, width), heads joined again: (windows, tokens, C).

    `bias` is (heads, tokens, tokens) or (tokens, tokens), the same for all windows. `dropout` is the probability of dropping
    an attention weight; give 0 outside training.
    """
    learns_bias = bias is not None and bias.requires_grad and torch.is_grad_enabled()
    if q.device.type == "cpu" and (learns_bias or (_half(q) and q.shape[-2] <= PLAIN_TOKENS)):
        logits = (q * scale) @ k.transpose(-2, -1)
        weights = (logits if bias is None else logits + bias).softmax(-1)
        out = F.dropout(weights, dropout).to(v.dtype) @ v
    else:
        if bias is not None:
            # A bias that requires grad sends the fused kernel down its slow path even where no gradient is wanted.
            bias = (bias if learns_bias else bias.detach()).to(q.dtype).expand(1, q.shape[1], -1, -1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout, scale=scale)
    return out.transpose(1, 2).flatten(2)


def _half(x: Tensor) -> bool:
    return x.dtype in (torch.bfloat16, torch.float16)


def relative_bias(table: Tensor, index: Tensor) -> Tensor:
    """Gather a table (entries, heads) by `windows.relative_position_index` (tokens, tokens): (heads, tokens, tokens)."""
    return table.t().contiguous().index_select(1, index.flatten()).view(-1, *index.shape)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): in training, drop a sample's residual branch with probability `rate`."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        factor = self.draw(x)
        return x if factor is None else x * factor

    def draw(self, x: Tensor) -> Tensor | None:
        """The factor of each sample's branch in `x` (N, ...); None stands for 1. Drawn once where the branch comes in pieces."""
        if not self.training or self.rate == 0:
            return None
        keep = 1 - self.rate
        shape = (x.shape[0],) + (1,) * (x.dim() - 1)
        return (torch.rand(shape, device=x.device) < keep).to(x.dtype) / keep


def path_rates(highest: float, blocks: int) -> list[float]:
    """The drop rate of each block, rising evenly from 0 to `highest`."""
    return [highest * i / max(1, blocks - 1) for i in range(blocks)]
