"""The model that writes and reads a BVC stream: a network, with the name and the SHA-256 of its weight file."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from .. import networks
from ..codecs.bvc.entropy import LatentCoder, Tables
from ..codecs.bvc.header import Header
from ..errors import CorruptWeights, MissingWeights, UsageError
from ..restoration.workers import keep_freed_memory
from ..weights import embedded

#: The embedded weights that are used unless others are named.
DEFAULT = "bvc-compact"
_CPU = torch.device("cpu")


class CodedLatents(Protocol):
    """What `Network.encode` returns: integers (C, h, w), and the decoded frame (1, 3, H, W)."""

    @property
    def motion(self) -> Tensor: ...
    @property
    def residual(self) -> Tensor: ...
    @property
    def decoded(self) -> Tensor: ...


class ChannelTables(Protocol):
    """Integer tables as `codecs.bvc.entropy.Tables` wants them, as tensors."""

    @property
    def cdf(self) -> Tensor: ...
    @property
    def offset(self) -> Tensor: ...
    @property
    def length(self) -> Tensor: ...


class Network(Protocol):
    """What the codec asks of a network; `networks.bvc.Bvc` is one. Frames are R'G'B' (1, 3, H, W) in [0, 1]."""

    #: Sides of frames are multiples of this.
    multiple: int
    #: Whether `enhance` sharpens; else frames are to be sharpened before they come.
    enhances: bool

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]: ...
    def enhance(self, frame: Tensor) -> Tensor: ...
    def encode(self, enhanced: Tensor, reference: Tensor, quality: float, keep: Tensor | None = None) -> CodedLatents: ...
    def decode(self, motion: Tensor, residual: Tensor, reference: Tensor, quality: float) -> Tensor: ...
    def tables(self, quality: float) -> tuple[ChannelTables, ChannelTables]: ...


class Padded(NamedTuple):
    """The size of a picture as the network takes it."""

    width: int
    height: int


@dataclass(frozen=True)
class Model:
    """A network that is ready to code."""

    name: str
    #: SHA-256 of the weight file, 32 bytes.
    sha256: bytes
    network: Network
    #: Where the network is.
    device: torch.device = _CPU

    @property
    def enhances(self) -> bool:
        """Whether it sharpens what it codes; else that is the work of a stage before it."""
        return self.network.enhances

    def padded(self, width: int, height: int) -> Padded:
        """The next size that the network takes."""
        multiple = self.network.multiple
        return Padded(-(-width // multiple) * multiple, -(-height // multiple) * multiple)

    def coder(self, width: int, height: int, quality: float) -> LatentCoder:
        """The entropy coder for pictures of this size. Raises `CorruptWeights` where the model's tables are none."""
        padded = self.padded(width, height)
        motion, residual = self.network.tables(quality)
        shapes = self.network.latent_shapes(padded.height, padded.width)
        try:
            return LatentCoder(_tables(motion), _tables(residual), *shapes)
        except ValueError as fault:
            raise CorruptWeights(f"{self.name}: {fault}", hint="Train the model to its end: tables are made last.") from fault


def load(weights: str | os.PathLike[str] | None = None, device: torch.device = _CPU) -> Model:
    """The model of embedded weights by name, or of a weight file that `revivid train` wrote; None: `DEFAULT`.

    Raises `MissingWeights` where there are none, `CorruptWeights` where they don't fit, and `UsageError` for those of another task.
    """
    path = _find(DEFAULT if weights is None else os.fspath(weights))
    metadata, tensors = embedded.read(path)
    if metadata.network != "bvc":
        raise UsageError(f"{path} holds weights of {metadata.network}, which is no codec", hint="--bvc-weights takes those of BVC.")
    network = networks.load_published(networks.build(metadata.network, **metadata.hyperparameters), tensors).eval()
    network.requires_grad_(False).to(device)
    keep_freed_memory()
    return Model(path.stem, hashlib.sha256(path.read_bytes()).digest(), network, device)  # type: ignore[arg-type]


def load_for(
    header: Header, where: str, weights: str | os.PathLike[str] | None = None, device: torch.device = _CPU
) -> Model:
    """The model that made a stream: that of `weights`, else the embedded one of its name.

    Raises `MissingWeights` where it is another: latents decode with the very weights that made them only.
    """
    wanted = f"{header.model} (sha256 {header.sha256.hex()[:16]}...)"
    hint = f"Get the weight file {header.model}.safetensors of whoever made the stream, and name it: --bvc-weights FILE"
    if header.model not in embedded.names() and weights is None:
        raise MissingWeights(f"{where} was made with the model {wanted}, which this revivid does not have", hint=hint)
    model = load(header.model if weights is None else weights, device)
    if model.sha256 != header.sha256:
        raise MissingWeights(f"{where} was made with the model {wanted}; {model.name} is another one", hint=hint)
    return model


def _find(weights: str) -> Path:
    if weights in embedded.names():
        return embedded.folder() / f"{weights}.safetensors"
    if Path(weights).is_file():
        return Path(weights)
    raise MissingWeights(
        f"there are no weights {weights} for the codec bvc",
        hint="Name a weight file: --bvc-weights FILE. `revivid weights list` shows what this revivid has.",
    )


def _tables(tables: ChannelTables) -> Tables:
    return Tables(*(np.asarray(part.cpu(), np.int32) for part in (tables.cdf, tables.offset, tables.length)))
