"""Engines: how regions are trained. A new one is a new file and a line in `ENGINES` and `select`."""

from __future__ import annotations

from typing import cast, get_args

from partinr.engines.cpu_engine import CpuEngine
from partinr.engines.engine import Adam, Engine, Plan, Precision, Samples, SharedSamples, TrainingState, Work
from partinr.errors import InputError, need
from partinr.model.kernel import knows, why_missing
from partinr.model.networks.network import Network

__all__ = [
    "ENGINES",
    "Adam",
    "CpuEngine",
    "Engine",
    "Plan",
    "Precision",
    "Samples",
    "SharedSamples",
    "TrainingState",
    "Work",
    "select",
]

ENGINES = ("auto", "torch", "cpu")
"""Names that `select` knows."""


def select(
    name: str,
    device: str,
    threads: int | None,
    network: Network | None = None,
    precision: str = "fp32",
) -> Engine:
    """The engine of this name; "auto" is the native kernel on a CPU where it is available, else torch.

    Args:
        name: one of `ENGINES`.
        device: where to compute.
        threads: CPU threads, None for all.
        network: what to train; "auto" avoids the kernel for a network that the kernel does not know.

        precision: of the products of hidden layers; the kernel alone knows another than "fp32".

    Raises:
        InputError: the engine or the device is unknown or not there, or lacks the precision, or threads
            are fewer than one.
    """
    if precision not in get_args(Precision):
        raise InputError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision}")
    if name not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}, got {name}")
    if name == "cpu" and device != "cpu":
        raise InputError(f"engine cpu computes on the device cpu, got {device}; use --engine torch")
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    known, missing = network is None or knows(network), why_missing()
    if name == "cpu" or (name == "auto" and device == "cpu" and known and missing is None):
        return CpuEngine(threads, cast(Precision, precision))
    if precision != "fp32":
        raise InputError(
            f"precision {precision} is for networks that the native kernel trains, on the device cpu; "
            "use --engine cpu or --precision fp32"
        )
    because = "" if name == "torch" or device != "cpu" or missing is None else f", since {missing},"
    need("torch", f"training{because} by the torch engine")
    from partinr.engines.torch_engine import TorchEngine

    return TorchEngine(device, threads)
