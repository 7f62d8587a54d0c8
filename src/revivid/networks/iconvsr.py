"""IconVSR: BasicVSR with features of key frames filled in (information-refill) and coupled propagation.

Chan, Wang, Yu, Dong, Loy: "BasicVSR: The Search for Essential Components in Video Super-Resolution and Beyond", CVPR 2021,
arXiv 2012.02181, section 4. Published weights: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.mirror import mirror
from ..layers.residual import ShuffleHead, Trunk, channels_last
from ..layers.spynet import SPyNet, published_constants
from ..layers.warp import backward_warp
from . import basicvsr, edvr
from .checks import check_clip, check_no_path, check_positive
from .edvr import Pyramid, WindowFeatures
from .published import renamed, without_derived
from .traits import Traits

#: Offset groups of the key-frame extractor; fixed in all published models.
DEFORMABLE_GROUPS = 8


class IconVSR(ShuffleHead):
    """Clip (N, T, 3, H, W), RGB in [0, 1] -> (N, T, 3, 4H, 4W), not clamped. Any size from 1x1 and any length.

        frames -+- SPyNet: flow between neighbours, both ways
                +- key frames (every `keyframe_stride`th, and the last): features of a window of 2*temporal_padding+1 frames
                +- backward: state <- trunk[frame, warp(state) fused with key features]
                +- forward:  state <- trunk[frame, backward state, warp(state) fused with key features] -> head -(+)-> x4
                +------------------------------------------------------------------- bilinear x4 ---------------+

    Pictures are mirrored at the bottom and right to multiples of 4 and the result cropped. Published: 30 blocks, stride 5,
    padding 2 (REDS) or 3 (Vimeo-90K). Windows of key frames mirror the clip's ends past its own frames, as published; clips too
    short for that repeat their end frame. Raises `ShapeError` for inputs that aren't such clips.
    """

    def __init__(
        self, num_feat: int = 64, num_block: int = 15, keyframe_stride: int = 5, temporal_padding: int = 2,
        spynet_path: None = None, edvr_path: None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_no_path(spynet_path=spynet_path, edvr_path=edvr_path)
        check_positive("IconVSR", num_feat=num_feat, keyframe_stride=keyframe_stride)
        if num_feat % DEFORMABLE_GROUPS or temporal_padding < 0:
            raise UsageError(
                f"IconVSR can't have num_feat={num_feat}, temporal_padding={temporal_padding}",
                hint=f"num_feat is a multiple of {DEFORMABLE_GROUPS}, temporal_padding 2 or 3 in published models.",
            )
        self.num_feat, self.keyframe_stride, self.temporal_padding = num_feat, keyframe_stride, temporal_padding
        self.edvr = WindowFeatures(3, num_feat, 2 * temporal_padding + 1, DEFORMABLE_GROUPS, 5, center=temporal_padding)
        self.spynet = SPyNet()
        self.backward_fusion = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.backward_trunk = Trunk(num_feat + 3, num_feat, num_block)
        self.forward_fusion = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.forward_trunk = Trunk(2 * num_feat + 3, num_feat, num_block)
        self.make_head(num_feat)
        self.traits = Traits(
            tasks=("super-resolve",), kind="clip", scale=4, temporal_reach=None, size_multiple=32, tile_multiple=32,
            bytes_per_pixel=(2 * temporal_padding + 1) * (55 * num_feat + 120 * DEFORMABLE_GROUPS) + 5300,
            bytes_per_frame_pixel=60 + 2.5 * num_feat, licence="Apache-2.0",
            paper='Chan et al., "BasicVSR" (IconVSR), CVPR 2021',
        )  # fmt: skip

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take BasicSR's or OpenMMLab's names; drop the constants of the flow network."""
        entries = renamed(state_dict, (*basicvsr.OPENMMLAB_NAMES, *edvr.OPENMMLAB_NAMES))
        return without_derived(entries, published_constants("spynet."))

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T, 3, 4H, 4W)."""
        check_clip("IconVSR", clip)
        height, width = clip.shape[3:]
        for axis in (3, 4):
            clip = mirror(clip, axis, -(-clip.shape[axis] // 4) * 4, repeat_edge=False)
        onward, back = (flow[0] for flow in self.spynet.adjacent(clip))
        frames = [channels_last(frame) for frame in clip.unbind(1)]
        keys = self._key_features(frames)
        first_state = channels_last(frames[0].new_zeros(clip.shape[0], self.num_feat, *clip.shape[3:]))
        state, backward_states = first_state, []
        for t in reversed(range(len(frames))):
            if t < len(frames) - 1:
                state = backward_warp(state, onward[:, t])
            if t in keys:
                state = self.backward_fusion(torch.cat((state, keys[t]), dim=1))
            state = self.backward_trunk(torch.cat((frames[t], state), dim=1))
            backward_states.append(state)
        state, pictures = first_state, []
        for t, frame in enumerate(frames):
            if t:
                state = backward_warp(state, back[:, t - 1])
            if t in keys:
                state = self.forward_fusion(torch.cat((state, keys[t]), dim=1))
            # Popping frees each backward state as soon as it is used.
            state = self.forward_trunk(torch.cat((frame, backward_states.pop(), state), dim=1))
            picture = self.to_picture(state) + F.interpolate(frame, scale_factor=4, mode="bilinear")
            pictures.append(picture[..., : 4 * height, : 4 * width])
        return torch.stack(pictures, dim=1)

    def _key_features(self, frames: list[Tensor]) -> dict[int, Tensor]:
        """Features (N, F, H, W) of the key frames; a frame's pyramid is computed once, however many windows share it."""
        last = len(frames) - 1
        known: dict[int, Pyramid] = {}
        features = {}
        for key in sorted({*range(0, last + 1, self.keyframe_stride), last}):
            reach = range(key - self.temporal_padding, key + self.temporal_padding + 1)
            window = [self._stand_in(index, last) for index in reach]
            known = {i: known[i] if i in known else self.edvr.pyramid(frames[i]) for i in set(window)}
            features[key] = self.edvr.merge([known[i] for i in window])
        return features

    def _stand_in(self, index: int, last: int) -> int:
        """The frame for `index` past an end: the window's mirror image beyond the frames that the window itself covers."""
        if index < 0:
            index = self.temporal_padding - index
        elif index > last:
            index = 2 * last - self.temporal_padding - index
        return min(max(index, 0), last)
