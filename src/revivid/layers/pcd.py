"""EDVR's two parts for windows of frames: pyramid, cascading and deformable (PCD) alignment, and temporal-spatial attention
(TSA) fusion. Wang, Chan, Yu, Dong, Loy: "EDVR", CVPR Workshops 2019, arXiv 1905.02716, sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .deform import deform_conv2d, split_predicted
from .residual import channels_last, lrelu

LEVELS = ("l3", "l2", "l1")


def double(x: Tensor) -> Tensor:
    """Bilinear enlargement to twice the size."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def conv3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1)


class DeformPack(nn.Module):
    """Modulated deformable 3x3 convolution whose offsets a convolution predicts from other features."""

    def __init__(self, features: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, features, 3, 3))
        self.bias = nn.Parameter(torch.zeros(features))
        self.conv_offset = conv3(features, 27 * groups)
        bound = (9 * features) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        offset, mask = split_predicted(self.conv_offset(guide))
        return deform_conv2d(x, offset, mask, self.weight, self.bias)


class PCDAlignment(nn.Module):
    """Align features to a reference frame's, coarse to fine; three levels (M, F, h, w), (M, F, h/2, w/2), (M, F, h/4, w/4)."""

    def __init__(self, features: int, groups: int) -> None:
        super().__init__()
        self.offset_conv1 = nn.ModuleDict({level: conv3(2 * features, features) for level in LEVELS})
        self.offset_conv2 = nn.ModuleDict({lv: conv3(features if lv == "l3" else 2 * features, features) for lv in LEVELS})
        self.offset_conv3 = nn.ModuleDict({level: conv3(features, features) for level in LEVELS[1:]})
        self.dcn_pack = nn.ModuleDict({level: DeformPack(features, groups) for level in LEVELS})
        self.feat_conv = nn.ModuleDict({level: conv3(2 * features, features) for level in LEVELS[1:]})
        self.cas_offset_conv1 = conv3(2 * features, features)
        self.cas_offset_conv2 = conv3(features, features)
        self.cas_dcnpack = DeformPack(features, groups)

    def forward(self, neighbour: Sequence[Tensor], reference: Sequence[Tensor]) -> Tensor:
        """Both as [level 1, level 2, level 3] -> the neighbour's level 1, aligned."""
        guide = aligned = None
        for level, x, ref in zip(LEVELS, reversed(neighbour), reversed(reference), strict=True):
            offset = lrelu(self.offset_conv1[level](torch.cat((x, ref), dim=1)))
            if guide is None or aligned is None:
                offset = lrelu(self.offset_conv2[level](offset))
                found = self.dcn_pack[level](x, offset)
            else:
                # Offsets are pixels, so those of the coarser level count double here.
                offset = lrelu(self.offset_conv2[level](torch.cat((offset, 2 * double(guide)), dim=1)))
                offset = lrelu(self.offset_conv3[level](offset))
                found = torch.cat((self.dcn_pack[level](x, offset), double(aligned)), dim=1)
                found = self.feat_conv[level](found)
            guide, aligned = offset, found if level == "l1" else lrelu(found)
        assert aligned is not None
        guide = lrelu(self.cas_offset_conv1(torch.cat((aligned, reference[0]), dim=1)))
        return lrelu(self.cas_dcnpack(aligned, lrelu(self.cas_offset_conv2(guide))))


def pooled(x: Tensor) -> Tensor:
    """Maximum and mean of 3x3 cells at half size, on channels; the mean counts the zeros around the picture."""
    return torch.cat((F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)), dim=1)


class TSAFusion(nn.Module):
    """Fuse aligned frames (N, T, F, H, W) to (N, F, H, W), weighed by their likeness to the centre and by a spatial mask."""

    def __init__(self, features: int, frames: int, center: int) -> None:
        super().__init__()
        self.center = center
        self.temporal_attn1 = conv3(features, features)
        self.temporal_attn2 = conv3(features, features)
        self.feat_fusion = nn.Conv2d(frames * features, features, 1)
        self.spatial_attn1 = nn.Conv2d(frames * features, features, 1)
        self.spatial_attn2 = nn.Conv2d(2 * features, features, 1)
        self.spatial_attn3 = conv3(features, features)
        self.spatial_attn4 = nn.Conv2d(features, features, 1)
        self.spatial_attn5 = conv3(features, features)
        self.spatial_attn_l1 = nn.Conv2d(features, features, 1)
        self.spatial_attn_l2 = conv3(2 * features, features)
        self.spatial_attn_l3 = conv3(features, features)
        self.spatial_attn_add1 = nn.Conv2d(features, features, 1)
        self.spatial_attn_add2 = nn.Conv2d(features, features, 1)

    def forward(self, aligned: Tensor) -> Tensor:
        batch, frames = aligned.shape[:2]
        reference = self.temporal_attn1(channels_last(aligned[:, self.center]))
        embedded = self.temporal_attn2(channels_last(aligned.flatten(0, 1))).unflatten(0, (batch, frames))
        likeness = (embedded * reference[:, None]).sum(dim=2, keepdim=True).sigmoid()
        weighed = channels_last((aligned * likeness).flatten(1, 2))
        fused = lrelu(self.feat_fusion(weighed))
        attention = self._spatial_attention(weighed)
        extra = self.spatial_attn_add2(lrelu(self.spatial_attn_add1(attention)))
        return fused * attention.sigmoid() * 2 + extra

    def _spatial_attention(self, weighed: Tensor) -> Tensor:
        """Logits of the spatial mask, found over a pyramid of three sizes."""
        half = lrelu(self.spatial_attn2(pooled(lrelu(self.spatial_attn1(weighed)))))
        quarter = lrelu(self.spatial_attn_l2(pooled(lrelu(self.spatial_attn_l1(half)))))
        quarter = lrelu(self.spatial_attn_l3(quarter))
        half = lrelu(self.spatial_attn3(half)) + double(quarter)
        return self.spatial_attn5(double(lrelu(self.spatial_attn4(half))))
