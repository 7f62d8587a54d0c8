"""VRT: a clip-to-clip transformer for video super-resolution, deblurring, denoising and frame interpolation.

Liang, Cao, Fan, Zhang, Ranjan, Li, Timofte, Van Gool: "VRT: A Video Restoration Transformer", arXiv 2201.12288 (IEEE
Transactions on Image Processing, 2024). Published weights: CC-BY-NC 4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.attention import path_rates
from ..layers.mirror import mirror
from ..layers.neighbours import GuidedAlignment, Neighbours, align_neighbours, neighbour_flows, neighbours
from ..layers.spynet import SPyNet
from ..layers.tmsa import BlockOptions, Geglu, TmsaGroup
from ..layers.warp import warp_corners
from ..layers.windows import in_chunks
from .published import without_derived
from .traits import Traits

#: Each of the seven stages works at 1/scale of the input's resolution.
SCALES = (1, 2, 4, 8, 4, 2, 1)
FEATURES = 64
#: Output pixels that go through the super-resolving head at a time.
HEAD_PIXELS = 1 << 20


class FrameConv(nn.Conv3d):
    """A 3x3 convolution of single frames (M, C, H, W) whose weight is published as (out, in, 1, 3, 3)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, (1, 3, 3))

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input.contiguous(memory_format=torch.channels_last), self.weight.squeeze(2), self.bias, padding=1)


