"""CompactVSR: small recurrent super-resolution for decoded video, in the stream's own YUV 4:2:0 planes. Our own design.

    y, uv of t - unshuffle 2 ------------------+- conv3 -+
    luma of t-1 (and t+1), aligned by search --+         (+)- FiLM(CRF), LReLU +- [conv3, LReLU] x layers -(+)- features - heads
    features of t-1, aligned, x trust ------------ conv3 -+                    +---------------------------+      |
        ^----------------------------------------- next frame --------------------------------------------------+

The features carry what earlier frames knew of the finer picture. Their channels stand for `grid` x `grid` positions per luma
sample, and block vectors of that precision (layers.block_motion) move whole positions, so that nothing is blurred from frame to
frame; where no match was found (occlusions, scene cuts) they are faded out. The rest is CompactSR: everything runs at half of
the input's resolution, and the heads predict residuals over a bicubic upscaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import CorruptWeights, ShapeError, UsageError
from ..layers.block_motion import BLOCK, fetch, remaining, rows_index, search, turned
from .compactsr import MAX_CRF, SLOPE, chroma_bicubic_filters, luma_bicubic_filters
from .traits import Traits

#: Mean absolute difference (of value / peak) up to which a match counts fully, and from which on it doesn't count.
TRUSTED, FOREIGN = 0.03, 0.1
#: What the stem sees of the frame itself, and of each neighbour: aligned luma, the rest of the vectors, trust.
OWN, OTHER = 6, 7


@dataclass(frozen=True)
class Frame:
    """One time step of N clips, padded to whole blocks: value / peak, planes and their half-resolution cells."""

    y: Tensor
    uv: Tensor
    #: (N,4,H/2,W/2), luma unshuffled by 2, channels_last.
    cells: Tensor


@dataclass(frozen=True)
class Match:
    """Where the blocks of a frame lie in the frame before it: see `layers.block_motion.search`."""

    vectors: Tensor
    cost: Tensor


@dataclass(frozen=True)
class Seen:
    """What the network makes of one frame and its neighbours' samples: all that needs no features of the frame before."""

    #: (N,C,H/2,W/2), channels_last.
    stem: Tensor
    #: Which rows of the earlier features belong here, and how far they are to be trusted (N,1,H/2,W/2); None: no frame before.
    rows: Tensor | None
    trust: Tensor | None


