"""VRT in the most literal form, as an oracle and as a baseline for speed: not for use.

It follows the description of the network step by step: softmax over whole logits, one mask per window, four sampler calls for
the input's corners, a loop over frames for the parallel warping, one sampler call per tap of the deformable convolution.
Nothing is shared with revivid but the weights: `ReferenceVRT(revivid_network.state_dict(), **the_same_hyperparameters)`.
Sizes must be whole (multiples of 8, at least 8 windows; pa_frames/2 + 1 frames).

Liang et al., "VRT: A Video Restoration Transformer", arXiv 2201.12288.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class ReferenceVRT:
    """Call with a clip (N, D, C, H, W) in [0, 1]; hyper-parameters have their published names."""

    def __init__(
        self, weights: Mapping[str, Tensor], *, depths: Sequence[int], embed_dims: Sequence[int], num_heads: Sequence[int],
        window_size: Sequence[int], pa_frames: int, deformable_groups: int = 16, upscale: int = 1,
        indep_reconsts: Sequence[int] = (), mul_attn_ratio: float = 0.75, nonblind_denoising: bool = False,
        **_: object,
    ) -> None:  # fmt: skip
        self.w = weights
        self.depths, self.dims, self.heads, self.window = depths, embed_dims, num_heads, tuple(window_size)
        self.reach, self.groups, self.upscale = pa_frames // 2, deformable_groups, upscale
        self.alone, self.ratio, self.nonblind = set(indep_reconsts), mul_attn_ratio, nonblind_denoising

    def __call__(self, clip: Tensor) -> Tensor:
        if not self.reach:
            return self._interpolate(clip)
        low = clip[:, :, :3]
        flows = [compose(*level, self.reach) for level in self._adjacent(low)]
        seen = torch.stack([self._see(clip, flows[0], j) for j in range(clip.shape[1])], 1)
        features = self._around_body(seen, flows)
        return torch.stack([self._head(features[:, j].permute(0, 3, 1, 2), low[:, j]) for j in range(clip.shape[1])], 1)

    # -- small layers -------------------------------------------------------------------------------------------------

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def _conv(self, name: str, x: Tensor, padding: int = 1) -> Tensor:
        weight = self.w[f"{name}.weight"]
        return F.conv2d(x, weight[:, :, 0] if weight.dim() == 5 else weight, self.w[f"{name}.bias"], padding=padding)

    def _geglu(self, name: str, x: Tensor) -> Tensor:
        return self._linear(f"{name}.fc2", F.gelu(self._linear(f"{name}.fc11", x)) * self._linear(f"{name}.fc12", x))

    # -- input, body, head --------------------------------------------------------------------------------------------

    def _see(self, clip: Tensor, flows: tuple[list[Tensor], list[Tensor]], j: int) -> Tensor:
        """A frame with the corners of its neighbours."""
        low, last = clip[:, :, :3], clip.shape[1] - 1
        nothing = torch.zeros_like(low[:, 0]).repeat(1, 4, 1, 1)
        later = corners(low[:, j + 1], flows[0][0][:, j]) if j < last else nothing
        earlier = corners(low[:, j - 1], flows[1][0][:, j - 1]) if j > 0 else nothing
        return torch.cat([low[:, j], later, earlier, clip[:, j, 3:]], 1)

    def _around_body(self, seen: Tensor, flows: Sequence) -> Tensor:
        first = torch.stack([self._conv("conv_first", frame) for frame in seen.unbind(1)], 1).permute(0, 1, 3, 4, 2)
        x1 = self._stage(1, first, flows)
        x2 = self._stage(2, x1, flows)
        x3 = self._stage(3, x2, flows)
        y = self._stage(5, self._stage(4, x3, flows), flows)
        y = self._stage(6, y + x3, flows)
        y = self._stage(7, y + x2, flows) + x1
        y = self._linear("stage8.0.2", self._norm("stage8.0.1", y))
        for k in range(7, len(self.depths)):
            window = (1, *self.window[1:]) if k in self.alone else self.window
            name = f"stage8.{k - 6}"
            y = y + self._linear(
                f"{name}.linear", self._group(f"{name}.residual_group", y, window, self.heads[k], self.depths[k])
            )
        return first + self._linear("conv_after_body", self._norm("norm", y))

    def _head(self, x: Tensor, low: Tensor) -> Tensor:
        if self.upscale == 1:
            return low + self._conv("conv_last", x)
        x = F.leaky_relu(self._conv("conv_before_upsample.0", x), 0.01)
        factors = [3] if self.upscale == 3 else [2] * int(math.log2(self.upscale))
        for i, factor in enumerate(factors):
            x = F.leaky_relu(F.pixel_shuffle(self._conv(f"upsample.{5 * i}", x), factor), 0.1)
        x = self._conv("conv_last", self._conv(f"upsample.{5 * len(factors)}", x))
        return x + F.interpolate(low, size=x.shape[2:], mode="bilinear", align_corners=False)

    def _interpolate(self, clip: Tensor) -> Tensor:
        mean = clip.mean((1, 3, 4), keepdim=True)
        features = self._around_body(clip - mean, [None] * 4)
        stacked = torch.cat([frame.permute(0, 3, 1, 2) for frame in features.unbind(1)], 1)
        fused = F.leaky_relu(self._conv("linear_fuse", stacked, 0), 0.2)
        out = self._conv("conv_last", F.pad(fused, (3, 3, 3, 3), mode="reflect"), 0)
        return out.unflatten(1, (-1, 3)) + mean

    # -- stages -------------------------------------------------------------------------------------------------------

    def _stage(self, i: int, x: Tensor, flows: Sequence) -> Tensor:
        scale = (1, 2, 4, 8, 4, 2, 1)[i - 1]
        name, heads, depth = f"stage{i}", self.heads[i - 1], self.depths[i - 1]
        if i in (2, 3, 4):
            cells = [x[:, :, r::2, c::2] for c in (0, 1) for r in (0, 1)]
            x = torch.cat(cells, -1)
        elif i in (5, 6, 7):
            small = x
            x = small.new_empty(*small.shape[:2], 2 * small.shape[2], 2 * small.shape[3], small.shape[4] // 4)
            for part, (c, r) in zip(small.chunk(4, -1), ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
                x[:, :, r::2, c::2] = part
        x = self._norm(f"{name}.reshape.1", x)
        if i > 1:
            x = self._linear(f"{name}.reshape.2", x)
        mutual = int(depth * self.ratio)
        pair = (2, *self.window[1:])
        x = x + self._linear(f"{name}.linear1", self._group(f"{name}.residual_group1", x, pair, heads, mutual, mutual=True))
        own = self._group(f"{name}.residual_group2", x, self.window, heads, depth - mutual)
        x = x + self._linear(f"{name}.linear2", own)
        return self._fuse_neighbours(name, x, flows[int(math.log2(scale))], 10 / scale) if self.reach else x

    def _fuse_neighbours(self, name: str, x: Tensor, flows: tuple[list[Tensor], list[Tensor]], limit: float) -> Tensor:
        maps = x.permute(0, 1, 4, 2, 3)
        count = maps.shape[1]
        fused = []
        for j in range(count):
            sides = []
            for side in (0, 1):
                sources, guides = [], []
                for k in range(1, self.reach + 1):
                    source = j + k if side == 0 else j - k
                    inside = 0 <= source < count
                    sources.append(maps[:, source] if inside else torch.zeros_like(maps[:, 0]))
                    at = j if side == 0 else source
                    guides.append(flows[side][k - 1][:, at] if inside else torch.zeros_like(flows[0][0][:, 0]))
                exists = j + 1 < count if side == 0 else j > 0
                sides.append(self._align(name, sources, guides, maps[:, j], limit) if exists else torch.zeros_like(maps[:, j]))
            stacked = torch.cat([maps[:, j], *sides], 1).permute(0, 2, 3, 1)
            fused.append(self._geglu(f"{name}.pa_fuse", stacked))
        return torch.stack(fused, 1)

    def _align(self, name: str, sources: list[Tensor], flows: list[Tensor], target: Tensor, limit: float) -> Tensor:
        warped = [warp(source, flow) for source, flow in zip(sources, flows, strict=True)]
        x = torch.cat([*warped, target, *flows], 1)
        for layer in (0, 2, 4):
            x = F.leaky_relu(self._conv(f"{name}.pa_deform.conv_offset.{layer}", x), 0.1)
        first, second, gate = self._conv(f"{name}.pa_deform.conv_offset.6", x).chunk(3, 1)
        offsets = limit * torch.tanh(torch.cat([first, second], 1))
        size = offsets.shape[1] // len(flows)
        offsets = offsets + torch.cat([flow.flip(1).repeat(1, size // 2, 1, 1) for flow in flows], 1)
        weight, bias = self.w[f"{name}.pa_deform.weight"], self.w[f"{name}.pa_deform.bias"]
        return deform_conv(torch.cat(sources, 1), offsets, gate.sigmoid(), weight, bias, self.groups)

    # -- attention ----------------------------------------------------------------------------------------------------

    def _group(self, name: str, x: Tensor, window: tuple, heads: int, depth: int, mutual: bool = False) -> Tensor:
        size = x.shape[1:4]
        used = tuple(min(s, w) for s, w in zip(size, window, strict=True))
        shift = tuple(0 if s <= w else w // 2 for s, w in zip(size, window, strict=True))
        for block in range(depth):
            here = shift if block % 2 else (0, 0, 0)
            x = x + self._attend(f"{name}.blocks.{block}", x, window, used, here, heads, mutual)
            x = x + self._geglu(f"{name}.blocks.{block}.mlp", self._norm(f"{name}.blocks.{block}.norm2", x))
        return x

    def _attend(self, name: str, x: Tensor, window: tuple, used: tuple, shift: tuple, heads: int, mutual: bool) -> Tensor:
        batch, frames, height, width, _ = x.shape
        t = self._norm(f"{name}.norm1", x)
        missing = [-s % u for s, u in zip(x.shape[1:4], used, strict=True)]
        t = F.pad(t, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        padded = t.shape[1:4]
        tokens = partition(t.roll([-s for s in shift], (1, 2, 3)), used)
        masks = window_masks(padded, used, shift).repeat(batch, 1, 1) if any(shift) else None
        out = self._self_attention(f"{name}.attn", tokens, window, heads, masks)
        if mutual:
            out = torch.cat([self._mutual_attention(f"{name}.attn", tokens, window, heads, masks), out], -1)
        out = self._linear(f"{name}.attn.proj", out)
        whole = reverse(out, used, batch, padded).roll(shift, (1, 2, 3))
        return whole[:, :frames, :height, :width]

    def _self_attention(self, name: str, tokens: Tensor, window: tuple, heads: int, masks: Tensor | None) -> Tensor:
        count = tokens.shape[1]
        index = relative_index(window)[:count, :count]
        table = self.w[f"{name}.relative_position_bias_table"]
        bias = table[index.reshape(-1)].view(count, count, heads).permute(2, 0, 1)
        return softmax_attention(*self._heads(f"{name}.qkv_self", tokens, heads), bias, masks)

    def _mutual_attention(self, name: str, tokens: Tensor, window: tuple, heads: int, masks: Tensor | None) -> Tensor:
        half = tokens.shape[1] // 2
        code = sine_code(window[1], window[2], tokens.shape[2]).repeat(2, 1)
        q, k, v = self._heads(f"{name}.qkv_mut", tokens + code, heads)
        corner = None if masks is None else masks[:, :half, :half]
        first = softmax_attention(q[:, :, half:], k[:, :, :half], v[:, :, :half], None, corner)
        second = softmax_attention(q[:, :, :half], k[:, :, half:], v[:, :, half:], None, corner)
        return torch.cat([first, second], 1)

    def _heads(self, name: str, tokens: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in self._linear(name, tokens).chunk(3, 2))
        return q, k, v

    # -- flow ---------------------------------------------------------------------------------------------------------

    def _adjacent(self, low: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Flows to the next frame and back at four scales, pair by pair."""
        last = low.shape[1] - 1
        onward = [self._flow(low[:, j], low[:, j + 1]) for j in range(last)]
        back = [self._flow(low[:, j + 1], low[:, j]) for j in range(last)]
        return [(torch.stack([f[s] for f in onward], 1), torch.stack([f[s] for f in back], 1)) for s in range(4)]

    def _flow(self, reference: Tensor, support: Tensor) -> list[Tensor]:
        height, width = reference.shape[2:]
        size = (32 * -(-height // 32), 32 * -(-width // 32))
        mean, std = (reference.new_tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        pair = [
            (F.interpolate(image, size, mode="bilinear", align_corners=False) - mean) / std for image in (reference, support)
        ]
        pyramid = [pair]
        for _ in range(5):
            pyramid.insert(0, [F.avg_pool2d(image, 2) for image in pyramid[0]])
        flow = torch.zeros_like(pyramid[0][0][:, :2])
        wanted = []
        for level, (ref, supp) in enumerate(pyramid):
            if level:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            x = torch.cat([ref, warp(supp, flow, "border"), flow], 1)
            for layer in (0, 2, 4, 6, 8):
                x = self._conv(f"spynet.basic_module.{level}.basic_module.{layer}", F.relu(x) if layer else x, 3)
            flow = flow + x
            if level >= 2:
                h, w = height >> (5 - level), width >> (5 - level)
                ratio = flow.new_tensor([w / flow.shape[3], h / flow.shape[2]]).view(1, 2, 1, 1)
                wanted.insert(0, F.interpolate(flow, (h, w), mode="bilinear", align_corners=False) * ratio)
        return wanted


def compose(onward: Tensor, back: Tensor, reach: int) -> tuple[list[Tensor], list[Tensor]]:
    """Flows over 1..reach frames: [k-1][:, j] goes from frame j to j+k, and from frame j+k to j."""
    far, near = [onward], [back]
    for k in range(1, reach):
        count = onward.shape[1] - k
        far.append(torch.stack([far[-1][:, j] + warp(onward[:, j + k], far[-1][:, j]) for j in range(count)], 1))
        near.append(torch.stack([near[-1][:, j + 1] + warp(back[:, j], near[-1][:, j + 1]) for j in range(count)], 1))
    return far, near


def sample(source: Tensor, x: Tensor, y: Tensor, mode: str = "bilinear", padding: str = "zeros") -> Tensor:
    """`source` (N, C, H, W) at pixel coordinates (N, h, w)."""
    grid = torch.stack([2 * x / max(source.shape[3] - 1, 1) - 1, 2 * y / max(source.shape[2] - 1, 1) - 1], -1)
    return F.grid_sample(source, grid, mode=mode, padding_mode=padding, align_corners=True)


def targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel's flow points."""
    rows, columns = torch.meshgrid(torch.arange(flow.shape[2]), torch.arange(flow.shape[3]), indexing="ij")
    return columns + flow[:, 0], rows + flow[:, 1]


def warp(source: Tensor, flow: Tensor, padding: str = "zeros") -> Tensor:
    return sample(source, *targets(flow), padding=padding)


def corners(source: Tensor, flow: Tensor) -> Tensor:
    """The four nearest pixels of each target, column first."""
    x, y = targets(flow)
    return torch.cat([sample(source, u, v, "nearest") for u in (x.floor(), x.ceil()) for v in (y.floor(), y.ceil())], 1)


def deform_conv(x: Tensor, offsets: Tensor, gates: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
    """Modulated deformable 3x3 convolution, tap by tap."""
    batch, channels, height, width = x.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    source = x.reshape(batch * groups, channels // groups, height, width)
    offsets = offsets.reshape(batch * groups, 9, 2, height, width)
    gates = gates.reshape(batch * groups, 9, 1, height, width)
    out = bias.view(1, -1, 1, 1)
    for tap in range(9):
        y, at = rows + tap // 3 - 1 + offsets[:, tap, 0], columns + tap % 3 - 1 + offsets[:, tap, 1]
        taken = (sample(source, at, y) * gates[:, tap]).view(batch, channels, height, width)
        out = out + F.conv2d(taken, weight[:, :, tap // 3, tap % 3, None, None], groups=channels // weight.shape[1])
    return out


def softmax_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, masks: Tensor | None) -> Tensor:
    """(windows, heads, n, width) -> (windows, n, C), with all logits at once."""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if bias is not None:
        logits = logits + bias
    if masks is not None:
        logits = logits + masks[:, None]
    return (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)


def partition(x: Tensor, window: tuple) -> Tensor:
    """(N, D, H, W, C) -> (windows, n, C)."""
    n, d, h, w, c = x.shape
    cut = x.view(n, d // window[0], window[0], h // window[1], window[1], w // window[2], window[2], c)
    return cut.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, math.prod(window), c)


def reverse(tokens: Tensor, window: tuple, batch: int, size: Sequence[int]) -> Tensor:
    """The inverse of `partition`."""
    counts = [s // w for s, w in zip(size, window, strict=True)]
    return tokens.view(batch, *counts, *window, -1).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(batch, *size, -1)


def window_masks(size: Sequence[int], window: tuple, shift: tuple) -> Tensor:
    """(windows, n, n): 0 where two tokens carry the same label, -100 elsewhere."""
    labels = []
    for s, w, k in zip(size, window, shift, strict=True):
        position = torch.arange(s)
        labels.append((position >= s - w).long() + (position >= s - k).long() if k else torch.zeros(s, dtype=torch.long))
    grid = torch.stack(torch.meshgrid(*labels, indexing="ij"), -1)[None]
    tokens = partition(grid, window)
    same = (tokens[:, :, None] == tokens[:, None, :]).all(-1)
    return torch.where(same, 0.0, -100.0)


def relative_index(window: tuple) -> Tensor:
    d, h, w = (axis.flatten() for axis in torch.meshgrid(*map(torch.arange, window), indexing="ij"))
    wd, wh, ww = window
    apart = [axis[:, None] - axis[None] for axis in (d, h, w)]
    return ((apart[0] + wd - 1) * (2 * wh - 1) + apart[1] + wh - 1) * (2 * ww - 1) + apart[2] + ww - 1


def sine_code(rows: int, columns: int, channels: int) -> Tensor:
    half = channels // 2
    code = torch.empty(rows, columns, channels)
    for i in range(half):
        period = 10000 ** (2 * (i // 2) / half)
        wave = torch.cos if i % 2 else torch.sin
        code[:, :, i] = wave((torch.arange(rows) + 1) / (rows + 1e-6) * 2 * math.pi / period)[:, None]
        code[:, :, half + i] = wave((torch.arange(columns) + 1) / (columns + 1e-6) * 2 * math.pi / period)
    return code.flatten(0, 1)
