"""The model that writes and reads a BVC stream: a network, with the name and the SHA-256 of its weight file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ..codecs.bvc.context_coder import ContextCoder
from ..codecs.bvc.entropy import LatentCoder
from ..codecs.bvc.header import Header
from ..codecs.bvc.keyframe import Codec
from ..errors import CorruptWeights
from .keyframes import PictureModel
from .keyframes import load_for as load_keyframes_for
from .tables import ChannelTables, Padded, contexts_of_tensors, of_tensors, step_of
from .weights import CPU, check_made_with, read_network

#: The embedded weights that are used unless others are named.
DEFAULT = "bvc-compact"


class CodedLatents(Protocol):
    """What `Network.encode` returns: integers (C, h, w), and the decoded frame (1, 3, H, W)."""

    @property
    def motion(self) -> Tensor: ...
    @property
    def residual(self) -> Tensor: ...
    @property
    def decoded(self) -> Tensor: ...


#: What `Network.expand` hands to `Network.compose`: the network's own affair.
Expanded = Any


class Network(Protocol):
    """What the codec asks of a network; `networks.bvc.Bvc` is one. Frames are R'G'B' (1, 3, H, W) in [0, 1]."""

    #: Sides of frames are multiples of this.
    multiple: int
    #: Whether `enhance` sharpens; else frames are to be sharpened before they come.
    enhances: bool
    #: From how many frames decoded before a frame may be predicted.
    references: int
    #: Whether tables that contexts choose follow what a group of pictures has coded so far.
    adaptive: bool

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]: ...
    def enhance(self, frame: Tensor) -> Tensor: ...
    def encode(
        self, enhanced: Tensor, reference: Tensor, quality: float, keep: Tensor | None = None, before: Sequence[Tensor] = ()
    ) -> CodedLatents: ...
    def expand(self, motion: Tensor, residual: Tensor, quality: float) -> Expanded: ...
    def compose(self, expanded: Expanded, reference: Tensor, before: Sequence[Tensor] = ()) -> Tensor: ...
    def contexts(self) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None: ...
    def tables(self, quality: float) -> tuple[ChannelTables, ChannelTables]: ...


@dataclass(frozen=True)
class Model:
    """A network that is ready to code."""

    name: str
    #: SHA-256 of the weight file, 32 bytes.
    sha256: bytes
    network: Network
    #: Where the network is.
    device: torch.device = CPU
    #: What codes the keyframes; None: `keyframes`.
    intra: PictureModel | None = None
    #: And what does then; streams of both are decoded.
    keyframes: Codec = "hevc"

    @property
    def enhances(self) -> bool:
        """Whether it sharpens what it codes; else that is the work of a stage before it."""
        return self.network.enhances

    def padded(self, width: int, height: int) -> Padded:
        """The next size that the network takes."""
        multiple = self.network.multiple
        return Padded(-(-width // multiple) * multiple, -(-height // multiple) * multiple)

    @property
    def contexts(self) -> bool:
        """Whether its integers are coded by what is known before them, as versions 3 and 4 of the stream have them."""
        return self.network.contexts() is not None

    def coder(self, width: int, height: int, quality: float) -> LatentCoder | ContextCoder:
        """The entropy coder for pictures of this size. Raises `CorruptWeights` where the model's tables are none."""
        padded = self.padded(width, height)
        shapes = self.network.latent_shapes(padded.height, padded.width)
        contexts = self.network.contexts()
        try:
            if contexts is not None:
                known = [contexts_of_tensors(arrays) for arrays in contexts]
                return ContextCoder(known[0], known[1], *shapes, step_of(quality), self.network.adaptive)
            motion, residual = self.network.tables(quality)
            return LatentCoder(of_tensors(motion), of_tensors(residual), *shapes)
        except ValueError as fault:
            raise CorruptWeights(f"{self.name}: {fault}", hint="Train the model to its end: tables are made last.") from fault


def load(weights: str | os.PathLike[str] | None = None, device: torch.device = CPU) -> Model:
    """The model of embedded weights by name, or of a weight file that `revivid train` wrote; None: `DEFAULT`.

    Raises `MissingWeights` where there are none, `CorruptWeights` where they don't fit, and `UsageError` for those of another task.
    """
    name, sha256, network = read_network(DEFAULT if weights is None else weights, "bvc", "--bvc-weights", device)
    return Model(name, sha256, network, device)


def load_for(
    header: Header,
    where: str,
    weights: str | os.PathLike[str] | None = None,
    intra_weights: str | os.PathLike[str] | None = None,
    device: torch.device = CPU,
) -> Model:
    """The model that made a stream: that of `weights`, else the embedded one of its name; keyframes' likewise.

    Raises `MissingWeights` where it is another.
    """
    made_with = (header.model, header.sha256)
    model = check_made_with(made_with, where, weights, "--bvc-weights", lambda name: load(name, device))
    return replace(model, intra=load_keyframes_for(header, where, intra_weights, device))
