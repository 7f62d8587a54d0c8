"""Random weights for checkpoints of the catalogue, in a weights folder: where the real ones can't be had, the code path can."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from revivid import networks
from revivid.weights import catalogue


def put_random_weights(root: Path, *names: str) -> None:
    """As `revivid weights convert` leaves them; outputs stay near the inputs' range."""
    for name in names:
        entry = catalogue.entry(name)
        torch.manual_seed(0)
        network = networks.build(entry.network, **entry.hyperparameters)
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / f"{name}.safetensors")