class Fold(nn.Module):
    """(N, D, H, W, C) -> (N, D, H/2, W/2, 4C): each 2x2 cell into channels, column offset outermost, then row offset."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).permute(0, 1, 2, 4, 5, 3, 6).flatten(4)


class Unfold(nn.Module):
    """The inverse of `Fold`: (N, D, H, W, 4C) -> (N, D, 2H, 2W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(4, (2, 2, -1)).permute(0, 1, 2, 5, 3, 4, 6).flatten(4, 5).flatten(2, 3)


class Stage(nn.Module):
    """Change of scale, mutual attention, self-attention, then parallel warping and fusion; paper, figure 2."""

    def __init__(
        self, reshape: nn.Sequential, mutual: TmsaGroup, own: TmsaGroup, dim: int, alignment: GuidedAlignment | None
    ) -> None:
        super().__init__()
        self.reshape = reshape
        self.residual_group1 = mutual
        self.linear1 = nn.Linear(dim, dim)
        self.residual_group2 = own
        self.linear2 = nn.Linear(dim, dim)
        self.pa_deform = alignment
        self.pa_fuse = Geglu(3 * dim, 3 * dim, dim) if alignment is not None else None

    def forward(self, x: Tensor, items: Neighbours | None, flows: Tensor | None) -> Tensor:
        """(N, D, H, W, C) of the stage before, with the flows of this stage's scale -> (N, D, H', W', C')."""
        x = self.reshape(x)
        x = x + self.linear1(self.residual_group1(x))
        x = x + self.linear2(self.residual_group2(x))
        if self.pa_deform is None or self.pa_fuse is None or items is None or flows is None:
            return x
        later, earlier = align_neighbours(x, items, flows, self.pa_deform)
        return in_chunks(lambda *parts: self.pa_fuse(torch.cat(parts, dim=-1)), x, later, earlier)  # type: ignore[misc]


class SelfAttentionGroup(nn.Module):
    """x + linear(group(x)); the residual groups of stage 8."""

    def __init__(self, group: TmsaGroup, dim: int) -> None:
        super().__init__()
        self.residual_group = group
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.linear(self.residual_group(x))


class VRT(nn.Module):
    """Clip (N, D, C, H, W), RGB in [0, 1] -> (N, D, 3, upscale*H, upscale*W), not clamped; all frames at once.

        clip -+-> SPyNet: flows at 1, 1/2, 1/4, 1/8 ------------------+
              +-> + 4 nearest pixels of both neighbours -> conv_first -+-> stages 1-7 (U) -> stage 8 -> (+) -> head

    C is 3, or 4 with `nonblind_denoising`: the fourth channel is the noise level, sigma/255. With `pa_frames=0` there is no
    warping: D = `img_size[0]` frames are evenly spaced and the answer is (N, out_chans/3, 3, H, W), the frame in the middle.
    Every height, width and (but for interpolation) length works: the clip is mirrored to multiples of 8, to 8 windows and to
    pa_frames/2 + 1 frames, and the result cropped. An output pixel depends on the whole clip (attention windows shift, flow
    carries); published results were made with tiles of 6 to 40 frames by 128 to 256 pixels, overlapping by 2 and 20.

    Hyper-parameters have their published names and defaults (paper, section 4.1). Sequences are per stage 1-7, then per group
    of stage 8; `indep_reconsts` are indices of groups whose windows hold one frame. `use_checkpoint_attn` and
    `use_checkpoint_ffn` trade time for memory in training, except in the stages named by `no_checkpoint_*_blocks`.
    `recal_all_flows` has no effect, as published. Raises `UsageError` for hyper-parameters that can't work together and
    `ShapeError` for inputs that aren't such clips.
    """

    def __init__(
        self, upscale: int = 4, in_chans: int = 3, out_chans: int = 3, img_size: Sequence[int] = (6, 64, 64),
        window_size: Sequence[int] = (6, 8, 8), depths: Sequence[int] = (8,) * 7 + (4,) * 6,
        indep_reconsts: Sequence[int] = (11, 12), embed_dims: Sequence[int] = (120,) * 7 + (180,) * 6,
        num_heads: Sequence[int] = (6,) * 13, mul_attn_ratio: float = 0.75, mlp_ratio: float = 2.0, qkv_bias: bool = True,
        qk_scale: float | None = None, drop_path_rate: float = 0.2, norm_layer: Callable[[int], nn.Module] = nn.LayerNorm,
        spynet_path: None = None, pa_frames: int = 2, deformable_groups: int = 16,
        recal_all_flows: bool = False,  # noqa: ARG002
        nonblind_denoising: bool = False, use_checkpoint_attn: bool = False, use_checkpoint_ffn: bool = False,
        no_checkpoint_attn_blocks: Sequence[int] = (), no_checkpoint_ffn_blocks: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        _check(upscale, in_chans, out_chans, img_size, window_size, depths, embed_dims, num_heads, pa_frames, spynet_path)
        if nonblind_denoising and not pa_frames:
            raise UsageError("VRT without warping (pa_frames=0) takes no noise level: nonblind_denoising must be False")
        self.reach = pa_frames // 2
        self.upscale = upscale if pa_frames else 1
        self.in_chans = in_chans
        self.channels = in_chans + nonblind_denoising
        self.frames = img_size[0]
        mutual_depths = [int(depth * mul_attn_ratio) for depth in depths[:7]]
        window = (window_size[0], window_size[1], window_size[2])
        #: Mutual attention wants whole windows at every scale.
        self.min_size = [max([8, *(s * w for s, depth in zip(SCALES, mutual_depths, strict=True) if depth)]) for w in window[1:]]
        rates = iter(path_rates(drop_path_rate, sum(depths)))

        def group(i: int, depth: int, window: tuple[int, int, int], *, mutual: bool = False) -> TmsaGroup:
            options = BlockOptions(
                embed_dims[i], num_heads[i], window, mutual, mlp_ratio, qkv_bias, qk_scale, norm_layer,
                use_checkpoint_attn and i not in no_checkpoint_attn_blocks,
                use_checkpoint_ffn and i not in no_checkpoint_ffn_blocks,
            )  # fmt: skip
            return TmsaGroup(options, [next(rates) for _ in range(depth)])

        self.conv_first = FrameConv((9 * in_chans if pa_frames else in_chans) + nonblind_denoising, embed_dims[0])
        self.spynet = SPyNet(levels=(5, 4, 3, 2)) if pa_frames else None
        self._make_body(group, depths, mutual_depths, embed_dims, window, indep_reconsts, norm_layer, deformable_groups)
        self._make_head(embed_dims[0], out_chans)
        task = "interpolate" if not pa_frames else "super-resolve" if upscale > 1 else "denoise" if nonblind_denoising else "deblur"
        self.traits = Traits(
            tasks=(task,), kind="clip", scale=self.upscale, channels=self.channels, temporal_reach=None,
            min_frames=1 if pa_frames else self.frames, frame_multiple=window[0] if pa_frames else 1, size_multiple=8,
            tile_multiple=max(self.min_size), overlap=32,
            bytes_per_pixel=6500 + (9.2 * FEATURES * upscale**2 if self.upscale > 1 else 0),
            bytes_per_frame_pixel=42 * max(embed_dims[0], 0.8 * embed_dims[-1]),
            noise="channel" if nonblind_denoising else None, licence="CC-BY-NC-4.0",
            paper='Liang et al., "VRT: A Video Restoration Transformer", IEEE Transactions on Image Processing 2024',
        )  # fmt: skip

    def _make_body(
        self, group: Callable[..., TmsaGroup], depths: Sequence[int], mutual_depths: Sequence[int], dims: Sequence[int],
        window: tuple[int, int, int], single_frame: Sequence[int], norm: Callable[[int], nn.Module], deformable_groups: int,
    ) -> None:  # fmt: skip
        """The seven stages of the U and the groups of stage 8; `group(i, depth, window)` makes a group of stage or index i."""
        pair, alone = (2, *window[1:]), (1, *window[1:])
        for i, scale in enumerate(SCALES):
            stage = Stage(
                _reshape(i, dims, norm),
                group(i, mutual_depths[i], pair, mutual=True),
                group(i, depths[i] - mutual_depths[i], window),
                dims[i],
                GuidedAlignment(dims[i], self.reach, deformable_groups, 10 / scale) if self.reach else None,
            )
            self.add_module(f"stage{i + 1}", stage)
        last = dims[-1]
        self.stage8 = nn.ModuleList([nn.Sequential(nn.Identity(), norm(dims[6]), nn.Linear(dims[6], last))])
        for i in range(7, len(depths)):
            self.stage8.append(SelfAttentionGroup(group(i, depths[i], alone if i in single_frame else window), last))
        self.norm = norm(last)
        self.conv_after_body = nn.Linear(last, dims[0])

    def _make_head(self, dim: int, outputs: int) -> None:
        """The layers from features to frames, under their published names."""
        if not self.reach:
            self.linear_fuse = nn.Conv2d(dim * self.frames, FEATURES, 1)
            self.conv_last = nn.Conv2d(FEATURES, outputs, 7)
            return
        if self.upscale > 1:
            factors = [3] if self.upscale == 3 else [2] * (self.upscale.bit_length() - 1)
            self.conv_before_upsample = nn.Sequential(FrameConv(dim, FEATURES), nn.LeakyReLU(0.01))
            convs = {str(5 * i): FrameConv(FEATURES, FEATURES * factor**2) for i, factor in enumerate(factors)}
            self.upsample = nn.ModuleDict({**convs, str(5 * len(factors)): FrameConv(FEATURES, FEATURES)})
            self.shuffle = nn.PixelShuffle(factors[0])
        self.conv_last = FrameConv(FEATURES if self.upscale > 1 else dim, outputs)

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Drop the index tables, position codes and flow constants that checkpoints store and this network derives."""
        derived: dict[str, tuple[int, ...]] = {}
        if self.spynet is not None:
            derived |= {"spynet.mean": (1, 3, 1, 1), "spynet.std": (1, 3, 1, 1)}
        for name, group in self.named_modules():
            if not isinstance(group, TmsaGroup):
                continue
            window = group.options.window
            for number in range(len(group.blocks)):
                derived[f"{name}.blocks.{number}.attn.relative_position_index"] = (prod(window), prod(window))
                if group.options.mutual:
                    derived[f"{name}.blocks.{number}.attn.position_bias"] = (1, prod(window[1:]), group.options.dim)
        return without_derived(state_dict, derived)

    def forward(self, clip: Tensor, time: float = 0.5) -> Tensor:
        """(N, D, C, H, W) in [0, 1] -> restored frames, or the middle frame(s); only `time=0.5` exists there."""
        self._check_clip(clip, time)
        count, _, height, width = clip.shape[1:]
        clip = mirror(clip, 1, self.reach + 1, repeat_edge=True)
        for axis, least in ((3, self.min_size[0]), (4, self.min_size[1])):
            clip = mirror(clip, axis, max(least, -(-clip.shape[axis] // 8) * 8), repeat_edge=True)
        out = self._restore(clip) if self.reach else self._interpolate(clip)
        frames = count if self.reach else out.shape[1]
        return out[:, :frames, :, : height * self.upscale, : width * self.upscale].contiguous()

    def _check_clip(self, clip: Tensor, time: float) -> None:
        if clip.dim() != 5 or clip.shape[2] != self.channels or 0 in clip.shape:
            raise ShapeError(f"this VRT takes clips (N, D, {self.channels}, H, W), not {tuple(clip.shape)}")
        if not self.reach and clip.shape[1] != self.frames:
            raise ShapeError(f"this VRT interpolates between {self.frames} frames, not {clip.shape[1]}")
        if time != 0.5:
            raise UsageError(f"VRT makes the frame in the middle (time=0.5), not at time={time}")

    def _restore(self, clip: Tensor) -> Tensor:
        """The network with warping; sizes are whole."""
        assert self.spynet is not None
        low = clip[:, :, : self.in_chans]
        items = neighbours(clip.shape[0], clip.shape[1], self.reach, clip.device)
        later, earlier = self.spynet.adjacent(low)
        seen = torch.cat((low, _corners(low, later[0], earlier[0]), clip[:, :, self.in_chans :]), dim=2)
        flows = [neighbour_flows(b, f, self.reach) for b, f in zip(later, earlier, strict=True)]
        features = self._features(seen, items, flows).flatten(0, 1).permute(0, 3, 1, 2)
        frames = low.flatten(0, 1)
        step = max(1, HEAD_PIXELS // (frames.shape[2] * frames.shape[3] * self.upscale**2))
        parts = [self._head(f, x) for f, x in zip(features.split(step), frames.split(step), strict=True)]
        return torch.cat(parts).unflatten(0, clip.shape[:2])

    def _interpolate(self, clip: Tensor) -> Tensor:
        """The network without warping; paper, section 4.6."""
        mean = clip.mean(dim=(1, 3, 4), keepdim=True)
        features = self._features(clip - mean, None, [None] * 4)
        stacked = features.permute(0, 1, 4, 2, 3).flatten(1, 2)
        fused = F.leaky_relu(self.linear_fuse(stacked), 0.2)
        out = self.conv_last(F.pad(fused, (3, 3, 3, 3), mode="reflect"))
        return out.unflatten(1, (-1, 3)) + mean

    def _features(self, seen: Tensor, items: Neighbours | None, flows: Sequence[Tensor | None]) -> Tensor:
        """conv_first, the eight stages and the residual around them: (N, D, C, H, W) -> (N, D, H, W, embed_dims[0])."""
        first = self.conv_first(seen.flatten(0, 1)).permute(0, 2, 3, 1).unflatten(0, seen.shape[:2])
        skips = []
        x = first
        for i in range(7):
            if i > 4:
                x = x + skips[7 - i]
            x = self.get_submodule(f"stage{i + 1}")(x, items, flows[SCALES[i].bit_length() - 1])
            skips.append(x)
        x = x + skips[0]
        for module in self.stage8:
            x = module(x)
        return first + self.conv_after_body(self.norm(x))

    def _head(self, features: Tensor, low: Tensor) -> Tensor:
        """Frames (M, 3, H, W) and their features (M, E, H, W) -> (M, out_chans, upscale*H, upscale*W)."""
        if self.upscale == 1:
            return low + self.conv_last(features)
        y = self.conv_before_upsample(features)
        *rising, flat = self.upsample.values()
        for conv in rising:
            y = F.leaky_relu(self.shuffle(conv(y)), 0.1)
        y = self.conv_last(flat(y))
        return y + F.interpolate(low, size=y.shape[2:], mode="bilinear", align_corners=False)


def _corners(frames: Tensor, later: Tensor, earlier: Tensor) -> Tensor:
    """The four nearest pixels in the later and in the earlier frame, (N, D, 8C, H, W); zeros at the clip's ends."""
    missing = frames.new_zeros(frames.shape[0], 1, 4 * frames.shape[2], *frames.shape[3:])
    source = torch.cat((frames[:, 1:], frames[:, :-1])).flatten(0, 1)
    found = warp_corners(source, torch.cat((later, earlier)).flatten(0, 1)).unflatten(0, (2, *later.shape[:2]))
    return torch.cat((torch.cat((found[0], missing), dim=1), torch.cat((missing, found[1]), dim=1)), dim=2)


def _reshape(i: int, dims: Sequence[int], norm: Callable[[int], nn.Module]) -> nn.Sequential:
    """The change of scale at the entry of stage i + 1, its parametrised layers at the published indices 1 and 2."""
    if i == 0:
        return nn.Sequential(nn.Identity(), norm(dims[0]))
    down = SCALES[i] > SCALES[i - 1]
    width = 4 * dims[i - 1] if down else dims[i - 1] // 4
    return nn.Sequential(Fold() if down else Unfold(), norm(width), nn.Linear(width, dims[i]))


def _check(
    upscale: int, in_chans: int, out_chans: int, img_size: Sequence[int], window: Sequence[int], depths: Sequence[int],
    dims: Sequence[int], heads: Sequence[int], pa_frames: int, spynet_path: object,
) -> None:  # fmt: skip
    """Raise `UsageError` for hyper-parameters that no VRT can have."""
    rules = {
        "upscale is 1, 2, 4, 8 or 3": upscale in (1, 2, 3, 4, 8, 16),
        "pa_frames is even and not negative": pa_frames >= 0 and pa_frames % 2 == 0,
        "in_chans and out_chans are 3 with warping": not pa_frames or in_chans == out_chans == 3,
        "in_chans is 3 or 1": in_chans in (1, 3),
        "out_chans is 3 for each frame": out_chans % 3 == 0,
        "img_size and window_size are frames, rows, columns": len(img_size) == len(window) == 3,
        "interpolation takes at least 2 frames": bool(pa_frames) or img_size[0] >= 2,
        "depths, embed_dims and num_heads have a value for each of 7 stages and of stage 8's groups": len(depths)
        == len(dims)
        == len(heads)
        > 7,
        "embed_dims are the same on both arms of the U (1 and 7, 2 and 6, 3 and 5)": tuple(dims[:3]) == tuple(dims[6:3:-1]),
        "embed_dims of stage 4 to 6 are multiples of 4": all(dim % 4 == 0 for dim in dims[3:6]),
        "embed_dims of stage 8 are all the same": len(set(dims[7:])) == 1,
        "spynet_path stays None: the flow network's weights come with load_published": spynet_path is None,
    }
    for rule, holds in rules.items():
        if not holds:
            raise UsageError(f"these hyper-parameters make no VRT: {rule}")