class CompactVSR(nn.Module):
    """Super-resolution of video that came out of an encoder, told by how much it was compressed.

    `scale`: 2 or 4. `channels`: width, a multiple of 4 grid^2, best of 16. `layers`: 3x3 convolutions between the first and the
    heads. `grid`: 1 or 2, positions per luma sample and direction that the features stand for. `future`: whether the next frame
    is looked at (1) or not (0).
    With its zero-initialised heads the untrained network is exactly bicubic interpolation.
    """

    luma_filters: Tensor
    chroma_filters: Tensor
    #: Luma samples per position of the features and direction.
    cell = 2

    def __init__(self, scale: int = 4, channels: int = 48, layers: int = 4, grid: int = 2, future: int = 0) -> None:
        super().__init__()
        known = scale in (2, 4) and grid in (1, 2) and future in (0, 1)
        if not known or channels < 1 or channels % (4 * grid**2) or layers < 1:
            raise UsageError(
                f"CompactVSR can't have scale {scale}, channels {channels}, layers {layers}, grid {grid}, future {future}",
                hint="scale: 2 or 4, grid: 1 or 2, channels: a multiple of 4 grid^2, layers: at least 1, future: 0 or 1.",
            )
        self.scale, self.grid, self.channels, self.future = scale, grid, channels, future
        self.stem = nn.Conv2d(OWN + (1 + future) * OTHER, channels, 3, padding=1)
        self.memory = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        modulation = nn.Linear(16, 2 * channels)
        self.condition = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), modulation)
        body = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)]
        self.body = nn.Sequential(*(m for conv in body for m in (conv, nn.LeakyReLU(SLOPE, inplace=True))))
        self.luma_head = nn.Conv2d(channels, 4 * scale**2, 3, padding=1)
        self.chroma_head = nn.Conv2d(channels, 2 * scale**2, 1)
        for layer in (self.stem, self.memory, *body, modulation, self.luma_head, self.chroma_head):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        for layer in (self.stem, self.memory, *body):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        self.register_buffer("luma_filters", luma_bicubic_filters(scale), persistent=False)
        self.register_buffer("chroma_filters", chroma_bicubic_filters(scale), persistent=False)
        self.traits = Traits(
            tasks=("super-resolve",),
            kind="planes",
            scale=scale,
            channels=3,
            temporal_reach=None,
            channel_order="yuv",
            licence="Apache-2.0",
        )

    def adopt(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin as a trained CompactSR, or as a CompactVSR that sees less, of the same width and depth (its state dict).

        What it didn't see counts for nothing yet. Raises `CorruptWeights` where the shapes don't fit.
        """
        own = self.state_dict()
        given = {"memory.weight": torch.zeros_like(own["memory.weight"]), **tensors}
        stem = given.get("stem.weight")
        if stem is not None and stem.shape[1] in (OWN, OWN + OTHER):
            given["stem.weight"] = F.pad(stem, (0, 0, 0, 0, 0, own["stem.weight"].shape[1] - stem.shape[1]))
        faults = sorted(k for k in own.keys() | given.keys() if k not in own or k not in given or own[k].shape != given[k].shape)
        if faults:
            raise CorruptWeights(
                f"CompactVSR can't begin with these weights: {', '.join(faults)}",
                hint="Choose a CompactSR of the same width and depth.",
            )
        self.load_state_dict(given)

    def forward(self, y: Tensor, uv: Tensor, crf: Tensor) -> tuple[Tensor, Tensor]:
        """Upscale clips of planes of code value / peak.

        `y` (N,T,1,H,W), `uv` (N,T,2,ceil(H/2),ceil(W/2)), `crf` (N,) in 0..51. Returns (N,T,1,sH,sW) and (N,T,2,sH/2,sW/2), not
        clamped: the kernel overshoots at edges. Raises `ShapeError` where the planes don't fit each other.
        """
        restored = [self.assemble(*self.phases(frame, features), y.shape[-2:]) for frame, features in self._walk(y, uv, crf, 1)]
        return torch.stack([luma for luma, _ in restored], 1), torch.stack([chroma for _, chroma in restored], 1)

    def restore(self, y: Tensor, uv: Tensor, crf: Tensor, bit_depth: int = 8) -> tuple[Tensor, Tensor]:
        """`forward` from integer code values to integer code values: uint8 at 8 bits, uint16 above."""
        peak = (1 << bit_depth) - 1
        size = y.shape[-2:]
        restored = [self.codes(frame, features, size, bit_depth) for frame, features in self._walk(y, uv, crf, peak)]
        return torch.stack([luma for luma, _ in restored], 1), torch.stack([chroma for _, chroma in restored], 1)

    def _walk(self, y: Tensor, uv: Tensor, crf: Tensor, peak: int) -> Iterator[tuple[Frame, Tensor]]:
        """Each frame of clips with its features, in order."""
        if y.ndim != 5 or y.shape[2] != 1 or uv.shape[:2] != y.shape[:2] or crf.shape != y.shape[:1] or not y.shape[1]:
            raise ShapeError(
                f"CompactVSR got y {tuple(y.shape)}, uv {tuple(uv.shape)}, crf {tuple(crf.shape)}",
                hint="It wants y (N,T,1,H,W), uv (N,T,2,ceil(H/2),ceil(W/2)) and crf (N,).",
            )
        frames = [self.prepare(y[:, t], uv[:, t], peak) for t in range(y.shape[1])]
        film, features = self.film(crf), None
        matches = [self.match(frame, before) for before, frame in pairwise(frames)]
        for t, frame in enumerate(frames):
            before = (frames[t - 1], matches[t - 1]) if t else None
            seen = self.see(frame, before, (frames[t + 1], matches[t]) if t + 1 < len(frames) else None)
            features = self.advance(seen, features, film)
            yield frame, features

    def prepare(self, y: Tensor, uv: Tensor, peak: int = 1) -> Frame:
        """Planes (N,1,H,W) and (N,2,ceil(H/2),ceil(W/2)) of code values as a `Frame`."""
        height, width = y.shape[-2:]
        if uv.shape != (y.shape[0], 2, -(-height // 2), -(-width // 2)):
            raise ShapeError(f"CompactVSR got y {tuple(y.shape)}, uv {tuple(uv.shape)}", hint="Chroma is half of luma, rounded up.")
        bottom, right = -height % BLOCK, -width % BLOCK
        y = F.pad(y.float() / peak, (0, right, 0, bottom), mode="replicate")
        uv = F.pad(uv.float() / peak, (0, y.shape[3] // 2 - uv.shape[3], 0, y.shape[2] // 2 - uv.shape[2]), mode="replicate")
        return Frame(y, uv, F.pixel_unshuffle(y, 2).contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def match(self, frame: Frame, before: Frame) -> Match:
        """Search a frame in the one before it."""
        return Match(*search(frame.y, before.y))

    def see(self, frame: Frame, before: tuple[Frame, Match] | None, after: tuple[Frame, Match] | None = None) -> Seen:
        """A frame beside its neighbours: the one before with the frame's match in it, the one after with its match in the frame.

        None at the ends of a clip. Independent of all other frames.
        """
        batch, _, height, width = frame.cells.shape
        size = (2 * height, 2 * width)
        nothing = frame.cells.new_zeros(batch, OTHER, height, width)
        parts, rows, trust = [frame.cells - 0.5, frame.uv - 0.5, nothing], None, None
        if before is not None:
            neighbour, match = before
            fine = (match.vectors * self.grid).round().long()
            rows = rows_index(fine, (self.grid * size[0], self.grid * size[1]), 2 * self.grid)
            luma = fetch(neighbour.cells, rows_index(match.vectors.round().long(), size, 2), 2)
            parts[2], trust = self._beside(luma, match.vectors - fine / self.grid, match.cost)
        if self.future and after is not None:
            neighbour, match = after
            vectors = turned(match.vectors)
            whole = vectors.round().long()
            luma = fetch(neighbour.cells, rows_index(whole, size, 2), 2)
            parts.append(self._beside(luma, vectors - whole, remaining(frame.cells, luma))[0])
        elif self.future:
            parts.append(nothing)
        return Seen(self.stem(torch.cat(parts, 1).contiguous(memory_format=torch.channels_last)), rows, trust)

    def _beside(self, luma: Tensor, rest: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
        """What the stem sees of a neighbour, (N,7,H/2,W/2), and the trust in it: foreign parts are nothing."""
        trust = ((FOREIGN - cost) / (FOREIGN - TRUSTED)).clamp_(0, 1)
        rest, trust = (F.interpolate(field, scale_factor=2.0, mode="nearest") for field in (rest, trust))
        return torch.cat([(luma - 0.5) * trust, rest * trust, trust], 1), trust

    def film(self, crf: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and shift (N,C,1,1) of the stem's channels for CRFs (N,)."""
        gain, shift = self.condition(crf[:, None] / MAX_CRF)[..., None, None].chunk(2, dim=1)
        return 1 + gain, shift

    def advance(self, seen: Seen, before: Tensor | None, film: tuple[Tensor, Tensor]) -> Tensor:
        """Features (N,C,H/2,W/2) of a frame from those of the frame before it."""
        features = seen.stem
        if before is not None and seen.rows is not None and seen.trust is not None:
            features = features + self.memory(fetch(before, seen.rows, 2 * self.grid) * seen.trust)
        features = F.leaky_relu_(torch.addcmul(film[1], features, film[0]), SLOPE)
        return features + self.body(features)

    def phases(self, frame: Frame, features: Tensor) -> tuple[Tensor, Tensor]:
        """All output samples of each half-resolution position as channels, float32: luma (2s)^2; U s^2, then V s^2."""
        cells = F.pixel_unshuffle(F.pad(frame.y, (2, 2, 2, 2), mode="replicate"), 2)
        with torch.autocast(cells.device.type, enabled=False):  # eight bits of mantissa would show as banding
            luma = F.conv2d(cells, self.luma_filters)
            chroma = F.conv2d(F.pad(frame.uv, (2, 2, 2, 2), mode="replicate"), self.chroma_filters, groups=2)
        return luma + self.luma_head(features), chroma + self.chroma_head(features)

    def codes(self, frame: Frame, features: Tensor, size: torch.Size, bit_depth: int) -> tuple[Tensor, Tensor]:
        """Integer planes of one frame, cut to `scale` times `size` (H, W)."""
        peak = (1 << bit_depth) - 1
        # int16 holds 15 bits and, unlike uint16, can be shuffled; rounding half up comes from truncating the +0.5.
        dtype = torch.uint8 if bit_depth == 8 else torch.int16
        luma, chroma = (part.mul_(peak).add_(0.5).clamp_(0, peak).to(dtype) for part in self.phases(frame, features))
        planes = self.assemble(luma, chroma, size)
        return planes if bit_depth == 8 else (planes[0].view(torch.uint16), planes[1].view(torch.uint16))

    def assemble(self, luma: Tensor, chroma: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Phases to planes; what padding and an odd `size` (H, W) of the input added is cut off."""
        y = F.pixel_shuffle(luma, 2 * self.scale)
        uv = F.pixel_shuffle(chroma, self.scale)
        height, width = self.scale * size[0], self.scale * size[1]
        return y[..., :height, :width], uv[..., : height // 2, : width // 2]
