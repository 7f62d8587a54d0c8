"""BasicVSR++: second-order grid propagation with flow-guided deformable alignment.

Chan, Zhou, Xu, Loy: "BasicVSR++: Improving Video Super-Resolution with Enhanced Propagation and Alignment", CVPR 2022,
arXiv 2104.13371. Published weights: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.deform import deform_conv2d, flow_guided_offsets, split_predicted
from ..layers.mirror import mirror
from ..layers.residual import ShuffleHead, Trunk, channels_last
from ..layers.spynet import SPyNet, published_constants
from ..layers.warp import backward_warp
from .basicvsr import OPENMMLAB_NAMES
from .checks import check_clip, check_no_path, check_positive
from .published import renamed, without_derived
from .traits import Traits

BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
#: Offset groups of the alignment, half of them for each of the two earlier states.
DEFORMABLE_GROUPS = 16


class SecondOrderAlignment(nn.Module):
    """Align the states one and two steps back to the present frame, guided by flow; paper, section 3.2."""

    def __init__(self, channels: int, max_residue_magnitude: float) -> None:
        super().__init__()
        self.max_residue_magnitude = max_residue_magnitude
        self.weight = nn.Parameter(torch.empty(channels, 2 * channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        bound = (9 * 2 * channels) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        layers: list[nn.Module] = []
        for width in (3 * channels + 4, channels, channels):
            layers += [nn.Conv2d(width, channels, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)]
        last = nn.Conv2d(channels, 27 * DEFORMABLE_GROUPS, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.conv_offset = nn.Sequential(*layers, last)

    def forward(self, feature: Tensor, states: tuple[Tensor, Tensor], flows: tuple[Tensor, Tensor]) -> Tensor:
        """`feature` (N, C, H, W), the states one and two steps back and the flows to them -> the aligned state."""
        warped = [backward_warp(state, flow) for state, flow in zip(states, flows, strict=True)]
        guide = torch.cat((warped[0], feature, warped[1], *(flow.to(feature.dtype) for flow in flows)), dim=1)
        raw, mask = split_predicted(self.conv_offset(channels_last(guide)))
        offset = flow_guided_offsets(raw, list(flows), self.max_residue_magnitude)
        return deform_conv2d(torch.cat(states, dim=1), offset, mask, self.weight, self.bias)


class BasicVSRPlusPlus(ShuffleHead):
    """Clip (N, T, 3, H, W), RGB in [0, 1] -> (N, T, 3, 4H, 4W), not clamped. Any size from 1x1 and any length.

        frames -> features g -> backward_1 -> forward_1 -> backward_2 -> forward_2 -> reconstruction of [g, all four] -(+)-> out
          |                        each state aligned from the last two, guided by SPyNet's flow                       |
          +----------------------------------------------------------------------------------- bilinear x4 ------------+

    With `is_low_res_input=False` (compressed-video enhancement, deblurring, denoising) the output has the input's size:
    features are taken at a quarter of it, pictures mirrored to multiples of 4 and the result cropped. `cpu_cache_length` is
    accepted as published and changes nothing. Every frame depends on the whole clip.

    Published: 64 channels and 7 blocks, or 128 and 25. Raises `UsageError` for hyper-parameters that can't work and
    `ShapeError` for inputs that aren't such clips.
    """

    def __init__(
        self, mid_channels: int = 64, num_blocks: int = 7, max_residue_magnitude: float = 10, is_low_res_input: bool = True,
        spynet_path: None = None, cpu_cache_length: int = 100,
    ) -> None:  # fmt: skip
        del cpu_cache_length
        super().__init__()
        check_no_path(spynet_path=spynet_path)
        check_positive("BasicVSR++", mid_channels=mid_channels)
        if 2 * mid_channels % DEFORMABLE_GROUPS:
            raise UsageError(f"BasicVSR++ can't have mid_channels={mid_channels}", hint="It must be a multiple of 8.")
        self.is_low_res_input = is_low_res_input
        self.spynet = SPyNet()
        c = mid_channels
        if is_low_res_input:
            self.feat_extract: nn.Module = Trunk(3, c, 5)
        else:
            self.feat_extract = nn.Sequential(
                nn.Conv2d(3, c, 3, 2, 1), nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(c, c, 3, 2, 1), nn.LeakyReLU(0.1, inplace=True), Trunk(c, c, 5),
            )  # fmt: skip
        self.deform_align = nn.ModuleDict({name: SecondOrderAlignment(c, max_residue_magnitude) for name in BRANCHES})
        self.backbone = nn.ModuleDict({name: Trunk((2 + i) * c, c, num_blocks) for i, name in enumerate(BRANCHES)})
        self.reconstruction = Trunk(5 * c, c, 5)
        self.make_head(c)
        shrink = 1 if is_low_res_input else 16
        self.traits = Traits(
            tasks=("super-resolve",) if is_low_res_input else ("deartifact", "deblur", "denoise"),
            kind="clip", scale=4 if is_low_res_input else 1, temporal_reach=None,
            size_multiple=32 if is_low_res_input else 4, tile_multiple=32 if is_low_res_input else 128,
            bytes_per_pixel=(7400 + 57 * c) / shrink + (0 if is_low_res_input else 280),
            bytes_per_frame_pixel=20 * c / shrink + (430 if is_low_res_input else 60), licence="Apache-2.0",
            paper='Chan et al., "BasicVSR++", CVPR 2022',
        )  # fmt: skip

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take BasicSR's or OpenMMLab's names; drop the constants of the flow network."""
        return without_derived(renamed(state_dict, OPENMMLAB_NAMES), published_constants("spynet."))

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T, 3, scale*H, scale*W)."""
        check_clip("BasicVSR++", clip)
        height, width = (side * self.traits.scale for side in clip.shape[3:])
        small = clip
        if not self.is_low_res_input:
            for axis in (3, 4):
                clip = mirror(clip, axis, -(-clip.shape[axis] // 4) * 4, repeat_edge=False)
            quarter = F.interpolate(clip.flatten(0, 1).float(), scale_factor=0.25, mode="bicubic", align_corners=False)
            small = quarter.unflatten(0, clip.shape[:2])
        onward, back = (flow[0] for flow in self.spynet.adjacent(small))
        # What each frame has so far: its own features, then the output of every finished branch.
        known = [[self.feat_extract(channels_last(frame))] for frame in clip.unbind(1)]
        directions = {"backward": (known[::-1], onward.flip(1)), "forward": (known, back)}
        chained = {name: _chain(flows) for name, (_, flows) in directions.items()}
        for branch in BRANCHES:
            direction = branch.split("_")[0]
            self._propagate(branch, *directions[direction], chained[direction])
        pictures = []
        for frame in clip.unbind(1):
            picture = self.to_picture(self.reconstruction(torch.cat(known.pop(0), dim=1)))
            base = F.interpolate(frame, scale_factor=4, mode="bilinear") if self.is_low_res_input else frame
            pictures.append((picture + base)[..., :height, :width])
        return torch.stack(pictures, dim=1)

    def _propagate(self, branch: str, known: list[list[Tensor]], flows: Tensor, chained: Tensor) -> None:
        """Run one branch over the frames in its order and append its state to what each frame has.

        `flows` (N, T-1, 2, H, W): from the second frame on to the one before; `chained` (N, T-2, ...): to the one before that.
        """
        for i, features in enumerate(known):
            if i == 0:
                aligned = torch.zeros_like(features[0])
            else:
                nothing = i == 1
                earlier = torch.zeros_like(features[0]) if nothing else known[i - 2][-1]
                far = torch.zeros_like(flows[:, 0]) if nothing else chained[:, i - 2]
                aligned = self.deform_align[branch](features[0], (known[i - 1][-1], earlier), (flows[:, i - 1], far))
            features.append(aligned + self.backbone[branch](torch.cat((*features, aligned), dim=1)))


def _chain(flows: Tensor) -> Tensor:
    """Flow over two steps: (N, T-1, 2, H, W) to the frame before -> (N, T-2, 2, H, W) to the one before that."""
    near, far = flows[:, 1:], flows[:, :-1]
    return near + backward_warp(far.flatten(0, 1), near.flatten(0, 1)).unflatten(0, near.shape[:2])
