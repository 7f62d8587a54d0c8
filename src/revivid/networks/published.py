"""Helpers for taking checkpoints in their published form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from ..errors import CorruptWeights


def without_derived(state_dict: Mapping[str, Tensor], derived: Mapping[str, Sequence[int] | None]) -> dict[str, Tensor]:
    """The entries without those that the network derives itself; present ones must have the given shape (None: any).

    A wrong shape means that the checkpoint belongs to other hyper-parameters: a `CorruptWeights` that names it.
    """
    for key, shape in derived.items():
        if shape is not None and key in state_dict and tuple(state_dict[key].shape) != tuple(shape):
            raise CorruptWeights(
                f"{key} is {tuple(state_dict[key].shape)}, wants {tuple(shape)}",
                hint="Check that the hyper-parameters are those that the checkpoint was published with.",
            )
    return {key: value for key, value in state_dict.items() if key not in derived}


def renamed(
    state_dict: Mapping[str, Tensor], rules: Iterable[tuple[str, str | Callable[[re.Match[str]], str] | None]]
) -> dict[str, Tensor]:
    """The entries with every rule's pattern (a regular expression) replaced, in order; the replacement None drops an entry."""
    rules = list(rules)
    entries = {}
    for key, value in state_dict.items():
        name: str | None = key
        for pattern, replacement in rules:
            if name is not None and re.search(pattern, name):
                name = None if replacement is None else re.sub(pattern, replacement, name)
        if name is not None:
            entries[name] = value
    return entries
