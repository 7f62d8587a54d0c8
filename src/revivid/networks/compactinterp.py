"""CompactInterp: the frame at any time between two, small enough for a CPU, on the luma of YUV 4:2:0. Our own design.

    both frames - halved, halved, halved, halved    state of each cell: motion x and y, mask, and what is worth remembering
    the time - [level: cells of 32] - x2 - [16] - x2 - [8] - x2 - [4] - `layers.dominant` - full size: `layers.blending`

    level   both frames, 2x2 pixels to a cell,  +- conv ----------------------------+
            brought to the time by the motion  -+- how unlike after small moves ----+- [conv] - head - added to the state
                                                              the state -- conv ----+

Motion is sought once, on luma, and serves all planes. That both frames share one motion is all that two frames can say of the way
between them; what only one of them shows is the mask's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.blending import Time, blend, bring
from ..layers.dominant import steadied
from .checks import check_clip
from .planes import SLOPE
from .traits import Traits

#: Pixels to a cell on each level, along each axis; the frames that a level sees have `_SEEN` of theirs.
CELLS, _SEEN = (32, 16, 8, 4), 2
#: Frames of more pixels are looked at at half of their size, and again, with cells as much larger: motion grows with the picture.
_LARGEST = 640 * 1024
#: In how many pixels motion is counted in the state, on all levels alike.
_UNIT = 8
#: Differences under this, in parts of the range, say little.
_CONTRAST = 0.01
#: Squared gradients under this, in parts of the range per pixel, neither.
_GRADIENT = 1e-5
#: Luma weights and what limited range makes of black and white: R'G'B' is looked at as the planes are.
_LUMA, _BLACK, _RANGE = (0.299, 0.587, 0.114), 16 / 255, 219 / 255


class Estimate(NamedTuple):
    """What a level knows: motion in cells and mask (N,3,h,w); and the frames (N,2,H,W) that it saw, `cell` pixels to a cell."""

    field: Tensor
    frames: Tensor
    cell: int


class CompactInterp(nn.Module):
    """The frame at any time between two.

    `widths`, `depths`, `reaches`: channels, convolutions between the first and the last, and the farthest move in pixels that is
    tried out before, on each level, cells of 32 first. `state`: what levels hand on for each cell, three of it motion and mask.

    With its zero-initialised motion and mask the untrained network averages both frames, weighted by time. Its weights come
    inside the package, under the package's own licence (Apache-2.0). Raises `UsageError` for hyper-parameters that can't work.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 48, 32, 16),
        depths: Sequence[int] = (2, 2, 2, 1),
        reaches: Sequence[int] = (3, 2, 1, 0),
        state: int = 16,
    ) -> None:
        super().__init__()
        told = (widths, depths, reaches)
        if any(len(values) != len(CELLS) for values in told) or min(*widths, *depths) < 1 or min(reaches) < 0 or state < 4:
            raise UsageError(
                f"CompactInterp can't have widths {widths}, depths {depths}, reaches {reaches}, state {state}",
                hint=f"It has {len(CELLS)} levels of one channel and convolution at least; a state has 4 at least.",
            )
        self.state = state
        self.levels = nn.ModuleList(
            _Level(cell, width, depth, reach, state, 3 if cell == CELLS[-1] else state)
            for cell, width, depth, reach in zip(CELLS, *told, strict=True)
        )
        self.traits = Traits(
            tasks=("interpolate",),
            kind="pair",
            temporal_reach=(0, 1),
            size_multiple=CELLS[0],
            tile_multiple=CELLS[0],
            overlap=128,
            min_frames=2,
            any_time=True,
            takes_planes=True,
            bytes_per_pixel=130,
            licence="Apache-2.0",
        )

    def forward(self, clip: Tensor, time: Time = 0.5) -> Tensor:
        """R'G'B' clip (N,2,3,H,W) in [0, 1] -> the frame (N,3,H,W) at `time` in (0, 1). Raises `ShapeError`."""
        check_clip("CompactInterp", clip, frames=2)
        frames = luma(clip)
        return blend(clip[:, 0], clip[:, 1], self.field(frames, time), CELLS[-1] * reduction(frames), time)

    def restore(self, y: Tensor, uv: Tensor, time: Time = 0.5, bit_depth: int = 8) -> tuple[Tensor, Tensor]:
        """The same of integer code values: y (N,2,H,W), uv (N,4,ceil(H/2),ceil(W/2)) as U V U V -> y (N,1,..), uv (N,2,..).

        uint8 at 8 bits, uint16 above. Raises `ShapeError` where the planes don't fit each other.
        """
        if y.ndim != 4 or y.shape[1] != 2 or uv.shape != (len(y), 4, *(-(-side // 2) for side in y.shape[-2:])):
            raise ShapeError(
                f"CompactInterp got y {tuple(y.shape)}, uv {tuple(uv.shape)}",
                hint="It wants y (N,2,H,W) and uv (N,4,ceil(H/2),ceil(W/2)).",
            )
        codes = torch.uint8 if bit_depth == 8 else torch.int16
        luma, chroma = y.float(), uv.float()
        peak, cell = (1 << bit_depth) - 1, CELLS[-1] * reduction(luma)
        field = self.field(luma, time, peak)
        luma = blend(luma[:, :1], luma[:, 1:], field, cell, time)
        chroma = blend(chroma[:, :2], chroma[:, 2:], field, cell // 2, time, sharp=False)
        planes = [plane.add_(0.5).clamp_(0, peak).to(codes) for plane in (luma, chroma)]  # rounded half up
        return (planes[0], planes[1]) if bit_depth == 8 else (planes[0].view(torch.uint16), planes[1].view(torch.uint16))

    def field(self, luma: Tensor, time: Time, peak: float = 1.0) -> Tensor:
        """Luma of both frames (N,2,H,W), 0 to `peak` -> motion in cells and mask (N,3,h,w), cells of 4 times `reduction`."""
        *_, last = self.estimates(luma, time, peak)
        frames = luma.div(peak)
        for _ in range(reduction(luma).bit_length() - 1):
            frames = _halved(frames)
        return steadied(frames[:, :1], frames[:, 1:], last.field, CELLS[-1], time)

    @staticmethod
    def pyramid(luma: Tensor, peak: float = 1.0) -> list[Tensor]:
        """Luma of frames (N,T,H,W), 0 to `peak`, as the levels see it, coarse to fine: centred, in whole cells.

        The finest is half as large, or less by `reduction`.
        """
        finest = luma
        for _ in range(reduction(luma).bit_length()):
            finest = _halved(finest)
        frames = [_extended(finest.div(peak).sub_(0.5), CELLS[0] // 2)]
        for _ in CELLS[1:]:
            frames.insert(0, _halved(frames[0]))
        return frames

    def estimates(self, luma: Tensor, time: Time, peak: float = 1.0) -> Iterator[Estimate]:
        """What each level makes of luma, as `field` takes it, coarse to fine; training looks at all."""
        frames = self.pyramid(luma, peak)
        rows, columns = (side // _SEEN for side in frames[0].shape[-2:])
        state = frames[0].new_zeros(len(luma), self.state, rows, columns).contiguous(memory_format=torch.channels_last)
        state[:, 3] = (time.view(-1, 1, 1) if isinstance(time, Tensor) else time) - 0.5
        for number, (level, cell) in enumerate(zip(self.levels, CELLS, strict=True)):
            if number:
                state = F.interpolate(state, scale_factor=2.0, mode="bilinear")
            state = level(frames[number], state, time)
            yield Estimate(torch.cat((state[:, :2] * (_UNIT / cell), state[:, 2:3]), 1), frames[number], _SEEN)


def luma(clip: Tensor) -> Tensor:
    """R'G'B' (N,T,3,H,W) of 0 to 1 -> limited-range luma (N,T,H,W), as video has it."""
    return (clip * clip.new_tensor(_LUMA)[:, None, None]).sum(2) * _RANGE + _BLACK


def reduction(luma: Tensor) -> int:
    """By how much luma (N,T,H,W) is smaller when motion is sought in it: 1, 2, 4 ..."""
    factor = 1
    while luma.shape[-2] * luma.shape[-1] > _LARGEST * factor * factor:
        factor *= 2
    return factor


def _halved(frames: Tensor) -> Tensor:
    return F.interpolate(_extended(frames, 2), scale_factor=0.5, mode="bilinear")


def _extended(frames: Tensor, unit: int) -> Tensor:
    """To multiples of `unit`, to the right and down."""
    rows, columns = (-side % unit for side in frames.shape[-2:])
    return F.pad(frames, (0, columns, 0, rows), mode="replicate") if rows or columns else frames


class _Level(nn.Module):
    def __init__(self, cell: int, width: int, depth: int, reach: int, state: int, answers: int) -> None:
        super().__init__()
        self.in_cells, self.reach = _UNIT / cell, reach
        self.see = nn.Conv2d(2, width, _SEEN + 2, stride=_SEEN, padding=1)
        self.match = nn.Conv2d(((2 * reach + 1) ** 2 if reach else 0) + 3, width, 1)
        self.recall = nn.Conv2d(state, width, 1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.head = nn.Conv2d(width, answers, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.head.weight[:3] = 0
            self.head.weight[3:] *= 0.1

    def forward(self, frames: Tensor, state: Tensor, time: Time) -> Tensor:
        """Both frames (N,2,2h,2w) and the state (N,S,h,w) before -> after; of the last level its first three only."""
        motion = (state[:, :2] * self.in_cells).contiguous()
        brought = torch.cat(bring(frames[:, :1], frames[:, 1:], motion, _SEEN, time), 1)
        hints = [least_squares(brought)]
        if self.reach:
            hints.append(differences(brought, self.reach))
        matched = self.match(torch.cat(hints, 1).contiguous(memory_format=torch.channels_last))
        features = self.recall(state).add_(self.see(brought)).add_(matched)
        for conv in self.body:
            features = conv(F.leaky_relu_(features, SLOPE))
        return state[:, : self.head.out_channels] + self.head(F.leaky_relu_(features, SLOPE))


def differences(frames: Tensor, reach: int) -> Tensor:
    """How unlike the two frames (N,2,2h,2w) are in each cell if what the first shows moved on by up to `reach` pixels each way.

    (N,(2 reach + 1)^2,h,w), downward moves row by row: the mean absolute difference over a cell, in parts of the mean of all
    moves, minus 1.
    """
    height, width = frames.shape[-2:]
    moved = F.pad(frames[:, 1:], (reach, reach, reach, reach), mode="replicate").unfold(2, height, 1).unfold(3, width, 1)
    unlike = (moved - frames[:, :1, None, None]).abs_().flatten(1, 3)
    unlike = F.interpolate(unlike, scale_factor=1 / _SEEN, mode="bilinear")
    return (unlike / (unlike.mean(1, keepdim=True) + _CONTRAST)).sub_(1)


def least_squares(frames: Tensor) -> Tensor:
    """The small move that explains best how the two frames (N,2,2h,2w) differ around each cell, and how sure it is: (N,3,h,w).

    x and y in pixels, up to 2, of the first's content towards the second (Lucas & Kanade, IJCAI 1981), over 3x3 cells; sure is 1,
    0 where there is nothing to see. Unlike what convolutions make of differences it doesn't depend on contrast.
    """
    mean = F.pad(frames.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    x = (mean[..., 1:-1, 2:] - mean[..., 1:-1, :-2]) / 2
    y = (mean[..., 2:, 1:-1] - mean[..., :-2, 1:-1]) / 2
    passed = frames[:, :1] - frames[:, 1:]
    products = torch.cat((x * x, x * y, y * y, x * passed, y * passed), 1)
    sums = F.interpolate(products, scale_factor=1 / _SEEN, mode="bilinear")
    sums = F.avg_pool2d(F.pad(sums, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    xx, xy, yy, xt, yt = sums.split(1, 1)
    xx, yy = xx + _GRADIENT, yy + _GRADIENT
    determinant = xx * yy - xy * xy
    right, down = (yy * xt - xy * yt) / determinant, (xx * yt - xy * xt) / determinant
    sure = 1 - _GRADIENT * (xx + yy) / determinant
    return torch.cat((right.clamp(-2, 2), down.clamp(-2, 2), sure.clamp(0, 1)), 1)
