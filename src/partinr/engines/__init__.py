"""Engines: how regions are trained."""

from __future__ import annotations

import torch

from partinr.engines.engine import Adam, Engine, Plan, Samples, TrainingState
from partinr.engines.torch_engine import TorchEngine
from partinr.errors import InputError

__all__ = ["Adam", "Engine", "Plan", "Samples", "TorchEngine", "TrainingState", "select"]


def select(name: str, device: str, threads: int | None) -> Engine:
    """The engine of this name.

    Raises:
        InputError: the engine or the device is unknown or not there.
    """
    if name not in ("auto", "torch"):
        raise InputError(f"engine must be auto or torch, got {name}")
    try:
        where = torch.device(device)
        torch.empty(0, device=where)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device must be one that torch has here, got {device} ({str(error).splitlines()[0]}); use --device cpu"
        ) from error
    return TorchEngine(where, threads)
