"""What networks say about their latents, as the entropy coder wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from ..codecs.bvc.context_coder import ContextTables
from ..codecs.bvc.entropy import Tables


class Padded(NamedTuple):
    """The size of a picture as the network takes it."""

    width: int
    height: int


class ChannelTables(Protocol):
    """Integer tables as `codecs.bvc.entropy.Tables` wants them, as tensors."""

    @property
    def cdf(self) -> Tensor: ...
    @property
    def offset(self) -> Tensor: ...
    @property
    def length(self) -> Tensor: ...


def of_tensors(tables: ChannelTables) -> Tables:
    """Raises `ValueError` for tables that no coder can use."""
    return Tables(*(np.asarray(part.cpu(), np.int32) for part in (tables.cdf, tables.offset, tables.length)))


def contexts_of_tensors(arrays: Mapping[str, Tensor]) -> ContextTables:
    """Raises `ValueError` for tables that no coder can use."""
    return ContextTables(**{name: np.ascontiguousarray(values.cpu(), np.int32) for name, values in arrays.items()})


def step_of(quality: float) -> int:
    """A quality of 1 or more as contexts know it: the nearest half step above 1, made of hundredths as docs/FORMAT.md says."""
    return (round(100 * quality) - 75) // 50
