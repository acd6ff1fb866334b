"""The native engine: one region per core at a time, trained in cache by a fused kernel (`native/`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray

from partinr.engines.engine import Engine, Plan, Samples, Tick, TrainingState
from partinr.errors import InputError
from partinr.networks import Finer, Fourier, Gauss, ReluHarmonic, Siren, Wire
from partinr.networks.network import Network, Parameters

if TYPE_CHECKING:
    from partinr._native import NetSpec


def why_missing() -> str | None:
    """Why the native engine cannot be used here, as a phrase; None if it can."""
    try:
        from partinr import _native

        _native.isa()
    except ImportError as error:
        return f"the kernel was not compiled when partinr was installed ({error})"
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


class CpuEngine(Engine):
    """Trains every region to the end of the plan on one core, in that core's cache, regions side by side.

    Results do not depend on the number of threads. A region is one thread's work, however large it is.

    Args:
        threads: threads to use, None for one on each core that the process may use.

    Raises:
        InputError: the kernel was not compiled when partinr was installed, or cannot run on this processor.
    """

    name: ClassVar[str] = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        missing = why_missing()
        if missing is not None:
            raise InputError(f"engine cpu is not available: {missing}; use --engine torch")
        self._threads = threads or usable_cores()
        self._encoded: tuple[Samples, Float32[ndarray, "samples features"]] | None = None

    @property
    def device(self) -> torch.device:
        """Where samples and states must be."""
        return torch.device("cpu")

    @property
    def isa(self) -> str:
        """Instruction set that the kernel uses here."""
        from partinr import _native

        return _native.isa()

    def advance(
        self, network: Network, state: TrainingState, samples: Samples, plan: Plan, tick: Tick
    ) -> Float64[ndarray, "k steps"]:
        """See `Engine.advance`."""
        from partinr import _native

        losses = np.full((len(plan.regions), len(plan.learning_rates)), np.nan, np.float32)
        channels = samples.values.shape[1]
        counts = samples.counts
        used = counts if plan.batch is None else np.minimum(counts, plan.batch)
        size = np.full(len(counts), plan.signal_samples) if plan.whole_signal else used
        told = 0

        def stop() -> bool:
            nonlocal told
            done = int(np.count_nonzero(~np.isnan(losses)))
            told, new = done, done - told
            return tick(new)

        _native.train(
            self._spec(network, samples),
            *_arrays(state.parameters),
            *_arrays(state.first),
            *_arrays(state.second),
            self._features(network, samples),
            samples.values.numpy(),
            samples.offsets,
            plan.regions,
            samples.keys,
            first_step=plan.start,
            learning_rates=plan.learning_rates.astype(np.float32),
            batch=plan.batch or 0,
            beta1=plan.adam.beta1,
            beta2=plan.adam.beta2,
            eps=plan.adam.eps,
            loss_scale=1.0 / (np.maximum(size, 1) * channels),
            threads=self._threads,
            losses=losses,
            stop=stop,
        )
        return losses.astype(np.float64)

    def squared_error(
        self, network: Network, parameters: Parameters, samples: Samples
    ) -> Float64[ndarray, "regions"]:
        """See `Engine.squared_error`."""
        from partinr import _native

        values = samples.values.numpy()
        out = np.empty_like(values)
        _native.evaluate(
            self._spec(network, samples),
            *_arrays(parameters),
            self._features(network, samples),
            samples.offsets,
            np.arange(len(samples.counts)),
            threads=self._threads,
            out=out,
        )
        out -= values
        squares = np.square(out, dtype=np.float64).sum(axis=1)
        ends = np.concatenate([[0.0], np.cumsum(squares)])[samples.offsets]
        return np.diff(ends)

    def _spec(self, network: Network, samples: Samples) -> NetSpec:
        from partinr import _native

        hidden, hidden_layers = network.hidden, network.layers + 1
        omega: list[float] = []
        scale: list[float] = []
        if isinstance(network, (Siren, Finer, Wire)):
            omega = [network.omega_0, *[network.omega_hidden] * network.layers]
        if isinstance(network, Wire):
            hidden, scale = network.units, [network.scale] * hidden_layers
        if isinstance(network, Gauss):
            scale = [0.5**0.5 / network.sigma] * hidden_layers
        if not isinstance(network, (Siren, Finer, Wire, Gauss, ReluHarmonic, Fourier)):
            raise InputError(f"engine cpu does not know the network {network.name}; use --engine torch")
        return _native.NetSpec(
            network.name,
            dims=network.encoded(samples.coords.shape[1]),
            channels=samples.values.shape[1],
            hidden=hidden,
            layers=network.layers,
            omega=omega,
            scale=scale,
        )

    def _features(self, network: Network, samples: Samples) -> Float32[ndarray, "samples features"]:
        """What the first layer sees: encoded once per fit, if the network encodes coordinates."""
        if network.encoded(samples.coords.shape[1]) == samples.coords.shape[1]:
            return samples.coords.numpy()
        if self._encoded is None or self._encoded[0] is not samples:
            pieces = [
                network.encode(piece[None])[0].numpy() for piece in torch.split(samples.coords, 1 << 16)
            ]
            self._encoded = (samples, np.concatenate(pieces))
        return self._encoded[1]


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _arrays(parameters: Parameters) -> tuple[list[ndarray], list[ndarray]]:
    return [w.detach().numpy() for w in parameters.weights], [b.detach().numpy() for b in parameters.biases]
