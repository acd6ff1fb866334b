"""The native kernel (`native/`), where it was compiled: networks as it knows them, and evaluation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from torch import Tensor

from partinr.model.lattice import Nodes
from partinr.model.networks import Finer, Fourier, Gauss, ReluHarmonic, Siren, Wire
from partinr.model.networks.network import Network, Parameters

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


def add_values(
    network: Network,
    parameters: Parameters,
    coords: Float[Tensor, "points dims"],
    pairs: tuple[Int64[Tensor, "pairs"], Int64[Tensor, "pairs"], Float[Tensor, "pairs"]],
    members: Int64[Tensor, "regions"],
    affine: tuple[Float[Tensor, "regions dims"], Float[Tensor, "regions dims"]],
    out: Float32[Tensor, "points channels"],
) -> None:
    """Add weighted values of a group's networks at points to `out`.

    Args:
        network: shape and activation.
        parameters: of the group's members.
        coords: in the global frame.
        pairs: a point, a region that contributes to it, and its weight.
        members: place of each region in the group, negative for those of other groups.
        affine: scale and shift from the global frame to each region's own.
        out: changed in place.
    """
    from partinr import _native

    _native.evaluate_points(
        spec(network, coords.shape[1], out.shape[1]),
        *arrays(parameters),
        coords.contiguous().numpy(),
        pairs[0].contiguous().numpy(),
        pairs[1].contiguous().numpy(),
        pairs[2].contiguous().numpy(),
        members.numpy(),
        affine[0].numpy(),
        affine[1].numpy(),
        threads=torch.get_num_threads(),
        out=out.numpy(),
    )


def add_lattice(
    network: Network,
    parameters: Parameters,
    nodes: list[Nodes],
    spans: Int64[ndarray, "regions dims"],
    sizes: tuple[int, ...],
    members: Int64[Tensor, "regions"],
    affine: tuple[Float[Tensor, "regions dims"], Float[Tensor, "regions dims"]],
    out: Float32[Tensor, "pixels channels"],
) -> None:
    """Add weighted sums of a group's networks, whose regions are boxes, on a lattice to `out`.

    Args:
        network: shape and activation.
        parameters: of the group's members.
        nodes: along each axis, for each span.
        spans: the span of each region along each axis.
        sizes: pixels along each axis.
        members: place of each region in the group, negative for those of other groups.
        affine: scale and shift from the global frame to each region's own.
        out: pixels in raster order, changed in place.
    """
    from partinr import _native

    _native.evaluate_lattice(
        spec(network, len(nodes), out.shape[1]),
        *arrays(parameters),
        [along.coords for along in nodes],
        [along.entries for along in nodes],
        [along.places for along in nodes],
        [along.shares for along in nodes],
        [along.offsets for along in nodes],
        spans,
        sizes,
        members.numpy(),
        affine[0].numpy(),
        affine[1].numpy(),
        threads=torch.get_num_threads(),
        out=out.numpy(),
    )
