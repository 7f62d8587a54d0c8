"""The parts of the compact BVC: small enough for a CPU, everything on cells of 4x4 pixels and coarser. Our own design.

What the decoder runs: the decoders of `motion_coder` and `residual_coder`, and `CellCompensation`; all else is the encoder's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.block_transform import Analysis, Synthesis, color_basis, field_basis, rest_of_color_basis, step_basis
from ..layers.fused import conv_add, conv_relu
from ..layers.gdn import GDN
from ..layers.latent_coder import LatentCoder
from ..layers.overlapped import neighbours
from ..layers.registration import register
from ..layers.warp import backward_warp
from .compactinterp import CompactInterp, luma, reduction

#: Pixels along a cell's side; flow has one vector per cell.
CELL = 4
#: Where between picture and reference motion is sought: a time that `compactinterp` was trained for, and 0.2 dB better in what
#: warping gives than the picture's own, 0.
_FLOW_TIME = 0.25
#: Flow is divided by this where it enters convolutions beside samples of 0 to 1.
FLOW_SCALE = 16.0
#: What residuals of 0 to 1 are multiplied by where convolutions see them.
RESIDUAL_GAIN = 16.0
#: Side of the blocks that residuals are transformed in, half a latent's cell.
BLOCK = 8
#: Steps of the quantiser, before training, at the middle quality: in a residual's range and in a pixel of flow's coefficient;
#: and the ratio of the coarsest to the finest.
_RESIDUAL_STEPS, _FLOW_STEPS, _SPREAD = 255 / 24, 1.0, 5.0
#: The same without networks (`transform_coder`); and what magnitudes get before they are cut to integers: what is hardly more than
#: half a step costs more bits than it is worth, and all the more where no network smooths it.
_TRANSFORM_STEPS, _TRANSFORM_SPREAD, _TRANSFORM_ROUNDING = 255 / 27, 9.0, 1 / 3
#: Most of the fine coefficients are 0, and one that is hardly more than half a step costs more bits than it is worth.
_DETAIL_ROUNDING = 1 / 3
_CELL_CHANNELS = 3 * CELL * CELL


def cells(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 16 C, H/4, W/4), channels last in memory."""
    return F.pixel_unshuffle(x, CELL).contiguous(memory_format=torch.channels_last)


def _joined(*maps: Tensor) -> Tensor:
    """Maps of one size side by side on channels, channels last; torch is slow where their layouts differ."""
    return torch.cat([x.contiguous(memory_format=torch.channels_last) for x in maps], 1)


class Block(nn.Module):
    """x + conv3(relu(conv3(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.outer = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: Tensor) -> Tensor:
        return conv_add(self.outer, conv_relu(self.inner, x), x)


class CellUNet(nn.Module):
    """A U-shaped network of residual blocks on cells: what is to be added to a picture (N, 3, H, W), sizes multiples of 16.

    `widths`: channels on each grid, from cells on; `down`, `up`: blocks on each grid but the coarsest; `middle`: on that one.
    Untrained it answers next to nothing.
    """

    def __init__(self, widths: Sequence[int], down: Sequence[int], middle: int, up: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(_CELL_CHANNELS, widths[0], 3, padding=1)
        pairs = list(itertools.pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairs)
        self.down = nn.ModuleList(_blocks(width, count) for width, count in zip(widths, down, strict=False))
        self.middle = _blocks(widths[-1], middle)
        self.up = nn.ModuleList(_blocks(width, count) for width, count in zip(widths, up, strict=False))
        self.head = quiet(nn.Conv2d(widths[0], _CELL_CHANNELS, 3, padding=1))

    def forward(self, picture: Tensor) -> Tensor:
        x, skips = self.stem(cells(picture - 0.5)), []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            skips.append(blocks(x))
            x = shrink(skips[-1])
        x = self.middle(x)
        for blocks, grow, skip in zip(reversed(self.up), reversed(self.grow), reversed(skips), strict=True):
            x = blocks(F.pixel_shuffle(grow(x), 2) + skip)
        return F.pixel_shuffle(self.head(x), CELL)


class CellFlow(nn.Module):
    """Flow from a picture to its reference, one vector per cell, in pixels: the motion that `compactinterp` finds between frames,
    registered: 2.6 dB in what warping gives (results/registration.json).

    That network's trained weights are in the package (`Bvc.borrowed`), and they stay as they are, as the paper's flow network does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = CompactInterp().requires_grad_(False)

    @torch.no_grad()
    def forward(self, target: Tensor, reference: Tensor) -> Tensor:
        """(N, 3, H, W) twice, sizes multiples of 64 -> (N, 2, H/4, W/4)."""
        grey = [frame.float().mean(1, keepdim=True) for frame in (target, reference)]
        return register(grey[0], grey[1], self.found(target, reference), CELL)

    @torch.no_grad()
    def found(self, target: Tensor, reference: Tensor) -> Tensor:
        """The same before it is registered."""
        frames = luma(torch.stack((target, reference), 1))
        *_, last = self.network.estimates(frames, _FLOW_TIME)
        flow, factor = last.field[:, :2].float(), reduction(frames)
        if factor > 1:
            flow = F.interpolate(flow, scale_factor=float(factor), mode="bilinear", align_corners=False)
        return CELL * factor * flow


