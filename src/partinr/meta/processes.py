"""Several processes that learn one start: each takes its share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

Anything = TypeVar("Anything")


@dataclass(frozen=True)
class Processes:
    """This process among those that learn together.

    Attributes:
        rank: which it is, from 0; the first one writes.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.rank == 0

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over all processes, in one exchange."""
        if self.count == 1:
            return
        joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(joined)
        parts = torch.split(joined, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def gathered(self, value: Anything) -> list[Anything]:
        """The value that each process has, by rank."""
        if self.count == 1:
            return [value]
        values: list[Anything] = [value] * self.count
        torch.distributed.all_gather_object(values, value)
        return values


@contextmanager
def joined_processes(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """The processes that `torchrun` started together with this one, and the device of this one.

    Without torchrun it is one process. With it and a CUDA device, each process takes the GPU of its local
    rank.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(), device
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), count), device
    finally:
        torch.distributed.destroy_process_group()
