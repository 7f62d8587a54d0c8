"""Extending a tensor past its end by mirroring, for any size, so that networks with size multiples take every input."""

from __future__ import annotations

import torch
from torch import Tensor


def mirror(x: Tensor, axis: int, size: int, *, repeat_edge: bool) -> Tensor:
    """Extend `x` along `axis` to `size` by walking back and forth over it; returned as it is where it is long enough.

    `repeat_edge=True` continues a b c with c b a a b c ... ("symmetric"), `False` with b a b c ... ("reflect"). Unlike the
    framework's padding, the extension may be longer than the tensor.
    """
    extent = x.shape[axis]
    if extent >= size:
        return x
    steps = torch.arange(size, device=x.device)
    period = 2 * extent if repeat_edge else max(1, 2 * extent - 2)
    steps = steps % period
    turn = period - 1 if repeat_edge else period
    return x.index_select(axis, torch.where(steps < extent, steps, turn - steps))
