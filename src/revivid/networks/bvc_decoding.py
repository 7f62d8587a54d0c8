"""How BVC's decoder half is computed: by its modules as they are, or on cells, which takes a CPU less time.

    motion -> D_flow -> flow [-> taps]                         residual -> D_res -> picture, or cells
                 |                                                           |
    reference -> warp -> MCNet -> x-, a picture or cells  -------------------+--> x

Neither motion nor residual needs the reference: the next frame's can be made beside this one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.block_transform import Analysis, Synthesis
from ..layers.deblocking import deblock
from ..layers.fused import fused_conv
from ..layers.latent_coder import LatentCoder
from ..layers.overlapped import overlapped
from ..layers.row_warp import Taps, row_warp, rows_warp, taps_of
from .bvc_compact import BLOCK, CELL, FLOW_SCALE, RESIDUAL_GAIN, CellCompensation, Deblocking, enlarge_flow, repeat_flow

_COLORS = 3
#: Side of a latent's cell in pixels.
LATENT_CELL = 16


class Motion(NamedTuple):
    """D_flow's flow on the motion coder's grid, in pixels; where it brings each pixel from, if that is known already; and the age,
    0 and up, of the frame that it brings each block of 16x16 pixels from (h, w), where there may be several."""

    flow: Tensor
    taps: Taps | None = None
    ages: Tensor | None = None


class Residual(NamedTuple):
    """`samples`: what is added to x-. `coded` (1, 1, H/8, W/8), bool: of blocks, which have an integer that is not 0."""

    samples: Tensor
    coded: Tensor | None = None


class Decoding(Protocol):
    """A way to compute the decoder. What it hands from one method to the next is its own."""

    def motion(self, symbols: Tensor, quality: float) -> Motion:
        """Of a frame's integers (C, h, w)."""
        ...

    def residual(self, symbols: Tensor, quality: float) -> Residual:
        """Of a frame's integers (C, h, w)."""
        ...

    def detailed(self, residual: Residual, symbols: Tensor, quality: float) -> Residual:
        """A residual, which may be overwritten, with what the integers (C, h, w) of the fine coefficients add."""
        ...

    def predicted(self, motion: Motion, references: Sequence[Tensor]) -> Tensor:
        """x- of Eq. 8, from the frames decoded before, (1, 3, H, W) each, newest first."""
        ...

    def pictured(self, samples: Tensor) -> Tensor:
        """x-, or a residual's samples, as a picture (1, 3, H, W)."""
        ...

    def decoded(self, predicted: Tensor, residual: Residual, quality: float) -> Tensor:
        """The frame (1, 3, H, W) in [0, 1]; `predicted` may be overwritten."""
        ...


class OnCells:
    """The compact decoder with everything between two layers on cells, channels last in memory, a cell's 48 numbers in the order in
    which the picture has them (row, column, colour): cells and pictures become each other by copying runs of memory. For that the
    weights are permuted at each call, which costs nothing beside the layers. The same numbers as the modules', rounded differently.
    """

    def __init__(
        self,
        motion_coder: LatentCoder,
        residual_coder: LatentCoder,
        mcnet: CellCompensation,
        detail_coder: LatentCoder | None = None,
    ) -> None:
        self._motion_coder, self._residual_coder, self._mcnet = motion_coder, residual_coder, mcnet
        self._detail_coder = detail_coder

    def motion(self, symbols: Tensor, quality: float) -> Motion:
        flow = self._motion_coder.reconstruct(symbols, quality)
        return Motion(flow, taps_of(enlarge_flow(flow)))

    def residual(self, symbols: Tensor, quality: float) -> Residual:
        block, _, synthesis, deblocking = cast(Iterable[nn.Module], self._residual_coder.decoder)
        latent = block(self._residual_coder.dequantised(symbols, quality))
        cells = _synthesised(cast(Synthesis, synthesis), F.pixel_shuffle(latent, 2))
        return Residual(_deblocked(cast(Deblocking, deblocking), cells))

    def detailed(self, residual: Residual, symbols: Tensor, quality: float) -> Residual:
        assert self._detail_coder is not None
        shuffle, synthesis = cast(Iterable[nn.Module], self._detail_coder.decoder)
        latent = shuffle(self._detail_coder.dequantised(symbols, quality))
        return Residual(residual.samples.add_(_synthesised(cast(Synthesis, synthesis), latent)))

    def predicted(self, motion: Motion, references: Sequence[Tensor]) -> Tensor:
        assert motion.taps is not None
        reference = references[0].float().contiguous(memory_format=torch.channels_last)
        cells = _to_cells(row_warp(reference, motion.taps))
        fine = _mixed(self._mcnet.mix, cells, reference, motion.flow)
        join, head = self._mcnet.join, cast(nn.Conv2d, self._mcnet.head)
        hidden = fused_conv(_with_coarser(self._mcnet, fine), join.weight, join.bias, relu=True)
        return fused_conv(hidden, *_permuted(head), add=cells)

    def pictured(self, samples: Tensor) -> Tensor:
        return _to_picture(samples)

    def decoded(self, predicted: Tensor, residual: Residual, quality: float) -> Tensor:
        del quality
        return _to_picture(predicted.add_(residual.samples).clamp_(0, 1))


