"""BVC: the learned codec for blurry video (Argaw, Kim, Kweon, "Blurry Video Compression", WACV 2024; the second paper).

    encoder                                                              decoder
    x^ = enhance(B) = B + AE_blur(VENet(B))
    f  = flow(x^, ref) + FRNet(x^, ref, flow)            Eqs. 3, 4
    m  = integers of E_flow(f)              -- motion -->                f^ = D_flow(m)
                                                                         x- = MCNet(warp(ref, f^), ref, f^)    Eq. 8
    q  = integers of E_res(x^ - x-)         -- residual -->              x  = x- + D_res(q)

`ref` is the frame decoded before. Two sizes: `paper` as published (parts in `bvc_paper`) and `compact` for a CPU (`bvc_compact`),
of the same structure. The encoder runs the decoder's own code, so both have the same frames on one machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.coefficient_costs import CoefficientCosts
from ..layers.density import Tables
from ..layers.latent_coder import LatentCoder, Quantise, joined
from ..layers.latent_contexts import LatentContexts
from ..layers.rdn import ResidualDenseNetwork
from ..layers.warp import backward_warp
from . import bvc_compact, bvc_paper
from .bvc_choices import matched, worthwhile
from .bvc_decoding import LATENT_CELL, Decoding, Motion, OnBlocks, OnCells, Residual, coded_blocks, moved_by, smoothed, step_of
from .traits import Traits

#: The last quality where a network serves several rates.
RATES = 8
#: A block may come from so many frames decoded before, at most.
MOST_REFERENCES = 4
#: Coefficients of a block's residual, of 64, in grey and on either axis of colour; channels of the blur residual's latent.
_COMPACT_RESIDUAL, _COMPACT_BLUR = (26, 3), 48
#: And with those that go past the networks (`detail`).
_COMPACT_DETAIL = (64, 16)


class Coded(NamedTuple):
    """A coded frame: integers of both latents (C, h, w) int16, and what a decoder makes of them, (1, 3, H, W) in [0, 1]."""

    motion: Tensor
    residual: Tensor
    decoded: Tensor


class Expanded(NamedTuple):
    """What a frame's integers say without its reference, as `Decoding` has it."""

    motion: Motion
    residual: Residual
    quality: float


