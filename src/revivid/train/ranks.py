"""Several processes training one network, as torchrun starts them: each takes its part of every batch, gradients are summed.

The result is that of one process but for the order of sums. Gloo carries the gradients: it works on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import UsageError
from .task import Sized


class Ranks:
    """This process among those that train together; alone where torchrun did not start it."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def part(self, batch: Sized) -> Sized:
        """What of a batch is this process's. Raises `UsageError` for fewer samples than processes."""
        if self.count == 1:
            return batch
        parts = batch.split(self.count)
        if len(parts) < self.count:
            raise UsageError(
                f"batches of {len(batch)} can't be shared by {self.count} processes", hint="Raise `batch` in the recipe."
            )
        return parts[self.rank]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Sum each tensor over all processes, in place."""
        if self.count == 1:
            return
        whole = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(whole)
        for tensor, summed in zip(tensors, whole.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()
