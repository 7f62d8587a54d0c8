"""What batches and the tasks of codecs have in common: samples that can be split, and terms of a loss that are averaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from torch import Tensor

B = TypeVar("B", bound="Splits")


@dataclasses.dataclass(frozen=True)
class Splits:
    """A batch whose tensors have a sample in each row; whatever else it holds is the same for all samples."""

    def __len__(self) -> int:
        return len(next(value for value in self._values() if isinstance(value, Tensor)))

    def split(self: B, count: int) -> list[B]:
        """Up to `count` parts of nearly the same number of samples."""
        parts = min(count, len(self))
        values = [value.tensor_split(parts) if isinstance(value, Tensor) else [value] * parts for value in self._values()]
        return [type(self)(*part) for part in zip(*values, strict=True)]

    def _values(self) -> list[object]:
        return [getattr(self, field.name) for field in dataclasses.fields(self)]


def mean_terms(seen: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of every term over those that have it."""
    seen = list(seen)
    keys = sorted({key for terms in seen for key in terms})
    return {key: round(float(np.mean([terms[key] for terms in seen if key in terms])), 6) for key in keys}