class Bvc(nn.Module):
    """The codec's networks. Frames are R'G'B' (1, 3, H, W) in [0, 1] whose sides are multiples of `multiple`.

    `size`: compact or paper. `rates`: qualities 1 to `rates` that one network serves, continuous between; 1: a single one, as
    published. `venet` False: no enhancement of its own, x^ = B; whoever encodes sharpens before, with a network of their choice,
    which no decoder has to know. Ablations (second paper, section 5): `blur_coding` False leaves AE_blur out, x^ = B + VENet(B);
    `refine` False leaves FRNet out. `contexts`, of the compact size: integers are coded by tables that what was decoded before
    chooses (`contexts()`), in place of one for each channel (`tables()`). `detail`, of the compact size: the fine coefficients of a
    residual that its coder hasn't are coded as they are, so that high qualities keep them. `blocks`, of the compact size: a decoder
    without networks. Motion is a vector for each block, which the encoder searches (`bvc_choices`), x- = the blocks as they are
    there, and the residual is coded by a transform; what does not change costs nothing and stays as it is. `references`, with
    `blocks`: of how many frames decoded before a block may come. `overlap`, with `blocks`: they blend at their edges
    (`layers.overlapped`). `rdoq`, with both: an encoder chooses integers of the residual that are worth their bits
    (`layers.coefficient_costs`). `adaptive`, with `contexts`: tables follow what a group of pictures has coded so far
    (`codecs.bvc.adaptive`).

    Raises `UsageError` for hyper-parameters that can't work.
    """

    #: Sides of frames are multiples of this.
    multiple = 64
    #: Parts that a training begins with embedded weights for, and keeps.
    borrowed: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        size: str = "compact",
        rates: int = RATES,
        blur_coding: bool = True,
        refine: bool = True,
        venet: bool = True,
        contexts: bool = False,
        detail: bool = False,
        blocks: bool = False,
        references: int = 1,
        rdoq: bool = False,
        overlap: bool = False,
        adaptive: bool = False,
    ) -> None:
        super().__init__()
        _check(size, rates, contexts, detail, blocks, references)
        _check_additions(contexts, blocks, rdoq, overlap, adaptive)
        self.size, self.rates, self.adaptive = size, rates, adaptive
        self.costs: CoefficientCosts | None = None
        self.venet: nn.Module | None = None
        self.blur_coder: LatentCoder | None = None
        self.frnet: nn.Module | None = None
        self.mcnet: nn.Module | None = None
        self.detail_coder: LatentCoder | None = None
        self._contexts, self._blocks, self.references, self.overlap = contexts, blocks, references, overlap
        if size == "compact":
            self._build_compact(blur_coding, refine, venet)
            self._build_coders(rates, detail)
            if rdoq:
                self.costs = CoefficientCosts(self._residual_channels // 4, 2)
        else:
            self._build_paper(rates, blur_coding, refine, venet)
        self.traits = Traits(
            tasks=("compress",),
            kind="codec",
            temporal_reach=None,
            spatial_reach=None,
            size_multiple=self.multiple,
            tile_multiple=self.multiple,
            licence="Apache-2.0",
            paper="Argaw, Kim, Kweon: Blurry Video Compression, WACV 2024",
        )

    def _build_compact(self, blur_coding: bool, refine: bool, venet: bool) -> None:
        parts = bvc_compact
        self.borrowed = {"flow.network": "compactinterp-x2"}
        if venet:
            self.venet = parts.CellUNet((48, 96, 128), down=(1, 1), middle=3, up=(1, 1))
        if venet and blur_coding:
            blur = _COMPACT_BLUR
            self.blur_coder = LatentCoder(parts.blur_encoder(blur), parts.blur_decoder(blur), blur, 1, tabled=False)
        self.flow: nn.Module = parts.CellFlow()
        if refine:
            self.frnet = parts.CellFlowRefinement()

    def _build_coders(self, rates: int, detail: bool) -> None:
        parts = bvc_compact
        if self._blocks:
            self.motion_coder = parts.vector_coder(rates, self._contexts)
            self.residual_coder = parts.transform_coder(*_COMPACT_DETAIL, rates, self._contexts)
        else:
            self.motion_coder = parts.motion_coder(rates, self._contexts)
            self.mcnet = parts.CellCompensation()
            self.residual_coder = parts.residual_coder(*_COMPACT_RESIDUAL, rates, self._contexts)
        if detail:
            self.detail_coder = parts.detail_coder(_COMPACT_RESIDUAL, *_COMPACT_DETAIL, rates, self._contexts)
        if self._contexts:
            # The means of both of motion's components are worth predicting, and which reference; blocks of 8x8 lie two by two.
            count = self.motion_coder.channels
            self.motion_contexts = LatentContexts(self._motion_channels, 1, (0, count // 2, *range(count, self._motion_channels)))
            self.residual_contexts = LatentContexts(self._residual_channels // 4, 2, ())

    def _build_paper(self, rates: int, blur_coding: bool, refine: bool, venet: bool) -> None:
        parts, channels = bvc_paper, bvc_paper.CHANNELS
        if venet:
            self.venet = ResidualDenseNetwork(3, 3, blocks=12)
        if venet and blur_coding:
            self.blur_coder = LatentCoder(parts.encoder(3, 5), parts.decoder(3, 5), channels, 1, tabled=False)
        self.flow = parts.PixelFlow()
        if refine:
            self.frnet = parts.FlowRefinement(ResidualDenseNetwork(8, 2, blocks=3))
        self.motion_coder = LatentCoder(parts.encoder(2, 3), parts.decoder(2, 3), channels, rates)
        self.mcnet = parts.Compensation()
        self.residual_coder = LatentCoder(parts.encoder(3, 5), parts.decoder(3, 5), channels, rates)

    # What an encoder and a decoder call.

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Shapes (C, h, w) of a frame's motion and residual integers. Raises `ShapeError` for sizes off `multiple`."""
        if height < 1 or width < 1 or height % self.multiple or width % self.multiple:
            raise ShapeError(f"BVC wants frames of multiples of {self.multiple} pixels, not {width}x{height}")
        grid = (height // LATENT_CELL, width // LATENT_CELL)
        return (self._motion_channels, *grid), (self._residual_channels, *grid)

    @property
    def _motion_channels(self) -> int:
        """The last one is of references, where there are several."""
        return self.motion_coder.channels + (self.references > 1)

    @property
    def _residual_channels(self) -> int:
        return self.residual_coder.channels + (0 if self.detail_coder is None else self.detail_coder.channels)

    @property
    def enhances(self) -> bool:
        """Whether it has a VENet; without, `enhance` gives the frame back."""
        return self.venet is not None

    @torch.no_grad()
    def enhance(self, frame: Tensor) -> Tensor:
        """A blurry frame, sharper: VENet and AE_blur, clamped to [0, 1]."""
        self._check(frame)
        quality = torch.ones(1, device=frame.device)
        return self.enhancement(_laid_out(frame), quality, "round")[1].clamp(0, 1)

    @torch.no_grad()
    def encode(
        self, enhanced: Tensor, reference: Tensor, quality: float, keep: Tensor | None = None, before: Sequence[Tensor] = ()
    ) -> Coded:
        """Code a frame from the one decoded before it, at a quality of 1 to `rates`.

        `before`: frames decoded before `reference`, newest first; all but `references` - 1 of them are left alone.
        `enhanced`: of `enhance`, which is what is to be seen. `keep`: the frame as it came, where its blur is to be preserved
        (second paper, section 4.3): motion is still that of the enhanced frame. Raises `ShapeError` where sizes don't fit.
        """
        self._check(enhanced, reference, *(() if keep is None else (keep,)))
        enhanced, reference = _laid_out(enhanced), _laid_out(reference)
        references = [reference, *map(_laid_out, before[: self.references - 1])]
        motion = self._moved(enhanced, references, quality)
        way = self._decoding(reference.device)
        predicted = way.predicted(way.motion(motion, quality), references)
        wanted = enhanced if keep is None else _laid_out(keep)
        missing = wanted - way.pictured(predicted)
        residual = self._lacking(missing, quality)
        found = way.residual(residual, quality)
        if self.detail_coder is not None:
            detail = self.detail_coder.quantise(missing - way.pictured(found.samples), quality)
            found, residual = way.detailed(found, detail, quality), torch.cat((residual, detail))
        return Coded(motion, residual, way.decoded(predicted, found, quality))

    def _moved(self, enhanced: Tensor, references: Sequence[Tensor], quality: float) -> Tensor:
        """Motion's integers."""
        flow = self.refined(enhanced, references[0], self.flow(enhanced, references[0]))
        if not self._blocks:
            return self.motion_coder.quantise(flow, quality)
        flow, ages = matched(enhanced, references, flow, step_of(self.residual_coder, quality))
        vectors = self.motion_coder.quantise(flow, quality)
        return torch.cat((vectors, ages[None].to(vectors.dtype))) if self.references > 1 else vectors

    def _lacking(self, missing: Tensor, quality: float) -> Tensor:
        """The residual's integers, without those that aren't worth their bits."""
        if self.costs is not None:
            return self.costs.chosen(self.residual_coder.scaled(missing, quality), self.residual_contexts.get_buffer("order"))
        symbols = self.residual_coder.quantise(missing, quality)
        return worthwhile(self.residual_coder.scaled(missing, quality), symbols) if self._blocks else symbols

    @torch.no_grad()
    def decode(
        self, motion: Tensor, residual: Tensor, reference: Tensor, quality: float, before: Sequence[Tensor] = ()
    ) -> Tensor:
        """The frame (1, 3, H, W) of its integers and the frames decoded before it. Raises `ShapeError` where they don't fit."""
        self._check(reference)
        shapes = self.latent_shapes(reference.shape[2], reference.shape[3])
        if (tuple(motion.shape), tuple(residual.shape)) != shapes:
            raise ShapeError(f"latents of {tuple(motion.shape)} and {tuple(residual.shape)} don't fit {tuple(reference.shape)}")
        return self.compose(self.expand(motion, residual, quality), reference, before)

    @torch.no_grad()
    def expand(self, motion: Tensor, residual: Tensor, quality: float) -> Expanded:
        """The part of `decode` that needs no reference, and so can run beside `compose` of the frame before."""
        way = self._decoding(motion.device)
        coarse, detail = residual.split((self.residual_coder.channels, len(residual) - self.residual_coder.channels))
        found = way.residual(coarse, quality)
        return Expanded(way.motion(motion, quality), way.detailed(found, detail, quality) if len(detail) else found, quality)

    @torch.no_grad()
    def compose(self, expanded: Expanded, reference: Tensor, before: Sequence[Tensor] = ()) -> Tensor:
        """The rest of `decode`: the frame (1, 3, H, W)."""
        way = self._decoding(reference.device)
        predicted = way.predicted(expanded.motion, [reference, *before[: self.references - 1]])
        return way.decoded(predicted, expanded.residual, expanded.quality)

    def contexts(self) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
        """The tables of motion and residual where contexts choose among them (`layers.latent_contexts`); None: see `tables`."""
        return (self.motion_contexts.arrays(), self.residual_contexts.arrays()) if self._contexts else None

    def tables(self, quality: float) -> tuple[Tables, Tables]:
        """Integer tables of motion and residual for a quality, read from the checkpoint.

        Raises `UsageError` for a network with `contexts`, which has none."""
        if self._contexts:
            raise UsageError("this network has no tables by channel", hint="Its tables are those of contexts().")
        residual = self.residual_coder.tables(quality)
        if self.detail_coder is not None:
            residual = joined(residual, self.detail_coder.tables(quality))
        return self.motion_coder.tables(quality), residual

    def update_tables(self) -> None:
        """Make the integer tables of the densities as they are: after training, before weights are written."""
        for coder in (self.motion_coder, self.residual_coder, self.detail_coder):
            if coder is not None:
                coder.update_tables()

    # The parts, differentiable, for training.

    def enhancement(
        self, frame: Tensor, quality: Tensor, how: Quantise, noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """B + b, B + b^ (not clamped) and the bits of b^ by sample (N,), for B (N, 3, H, W); without AE_blur both are one, and
        without VENet B itself."""
        if self.venet is None:
            return frame, frame, frame.new_zeros(len(frame))
        residual = self.venet(frame).float()
        if self.blur_coder is None:
            enhanced = frame + residual
            return enhanced, enhanced, residual.new_zeros(len(frame))
        coded, bits = self.blur_coder(residual, quality, how, noise)
        return frame + residual, frame + coded.float(), bits

    def refined(self, target: Tensor, reference: Tensor, initial: Tensor) -> Tensor:
        """The initial flow and what FRNet adds to it (Eqs. 3, 4), on the motion coder's grid, in pixels."""
        return initial if self.frnet is None else initial + self.frnet(target, reference, initial)

    def warped(self, reference: Tensor, flow: Tensor) -> Tensor:
        """The reference brought to the current frame's grid along a flow on the motion coder's grid."""
        if self._blocks:
            if self.overlap:
                return bvc_compact.brought_overlapping([reference], flow)
            return bvc_compact.brought_in_blocks(reference, flow)
        if self.size == "compact":
            return bvc_compact.brought(reference, flow)
        return backward_warp(reference, flow, padding="border")

    def compensated(self, warped: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        """x- (Eq. 8)."""
        return warped if self.mcnet is None else self.mcnet(warped, reference, flow).float()

    def residual(
        self, missing: Tensor, quality: Tensor, how: Quantise, noise: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What is decoded of x^ - x- (N, 3, H, W), and its bits by sample (N,)."""
        found, bits = self.residual_coder(missing, quality, how, noise)
        if self.detail_coder is None:
            return found, bits
        detail, more = self.detail_coder(missing - found.float(), quality, how, noise)
        return found + detail, bits + more

    # What encoder and decoder share.

    def _decoding(self, device: torch.device) -> Decoding:
        if self._blocks and device.type == "cpu":
            return OnBlocks(self.motion_coder, self.residual_coder, self.overlap)
        if isinstance(self.mcnet, bvc_compact.CellCompensation) and device.type == "cpu":
            return OnCells(self.motion_coder, self.residual_coder, self.mcnet, self.detail_coder)
        return _AsModules(self)

    def _check(self, *frames: Tensor) -> None:
        for frame in frames:
            if frame.ndim != 4 or frame.shape[:2] != (1, 3) or frame.shape != frames[0].shape:
                raise ShapeError(f"BVC wants frames (1, 3, H, W) of one size, not {[tuple(f.shape) for f in frames]}")
            self.latent_shapes(frame.shape[2], frame.shape[3])


def _check(size: str, rates: int, contexts: bool, detail: bool, blocks: bool, references: int) -> None:
    if size not in ("compact", "paper") or rates < 1:
        raise UsageError(f"BVC can't have size {size!r} with {rates} rates", hint="Sizes: compact, paper; rates 1 or more.")
    if (contexts or detail or blocks) and size != "compact":
        raise UsageError(
            "only the compact BVC is coded by contexts, with detail or in blocks", hint="Leave contexts, detail and blocks out."
        )
    if blocks and detail:
        raise UsageError("a BVC of blocks has all detail", hint="Leave detail out.")
    if not 1 <= references <= (MOST_REFERENCES if blocks else 1):
        raise UsageError(f"a BVC can't have {references} references", hint=f"1 to {MOST_REFERENCES} with blocks, else 1.")


def _check_additions(contexts: bool, blocks: bool, rdoq: bool, overlap: bool, adaptive: bool) -> None:
    if overlap and not blocks:
        raise UsageError("only blocks overlap", hint="Leave overlap out.")
    if rdoq and not (blocks and contexts):
        raise UsageError("rdoq is for a BVC of blocks that is coded by contexts", hint="Leave rdoq out.")
    if adaptive and not contexts:
        raise UsageError("only tables that contexts choose are adaptive", hint="Leave adaptive out.")


class _AsModules:
    """`Decoding` by the modules as they are trained, on any device."""

    def __init__(self, network: Bvc) -> None:
        self._network = network

    def motion(self, symbols: Tensor, quality: float) -> Motion:
        flow, ages = moved_by(self._network.motion_coder, symbols, quality)
        return Motion(flow, ages=ages)

    def residual(self, symbols: Tensor, quality: float) -> Residual:
        found = self._network.residual_coder.reconstruct(symbols, quality)
        return Residual(found, coded_blocks(symbols) if self._network.mcnet is None else None)

    def detailed(self, residual: Residual, symbols: Tensor, quality: float) -> Residual:
        assert self._network.detail_coder is not None
        return Residual(residual.samples + self._network.detail_coder.reconstruct(symbols, quality))

    def predicted(self, motion: Motion, references: Sequence[Tensor]) -> Tensor:
        reference = _laid_out(references[0])
        if self._network.overlap:
            return bvc_compact.brought_overlapping(list(map(_laid_out, references)), motion.flow, motion.ages)
        warped = self._network.warped(reference, motion.flow)
        for age, other in enumerate(references[1:], 1):
            if motion.ages is not None:
                theirs = motion.ages.clamp(max=len(references) - 1) == age
                theirs = theirs.repeat_interleave(LATENT_CELL, 0).repeat_interleave(LATENT_CELL, 1)
                warped = torch.where(theirs, self._network.warped(_laid_out(other), motion.flow), warped)
        return self._network.compensated(warped, reference, motion.flow)

    def pictured(self, samples: Tensor) -> Tensor:
        return samples

    def decoded(self, predicted: Tensor, residual: Residual, quality: float) -> Tensor:
        frame = predicted + residual.samples
        if self._network.mcnet is None:
            return smoothed(frame, residual.coded, step_of(self._network.residual_coder, quality))
        return frame.clamp_(0, 1)


def _laid_out(frame: Tensor) -> Tensor:
    """Plain memory order in float32, whatever the caller had: the same numbers come out of both sides' kernels."""
    return frame.float().contiguous()
