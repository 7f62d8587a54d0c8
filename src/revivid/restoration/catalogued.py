"""Published networks with the checkpoints of the catalogue, ready to use."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from .. import networks
from ..errors import CorruptWeights
from ..weights import catalogue, store
from ..weights.catalogue import Entry
from ..weights.convert import convert


def load_catalogued(name: str, device: torch.device | str = "cpu") -> torch.nn.Module:
    """The network of the catalogue's checkpoint `name` with its weights, in eval mode, as `networks.build` makes it.

    The checkpoint is converted on first use. Nothing is downloaded: `MissingWeights` says how to get it where it isn't here.
    Raises `CorruptWeights` where the file doesn't fit its network.
    """
    entry = catalogue.entry(name)
    path = store.find(name)
    if path != store.converted(entry):
        path = convert(entry)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as fault:
        raise CorruptWeights(f"{path} is not a whole safetensors file: {fault}", hint="Delete it.") from fault
    network = networks.build(entry.network, **entry.hyperparameters)
    return networks.load_published(network, tensors).eval().to(device)


def outline(entry: Entry) -> torch.nn.Module:
    """The network of a checkpoint without numbers in it (on torch's meta device): for what it declares, at no cost."""
    with torch.device("meta"):
        return networks.build(entry.network, **entry.hyperparameters)
