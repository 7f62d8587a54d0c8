"""SPyNet: optical flow by a spatial pyramid (Ranjan & Black, "Optical Flow Estimation using a Spatial Pyramid Network",
CVPR 2017; the variant of six levels without normalisation layers that the BasicVSR family and VRT carry inside).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ShapeError, UsageError
from .side_by_side import side_by_side
from .warp import backward_warp

LEVELS = 6
#: Pixels of frame pairs that go through the pyramid at a time; bounds the memory of long clips (about 0.5 kB a pixel).
BATCH_PIXELS = 2**20


class BasicModule(nn.Module):
    """One level: from [reference, warped support, flow so far] (N, 8, h, w) to the flow's correction (N, 2, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Conv2d(a, b, 7, padding=3), nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(self.basic_module[0].weight.dtype)  # type: ignore[arg-type]
        return self.basic_module(x.contiguous(memory_format=torch.channels_last))


class SPyNet(nn.Module):
    """Flow between frames of RGB in [0, 1], any size from 1x1.

        frames --resize to multiples of 32--> normalise --> pyramid --> level 0 (1/32) --> ... --> level 5 (1/1)

    `levels` (0 coarsest .. 5 finest) are given back, each as (N, 2, h, w) float32 in pixels of its own size floor(H / 2^(5-l)).
    Published checkpoints also carry the constants `mean` and `std`, which this class defines itself (`published_constants`).
    `count`: levels in all, where it isn't the six of these checkpoints; `normalise`: whether pictures are centred and scaled.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, levels: Sequence[int] = (LEVELS - 1,), *, count: int = LEVELS, normalise: bool = True) -> None:
        super().__init__()
        if not levels or not set(levels) <= set(range(count)):
            raise UsageError(f"SPyNet has the levels 0 to {count - 1}, not {tuple(levels)}")
        self.levels, self.count, self.normalise = tuple(sorted(set(levels), reverse=True)), count, normalise
        self.basic_module = nn.ModuleList(BasicModule() for _ in range(count))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, reference: torch.Tensor, support: torch.Tensor) -> list[torch.Tensor]:
        """Flows from `reference` to `support` (N, 3, H, W), one per level of `levels`, finest first."""
        if reference.shape != support.shape or reference.ndim != 4 or reference.shape[1] != 3:
            raise ShapeError(f"SPyNet wants two pictures (N, 3, H, W), not {tuple(reference.shape)} and {tuple(support.shape)}")
        return self._flows(self._pyramid(reference), self._pyramid(support), reference.shape[2:])

    def adjacent(self, clip: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Flows between all neighbours of `clip` (N, T, 3, H, W): those from t to t+1, and those from t+1 to t.

        Each is a list over `levels`, finest first, of (N, T-1, 2, h, w). Every frame's pyramid is built once, and all pairs and
        both directions are estimated together, in parts of `BATCH_PIXELS`.
        """
        batch, count, _, height, width = clip.shape
        if count < 2:
            empty = [flow[:, None][:, :0] for flow in self(clip[:, 0], clip[:, 0])]
            return empty, empty
        pyramid = self._pyramid(clip.flatten(0, 1))
        first = torch.arange(batch * count, device=clip.device).view(batch, count)
        earlier, later = first[:, :-1].reshape(-1), first[:, 1:].reshape(-1)
        reference, support = torch.cat((earlier, later)), torch.cat((later, earlier))
        finest = pyramid[-1]
        part = max(1, BATCH_PIXELS // (finest.shape[2] * finest.shape[3]))

        def flows_of(pairs: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
            return self._flows([level[pairs[0]] for level in pyramid], [level[pairs[1]] for level in pyramid], (height, width))

        parts: list[list[torch.Tensor]] = []
        for r, s in zip(reference.split(part), support.split(part), strict=True):
            share = -(-len(r) // torch.get_num_threads())
            pairs = zip(r.split(share), s.split(share), strict=True)
            parts += side_by_side([partial(flows_of, pair) for pair in pairs], clip.device)
        flows = [torch.cat(level).unflatten(0, (2, batch, count - 1)) for level in zip(*parts, strict=True)]
        return [flow[0] for flow in flows], [flow[1] for flow in flows]

    def _pyramid(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """Normalised copies of `frames` (M, 3, H, W), coarsest first; the sizes are multiples of 2^(levels - 1 - level)."""
        unit = 2 ** (self.count - 1)
        size = [unit * -(-side // unit) for side in frames.shape[2:]]
        finest = frames.to(torch.promote_types(frames.dtype, torch.float32))
        if size != list(frames.shape[2:]):
            finest = F.interpolate(finest, size=size, mode="bilinear", align_corners=False)
        levels = [(finest - self.mean) / self.std if self.normalise else finest]
        for _ in range(self.count - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels[::-1]

    def _flows(self, reference: list[torch.Tensor], support: list[torch.Tensor], size: Sequence[int]) -> list[torch.Tensor]:
        flow = reference[0].new_zeros(reference[0].shape[0], 2, *reference[0].shape[2:])
        wanted = []
        for level, module in enumerate(self.basic_module):
            if level:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = backward_warp(support[level], flow, padding="border")
            # The sum stays in float32 under autocast: only the correction has its rounding.
            flow = flow + module(torch.cat((reference[level], warped, flow), dim=1)).to(flow.dtype)
            if level in self.levels:
                shrink = 2 ** (self.count - 1 - level)
                wanted.append(_resize_flow(flow, max(1, size[0] // shrink), max(1, size[1] // shrink)))
        return wanted[::-1]


def _resize_flow(flow: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A flow field at another size, in pixels of that size."""
    h, w = flow.shape[2:]
    if (h, w) == (height, width):
        return flow
    ratio = flow.new_tensor([width / w, height / h]).view(1, 2, 1, 1)
    return F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False) * ratio


def published_constants(prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Entries of published checkpoints that `SPyNet` defines itself, with their shapes; `prefix` is where it hangs."""
    return {f"{prefix}{name}": (1, 3, 1, 1) for name in ("mean", "std")}
