"""EDVR: a window of frames, aligned with deformable convolutions and fused with attention, restores its centre frame.

Wang, Chan, Yu, Dong, Loy: "EDVR: Video Restoration with Enhanced Deformable Convolutional Networks", CVPR Workshops 2019,
arXiv 1905.02716. Published weights: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..layers.mirror import mirror
from ..layers.pcd import PCDAlignment, TSAFusion, conv3, double
from ..layers.residual import ResidualBlock, ShuffleHead, channels_last, lrelu, residual_blocks
from .checks import check_clip, check_positive
from .published import renamed
from .streaming import State, Streaming
from .traits import Traits

#: Features of one frame at 1/1, 1/2 and 1/4 of the working size, each (M, F, h, w).
Pyramid = list[Tensor]

#: OpenMMLab's names of the same layers, as (pattern, replacement), wherever in a network they stand; shared with IconVSR.
OPENMMLAB_NAMES = (
    (r"^generator\.", ""),
    (r"^step_counter$", None),
    (r"\bfeat_l([23])_conv([12])\.conv\.", r"conv_l\1_\2."),
    (r"\bpcd_alignment\.", "pcd_align."),
    (r"\b(pcd_align\.(?:offset_conv[123]\.l[123]|feat_conv\.l[12]|cas_offset_conv[12]))\.conv\.", r"\1."),
    (r"\b(fusion\.(?:feat_fusion|spatial_attn\w+))\.conv\.", r"\1."),
    (r"^upsample([12])\.upsample_conv\.", r"upconv\1."),
)


class Predeblur(nn.Module):
    """A small pyramid of residual blocks that sharpens a frame's features before they are aligned; paper, section 3.4."""

    def __init__(self, features: int, hr_in: bool) -> None:
        super().__init__()
        self.conv_first = conv3(3, features)
        self.hr_in = hr_in
        if hr_in:
            self.stride_conv_hr1 = conv3(features, features, stride=2)
            self.stride_conv_hr2 = conv3(features, features, stride=2)
        self.stride_conv_l2 = conv3(features, features, stride=2)
        self.stride_conv_l3 = conv3(features, features, stride=2)
        self.resblock_l3 = ResidualBlock(features)
        self.resblock_l2_1 = ResidualBlock(features)
        self.resblock_l2_2 = ResidualBlock(features)
        self.resblock_l1 = residual_blocks(features, 5)

    def forward(self, frames: Tensor) -> Tensor:
        """(M, 3, H, W) -> (M, F, H, W), or a quarter of the size with `hr_in`."""
        level1 = lrelu(self.conv_first(frames))
        if self.hr_in:
            level1 = lrelu(self.stride_conv_hr2(lrelu(self.stride_conv_hr1(level1))))
        level2 = lrelu(self.stride_conv_l2(level1))
        level3 = self.resblock_l3(lrelu(self.stride_conv_l3(level2)))
        level2 = self.resblock_l2_2(self.resblock_l2_1(level2) + double(level3))
        level1 = self.resblock_l1[:2](level1) + double(level2)
        return self.resblock_l1[2:](level1)


