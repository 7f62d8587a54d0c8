"""An autoencoder whose latent is quantised and entropy coded: encoder, gain units, density, integer tables, decoder.

    x -> encoder -> * gain -> round -> integers -> * inverse gain -> decoder -> x^
                                 bits = density(integers * width)

Gain units make one network serve many rates (Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate
Adaptation", CVPR 2021): each quality has a factor per channel before rounding, another after it and a width of the density;
between two qualities they are interpolated exponentially.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .density import MAX_SYMBOLS, TOTAL, FactorisedDensity, Tables

Quantise = Literal["round", "noise", "straight"]
#: Tables per step of quality: what is coded at a quality between two of them uses the nearest one's.
_TABLES_PER_STEP = 2


class GainedCoder(nn.Module):
    """What coders of a latent share: encoder, decoder and gain units.

    `encoder`: (N, K, H, W) -> (N, channels, H/stride, W/stride); `decoder` back.
    `rates`: it serves the qualities 1 to that many; 1: a single one, without gain units. `spread`: ratio of the last quality's
    gain to the first one's at the start of training. `centred`: the latent's mean, a buffer, is taken off before rounding, so that
    what is sent is mostly 0. `rounding`: what a magnitude gets before it is cut to an integer; below a half small ones become 0.
    """

    center: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        channels: int,
        rates: int,
        *,
        spread: float = 4.0,
        centred: bool = False,
        rounding: float = 0.5,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.channels, self.rates = encoder, decoder, channels, rates
        self.centred, self.rounding = centred, rounding
        if centred:
            self.register_buffer("center", torch.zeros(channels))
        if rates > 1:
            steps = torch.linspace(-0.5, 0.5, rates)[:, None] * torch.log(torch.tensor(spread))
            gain = steps.expand(rates, channels)
            #: Logarithms by quality of: gain, inverse gain, width of the density.
            self.log_gains = nn.Parameter(torch.stack((gain, -gain, -gain)))

    def gains(self, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gain, inverse gain and width (N, C, 1, 1) for `quality` (N,)."""
        if self.rates == 1:
            one = torch.ones(len(quality), self.channels, 1, 1, device=quality.device)
            return one, one, one
        below, part = self.place(quality)
        low, high = self.log_gains[:, below], self.log_gains[:, below + 1]
        gain, inverse, width = torch.lerp(low, high, part[:, None].expand_as(low)).exp()[..., None, None].unbind()
        return gain, inverse, width

    def place(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """The whole quality below each of `quality` (N,), counted from 0, and the part (N,) of the way to the next one."""
        place = quality.clamp(1, self.rates) - 1
        below = place.floor().clamp(max=self.rates - 2).long()
        return below, place - below

    @torch.no_grad()
    def integers(self, x: Tensor, quality: float) -> Tensor:
        """The rounded latent (C, h, w) int32 of one picture (1, K, H, W)."""
        scaled = self.scaled(x, quality)
        whole = torch.round(scaled) if self.rounding == 0.5 else torch.copysign((scaled.abs() + self.rounding).floor(), scaled)
        return whole.to(torch.int32)

    @torch.no_grad()
    def scaled(self, x: Tensor, quality: float) -> Tensor:
        """The latent (C, h, w) of one picture (1, K, H, W) before it is rounded."""
        gain, _, _ = self.gains(torch.tensor([quality], device=x.device))
        latent = self.encoder(x).float()
        if self.centred:
            latent = latent - self.center[:, None, None]
        return (latent * gain)[0]

    @torch.no_grad()
    def reconstruct(self, symbols: Tensor, quality: float) -> Tensor:
        """The decoder's picture (1, K, H, W) of integers (C, h, w)."""
        return self.decoder(self.dequantised(symbols, quality))

    @torch.no_grad()
    def dequantised(self, symbols: Tensor, quality: float) -> Tensor:
        """What the decoder network gets of integers (C, h, w): (1, C, h, w), channels last."""
        gain, inverse, _ = self.gains(torch.tensor([quality], device=symbols.device))
        latent = symbols.to(inverse.dtype)[None]
        if self.centred:
            latent = latent + self.center[:, None, None] * gain
        return (latent * inverse).contiguous(memory_format=torch.channels_last)


class LatentCoder(GainedCoder):
    """A coder whose channels have a density each. `tabled`: whether its integers are sent by tables of those densities; else
    they are not sent, or by tables that depend on what is known before them (`latent_contexts`)."""

    frequencies: Tensor
    offsets: Tensor
    lengths: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        channels: int,
        rates: int,
        *,
        tabled: bool = True,
        spread: float = 4.0,
        centred: bool = False,
        rounding: float = 0.5,
    ) -> None:
        super().__init__(encoder, decoder, channels, rates, spread=spread, centred=centred, rounding=rounding)
        self.density = FactorisedDensity(channels)
        self.tabled = tabled
        if tabled:
            count = _TABLES_PER_STEP * (rates - 1) + 1
            self.register_buffer("frequencies", torch.zeros(count, channels, MAX_SYMBOLS, dtype=torch.int16))
            self.register_buffer("offsets", torch.zeros(count, channels, dtype=torch.int16))
            self.register_buffer("lengths", torch.zeros(count, channels, dtype=torch.int16))
            self.update_tables()

    def forward(
        self, x: Tensor, quality: Tensor, how: Quantise = "noise", noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the decoder makes of the quantised latent, and the bits of each sample (N,), both differentiable.

        `noise`: uniform noise in place of rounding; `straight`: rounding that the gradient passes, with the bits still taken of
        the noisy latent; `round`: as in use.
        """
        gain, inverse, width = self.gains(quality)
        latent, mean = self.encoder(x).float(), self.center[:, None, None] if self.centred else 0.0
        used, counted = quantised((latent - mean) * gain, how, noise)
        return self.decoder((used + mean * gain) * inverse), self.density.bits(counted, width).sum((1, 2, 3))

    @torch.no_grad()
    def quantise(self, x: Tensor, quality: float) -> Tensor:
        """Integers (C, h, w) int16 of one picture (1, K, H, W), within the table of that quality, or -128 to 127 without one."""
        if not self.tabled:
            return self.integers(x, quality).clamp(-128, 127).to(torch.int16)
        tables = self.tables(quality)
        low = tables.offset.view(-1, 1, 1)
        symbols = self.integers(x, quality)
        return torch.minimum(torch.maximum(symbols, low), low + tables.length.view(-1, 1, 1) - 1).to(torch.int16)

    @torch.no_grad()
    def update_tables(self) -> None:
        """Make the integer tables of the density as it is now: after training, before the weights are written."""
        if not self.tabled:
            return
        for step in range(len(self.frequencies)):
            quality = torch.tensor([1 + step / _TABLES_PER_STEP], device=self.frequencies.device)
            frequencies, low, length = self.density.table(self.gains(quality)[2].flatten())
            self.frequencies[step] = stored(frequencies)
            self.offsets[step], self.lengths[step] = low.to(torch.int16), length.to(torch.int16)

    def tables(self, quality: float) -> Tables:
        """The integer tables for a quality: exact on every device, since they are read and not computed."""
        step = round((min(max(quality, 1.0), float(self.rates)) - 1) * _TABLES_PER_STEP)
        return tables_of(self.frequencies[step], self.offsets[step], self.lengths[step])


def quantised(scaled: Tensor, how: Quantise, noise: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """What a decoder gets of a latent, and what its bits are counted of."""
    if how == "round":
        symbols = torch.round(scaled)
        return symbols, symbols
    noisy = scaled + (torch.rand(scaled.shape, generator=noise, device=scaled.device) - 0.5)
    return (scaled + (torch.round(scaled) - scaled).detach() if how == "straight" else noisy), noisy


def stored(frequencies: Tensor) -> Tensor:
    """Frequencies as int16, which holds what is above its range as negative numbers; `tables_of` undoes it."""
    return frequencies.to(torch.int32).to(torch.int16)


def tables_of(frequencies: Tensor, offset: Tensor, length: Tensor) -> Tables:
    """Tables of stored frequencies (C, L), offsets (C,) and lengths (C,)."""
    longest = int(length.max())
    cdf = torch.cumsum(frequencies[:, :longest].to(torch.int32) & (TOTAL - 1), 1, dtype=torch.int32)
    return Tables(torch.nn.functional.pad(cdf, (1, 0)), offset.to(torch.int32), length.to(torch.int32))


def joined(first: Tables, then: Tables) -> Tables:
    """The tables of both latents' channels, one after the other."""
    longest = max(first.cdf.shape[1], then.cdf.shape[1])
    cdf = torch.cat([torch.nn.functional.pad(each.cdf, (0, longest - each.cdf.shape[1]), value=TOTAL) for each in (first, then)])
    return Tables(cdf, torch.cat((first.offset, then.offset)), torch.cat((first.length, then.length)))
