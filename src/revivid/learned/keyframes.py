"""How keyframes are coded: as HEVC or VVC intra, or by the picture autoencoder (first paper, section 5.1) that the header names.

    picture -> bytes -> what a decoder makes of them, the first reference of a group
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..codecs.bvc import keyframe
from ..codecs.bvc.gop import CodedFrame
from ..codecs.bvc.header import Header, IntraModel
from ..codecs.bvc.picture import PictureCoder
from ..errors import CorruptWeights, MissingWeights, UsageError
from .pictures import as_tensor
from .tables import ChannelTables, Padded, of_tensors
from .weights import CPU, check_made_with, read_network

#: The embedded weights that are used unless others are named.
DEFAULT = "intra-compact"


class CodedLatents(Protocol):
    """What `PictureNetwork.encode` returns: integers (C, h, w) of both latents, and classes (1, h, w) of the finer one's places."""

    @property
    def coarse(self) -> Tensor: ...
    @property
    def classes(self) -> Tensor: ...
    @property
    def fine(self) -> Tensor: ...


class PictureNetwork(Protocol):
    """What is asked of a picture autoencoder; `networks.intra.Intra` is one. Pictures are R'G'B' (1, 3, H, W) in [0, 1]."""

    #: Sides of pictures are multiples of this.
    multiple: int

    def latent_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]: ...
    def encode(self, picture: Tensor, quality: float) -> CodedLatents: ...
    def decode(self, coarse: Tensor, fine: Tensor, quality: float) -> Tensor: ...
    def tables(self, quality: float) -> tuple[ChannelTables, ...]: ...


@dataclass(frozen=True)
class PictureModel:
    """A picture autoencoder that is ready to code."""

    name: str
    #: SHA-256 of the weight file, 32 bytes.
    sha256: bytes
    network: PictureNetwork
    device: torch.device = CPU

    def coder(self, padded: Padded, quality: float) -> PictureCoder:
        """The entropy coder for pictures of a size. Raises `CorruptWeights` where the model's tables are none."""
        coarse, classes, *fine = self.network.tables(quality)
        shapes = self.network.latent_shapes(padded.height, padded.width)
        try:
            return PictureCoder(of_tensors(coarse), of_tensors(classes), tuple(map(of_tensors, fine)), *shapes)
        except ValueError as fault:
            raise CorruptWeights(f"{self.name}: {fault}", hint="Train the model to its end: tables are made last.") from fault

    def described(self, padded: Padded, quality: float) -> IntraModel:
        """What a header says about it."""
        return IntraModel(self.name, self.sha256, self.coder(padded, quality).tables_crc())


def load(weights: str | os.PathLike[str] | None = None, device: torch.device = CPU) -> PictureModel:
    """The picture autoencoder of embedded weights by name, or of a weight file that `revivid train` wrote; None: `DEFAULT`.

    Raises `MissingWeights` where there are none, `CorruptWeights` where they don't fit, and `UsageError` for those of another task.
    """
    name, sha256, network = read_network(DEFAULT if weights is None else weights, "intra", "--intra-weights", device)
    return PictureModel(name, sha256, network, device)


def load_for(
    header: Header, where: str, weights: str | os.PathLike[str] | None = None, device: torch.device = CPU
) -> PictureModel | None:
    """The one that coded a stream's keyframes, None for HEVC and VVC. Raises `MissingWeights` where it is another."""
    if header.intra is None:
        return None
    made_with = (header.intra.name, header.intra.sha256)
    return check_made_with(made_with, where, weights, "--intra-weights", lambda name: load(name, device))


class Keyframes(Protocol):
    """Codes keyframes R'G'B' (1, 3, H, W) of the padded size."""

    def encode(self, picture: Tensor) -> CodedFrame: ...
    def decode(self, coded: CodedFrame) -> Tensor:
        """Raises `ValueError` for bytes that hold no such picture."""
        ...


def keyframes(
    header: Header,
    padded: Padded,
    model: PictureModel | None,
    where: str,
    device: torch.device = CPU,
    codec: keyframe.Codec = "hevc",
) -> Keyframes:
    """The way that a header names; `codec` is what encodes where that is no model.

    Raises `UsageError` where the model's tables are others than the stream's.
    """
    if header.intra is None:
        return StandardKeyframes(padded, header.quality, header.color.bit_depth, device, codec)
    if model is None:
        raise MissingWeights(f"{where}: its keyframes are of the model {header.intra.name}", hint="Name it: --intra-weights FILE")
    coder = model.coder(padded, header.quality)
    if coder.tables_crc() != header.intra.tables:
        raise UsageError(
            f"{where}: the model {model.name} has other tables here than where the stream was made",
            hint="The stream can be decoded with the revivid that made it.",
        )
    return LearnedKeyframes(model, coder, header.quality)


class StandardKeyframes:
    """HEVC or VVC intra 4:2:0 at the source's bits per sample or more (`codecs.bvc.keyframe`)."""

    def __init__(
        self, padded: Padded, quality: float, bit_depth: int, device: torch.device = CPU, codec: keyframe.Codec = "hevc"
    ) -> None:
        self._padded, self._qp, self._depth, self._device = padded, keyframe.qp_of(quality), bit_depth, device
        self._codec: keyframe.Codec = codec

    def encode(self, picture: Tensor) -> CodedFrame:
        return keyframe.encode(picture[0].float().cpu().numpy(), self._qp, self._depth, codec=self._codec)

    def decode(self, coded: CodedFrame) -> Tensor:
        return as_tensor(keyframe.decode(coded, *self._padded), self._device)


class LearnedKeyframes:
    """The picture autoencoder and its entropy coder."""

    def __init__(self, model: PictureModel, coder: PictureCoder, quality: float) -> None:
        self._model, self._coder, self._quality = model, coder, quality

    def encode(self, picture: Tensor) -> CodedFrame:
        coded = self._model.network.encode(picture, self._quality)
        return self._coder.encode(*(np.asarray(part.cpu(), np.int32) for part in (coded.coarse, coded.classes, coded.fine)))

    def decode(self, coded: CodedFrame) -> Tensor:
        coarse, _, fine = (torch.from_numpy(part).to(self._model.device) for part in self._coder.decode(coded))
        return self._model.network.decode(coarse, fine, self._quality)


