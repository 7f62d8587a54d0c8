"""Parallel warping: bring the features of a frame's neighbours to that frame, all frames and both directions at once.

VRT (Liang et al., arXiv 2201.12288, section 3.3), with the flow-guided deformable alignment of BasicVSR++ (Chan et al., CVPR
2022, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .deform import deform_conv2d, flow_guided_offsets, split_predicted
from .warp import backward_warp

#: Pixels of (target frame, direction) pairs aligned at a time; bounds the memory of the offset predictor.
CHUNK_PIXELS = 1 << 13


@dataclass(frozen=True)
class Neighbours:
    """Which frames come to which, for a batch of clips; frames are numbered n * D + d, and N * D stands for a frame of zeros.

    One item is a target frame and a direction (0: from later frames, 1: from earlier ones); targets without any neighbour in
    a direction are no items.
    """

    #: (items,): the target frame.
    target: Tensor
    #: (items,): direction * N * D + target.
    slot: Tensor
    #: (g, items): source frames at distance 1..g.
    source: Tensor


def neighbours(batch: int, frames: int, reach: int, device: torch.device | None = None) -> Neighbours:
    """The items of `batch` clips of `frames` frames, ordered by direction, clip, frame; `reach` is g."""
    frame = torch.arange(batch * frames, device=device).view(batch, frames)
    nothing = torch.full((batch, frames), batch * frames, device=device)
    target = torch.stack((frame[:, :-1], frame[:, 1:]))
    source = [
        torch.stack(
            (
                torch.cat((frame[:, k:], nothing[:, : k - 1]), dim=1),
                torch.cat((nothing[:, : k - 1], frame[:, : frames - k]), dim=1),
            )
        ).flatten()
        for k in range(1, reach + 1)
    ]
    direction = torch.tensor([0, batch * frames], device=device).view(2, 1, 1)
    return Neighbours(target.flatten(), (target + direction).flatten(), torch.stack(source))


def neighbour_flows(later: Tensor, earlier: Tensor, reach: int) -> Tensor:
    """Flows (items, g, 2, h, w) from each item's target to its sources at distance 1..g, zero where there is no source.

    `later` (N, D-1, 2, h, w) are the flows from frame t to t+1, `earlier` those from t+1 to t. Longer flows are composed:
    B[k+1](t) = B[k](t) + warp(B[1](t+k), B[k](t)).
    """
    far_later, far_earlier = later, earlier
    flows = []
    for distance in range(1, reach + 1):
        missing = later.new_zeros(later.shape[0], distance - 1, *later.shape[2:])
        flows.append(torch.stack((torch.cat((far_later, missing), 1), torch.cat((missing, far_earlier), 1))).flatten(0, 2))
        if distance < reach:
            far_later = _compose(far_later[:, :-1], later[:, distance:])
            far_earlier = _compose(far_earlier[:, 1:], earlier[:, : earlier.shape[1] - distance])
    return torch.stack(flows, dim=1)


def _compose(near: Tensor, onward: Tensor) -> Tensor:
    """The flow that goes along `near` (N, K, 2, h, w) and from there along `onward`."""
    return near + backward_warp(onward.flatten(0, 1), near.flatten(0, 1)).view(near.shape)


class GuidedAlignment(nn.Module):
    """Deformable convolution of g source frames, guided by flow, in g implicit groups: output channels r*C/g.. see source r."""

    def __init__(self, dim: int, reach: int, deformable_groups: int, magnitude: float) -> None:
        super().__init__()
        if deformable_groups % reach or reach * dim % deformable_groups or dim % reach:
            raise UsageError(
                f"deformable_groups={deformable_groups} doesn't fit {reach} neighbours of {dim} channels",
                hint="It is a multiple of pa_frames/2 and divides pa_frames/2 times the channels.",
            )
        self.reach = reach
        #: Largest residue over the flow, in pixels.
        self.magnitude = magnitude
        self.weight = nn.Parameter(torch.empty(dim, dim, 3, 3).uniform_(-1, 1) / (9 * dim) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(dim))
        layers: list[nn.Module] = []
        for width in ((1 + reach) * dim + 2 * reach, dim, dim):
            layers += [nn.Conv2d(width, dim, 3, 1, 1), nn.LeakyReLU(0.1)]
        last = nn.Conv2d(dim, 27 * deformable_groups, 3, 1, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.conv_offset = nn.Sequential(*layers, last)

    def forward(self, sources: list[Tensor], flows: list[Tensor], target: Tensor) -> Tensor:
        """g sources (M, C, h, w), nearest first, with flows (M, 2, h, w) from target to source -> (M, C, h, w)."""
        warped = [backward_warp(source, flow) for source, flow in zip(sources, flows, strict=True)]
        seen = torch.cat((*warped, target, *(flow.to(target.dtype) for flow in flows)), dim=1)
        raw, modulation = split_predicted(self.conv_offset(seen.contiguous(memory_format=torch.channels_last)))
        offsets = flow_guided_offsets(raw, flows, self.magnitude)
        return deform_conv2d(torch.cat(sources, dim=1), offsets, modulation, self.weight, self.bias)


def align_neighbours(x: Tensor, items: Neighbours, flows: Tensor, alignment: GuidedAlignment) -> Tensor:
    """Features (2, N, D, H, W, C) aligned to each frame of `x` (N, D, H, W, C): from later frames, from earlier frames.

    All zeros where a frame has no neighbour in that direction: the alignment's bias would show there.
    """
    batch, frames, height, width, channels = x.shape
    maps = x.flatten(0, 1).permute(0, 3, 1, 2)
    maps = torch.cat((maps, maps.new_zeros(1, *maps.shape[1:]))).contiguous()
    aligned = x.new_zeros(2 * batch * frames, height, width, channels)
    step = max(1, CHUNK_PIXELS // (height * width))
    for start in range(0, len(items.target), step):
        part = slice(start, start + step)
        sources = [maps[source] for source in items.source[:, part]]
        result = alignment(sources, list(flows[part].unbind(1)), maps[items.target[part]])
        aligned[items.slot[part]] = result.permute(0, 2, 3, 1).to(x.dtype)
    return aligned.view(2, *x.shape)
