"""CellNet: a small U-shaped network that restores decoded video at its own size, in YUV 4:2:0 planes. Our own design.

    a frame and its neighbours -> cells of 2x2 luma samples with their U and V: 6 channels per frame on the grid of chroma
        stem - FiLM - [block] - down - FiLM - [block] - ... - [block] ... - up - (+ skip) - [block] - head - (+ the frame) - planes

A block is x + conv(LReLU(conv(x))); FiLM scales and shifts by what is known of the damage (CRF, or sigma of noise). The finest
grid is the one that 4:2:0 has for both luma and chroma, so no plane is resampled, and coarser ones see far for little.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.fused import conv_add, conv_film_leaky_relu, conv_leaky_relu
from .planes import SLOPE
from .traits import Traits

#: Samples of a cell: four of luma, one of U, one of V.
CELL = 6
#: What the strength is divided by: the largest CRF, and about the strongest noise in 8-bit code values.
MAX_STRENGTH = 51.0
#: Cells on each side over which the energy of a correction is taken.
GATE_REACH = 4
_TASKS = ("deartifact", "deblur", "denoise", "refine")


class CellNet(nn.Module):
    """Restores the middle one of `2 reach + 1` frames, told how strong the damage is.

    `task`: deartifact, deblur, refine (strength: x265 CRF of the input, 0 for lossless) or denoise (strength: standard deviation of
    the noise in 8-bit code values). `reach`: frames before and after. `widths`: channels on each grid, from cells on, each half as
    fine as the one before. `encoder`, `decoder`: blocks on each grid but the coarsest, on the way down and up; `middle`: on the
    coarsest. `gate`: corrections whose root mean square over a few cells around is below so many 8-bit code values fade out, since
    small ones are more often wrong than right; 0: none do. `more_inputs`, `more_outputs`: channels on the finest grid for networks
    that are built on this one.

    With its zero-initialised head the untrained network returns its input. Its weights come inside the package, under the
    package's own licence (Apache-2.0). Raises `UsageError` for hyper-parameters that can't work.
    """

    def __init__(
        self,
        task: str = "deartifact",
        reach: int = 0,
        widths: Sequence[int] = (16, 32),
        encoder: Sequence[int] = (0,),
        middle: int = 1,
        decoder: Sequence[int] = (0,),
        gate: float = 0.0,
        *,
        more_inputs: int = 0,
        more_outputs: int = 0,
    ) -> None:
        super().__init__()
        _check(task, reach, widths, encoder, middle, decoder)
        self.reach, self.scale, self.levels, self.gate = reach, 1, len(widths), gate / 255
        pairs = list(pairwise(widths))
        self.stem = nn.Conv2d(CELL * (2 * reach + 1) + more_inputs, widths[0], 3, padding=1)
        self.condition = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(SLOPE), nn.Linear(16, 2 * sum(widths)))
        self.widths = tuple(widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.encoder = nn.ModuleList(_blocks(width, count) for width, count in zip(widths, encoder, strict=False))
        self.middle = _blocks(widths[-1], middle)
        self.decoder = nn.ModuleList(_blocks(width, count) for width, count in zip(widths, decoder, strict=False))
        self.head = nn.Conv2d(widths[0], CELL + more_outputs, 3, padding=1)
        self._initialise()
        unit = 2**self.levels
        self.traits = Traits(
            tasks=(task,),
            kind="planes",
            channels=3,
            temporal_reach=(reach, reach),
            spatial_reach=_reach(encoder, middle, decoder) + 2 * GATE_REACH * (gate > 0),
            size_multiple=unit,
            tile_multiple=unit,
            # Six maps of full width at once, measured with 16 and 32 channels; a cell is four pixels, a number four bytes.
            bytes_per_pixel=6.0 * widths[0],
            channel_order="yuv",
            licence="Apache-2.0",
        )

    def forward(self, y: Tensor, uv: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        """Restore planes of code value / peak.

        `y` (N,T,H,W) with T = 2 reach + 1 frames, `uv` (N,2T,ceil(H/2),ceil(W/2)) as U V U V ..., `strength` (N,). Returns
        (N,1,H,W) and (N,2,ceil(H/2),ceil(W/2)), not clamped. Raises `ShapeError` where the planes don't fit each other.
        """
        self._check_planes(y, uv, strength)
        cells = in_cells(y)
        return self._added(y, cells, uv, self._residual(torch.cat((cells, uv), 1) - 0.5, strength))

    def restore(self, y: Tensor, uv: Tensor, strength: Tensor, bit_depth: int = 8) -> tuple[Tensor, Tensor]:
        """`forward` from integer code values to integer code values: uint8 at 8 bits, uint16 above."""
        peak = (1 << bit_depth) - 1
        luma, chroma = self(y.float().div_(peak), uv.float().div_(peak), strength)
        return in_codes(luma, chroma, bit_depth)

    def _check_planes(self, y: Tensor, uv: Tensor, strength: Tensor) -> None:
        frames, (height, width) = 2 * self.reach + 1, y.shape[-2:]
        chroma = (len(y), 2 * frames, -(-height // 2), -(-width // 2))
        if y.shape[1] != frames or uv.shape != chroma or strength.shape != y.shape[:1]:
            raise ShapeError(
                f"{type(self).__name__} got y {tuple(y.shape)}, uv {tuple(uv.shape)}, strength {tuple(strength.shape)}",
                hint=f"It wants y (N,{frames},H,W), uv (N,{2 * frames},ceil(H/2),ceil(W/2)) and strength (N,).",
            )

    def _added(self, y: Tensor, cells: Tensor, uv: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """The middle frame's planes and what is added to its cells (N,6,h,w), where the gate lets it."""
        height, width = y.shape[-2:]
        if self.gate:
            residual = residual * _openness(residual[:, :4], self.gate)
        own = cells[:, 4 * self.reach : 4 * self.reach + 4] + residual[:, :4]
        return F.pixel_shuffle(own, 2)[..., :height, :width], uv[:, 2 * self.reach : 2 * self.reach + 2] + residual[:, 4:]

    def _residual(self, cells: Tensor, strength: Tensor) -> Tensor:
        """Cells (N,6T + more,h,w) around 0 -> what the head makes of them (N,6 + more,h,w)."""
        height, width = cells.shape[-2:]
        unit = 2 ** (self.levels - 1)
        cells = repeated(cells, -width % unit, -height % unit)
        films = self.condition(strength[:, None] / MAX_STRENGTH)[..., None, None].split([2 * width for width in self.widths], 1)
        features = conv_film_leaky_relu(self.stem, cells.contiguous(memory_format=torch.channels_last), films[0], SLOPE)
        skips = []
        for blocks, down, film in zip(self.encoder, self.down, films[1:], strict=True):
            skips.append(blocks(features))
            features = conv_film_leaky_relu(down, skips[-1], film, SLOPE)  # type: ignore[arg-type]
        features = self.middle(features)
        for blocks, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            features = blocks(up(features).add_(skips.pop()))
        return self.head(features)[..., :height, :width]

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, a=SLOPE, mode="fan_in")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            if isinstance(module, _Block):
                with torch.no_grad():
                    module.second.weight.mul_(0.1)
        for layer in (self.head, self.condition[2]):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def in_cells(y: Tensor) -> Tensor:
    """Luma planes (N,T,H,W) as cells (N,4T,ceil(H/2),ceil(W/2)); an odd last row or column is repeated."""
    return F.pixel_unshuffle(repeated(y, y.shape[-1] % 2, y.shape[-2] % 2), 2)


