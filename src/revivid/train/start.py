"""What a training begins with: a published checkpoint, or weights of the package, which may be those of a smaller network.

    same name, same shape                        taken over
    a layer that sees or makes more than it did  what it knew comes first; new inputs count nothing yet, new outputs begin fresh
    not in the old weights                       fresh

So a network that also sees neighbours or agreement begins as the one that doesn't.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import UsageError
from ..restoration.catalogued import load_catalogued
from ..weights import catalogue, embedded


def hyperparameters(start: str, network: str, where: str) -> dict[str, Any]:
    """Those of the weights `start`, where they are for `network`; none for the package's weights of another network.

    Raises `MissingWeights` for unknown weights, `UsageError` for a published checkpoint of another network.
    """
    if start in embedded.names():
        metadata = embedded.load(start)[0]
        return dict(metadata.hyperparameters) if metadata.network == network else {}
    entry = catalogue.entry(start)
    if entry.network != network:
        raise UsageError(f"{where}: {start} is for {entry.network}, not for {network}")
    return dict(entry.hyperparameters)


def licence(start: str) -> str:
    """Of what is trained from `start`; empty: from nothing."""
    if not start or start in embedded.names():
        return "Apache-2.0"
    return catalogue.entry(start).licence


def begin(network: nn.Module, start: str) -> None:
    """Give `network` the weights `start`. Raises `UsageError` where they don't fit, and what loading published ones raises."""
    if start in embedded.names():
        own = network.state_dict()
        own.update(grown(own, embedded.load(start)[1], start))
        network.load_state_dict(own)
    else:
        network.load_state_dict(load_catalogued(start).state_dict())


def grown(own: Mapping[str, Tensor], old: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """`old` in the shapes of `own`; outputs are a tensor's first axis, inputs its second.

    Raises `UsageError` where `own` lacks a tensor or is smaller, or differs elsewhere than in inputs and outputs.
    """
    misfits = [f"{key} {tuple(value.shape)}" for key, value in old.items() if not _fits(own.get(key), value)]
    if misfits:
        raise UsageError(
            f"{start} doesn't fit the network: {', '.join(misfits[:3])}{' ...' if len(misfits) > 3 else ''}",
            hint="A network can begin as one of the same widths and layers that sees or makes less.",
        )
    return {key: _grown(own[key], value) for key, value in old.items()}


def _fits(own: Tensor | None, old: Tensor) -> bool:
    if own is None or own.dim() != old.dim():
        return False
    larger = all(new >= before for new, before in zip(own.shape, old.shape, strict=True))
    return larger and own.shape[2:] == old.shape[2:]


def _grown(own: Tensor, old: Tensor) -> Tensor:
    if own.shape == old.shape:
        return old
    result = own.clone()
    result[: len(old)] = 0
    result[tuple(slice(0, length) for length in old.shape)] = old
    return result