def step_of(coder: LatentCoder, quality: float) -> float:
    """The step of a transform's quantiser, mean over its coefficients, in the picture's units."""
    where = next(coder.parameters()).device
    gain = float(coder.gains(torch.tensor([float(quality)], device=where))[0].mean())
    return 1 / (gain * cast(Analysis, cast(nn.Sequential, coder.encoder)[0]).gain)


def smoothed(frame: Tensor, coded: Tensor | None, step: float) -> Tensor:
    """What a decoder of blocks makes of x- and the residual that was added to it; `frame` is overwritten."""
    assert coded is not None
    return deblock(frame, coded, BLOCK, step).clamp_(0, 1)


def coded_blocks(symbols: Tensor) -> Tensor:
    """`Residual.coded` of a residual's integers (C, h, w): channel 4 k + b is coefficient k of block b of four."""
    found = (symbols != 0).unflatten(0, (-1, 2, 2)).any(0)
    return found.permute(2, 0, 3, 1).flatten(2, 3).flatten(0, 1)[None, None]


def moved_by(coder: LatentCoder, symbols: Tensor, quality: float) -> tuple[Tensor, Tensor | None]:
    """Flow on cells of a model of blocks, and ages of references where the integers (C, h, w) have a channel for them."""
    vectors, ages = symbols.split((coder.channels, len(symbols) - coder.channels))
    return coder.reconstruct(vectors, quality), ages[0].long().clamp(min=0) if len(ages) else None


class OnBlocks:
    """A decoder without networks: blocks along their vectors, and transforms. `overlap`: blocks blend at their edges."""

    def __init__(self, motion_coder: LatentCoder, residual_coder: LatentCoder, overlap: bool = False) -> None:
        self._motion_coder, self._residual_coder, self._overlap = motion_coder, residual_coder, overlap

    def motion(self, symbols: Tensor, quality: float) -> Motion:
        flow, ages = moved_by(self._motion_coder, symbols, quality)
        return Motion(flow, None if self._overlap else taps_of(repeat_flow(flow)), ages)

    def residual(self, symbols: Tensor, quality: float) -> Residual:
        shuffle, synthesis = cast(Iterable[nn.Module], self._residual_coder.decoder)
        latent = shuffle(self._residual_coder.dequantised(symbols, quality))
        return Residual(_to_picture(_synthesised(cast(Synthesis, synthesis), latent)), coded_blocks(symbols))

    def detailed(self, residual: Residual, symbols: Tensor, quality: float) -> Residual:
        del residual, symbols, quality
        raise AssertionError("a network without a coarse residual has no fine one")

    def predicted(self, motion: Motion, references: Sequence[Tensor]) -> Tensor:
        pictures = [reference.float().contiguous(memory_format=torch.channels_last) for reference in references]
        if motion.taps is None:
            ages = None if motion.ages is None else motion.ages.clamp(max=len(pictures) - 1)
            which = None if ages is None else ages.repeat_interleave(2, 0).repeat_interleave(2, 1)
            return overlapped(pictures, motion.flow[0, :, ::2, ::2], which)
        if motion.ages is None:
            return row_warp(pictures[0], motion.taps)
        return rows_warp(pictures, motion.ages.clamp(max=len(pictures) - 1), motion.taps)

    def pictured(self, samples: Tensor) -> Tensor:
        return samples

    def decoded(self, predicted: Tensor, residual: Residual, quality: float) -> Tensor:
        return smoothed(predicted.add_(residual.samples), residual.coded, step_of(self._residual_coder, quality))


