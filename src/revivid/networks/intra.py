"""Intra: a convolutional autoencoder for single pictures (first paper, section 5.1), for the keyframes of the learned codec.

    picture - 1/2 -> means of 8x8 -> transform of 4x4 means, 32 channels -> integers *coarse* -> enlarged -> predicted
    picture - predicted -> transform of 8x8, GDN, residual block, 96 channels -> integers *fine*, *classes* -> IGDN ... -> deblocked
    decoded = predicted + what fine gives

Transforms begin as cosine transforms and all else as next to nothing, so that a short training starts from a codec. Everything is
trained on: rate and distortion together, for the qualities 1 to `rates` at once (`layers.latent_coder`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.block_transform import Analysis, Synthesis, color_basis
from ..layers.classed_coder import ClassedCoder
from ..layers.density import Tables
from ..layers.fused import conv_relu
from ..layers.gdn import GDN
from ..layers.latent_coder import LatentCoder, Quantise
from .bvc import RATES
from .bvc_compact import Block, Deblocking, quiet
from .traits import Traits

#: Side of a block in pixels, and of a block of means.
_BLOCK, _MEANS = 8, 4
#: Coefficients of a block of means, and of one of pixels, in grey and on either axis of colour.
_COARSE, _FINE = (16, 8), (64, 16)
#: Steps of the quantisers before training at the middle quality, in a picture's range, and their coarsest over their finest.
_COARSE_STEPS, _COARSE_SPREAD = 255 / 9, 1.6
_FINE_STEPS, _FINE_SPREAD = 255 / 30, 8.0
#: Where the densities of the classes begin: how wide they are in steps.
_CLASSES = (0.2, 0.6, 2.0, 6.0)
#: How little GDN does before training.
_GAMMA = 1e-5


class CodedPicture(NamedTuple):
    """A coded picture: integers (C, h, w) and the class (1, H, W) of each place of `fine`, int16."""

    coarse: Tensor
    classes: Tensor
    fine: Tensor


class Intra(nn.Module):
    """Pictures are R'G'B' (1, 3, H, W) in [0, 1], their sides multiples of `multiple`. Raises `UsageError` for no rate at all."""

    #: Sides of pictures are multiples of this.
    multiple = _BLOCK * _MEANS

    def __init__(self, rates: int = RATES, width: int = 48) -> None:
        super().__init__()
        if rates < 1 or width < 1:
            raise UsageError(f"Intra can't have {rates} rates and {width} channels", hint="1 or more of both.")
        self.rates = rates
        means = color_basis(_MEANS, *_COARSE)
        self.coarse = LatentCoder(
            nn.Sequential(nn.AvgPool2d(_BLOCK), Analysis(means, _COARSE_STEPS)), Synthesis(means, _COARSE_STEPS),
            len(means), rates, spread=_COARSE_SPREAD,
        )  # fmt: skip
        self.inner = nn.Conv2d(3, width, 3, padding=1)
        self.outer = quiet(nn.Conv2d(width, 3 * _BLOCK**2, 3, padding=1))
        basis = color_basis(_BLOCK, *_FINE)
        channels = len(basis)
        self.fine = ClassedCoder(
            nn.Sequential(Analysis(basis, _FINE_STEPS), GDN(channels, gamma=_GAMMA), Block(channels)),
            nn.Sequential(
                Block(channels), GDN(channels, inverse=True, gamma=_GAMMA), Synthesis(basis, _FINE_STEPS), Deblocking(width)
            ),
            channels, rates, spreads=_CLASSES, spread=_FINE_SPREAD,
        )  # fmt: skip
        self.traits = Traits(
            tasks=("intra",),
            kind="picture",
            spatial_reach=None,
            size_multiple=self.multiple,
            tile_multiple=self.multiple,
            licence="Apache-2.0",
            paper="a convolutional autoencoder with GDN, after Balle, Laparra, Simoncelli: End-to-end Optimized Image Compression",
        )

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Shapes (C, h, w) of a picture's coarse and fine integers. Raises `ShapeError` for sizes off `multiple`."""
        if height < 1 or width < 1 or height % self.multiple or width % self.multiple:
            raise ShapeError(f"Intra wants pictures of multiples of {self.multiple} pixels, not {width}x{height}")
        grids = [(height // side, width // side) for side in (self.multiple, _BLOCK)]
        return (self.coarse.channels, *grids[0]), (self.fine.channels, *grids[1])

    @torch.no_grad()
    def encode(self, picture: Tensor, quality: float) -> CodedPicture:
        """Code a picture at a quality of 1 to `rates`. Raises `ShapeError` where its size doesn't fit."""
        if picture.ndim != 4 or picture.shape[:2] != (1, 3):
            raise ShapeError(f"Intra wants a picture (1, 3, H, W), not {tuple(picture.shape)}")
        self.latent_shapes(picture.shape[2], picture.shape[3])
        centred = picture.float().contiguous() - 0.5
        coarse = self.coarse.quantise(centred, quality)
        predicted = self._enlarged(self.coarse.reconstruct(coarse, quality))
        classes, fine = self.fine.quantise(centred - predicted, quality)
        return CodedPicture(coarse, classes, fine)

    @torch.no_grad()
    def decode(self, coarse: Tensor, fine: Tensor, quality: float) -> Tensor:
        """The picture (1, 3, H, W) of its integers. Raises `ShapeError` where they don't fit one another."""
        side = self.multiple
        shapes = self.latent_shapes(side * coarse.shape[1], side * coarse.shape[2])
        if (tuple(coarse.shape), tuple(fine.shape)) != shapes:
            raise ShapeError(f"latents of {tuple(coarse.shape)} and {tuple(fine.shape)} are of no picture")
        predicted = self._enlarged(self.coarse.reconstruct(coarse, quality))
        return (predicted + self.fine.reconstruct(fine, quality) + 0.5).clamp(0, 1)

    def tables(self, quality: float) -> tuple[Tables, ...]:
        """Integer tables for a quality, read from the checkpoint: of coarse, of classes, of fine by class."""
        return self.coarse.tables(quality), *self.fine.tables(quality)

    def update_tables(self) -> None:
        """Make the integer tables of the densities as they are: after training, before weights are written."""
        self.coarse.update_tables()
        self.fine.update_tables()

    def forward(
        self, picture: Tensor, quality: Tensor, how: Quantise = "noise", noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For training, pictures (N, 3, H, W) at `quality` (N,): decoded, not clamped, and the bits (N,) of coarse and of fine."""
        centred = picture - 0.5
        means, coarse_bits = self.coarse(centred, quality, how, noise)
        predicted = self._enlarged(means).float()
        details, fine_bits = self.fine(centred - predicted, quality, how, noise)
        return predicted + details.float() + 0.5, coarse_bits, fine_bits

    def _enlarged(self, means: Tensor) -> Tensor:
        """Means of blocks (N, 3, H/8, W/8) as a picture."""
        smooth = F.interpolate(means.float().contiguous(), scale_factor=float(_BLOCK), mode="bilinear", align_corners=False)
        hidden = conv_relu(self.inner, means.contiguous(memory_format=torch.channels_last))
        return smooth + F.pixel_shuffle(self.outer(hidden), _BLOCK)
