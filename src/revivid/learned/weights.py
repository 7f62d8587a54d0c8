"""Weight files of the codec's networks: those of the package by name, those of a training of one's own by path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from .. import networks
from ..errors import MissingWeights, UsageError
from ..restoration.workers import keep_freed_memory
from ..weights import embedded

CPU = torch.device("cpu")


class Named(Protocol):
    """A model that knows which weight file it is of."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> bytes: ...


Loaded = TypeVar("Loaded", bound=Named)


def read_network(weights: str | os.PathLike[str], kind: str, option: str, device: torch.device) -> tuple[str, bytes, Any]:
    """Name, SHA-256 and network of a weight file of the network `kind`; `option` is the one that names such a file.

    Raises `MissingWeights` where there are none, `CorruptWeights` where they don't fit, and `UsageError` for those of another task.
    """
    path = _find(os.fspath(weights), kind, option)
    metadata, tensors = embedded.read(path)
    if metadata.network != kind:
        raise UsageError(f"{path} holds weights of {metadata.network}, not of {kind}", hint=f"{option} takes those of {kind}.")
    network = networks.load_published(networks.build(metadata.network, **metadata.hyperparameters), tensors).eval()
    network.requires_grad_(False).to(device)
    keep_freed_memory()
    return path.stem, hashlib.sha256(path.read_bytes()).digest(), network


def check_made_with(
    made_with: tuple[str, bytes], where: str, weights: str | os.PathLike[str] | None, option: str, load: Callable[[str], Loaded]
) -> Loaded:
    """The model of `weights`, else the embedded one of the name in `made_with` (name, SHA-256).

    Raises `MissingWeights` where it is another: integers decode with the very weights that made them only.
    """
    name, sha256 = made_with
    wanted = f"{name} (sha256 {sha256.hex()[:16]}...)"
    hint = f"Get the weight file {name}.safetensors of whoever made the stream, and name it: {option} FILE"
    if name not in embedded.names() and weights is None:
        raise MissingWeights(f"{where} was made with the model {wanted}, which this revivid does not have", hint=hint)
    model = load(name if weights is None else os.fspath(weights))
    if model.sha256 != sha256:
        raise MissingWeights(f"{where} was made with the model {wanted}; {model.name} is another one", hint=hint)
    return model


def _find(weights: str, kind: str, option: str) -> Path:
    if weights in embedded.names():
        return embedded.folder() / f"{weights}.safetensors"
    if Path(weights).is_file():
        return Path(weights)
    raise MissingWeights(
        f"there are no weights {weights} for the codec {kind}",
        hint=f"Name a weight file: {option} FILE. `revivid weights list` shows what this revivid has.",
    )
