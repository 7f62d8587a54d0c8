"""BasicVSR, IconVSR and BasicVSR++ in the most literal form, as oracles and as a baseline for speed: not for use.

Step by step as the papers put it: every tensor (N, C, H, W), the flow of a pair computed where a pair of frames is met, the
pyramids of both frames with it, one sampler call per tap of a deformable convolution, IconVSR's windows frame by frame. Nothing
is shared with revivid but the weights: `ReferenceBasicVSR(revivid_network.state_dict(), **the_same_hyperparameters)`.
IconVSR wants sizes that are multiples of 4 and clips as long as its windows, BasicVSR++ low-resolution input.

Chan et al., arXiv 2012.02181 (BasicVSR, IconVSR) and arXiv 2104.13371 (BasicVSR++); Wang et al., arXiv 1905.02716 (EDVR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_vrt import deform_conv, warp


class Layers:
    """The layers that the three networks share, by the names of their weights."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.w = weights

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.w[f"{name}.weight"]
        return F.conv2d(x, weight, self.w[f"{name}.bias"], stride, weight.shape[2] // 2)

    def lconv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        return F.leaky_relu(self.conv(name, x, stride), 0.1)

    def blocks(self, name: str, x: Tensor) -> Tensor:
        """All residual blocks whose weights begin with `name`."""
        i = 0
        while f"{name}.{i}.conv1.weight" in self.w:
            x = x + self.conv(f"{name}.{i}.conv2", F.relu(self.conv(f"{name}.{i}.conv1", x)))
            i += 1
        return x

    def trunk(self, name: str, *parts: Tensor) -> Tensor:
        return self.blocks(f"{name}.main.2", self.lconv(f"{name}.main.0", torch.cat(parts, 1)))

    def picture(self, features: Tensor, frame: Tensor) -> Tensor:
        x = F.leaky_relu(F.pixel_shuffle(self.conv("upconv1", features), 2), 0.1)
        x = F.leaky_relu(F.pixel_shuffle(self.conv("upconv2", x), 2), 0.1)
        x = self.conv("conv_last", self.lconv("conv_hr", x))
        return x + F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)

    def flow(self, reference: Tensor, support: Tensor) -> Tensor:
        """SPyNet's flow from `reference` to `support` (N, 3, H, W)."""
        height, width = reference.shape[2:]
        size = (32 * -(-height // 32), 32 * -(-width // 32))
        pyramid = [[self._normalised(image, size) for image in (reference, support)]]
        for _ in range(5):
            pyramid.insert(0, [F.avg_pool2d(image, 2) for image in pyramid[0]])
        flow = torch.zeros_like(pyramid[0][0][:, :2])
        for level, (ref, supp) in enumerate(pyramid):
            if level:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            x = torch.cat([ref, warp(supp, flow, "border"), flow], 1)
            for layer in (0, 2, 4, 6, 8):
                x = self.conv(f"spynet.basic_module.{level}.basic_module.{layer}", F.relu(x) if layer else x)
            flow = flow + x
        ratio = flow.new_tensor([width / size[1], height / size[0]]).view(1, 2, 1, 1)
        return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * ratio

    @staticmethod
    def _normalised(image: Tensor, size: tuple[int, int]) -> Tensor:
        mean, std = (image.new_tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return (F.interpolate(image, size, mode="bilinear", align_corners=False) - mean) / std

    def deform(self, name: str, x: Tensor, offsets: Tensor, gates: Tensor) -> Tensor:
        return deform_conv(x, offsets, gates, self.w[f"{name}.weight"], self.w[f"{name}.bias"], gates.shape[1] // 9)


class ReferenceBasicVSR(Layers):
    """Call with a clip (N, T, 3, H, W) in [0, 1]."""

    def __init__(self, weights: Mapping[str, Tensor], num_feat: int = 64, **_: object) -> None:
        super().__init__(weights)
        self.features = num_feat

    def __call__(self, clip: Tensor) -> Tensor:
        x, last = clip.unbind(1), clip.shape[1] - 1
        keys = self._key_features(x)
        state, behind = clip.new_zeros(clip.shape[0], self.features, *clip.shape[3:]), []
        for t in range(last, -1, -1):
            if t < last:
                state = warp(state, self.flow(x[t], x[t + 1]))
            state = self.trunk("backward_trunk", x[t], self._refill("backward_fusion", state, keys.get(t)))
            behind.insert(0, state)
        state, pictures = torch.zeros_like(state), []
        for t in range(last + 1):
            if t:
                state = warp(state, self.flow(x[t], x[t - 1]))
            state = self._forward_state(x[t], behind[t], self._refill("forward_fusion", state, keys.get(t)))
            pictures.append(self.picture(self._joined(behind[t], state), x[t]))
        return torch.stack(pictures, 1)

    def _key_features(self, frames: Sequence[Tensor]) -> dict[int, Tensor]:
        del frames
        return {}

    def _refill(self, name: str, state: Tensor, key: Tensor | None) -> Tensor:
        return state if key is None else self.conv(name, torch.cat([state, key], 1))

    def _forward_state(self, frame: Tensor, behind: Tensor, state: Tensor) -> Tensor:
        del behind
        return self.trunk("forward_trunk", frame, state)

    def _joined(self, behind: Tensor, state: Tensor) -> Tensor:
        return self.lconv("fusion", torch.cat([behind, state], 1))


class ReferenceIconVSR(ReferenceBasicVSR):
    """Call with a clip (N, T, 3, H, W) in [0, 1]."""

    def __init__(
        self, weights: Mapping[str, Tensor], num_feat: int = 64, keyframe_stride: int = 5, temporal_padding: int = 2, **_: object
    ) -> None:
        super().__init__(weights, num_feat)
        self.stride, self.padding = keyframe_stride, temporal_padding

    def _forward_state(self, frame: Tensor, behind: Tensor, state: Tensor) -> Tensor:
        return self.trunk("forward_trunk", frame, behind, state)

    def _joined(self, behind: Tensor, state: Tensor) -> Tensor:
        del behind
        return state

    def _key_features(self, frames: Sequence[Tensor]) -> dict[int, Tensor]:
        p, last = self.padding, len(frames) - 1
        order = [*range(2 * p, p, -1), *range(last + 1), *range(last - p - 1, last - 2 * p - 1, -1)]
        keys = sorted({*range(0, last + 1, self.stride), last})
        return {key: self._window([frames[order[key + i]] for i in range(2 * p + 1)]) for key in keys}

    def _window(self, frames: Sequence[Tensor]) -> Tensor:
        """EDVR's features of the middle frame."""
        pyramids = [self._pyramid(frame) for frame in frames]
        middle = pyramids[self.padding]
        aligned = [self._align(pyramid, middle) for pyramid in pyramids]
        reference = self.conv("edvr.fusion.temporal_attn1", aligned[self.padding])
        weighed = []
        for x in aligned:
            likeness = (self.conv("edvr.fusion.temporal_attn2", x) * reference).sum(1, keepdim=True)
            weighed.append(x * likeness.sigmoid())
        return self._fuse(torch.cat(weighed, 1))

    def _pyramid(self, frame: Tensor) -> list[Tensor]:
        levels = [self.blocks("edvr.feature_extraction", self.lconv("edvr.conv_first", frame))]
        for i in (2, 3):
            levels.append(self.lconv(f"edvr.conv_l{i}_2", self.lconv(f"edvr.conv_l{i}_1", levels[-1], 2)))
        return levels

    def _align(self, pyramid: list[Tensor], middle: list[Tensor]) -> Tensor:
        p = "edvr.pcd_align"
        guide = found = None
        for i in (3, 2, 1):
            here = self.lconv(f"{p}.offset_conv1.l{i}", torch.cat([pyramid[i - 1], middle[i - 1]], 1))
            if guide is None or found is None:
                here = self.lconv(f"{p}.offset_conv2.l{i}", here)
                now = self._deform_pack(f"{p}.dcn_pack.l{i}", pyramid[i - 1], here)
            else:
                here = self.lconv(f"{p}.offset_conv2.l{i}", torch.cat([here, 2 * double(guide)], 1))
                here = self.lconv(f"{p}.offset_conv3.l{i}", here)
                now = self._deform_pack(f"{p}.dcn_pack.l{i}", pyramid[i - 1], here)
                now = self.conv(f"{p}.feat_conv.l{i}", torch.cat([now, double(found)], 1))
            guide, found = here, F.leaky_relu(now, 0.1) if i > 1 else now
        assert found is not None
        guide = self.lconv(f"{p}.cas_offset_conv1", torch.cat([found, middle[0]], 1))
        guide = self.lconv(f"{p}.cas_offset_conv2", guide)
        return F.leaky_relu(self._deform_pack(f"{p}.cas_dcnpack", found, guide), 0.1)

    def _deform_pack(self, name: str, x: Tensor, guide: Tensor) -> Tensor:
        first, second, gates = self.conv(f"{name}.conv_offset", guide).chunk(3, 1)
        return self.deform(name, x, torch.cat([first, second], 1), gates.sigmoid())

    def _fuse(self, weighed: Tensor) -> Tensor:
        f = "edvr.fusion"
        features = self.lconv(f"{f}.feat_fusion", weighed)
        half = self.lconv(f"{f}.spatial_attn2", pooled(self.lconv(f"{f}.spatial_attn1", weighed)))
        quarter = self.lconv(f"{f}.spatial_attn_l2", pooled(self.lconv(f"{f}.spatial_attn_l1", half)))
        quarter = self.lconv(f"{f}.spatial_attn_l3", quarter)
        half = self.lconv(f"{f}.spatial_attn3", half) + double(quarter)
        mask = self.conv(f"{f}.spatial_attn5", double(self.lconv(f"{f}.spatial_attn4", half)))
        extra = self.conv(f"{f}.spatial_attn_add2", self.lconv(f"{f}.spatial_attn_add1", mask))
        return features * mask.sigmoid() * 2 + extra


class ReferenceBasicVSRPlusPlus(Layers):
    """Call with a clip (N, T, 3, H, W) in [0, 1]."""

    def __init__(self, weights: Mapping[str, Tensor], max_residue_magnitude: float = 10, **_: object) -> None:
        super().__init__(weights)
        self.limit = max_residue_magnitude

    def __call__(self, clip: Tensor) -> Tensor:
        x = clip.unbind(1)
        known = [[self.trunk("feat_extract", frame)] for frame in x]
        for branch in ("backward_1", "forward_1", "backward_2", "forward_2"):
            order = list(range(len(x)))[:: -1 if branch.startswith("backward") else 1]
            for i, t in enumerate(order):
                aligned = self._aligned(branch, x, known, order[max(0, i - 2) : i + 1]) if i else torch.zeros_like(known[t][0])
                known[t].append(aligned + self.trunk(f"backbone.{branch}", *known[t], aligned))
        return torch.stack([self.picture(self.trunk("reconstruction", *k), frame) for k, frame in zip(known, x, strict=True)], 1)

    def _aligned(self, branch: str, x: Sequence[Tensor], known: list[list[Tensor]], steps: list[int]) -> Tensor:
        """The states of the one or two frames before the last of `steps`, aligned to that."""
        *earlier, before, t = steps
        feature, near = known[t][0], known[before][-1]
        flow = self.flow(x[t], x[before])
        if earlier:
            far = known[earlier[0]][-1]
            far_flow = flow + warp(self.flow(x[before], x[earlier[0]]), flow)
        else:
            far, far_flow = torch.zeros_like(near), torch.zeros_like(flow)
        seen = torch.cat([warp(near, flow), feature, warp(far, far_flow), flow, far_flow], 1)
        name = f"deform_align.{branch}"
        for layer in (0, 2, 4):
            seen = self.lconv(f"{name}.conv_offset.{layer}", seen)
        first, second, gates = self.conv(f"{name}.conv_offset.6", seen).chunk(3, 1)
        sides = self.limit * torch.tanh(torch.cat([first, second], 1))
        offsets = [side + f.flip(1).repeat(1, 72, 1, 1) for side, f in zip(sides.chunk(2, 1), (flow, far_flow), strict=True)]
        return self.deform(name, torch.cat([near, far], 1), torch.cat(offsets, 1), gates.sigmoid())


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def pooled(x: Tensor) -> Tensor:
    return torch.cat([F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)], 1)
