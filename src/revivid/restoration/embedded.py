"""Our own networks with the weights that come inside the package, or with those of a training of one's own, ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .. import networks
from ..weights import embedded


def load_embedded(name: str) -> torch.nn.Module:
    """The network of the embedded weights `name` (see `weights.embedded.names`), in eval mode and channels_last, float32.

    Raises `MissingWeights` for an unknown name and `CorruptWeights` where the file doesn't fit its network.
    """
    return _network(*embedded.load(name))


def load_trained(path: Path) -> torch.nn.Module:
    """The same from a weight file that `revivid train` wrote."""
    return _network(*embedded.read(path))


def _network(metadata: embedded.Metadata, tensors: dict[str, torch.Tensor]) -> torch.nn.Module:
    network: Any = networks.build(metadata.network, **metadata.hyperparameters)
    network.ranges = metadata.ranges  # for `backends`
    return networks.load_published(network, tensors).eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
