"""Our own networks with the weights that come inside the package, ready to use."""

from __future__ import annotations

import torch

from .. import networks
from ..weights import embedded


def load_embedded(name: str) -> torch.nn.Module:
    """The network of the embedded weights `name` (see `weights.embedded.names`), in eval mode and channels_last, float32.

    Raises `MissingWeights` for an unknown name and `CorruptWeights` where the file doesn't fit its network.
    """
    metadata, tensors = embedded.load(name)
    network = networks.build(metadata.network, **metadata.hyperparameters)
    return networks.load_published(network, tensors).eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