class WindowFeatures(nn.Module):
    """EDVR without its head: features of the centre frame of a window; also IconVSR's key-frame extractor.

    frames -> pyramid -> alignment of every frame to the centre -> fusion -> (N, F, H, W). H and W are multiples of 4 (16 with
    `hr_in`, where the features have a quarter of the size).
    """

    def __init__(
        self, num_in_ch: int, num_feat: int, num_frame: int, deformable_groups: int, num_extract_block: int, center: int,
        hr_in: bool = False, with_predeblur: bool = False, with_tsa: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.center = center
        self.with_predeblur = with_predeblur
        if with_predeblur:
            self.predeblur = Predeblur(num_feat, hr_in)
            self.conv_1x1 = nn.Conv2d(num_feat, num_feat, 1)
        else:
            self.conv_first = conv3(num_in_ch, num_feat)
        self.feature_extraction = residual_blocks(num_feat, num_extract_block)
        self.conv_l2_1 = conv3(num_feat, num_feat, stride=2)
        self.conv_l2_2 = conv3(num_feat, num_feat)
        self.conv_l3_1 = conv3(num_feat, num_feat, stride=2)
        self.conv_l3_2 = conv3(num_feat, num_feat)
        self.pcd_align = PCDAlignment(num_feat, deformable_groups)
        self.with_tsa = with_tsa
        self.fusion = TSAFusion(num_feat, num_frame, center) if with_tsa else nn.Conv2d(num_frame * num_feat, num_feat, 1)

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What a frame (M, C, H, W) contributes to every window that it is part of."""
        frames = channels_last(frames)
        level1 = self.conv_1x1(self.predeblur(frames)) if self.with_predeblur else lrelu(self.conv_first(frames))
        level1 = self.feature_extraction(level1)
        level2 = lrelu(self.conv_l2_2(lrelu(self.conv_l2_1(level1))))
        level3 = lrelu(self.conv_l3_2(lrelu(self.conv_l3_1(level2))))
        return [level1, level2, level3]

    def merge(self, window: list[Pyramid]) -> Tensor:
        """The pyramids of a window's frames (N, F, h, w) -> features of its centre (N, F, H, W); all align in one batch."""
        frames, batch = len(window), window[0][0].shape[0]
        neighbours = [channels_last(torch.stack(level, dim=1).flatten(0, 1)) for level in zip(*window, strict=True)]
        references = [level.repeat_interleave(frames, dim=0) for level in window[self.center]]
        aligned = self.pcd_align(neighbours, [channels_last(level) for level in references]).unflatten(0, (batch, frames))
        return self.fusion(aligned if self.with_tsa else channels_last(aligned.flatten(1, 2)))


class EDVR(Streaming, WindowFeatures, ShuffleHead):
    """A window (N, num_frame, 3, H, W), RGB in [0, 1] -> its centre frame (N, 1, 3, 4H, 4W), not clamped.

        frames -> pyramids -> aligned to the centre -> fused -> residual blocks -> head -(+)-> x4
        centre ------------------------------------------------------ bilinear x4 -------+

    With `hr_in` (only together with `with_predeblur`) the output has the input's size. Any size works: pictures are mirrored at
    the bottom and right to multiples of 4 (16 with `hr_in`) and the result cropped. `restore_clip` restores whole clips of any
    length, every frame's pyramid computed once. What a pixel depends on follows the motion: it has no bound in space.
    `num_out_ch` is accepted as published; there are always 3 output channels.

    Published: EDVR-M 64 features, 5 and 10 blocks; EDVR-L 128 features, 5 and 40 blocks. Raises `UsageError` for
    hyper-parameters that can't work and `ShapeError` for inputs that aren't such windows.
    """

    def __init__(
        self, num_in_ch: int = 3, num_out_ch: int = 3, num_feat: int = 64, num_frame: int = 5, deformable_groups: int = 8,
        num_extract_block: int = 5, num_reconstruct_block: int = 10, center_frame_idx: int | None = None, hr_in: bool = False,
        with_predeblur: bool = False, with_tsa: bool = True,
    ) -> None:  # fmt: skip
        check_positive("EDVR", num_feat=num_feat, num_frame=num_frame, deformable_groups=deformable_groups)
        center = num_frame // 2 if center_frame_idx is None else center_frame_idx
        if not 0 <= center < num_frame:
            raise UsageError(f"center_frame_idx={center_frame_idx} is no frame of a window of {num_frame}")
        if num_feat % deformable_groups:
            raise UsageError(f"num_feat={num_feat} can't be shared out among deformable_groups={deformable_groups}")
        if num_in_ch not in (1, 3) or num_out_ch != 3 or (with_predeblur and num_in_ch != 3):
            raise UsageError(f"EDVR makes 3 channels from 3 (or 1, without predeblur), not {num_out_ch} from {num_in_ch}")
        if hr_in and not with_predeblur:
            raise UsageError("hr_in=True needs with_predeblur=True: the reduction to a quarter is part of the deblurring")
        super().__init__(
            num_in_ch, num_feat, num_frame, deformable_groups, num_extract_block, center, hr_in, with_predeblur, with_tsa
        )
        self.num_frame, self.hr_in = num_frame, hr_in
        self.reconstruction = residual_blocks(num_feat, num_reconstruct_block)
        self.make_head(num_feat)
        shrink = 16 if hr_in else 1
        self.traits = Traits(
            tasks=("deblur",) if hr_in else ("super-resolve", "deblur") if with_predeblur else ("super-resolve",),
            kind="clip", scale=1 if hr_in else 4, channels=num_in_ch, temporal_reach=(center, num_frame - 1 - center),
            min_frames=num_frame, streams=True, extends=(center, num_frame - 1 - center), size_multiple=16 if hr_in else 4,
            tile_multiple=16, bytes_per_pixel=max(num_frame * (55 * num_feat + 120 * deformable_groups), 12500) / shrink + 64,
            state_bytes_per_pixel=(num_frame - 1) * (4 * num_in_ch + 5.25 * num_feat / shrink),
            licence="Apache-2.0", paper='Wang et al., "EDVR", CVPR Workshops 2019',
        )  # fmt: skip

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take BasicSR's or OpenMMLab's names."""
        return renamed(state_dict, OPENMMLAB_NAMES)

    def forward(self, window: Tensor) -> Tensor:
        """(N, num_frame, C, H, W) -> (N, 1, 3, scale*H, scale*W)."""
        check_clip("EDVR", window, channels=self.traits.channels, frames=self.num_frame)
        frames = self._whole(window.flatten(0, 1))
        pyramids = zip(*(level.unflatten(0, window.shape[:2]).unbind(1) for level in self.pyramid(frames)), strict=True)
        center = frames.unflatten(0, window.shape[:2])[:, self.center]
        picture = self._restore(center, [list(pyramid) for pyramid in pyramids])
        height, width = (side * self.traits.scale for side in window.shape[3:])
        return picture[:, None, :, :height, :width]

    def restore_clip(self, clip: Tensor) -> Tensor:
        """Every frame of a clip (N, T, C, H, W) of any length -> (N, T, 3, scale*H, scale*W); mirrored in time at its ends."""
        check_clip("EDVR", clip, channels=self.traits.channels)
        return self.run_mirrored(clip)

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """One frame (N, C, H, W); the state is the last num_frame - 1 frames, each followed by the three levels of its pyramid."""
        whole = self._whole(frame)
        state = (*state, whole, *self.pyramid(whole))
        if len(state) < 4 * self.num_frame:
            return None, state
        frames = [state[i : i + 4] for i in range(0, len(state), 4)]
        picture = self._restore(frames[self.center][0], [list(levels) for _, *levels in frames])
        height, width = (side * self.traits.scale for side in frame.shape[2:])
        return picture[..., :height, :width], state[4:]

    def _whole(self, frames: Tensor) -> Tensor:
        """Pictures (M, C, H, W) mirrored to the multiples that the pyramid needs."""
        multiple = 16 if self.hr_in else 4
        for axis in (2, 3):
            frames = mirror(frames, axis, -(-frames.shape[axis] // multiple) * multiple, repeat_edge=False)
        return frames

    def _restore(self, center: Tensor, window: list[Pyramid]) -> Tensor:
        """The centre frame (N, C, H, W), extended to whole multiples, and its window's pyramids -> (N, 3, scale*H, scale*W)."""
        residual = self.to_picture(self.reconstruction(self.merge(window)))
        return residual + (center if self.hr_in else F.interpolate(center, scale_factor=4, mode="bilinear"))
