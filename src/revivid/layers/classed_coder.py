"""A latent coder whose places belong to classes, such as busy and quiet ones, each with densities of its own (adaptive transform
coding: Chen, Smith, "Adaptive Coding of Monochrome and Color Images", 1977).

    x -> encoder -> * gain -> round -> integers -> * inverse gain -> decoder -> x^
                                          |-> each place: the class in which it takes the fewest bits, sent beside

A factorised density knows nothing of where in a picture it is; here every place tells it in a bit or so.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .density import MAX_SYMBOLS, TOTAL, FactorisedDensity, Tables
from .latent_coder import GainedCoder, Quantise, quantised, stored, tables_of

#: Hidden values of the densities: classes have simpler ones than a whole picture.
_FILTERS = (3,)
#: Bits that an integer beside its class's table is thought to take where classes are chosen.
_BESIDE = 64.0


class ClassedCoder(GainedCoder):
    """`encoder`: (N, K, H, W) -> (N, channels, H/stride, W/stride); `decoder` back. There is a class for each of `spreads`, the
    scales that their densities begin with, in steps of the quantiser.
    """

    frequencies: Tensor
    offsets: Tensor
    lengths: Tensor
    class_frequencies: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, channels: int, rates: int, *, spreads: tuple[float, ...], spread: float
    ) -> None:
        super().__init__(encoder, decoder, channels, rates, spread=spread)
        classes = len(spreads)
        self.density = nn.ModuleList(FactorisedDensity(channels, _FILTERS, scale) for scale in spreads)
        #: How likely a class is, by quality, as logits.
        self.class_logits = nn.Parameter(torch.zeros(rates, classes))
        self.register_buffer("frequencies", torch.zeros(rates, classes, channels, MAX_SYMBOLS, dtype=torch.int16))
        self.register_buffer("offsets", torch.zeros(rates, classes, channels, dtype=torch.int16))
        self.register_buffer("lengths", torch.zeros(rates, classes, channels, dtype=torch.int16))
        self.register_buffer("class_frequencies", torch.zeros(rates, classes, dtype=torch.int32))
        self.update_tables()

    def forward(
        self, x: Tensor, quality: Tensor, how: Quantise = "noise", noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the decoder makes of the quantised latent, and the bits of each sample (N,), classes included, as
        `LatentCoder.forward`."""
        gain, inverse, width = self.gains(quality)
        used, counted = quantised(self.encoder(x).float() * gain, how, noise)
        return self.decoder(used * inverse), self._bits(counted, width, self._class_bits(quality))

    def _bits(self, symbols: Tensor, width: Tensor, chances: Tensor) -> Tensor:
        """Bits (N,) of `symbols` (N, C, h, w) where each place has its best class; gradients are those of that class alone."""
        with torch.no_grad():
            by_class = torch.stack([density.bits(symbols, width).sum(1) for density in self._densities()], 1)
            chosen = (by_class + chances[..., None, None]).argmin(1)
        total = chances.gather(1, chosen.flatten(1)).sum(1)
        places, widths = (x.permute(1, 0, 2, 3) for x in (symbols, width.expand_as(symbols)))
        for number, density in enumerate(self._densities()):
            mask = chosen == number
            found = density.bits(places[:, mask][None, :, None], widths[:, mask][None, :, None]).sum(1).flatten()
            total = total.index_add(0, mask.nonzero()[:, 0], found)
        return total

    @torch.no_grad()
    def quantise(self, x: Tensor, quality: float) -> tuple[Tensor, Tensor]:
        """Of one picture (1, K, H, W) the class of each place (1, h, w), and integers (C, h, w) within its table, both int16."""
        chances, *tables = self.tables(quality)
        symbols = self.integers(x, quality)
        bits = torch.stack([_bits(of, symbols) for of in tables]) + _costs(chances)[0, :, None, None]
        classes = bits.argmin(0)
        low = torch.stack([of.offset for of in tables])
        high = low + torch.stack([of.length for of in tables]) - 1
        low, high = (end[classes].permute(2, 0, 1) for end in (low, high))
        return classes[None].to(torch.int16), torch.minimum(torch.maximum(symbols, low), high).to(torch.int16)

    @torch.no_grad()
    def update_tables(self) -> None:
        """Make the integer tables of the densities as they are now: after training, before the weights are written."""
        for step in range(len(self.frequencies)):
            quality = torch.tensor([step + 1.0], device=self.frequencies.device)
            width = self.gains(quality)[2].flatten()
            for number, density in enumerate(self._densities()):
                frequencies, low, length = density.table(width)
                self.frequencies[step, number] = stored(frequencies)
                self.offsets[step, number], self.lengths[step, number] = low.to(torch.int16), length.to(torch.int16)
            chances = self._class_bits(quality)[0].neg().exp2()
            counts = 1 + torch.floor(chances * (TOTAL - len(chances))).to(torch.int32)
            left = (TOTAL - counts.sum(0, keepdim=True)).to(torch.int32)
            self.class_frequencies[step] = counts.scatter_add(0, counts.argmax(0, keepdim=True), left)

    def tables(self, quality: float) -> tuple[Tables, ...]:
        """The integer tables of the nearest whole quality: of the classes, a single channel, then of each class."""
        step = round(min(max(quality, 1.0), float(self.rates))) - 1
        counts = self.class_frequencies[step]
        cdf = F.pad(torch.cumsum(counts, 0, dtype=torch.int32), (1, 0))[None]
        chances = Tables(cdf, torch.zeros(1, dtype=torch.int32), torch.full((1,), len(counts), dtype=torch.int32))
        parts = zip(self.frequencies[step], self.offsets[step], self.lengths[step], strict=True)
        return chances, *(tables_of(*part) for part in parts)

    def _densities(self) -> list[FactorisedDensity]:
        return [density for density in self.density if isinstance(density, FactorisedDensity)]

    def _class_bits(self, quality: Tensor) -> Tensor:
        """What naming each class takes at `quality` (N,): (N, classes)."""
        logits = self.class_logits[0].expand(len(quality), -1)
        if self.rates > 1:
            below, part = self.place(quality)
            logits = torch.lerp(self.class_logits[below], self.class_logits[below + 1], part[:, None])
        return -F.log_softmax(logits, 1) / math.log(2)


def _costs(tables: Tables) -> Tensor:
    """Bits of each symbol (C, L), 0 beyond a table's length."""
    return 16 - torch.log2(tables.cdf.diff(dim=1).clamp(min=1).float())


def _bits(tables: Tables, symbols: Tensor) -> Tensor:
    """Bits of the places of integers (C, h, w) by a class's tables: (h, w)."""
    costs, total = _costs(tables), torch.zeros(symbols.shape[1:])
    # Channel by channel: all at once is an index of eight bytes for every integer.
    for cost, channel, offset, length in zip(costs, symbols, tables.offset.tolist(), tables.length.tolist(), strict=True):
        index = (channel - offset).clamp(0, length - 1)
        total += torch.where(channel - offset == index, cost[index.long()], _BESIDE)
    return total