def _synthesised(synthesis: Synthesis, latent: Tensor) -> Tensor:
    """Cells (N, 48, 2h, 2w) of coefficients (N, C, h, w) of blocks of 2x2 cells."""
    order = torch.arange(_COLORS * 4 * CELL * CELL).view(_COLORS, 2, CELL, 2, CELL).permute(1, 3, 2, 4, 0).flatten()
    weight, bias = synthesis.expand.weight.flatten(1)[order] / synthesis.gain, synthesis.expand.bias
    return _spread(F.linear(latent.permute(0, 2, 3, 1), weight, None if bias is None else bias[order] / synthesis.gain))


def _deblocked(deblocking: Deblocking, cells: Tensor) -> Tensor:
    inner, outer = deblocking.inner, cast(nn.Conv2d, deblocking.outer)
    order = _picture_order()
    hidden = fused_conv(cells, RESIDUAL_GAIN * inner.weight[:, order], inner.bias, relu=True)
    weight, bias = _permuted(outer)
    return fused_conv(hidden, weight / RESIDUAL_GAIN, bias / RESIDUAL_GAIN, add=cells)


def _mixed(mix: nn.Conv2d, cells: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
    """`mix` of cells, means of the reference's cells and flow, without putting them side by side."""
    _, _, height, width = reference.shape
    weight, order = mix.weight.flatten(1), _picture_order()
    seen, means, motion = weight[:, : len(order)][:, order], weight[:, len(order) : -2], weight[:, -2:] / FLOW_SCALE
    rows = reference.permute(0, 2, 3, 1).reshape(height // CELL, CELL, width // CELL, CELL * _COLORS).sum(1).flatten(0, 1)
    out = torch.addmm(cast(Tensor, mix.bias), rows, means.repeat(1, CELL).t() / CELL**2)
    out.addmm_(flow.permute(0, 2, 3, 1).flatten(0, 2), motion.t())
    out.addmm_(cells.permute(0, 2, 3, 1).flatten(0, 2), seen.t())
    return out.view(1, height // CELL, width // CELL, -1).permute(0, 3, 1, 2)


def _with_coarser(mcnet: CellCompensation, fine: Tensor) -> Tensor:
    """`fine`, in its own memory, with what the coarser grid adds."""
    shrink, grow = mcnet.shrink, mcnet.grow
    coarse = mcnet.block(fused_conv(fine, shrink.weight, shrink.bias, relu=True, stride=2))
    width = fine.shape[1]
    order = torch.arange(4 * width).view(width, 4).t().flatten()
    grown = F.linear(coarse.permute(0, 2, 3, 1), grow.weight.flatten(1)[order], cast(Tensor, grow.bias)[order])
    count, height, across, _ = grown.shape
    target = fine.permute(0, 2, 3, 1).view(count, height, 2, across, 2 * width)
    target.add_(grown.view(count, height, across, 2, 2 * width).transpose(2, 3))
    return fine


def _spread(blocks: Tensor) -> Tensor:
    """(N, h, w, 4 C) to (N, C, 2h, 2w), channels last: four pixels, row by row, become a square."""
    count, height, width, channels = blocks.shape
    runs = blocks.view(count, height, width, 2, channels // 2).transpose(2, 3)
    return runs.reshape(count, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def _to_cells(picture: Tensor) -> Tensor:
    """(1, 3, H, W), channels last, to (1, 48, h, w)."""
    _, colors, height, width = picture.shape
    rows = picture.permute(0, 2, 3, 1).view(height // CELL, CELL, width // CELL, CELL * colors)
    return rows.transpose(1, 2).reshape(1, height // CELL, width // CELL, -1).permute(0, 3, 1, 2)


def _to_picture(cells: Tensor) -> Tensor:
    _, channels, height, width = cells.shape
    runs = cells.permute(0, 2, 3, 1).view(height, width, CELL, channels // CELL).transpose(1, 2)
    return runs.reshape(1, CELL * height, CELL * width, _COLORS).permute(0, 3, 1, 2)


def _permuted(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer that makes cells, for the picture's order."""
    order = _picture_order()
    return conv.weight[order], cast(Tensor, conv.bias)[order]


def _picture_order() -> Tensor:
    """Where among a cell's channels of `pixel_unshuffle` (colour, row, column) those of the order (row, column, colour) are."""
    return torch.arange(_COLORS * CELL * CELL).view(_COLORS, -1).t().flatten()