class CellFlowRefinement(nn.Module):
    """FRNet (Eq. 3) on cells: what is to be added to the flow, from target, reference warped by it and the flow itself."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(2 * _CELL_CHANNELS + 2, width, 3, padding=1)
        self.block = Block(width)
        self.head = quiet(nn.Conv2d(width, 2, 3, padding=1))

    def forward(self, target: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        warped = brought(reference, flow)
        seen = _joined(cells(target), cells(warped), flow / FLOW_SCALE)
        return CELL * self.head(self.block(conv_relu(self.shrink, seen))).float()


class CellCompensation(nn.Module):
    """MCNet (Eq. 8) on cells and a grid half as fine: the warped frame, improved. Of the reference it sees a cell's mean."""

    def __init__(self, width: int = 32, coarse: int = 64) -> None:
        super().__init__()
        self.mix = nn.Conv2d(_CELL_CHANNELS + 3 + 2, width, 1)
        self.shrink = nn.Conv2d(width, coarse, 2, stride=2)
        self.block = Block(coarse)
        self.grow = nn.Conv2d(coarse, 4 * width, 1)
        self.join = nn.Conv2d(width, width, 3, padding=1)
        self.head = quiet(nn.Conv2d(width, _CELL_CHANNELS, 3, padding=1))

    def forward(self, warped: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        fine = self.mix(_joined(cells(warped), F.avg_pool2d(reference, CELL), flow / FLOW_SCALE))
        fine = fine + F.pixel_shuffle(self.grow(self.block(conv_relu(self.shrink, fine))), 2)
        return warped + F.pixel_shuffle(self.head(conv_relu(self.join, fine)), CELL)


class _Cells(nn.Module):
    """`cells` of half or whole size as a layer."""

    def __init__(self, unit: int) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(x, self.unit).contiguous(memory_format=torch.channels_last)


class Deblocking(nn.Module):
    """What a picture of blocks (N, 3, H, W) lacks where they meet, on cells; untrained it changes nothing."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.inner = nn.Conv2d(_CELL_CHANNELS, width, 3, padding=1)
        self.outer = quiet(nn.Conv2d(width, _CELL_CHANNELS, 3, padding=1))

    def forward(self, picture: Tensor) -> Tensor:
        hidden = conv_relu(self.inner, cells(picture), RESIDUAL_GAIN)
        # On the weights, not on what comes of them: a power of two, so these are the same numbers for a pass less over the picture.
        weight, bias = (part / RESIDUAL_GAIN for part in self.outer.parameters())
        return picture + F.pixel_shuffle(F.conv2d(hidden, weight, bias, padding=1), CELL)


def residual_coder(grey: int, color: int, rates: int, contexts: bool = False) -> LatentCoder:
    """For a picture's worth of residual (N, 3, H, W); its latent is (N, 4 (grey + 2 color), H/16, W/16): four blocks of 8x8.
    `contexts`: its integers are coded by what is known before them, and lie around its mean."""
    basis = color_basis(BLOCK, grey, color)
    channels = 4 * len(basis)
    encoder = nn.Sequential(Analysis(basis, _RESIDUAL_STEPS), _Cells(2), Block(channels))
    decoder = nn.Sequential(Block(channels), nn.PixelShuffle(2), Synthesis(basis, _RESIDUAL_STEPS), Deblocking())
    return LatentCoder(encoder, decoder, channels, rates, tabled=not contexts, spread=_SPREAD, centred=contexts)


def detail_coder(kept: tuple[int, int], grey: int, color: int, rates: int, contexts: bool = False) -> LatentCoder:
    """For what a residual coder of `kept` coefficients misses of its input, in the coefficients that it hasn't: a transform without
    a network, so that high qualities lose nothing. Its latent goes behind that coder's, in the same blocks."""
    basis = rest_of_color_basis(BLOCK, kept, grey, color)
    return _by_transform(basis, _RESIDUAL_STEPS, rates, contexts, spread=_SPREAD, rounding=_DETAIL_ROUNDING)


def transform_coder(grey: int, color: int, rates: int, contexts: bool = False) -> LatentCoder:
    """`residual_coder` without networks: a picture without residual stays as it is, however often."""
    basis = color_basis(BLOCK, grey, color)
    return _by_transform(
        basis, _TRANSFORM_STEPS, rates, contexts, spread=_TRANSFORM_SPREAD, rounding=_TRANSFORM_ROUNDING
    )


def _by_transform(
    basis: torch.Tensor, steps: float, rates: int, contexts: bool, *, spread: float, rounding: float
) -> LatentCoder:
    encoder = nn.Sequential(Analysis(basis, steps), _Cells(2))
    decoder = nn.Sequential(nn.PixelShuffle(2), Synthesis(basis, steps, bias=False))
    return LatentCoder(encoder, decoder, 4 * len(basis), rates, tabled=not contexts, spread=spread, rounding=rounding)


def vector_coder(rates: int, contexts: bool = False) -> LatentCoder:
    """For flow on cells that is even in blocks of 8x8 pixels (`bvc_choices`): its latent (N, 8, H/16, W/16) has the mean of four
    blocks' vectors in quarters of a pixel, and how they differ. No motion is coded as exactly none."""
    basis = step_basis(CELL, 2)
    encoder, decoder = Analysis(basis, _FLOW_STEPS), Synthesis(basis, _FLOW_STEPS, bias=False)
    return LatentCoder(encoder, decoder, len(basis), rates, tabled=not contexts, spread=1.0)


def motion_coder(rates: int, contexts: bool = False) -> LatentCoder:
    """For flow on cells (N, 2, H/4, W/4); its latent is (N, 32, H/16, W/16)."""
    basis = field_basis(CELL, 2)
    encoder = nn.Sequential(Analysis(basis, _FLOW_STEPS), Block(len(basis)))
    decoder = nn.Sequential(Block(len(basis)), Synthesis(basis, _FLOW_STEPS))
    return LatentCoder(encoder, decoder, len(basis), rates, tabled=not contexts, spread=_SPREAD)


def blur_encoder(channels: int, width: int = 64) -> nn.Module:
    """Blur residual (N, 3, H, W) -> (N, channels, H/8, W/8): twice as fine as what is sent, since this never is."""
    return nn.Sequential(
        _Scaled(RESIDUAL_GAIN), _Cells(CELL), nn.Conv2d(_CELL_CHANNELS, width, 5, 2, 2), GDN(width),
        _loud(nn.Conv2d(width, channels, 3, padding=1, bias=False)),
    )  # fmt: skip


def blur_decoder(channels: int, width: int = 64) -> nn.Module:
    """And back."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), GDN(width, inverse=True),
        quiet(_up5(width, _CELL_CHANNELS)), nn.PixelShuffle(CELL),
    )  # fmt: skip


def brought(reference: Tensor, flow: Tensor) -> Tensor:
    """The reference along a flow on cells, sampled bicubically: 0.4 dB over bilinearly (results/registration.json)."""
    return backward_warp(reference, enlarge_flow(flow), padding="border", mode="bicubic")


def brought_in_blocks(reference: Tensor, flow: Tensor) -> Tensor:
    """The same along a flow that is even in blocks, each of which is brought as it is: 0.3 dB over vectors that blend into one
    another, by hand on training clips."""
    return backward_warp(reference, repeat_flow(flow), padding="border", mode="bicubic")


def brought_overlapping(references: Sequence[Tensor], flow: Tensor, ages: Tensor | None = None) -> Tensor:
    """`layers.overlapped`, differentiable and slow. `ages` (h, w): which of `references` blocks of 16x16 pixels come from."""
    vectors = flow[:, :, ::2, ::2]
    which = vectors.new_zeros(vectors[:, :1].shape)
    if ages is not None:
        which += ages.clamp(max=len(references) - 1).repeat_interleave(2, 0).repeat_interleave(2, 1)
    total = torch.zeros_like(references[0])
    for there, weights in neighbours(torch.cat((vectors, which), 1)):
        moved, age = F.interpolate(there, scale_factor=2.0 * CELL, mode="nearest").split((2, 1), 1)
        for number, reference in enumerate(references):
            theirs = weights * (age == number)
            total = total + theirs * backward_warp(reference, moved, padding="border", mode="bicubic")
    return total


def repeat_flow(flow: Tensor) -> Tensor:
    """Flow on cells as flow on pixels, alike in each cell."""
    return F.interpolate(flow.contiguous(), scale_factor=float(CELL), mode="nearest")


def enlarge_flow(flow: Tensor) -> Tensor:
    """Flow on cells as flow on pixels; its vectors are in pixels already."""
    # With two channels last in memory torch takes eight times as long.
    return F.interpolate(flow.contiguous(), scale_factor=CELL, mode="bilinear", align_corners=False)


class _Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def quiet(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """A last layer that answers little before it is trained."""
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _loud(layer: nn.Conv2d) -> nn.Module:
    """A last layer of an encoder that answers much before it is trained."""
    with torch.no_grad():
        layer.weight.mul_(8)
    return layer


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


def _up5(into: int, out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(into, out, 5, 2, 2, 1)