def repeated(x: Tensor, columns: int, rows: int) -> Tensor:
    """Planes with so many more columns on the right and rows below, which repeat the last ones."""
    # Where there are none, padding copies all the same; an exported network gets other sizes than it is traced with.
    if torch.onnx.is_in_onnx_export() or columns or rows:
        return F.pad(x, (0, columns, 0, rows), mode="replicate")
    return x


def in_codes(y: Tensor, uv: Tensor, bit_depth: int) -> tuple[Tensor, Tensor]:
    """Planes of code value / peak as integers: uint8 at 8 bits, uint16 above, rounded half up and clamped."""
    peak = (1 << bit_depth) - 1
    # int16 holds 15 bits and has more operators than uint16; rounding half up comes from truncating the +0.5.
    luma, chroma = (plane.float().mul_(peak).add_(0.5).clamp_(0, peak) for plane in (y, uv))
    if bit_depth == 8:
        return luma.to(torch.uint8), chroma.to(torch.uint8)
    return luma.to(torch.int16).view(torch.uint16), chroma.to(torch.int16).view(torch.uint16)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return conv_add(self.second, conv_leaky_relu(self.first, x, SLOPE), x)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(count)))


def _openness(residual: Tensor, gate: float) -> Tensor:
    """0 to 1 for each cell (N,1,h,w): energy of the correction around it over that and the gate's."""
    energy = residual.float().square().mean(1, keepdim=True)
    energy = F.avg_pool2d(energy, 2 * GATE_REACH + 1, 1, GATE_REACH, count_include_pad=False)
    return energy / (energy + gate * gate)


def _reach(encoder: Sequence[int], middle: int, decoder: Sequence[int]) -> int:
    """Luma samples on each side that one output sample depends on."""
    cells = 2 + sum(2**level * (2 * (down + up) + 2) for level, (down, up) in enumerate(zip(encoder, decoder, strict=True)))
    return 2 * (cells + 2 ** len(encoder) * 2 * middle) + 2


def _check(
    task: str, reach: int, widths: Sequence[int], encoder: Sequence[int], middle: int, decoder: Sequence[int]
) -> None:
    counts = [*encoder, middle, *decoder]
    if task not in _TASKS or reach < 0 or not widths or min(widths) < 1 or min(counts) < 0:
        raise UsageError(
            f"CellNet can't have task {task!r}, reach {reach}, widths {list(widths)}, blocks {counts}",
            hint=f"task is one of {', '.join(_TASKS)}; reach and blocks are 0 or more, widths 1 or more.",
        )
    if len(encoder) != len(widths) - 1 or len(decoder) != len(widths) - 1:
        raise UsageError(
            f"CellNet has {len(widths)} grids, but blocks for {len(encoder)} on the way down and {len(decoder)} on the way up",
            hint="encoder and decoder have a number for every grid but the coarsest.",
        )
