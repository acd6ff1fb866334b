"""Engines: how regions are trained. A new one is a new file and a line in `ENGINES` and `select`."""

from __future__ import annotations

import torch

from partinr.engines.cpu_engine import CpuEngine, usable_cores
from partinr.engines.engine import Adam, Engine, Plan, Samples, TrainingState
from partinr.engines.torch_engine import TorchEngine
from partinr.errors import InputError
from partinr.kernel import knows, why_missing
from partinr.networks.network import Network

__all__ = [
    "ENGINES",
    "Adam",
    "CpuEngine",
    "Engine",
    "Plan",
    "Samples",
    "TorchEngine",
    "TrainingState",
    "select",
]

ENGINES = ("auto", "torch", "cpu")
"""Names that `select` knows."""


def select(
    name: str, device: str, threads: int | None, regions: int, network: Network | None = None
) -> Engine:
    """The engine of this name; "auto" is the native kernel where it is available and faster.

    The kernel gives a region to one thread, so with fewer regions than threads torch, which can share a
    region among threads, is faster; on other devices torch is the only one.

    Args:
        name: one of `ENGINES`.
        device: where to compute.
        threads: CPU threads, None for all.
        regions: number of regions to train.
        network: what to train; "auto" avoids the kernel for a network that the kernel does not know.

    Raises:
        InputError: the engine or the device is unknown or not there.
    """
    if name not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}, got {name}")
    if name == "cpu" and device != "cpu":
        raise InputError(f"engine cpu computes on the device cpu, got {device}; use --engine torch")
    enough = regions >= (threads or usable_cores())
    known = network is None or knows(network)
    if name == "cpu" or (name == "auto" and device == "cpu" and enough and known and why_missing() is None):
        return CpuEngine(threads)
    try:
        where = torch.device(device)
        torch.zeros(1, device=where).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device must be one that torch has here, got {device} ({reason}); use --device cpu"
        ) from error
    return TorchEngine(where, threads)
