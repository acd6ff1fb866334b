"""The native kernel (`native/`), where it was compiled: networks as it knows them, and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.model.blending import Assignment
from partinr.model.derivatives import Derivative
from partinr.model.lattice import Nodes
from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float, Float32, Int64, UInt8


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
    """Whether the kernel can compute this network; see `Network.kernel`."""
    return "kernel" in vars(type(network))


def spec(network: Network, dims: int, channels: int) -> Any:
    """The network as the kernel sees it.

    Raises:
        InputError: the kernel does not know it.
    """
    numbers = network.kernel(dims) if knows(network) else None
    if numbers is None:
        raise InputError(f"engine cpu does not know the network {network.name}; use --engine torch")
    return numbers.spec(network.name, dims, channels)


def add_values(
    network: Network,
    parameters: Parameters,
    coords: Float32[ndarray, "points dims"],
    pairs: Assignment,
    members: Int64[ndarray, "regions"],
    affine: tuple[Float[ndarray, "regions dims"], Float[ndarray, "regions dims"]],
    what: Derivative,
    out: Float32[ndarray, "points columns"],
) -> None:
    """Add weighted values of a group's networks at points, or derivatives of such products, to `out`.

    Args:
        network: shape and activation.
        parameters: of the group's members.
        coords: in the global frame.
        pairs: a point, a region that contributes to it, and its weight.
        members: place of each region in the group, negative for those of other groups.
        affine: scale and shift from the global frame to each region's own.
        what: for derivatives, the pairs have slopes along its axes.
        out: planes after one another, of all channels each; changed in place.
    """
    from partinr import _native

    _native.evaluate_points(
        spec(network, coords.shape[1], out.shape[1] // what.planes),
        *parameters,
        coords,
        *pairs[:3],
        members,
        *(values.astype(np.float32) for values in affine),
        threads=usable_cores(),
        out=out,
        order=what.order,
        axes=what.axes,
        slopes=pairs.slopes,
    )


def add_lattice(
    network: Network,
    parameters: Parameters,
    nodes: list[Nodes],
    spans: Int64[ndarray, "regions dims"],
    sizes: tuple[int, ...],
    members: Int64[ndarray, "regions"],
    affine: tuple[Float[ndarray, "regions dims"], Float[ndarray, "regions dims"]],
    what: Derivative,
    out: Float32[ndarray, "pixels columns"],
    *,
    exact: bool,
) -> None:
    """Add weighted sums of a group's networks, whose regions are boxes, on a lattice to `out`, or of
    derivatives of such products.

    Args:
        network: shape and activation.
        parameters: of the group's members.
        nodes: along each axis, for each span.
        spans: the span of each region along each axis.
        sizes: pixels along each axis.
        members: place of each region in the group, negative for those of other groups.
        affine: scale and shift from the global frame to each region's own.
        what: for derivatives, the nodes have slopes along its axes.
        out: pixels in raster order, planes after one another, of all channels each; changed in place.
        exact: whether coordinates are computed in double precision.
    """
    from partinr import _native

    _native.evaluate_lattice(
        spec(network, len(nodes), out.shape[1] // what.planes),
        *parameters,
        [along.coords for along in nodes],
        [along.entries for along in nodes],
        [along.places for along in nodes],
        [along.shares for along in nodes],
        [along.offsets for along in nodes],
        spans,
        sizes,
        members,
        *(values.astype(np.float64) for values in affine),
        exact=exact,
        threads=usable_cores(),
        out=out,
        order=what.order,
        axes=what.axes,
        slopes=[_slopes(along) for along in nodes] if what.order else [],
    )


def _slopes(nodes: Nodes) -> Float32[ndarray, "entries"]:
    """Of an axis along which nothing is derived, zeros."""
    return np.zeros(len(nodes.shares), np.float32) if nodes.slopes is None else nodes.slopes


def halve(
    values: Float32[ndarray, "wide_rows wide_columns channels"],
    direct: Float32[ndarray, "side side 1 3"],
    layers: Sequence[Float32[ndarray, "..."]],
    slope: float,
    out: Float32[ndarray, "double_rows double_columns channels"],
) -> None:
    """Write means over the quarters of samples' areas to `out`; see `Details.halved`."""
    from partinr import _native

    _native.halve(values, direct, layers, slope, threads=usable_cores(), out=out)


def to_spline(values: Float32[ndarray, "outer n inner"]) -> None:
    """Turn values along the middle axis into coefficients of their quartic spline, in place."""
    from partinr import _native

    _native.spline_coefficients(values, threads=usable_cores())


def add_up(
    values: Float32[ndarray, "outer n inner"],
    first: Int64[ndarray, "size"],
    weights: Float32[ndarray, "size taps"],
    out: Float32[ndarray, "outer size inner"],
) -> None:
    """Write weighted sums along the middle axis to `out`; see `spline.Taps`."""
    from partinr import _native

    _native.weighted(values, first, weights, threads=usable_cores(), out=out)


def deblock(
    values: Float32[ndarray, "*shape channels"],
    boxes: Int64[ndarray, "regions 2 dims"],
    activity: UInt8[ndarray, "regions channels"],
    mixing: Float32[ndarray, "_ channels channels"],
    first: Sequence[int],
    limits: tuple[float, float],
    taken: float,
    most: int,
) -> None:
    """Take jumps at the borders of boxes back, in place; see `deblocking.deblock`."""
    from partinr import _native

    shape = (1,) * (4 - values.ndim) + values.shape
    _native.deblock(
        values.reshape(shape),
        boxes,
        activity,
        mixing,
        list(first),
        limits=limits,
        taken=taken,
        most=most,
        threads=usable_cores(),
    )
