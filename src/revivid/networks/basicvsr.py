"""BasicVSR: recurrent super-resolution with flow alignment in both directions of time.

Chan, Wang, Yu, Dong, Loy: "BasicVSR: The Search for Essential Components in Video Super-Resolution and Beyond", CVPR 2021,
arXiv 2012.02181. Published weights: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.fused import conv_leaky_relu
from ..layers.residual import ShuffleHead, Trunk, channels_last
from ..layers.side_by_side import side_by_side
from ..layers.spynet import SPyNet, published_constants
from ..layers.warp import backward_warp
from .checks import check_clip, check_no_path, check_positive
from .published import renamed, without_derived
from .traits import Traits

#: OpenMMLab's names of the same layers, as (pattern, replacement); shared with BasicVSR++.
OPENMMLAB_NAMES = (
    (r"^generator\.", ""),
    (r"^(?:generator\.)?step_counter$", None),
    (r"^(spynet\.basic_module\.\d+\.basic_module)\.(\d)\.conv\.", lambda m: f"{m[1]}.{2 * int(m[2])}."),
    (r"^(backward|forward)_resblocks\.", r"\1_trunk."),
    (r"^upsample([12])\.upsample_conv\.", r"upconv\1."),
)


class BasicVSR(ShuffleHead):
    """Clip (N, T, 3, H, W), RGB in [0, 1] -> (N, T, 3, 4H, 4W), not clamped. Any size from 1x1 and any length.

        frames -+- SPyNet: flow between neighbours, both ways
                +- backward: state <- trunk[frame, warp(state)], last frame first
                +- forward:  state <- trunk[frame, warp(state)] -> fusion with the backward state -> head -(+)-> x4
                +------------------------------------------------------------------- bilinear x4 ---------+

    Every frame depends on the whole clip. The two directions need nothing of each other and run side by side. `num_feat`: width;
    `num_block`: residual blocks of each trunk (published: 30). Paper, sections 3.1-3.4. Raises `ShapeError` for inputs that aren't
    such clips.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 15, spynet_path: None = None) -> None:
        super().__init__()
        check_no_path(spynet_path=spynet_path)
        check_positive("BasicVSR", num_feat=num_feat)
        self.num_feat = num_feat
        self.spynet = SPyNet()
        self.backward_trunk = Trunk(num_feat + 3, num_feat, num_block)
        self.forward_trunk = Trunk(num_feat + 3, num_feat, num_block)
        self.fusion = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.make_head(num_feat)
        self.traits = Traits(
            tasks=("super-resolve",), kind="clip", scale=4, temporal_reach=None, size_multiple=32, tile_multiple=32,
            bytes_per_pixel=8600 + 12 * num_feat, bytes_per_frame_pixel=210 + 8 * num_feat, licence="Apache-2.0",
            paper='Chan et al., "BasicVSR", CVPR 2021',
        )  # fmt: skip

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take BasicSR's or OpenMMLab's names; drop the constants of the flow network."""
        return without_derived(renamed(state_dict, OPENMMLAB_NAMES), published_constants("spynet."))

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T, 3, 4H, 4W)."""
        check_clip("BasicVSR", clip)
        onward, back = (flow[0] for flow in self.spynet.adjacent(clip))
        frames = [channels_last(frame) for frame in clip.unbind(1)]
        backward_states, forward_states = side_by_side(
            (
                partial(self._states, self.backward_trunk, frames[::-1], onward.unbind(1)[::-1]),
                partial(self._states, self.forward_trunk, frames, back.unbind(1)),
            ),
            clip.device,
        )
        forward_states.reverse()
        pictures = []
        for frame in frames:
            # Popping frees the states as soon as they are used.
            both = torch.cat((backward_states.pop(), forward_states.pop()), dim=1)
            fused = conv_leaky_relu(self.fusion, both, 0.1)
            pictures.append(self.to_picture(fused) + F.interpolate(frame, scale_factor=4, mode="bilinear"))
        return torch.stack(pictures, dim=1)

    def _states(self, trunk: Trunk, frames: Sequence[Tensor], flows: Sequence[Tensor]) -> list[Tensor]:
        """States (N, F, H, W) of `frames`, each handed on to the next along the flow from that one back to it."""
        state = channels_last(frames[0].new_zeros(len(frames[0]), self.num_feat, *frames[0].shape[2:]))
        states: list[Tensor] = []
        for i, frame in enumerate(frames):
            if i:
                state = backward_warp(state, flows[i - 1])
            state = trunk(torch.cat((frame, state), dim=1))
            states.append(state)
        return states
