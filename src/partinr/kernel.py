"""The native kernel (`native/`), where it was compiled: networks as it knows them, and evaluation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from torch import Tensor

from partinr.networks import Finer, Fourier, Gauss, ReluHarmonic, Siren, Wire
from partinr.networks.network import Network, Parameters

if TYPE_CHECKING:
    from partinr._native import NetSpec


@cache
def why_missing() -> str | None:
    """Why the native kernel cannot be used here, as a phrase; None if it can."""
    try:
        from partinr import _native

        _native.isa()
    except ImportError as error:
        return f"the kernel was not compiled when partinr was installed ({error})"
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def why_no_bf16() -> str | None:
    """Why the native kernel cannot train in bfloat16 here, as a phrase; None if it can."""
    from partinr import _native

    try:
        _native.bf16()
    except ValueError as error:
        return str(error)
    return None


def knows(network: Network) -> bool:
    """Whether the kernel can compute this network."""
    return isinstance(network, (Siren, Finer, Wire, Gauss, ReluHarmonic, Fourier))


def spec(network: Network, dims: int, channels: int) -> NetSpec:
    """The network as the kernel sees it."""
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
    return _native.NetSpec(
        network.name,
        dims=dims,
        channels=channels,
        hidden=hidden,
        layers=network.layers,
        omega=omega,
        scale=scale,
        octaves=network.frequencies if isinstance(network, ReluHarmonic) else 0,
        projections=np.ascontiguousarray(network.projections(dims)) if isinstance(network, Fourier) else None,
    )


def arrays(parameters: Parameters) -> tuple[list[Float32[ndarray, "..."]], list[Float32[ndarray, "..."]]]:
    """Parameters as NumPy arrays that share their memory."""
    weights = [weight.detach().numpy() for weight in parameters.weights]
    return weights, [bias.detach().numpy() for bias in parameters.biases]


def can_evaluate(network: Network, coords: Tensor, parameters: Parameters) -> bool:
    """Whether `evaluate` can be used: no gradient asked for, single precision, on the CPU."""
    return (
        not torch.is_grad_enabled()
        and coords.device.type == "cpu"
        and coords.dtype == torch.float32
        and all(t.dtype == torch.float32 and t.is_contiguous() for ts in parameters for t in ts)
        and knows(network)
        and why_missing() is None
    )


def evaluate(
    network: Network,
    parameters: Parameters,
    coords: Float[Tensor, "samples dims"],
    offsets: Int64[ndarray, "_"],
    channels: int,
) -> Float32[Tensor, "samples channels"]:
    """Values of every region's network at its own samples, which are sorted by region.

    Args:
        network: shape and activation.
        parameters: of all regions.
        coords: in each region's own frame.
        offsets: region i has the samples offsets[i] .. offsets[i + 1] - 1.
        channels: values a sample.
    """
    from partinr import _native

    out = np.empty((len(coords), channels), np.float32)
    _native.evaluate(
        spec(network, coords.shape[1], channels),
        *arrays(parameters),
        coords.contiguous().numpy(),
        offsets,
        np.flatnonzero(np.diff(offsets)),
        threads=torch.get_num_threads(),
        out=out,
    )
    return torch.from_numpy(out)
