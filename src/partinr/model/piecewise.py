"""The piecewise function: every region's own small network, evaluated together as one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from partinr.display import Displayed
from partinr.errors import InputError, need
from partinr.model import kernel
from partinr.model.blending import Assignment
from partinr.model.derivatives import VALUE, Derivative
from partinr.model.jets import Jet
from partinr.model.lattice import Blend, pitch
from partinr.model.networks.network import Network, Parameters
from partinr.model.packing import IN_CACHE, batches, pack
from partinr.model.partition.partition import Partition
from partinr.model.structure import Structure
from partinr.shapes import Float, Float32, Int64
from partinr.signals import frames
from partinr.signals.frames import Frame
from partinr.signals.signal import Between, SignalSpec

if TYPE_CHECKING:
    from partinr.model.module import PiecewiseINR
    from partinr.model.spectra import Rounding, Spectra

# Points that are evaluated at once.
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False, repr=False)
class Piecewise(Displayed):
    """One continuous function from coordinates to values, made of one small network per region.

    Calling it evaluates any coordinates, by the native kernel, or by NumPy where that was not compiled.

    Attributes:
        structure: regions, networks, frame and blending.
        parameters: of each group: weights (regions, fan_in, fan_out) and biases (regions, fan_out) of each
            layer, in single precision.
        spectra: the whole numbers that the parameters were made of, where they were; a compact file keeps
            these.
        rounded: how the boxes of the parts were rounded that the function was joined of, without spectra.

    Raises:
        InputError: parameters have not the shapes of the networks' layers.

    Source: Liu et al., "Partition Speeds Up Learning Implicit Neural Representations Based on
    Exponential-Increase Hypothesis", ICCV 2023, section 4.

    Example:
        >>> import numpy as np, partinr
        >>> model = partinr.fit(np.eye(48), partinr.Grid(2, 2), goal=partinr.Steps(5)).model
        >>> model(np.zeros((7, 2))).shape
        (7, 1)
    """

    structure: Structure
    parameters: tuple[Parameters, ...]
    spectra: Spectra | None = None
    rounded: tuple[Rounding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", self.structure.checked(self.parameters))

    def with_between(self, between: Between) -> Piecewise:
        """The same function at the samples, and another one between them; see `Between`.

        Raises:
            InputError: "learned" for a signal that is not of two axes.
        """
        signal = replace(self.signal, between=between)
        return replace(self, structure=replace(self.structure, signal=signal))

    @cached_property
    def roundings(self) -> tuple[Rounding, ...]:
        """What jumps at borders of regions are judged by; empty if none were made by rounding."""
        return self.rounded if self.spectra is None else (self.spectra.rounding,)

    @property
    def partition(self) -> Partition:
        """Which region each sample belongs to."""
        return self.structure.partition

    @property
    def networks(self) -> tuple[Network, ...]:
        """The network of each group's regions."""
        return self.structure.networks

    @property
    def signal(self) -> SignalSpec:
        """What the function represents."""
        return self.structure.signal

    @property
    def frame(self) -> Frame:
        """The coordinates that networks see."""
        return self.structure.frame

    @property
    def blend(self) -> bool:
        """Whether the function is continuous between regions."""
        return self.structure.blend

    @property
    def overlap(self) -> int:
        """Samples of each region's margin."""
        return self.structure.overlap

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.structure.regions

    @property
    def params(self) -> int:
        """Number of weights and biases of all regions together."""
        return self.structure.params

    def torch(self) -> PiecewiseINR:
        """The same as a torch `nn.Module`, on copies of the parameters.

        Raises:
            InputError: torch is not installed.
        """
        need("torch", "the function as a torch module")
        from partinr.model.module import PiecewiseINR

        return PiecewiseINR(self.structure, self.parameters)

    def named_parameters(self) -> dict[str, Float32[ndarray, "..."]]:
        """Every array of parameters by its name in the file and in the torch module."""
        return {
            f"groups.{g}.{what}.{layer}": array
            for g, parameters in enumerate(self.parameters)
            for what, arrays in (("weights", parameters.weights), ("biases", parameters.biases))
            for layer, array in enumerate(arrays)
        }

    def __call__(self, coords: Any) -> Float32[ndarray, "*points channels"]:
        """Normalised values at global coordinates (-1..1 over the signal, first axis first).

        Args:
            coords: shape (..., dims), real numbers; computed in single precision, which tells samples
                of axes of up to a million or so apart; renderings do better. Where one is not finite, neither
                is the value.

        Raises:
            InputError: these are no such coordinates.
        """
        return self._at(coords, VALUE)[..., 0, :]

    def derivative(self, coords: Any, axis: int, order: int = 1) -> Float32[ndarray, "*points channels"]:
        """Exact derivatives along one axis of what a call gives, of its values by its coordinates.

        Blending takes part: where weights bend, at samples near borders, a first derivative is the mean of
        those on both sides, and a second one is that of the smooth parts beside. Steps without blending, and
        corners (of ReLU, whose pieces bend by their encoding alone), count for nothing.

        Args:
            coords: as for a call.
            axis: 0 for the first axis of the signal; -1 for the last.
            order: 1 or 2.

        Raises:
            InputError: these are no such coordinates, axis or order, or a network's formula cannot be
                differentiated.

        Example:
            >>> import numpy as np, partinr
            >>> model = partinr.fit(np.eye(8), goal=partinr.Steps(5)).model
            >>> model.derivative(np.zeros((7, 2)), axis=0).shape
            (7, 1)
        """
        dims = self.signal.dims
        if axis not in range(-dims, dims) or order not in (1, 2):
            raise InputError(
                f"derivatives are along an axis from 0 to {dims - 1}, of order 1 or 2, "
                f"got axis={axis!r:.100} and order={order!r:.100}"
            )
        return self._at(coords, Derivative(int(order), (int(axis) % dims,)))[..., 0, :]

    def jacobian(self, coords: Any) -> Float32[ndarray, "*points channels dims"]:
        """First derivatives of every channel along every axis; see `derivative`."""
        return np.moveaxis(self._at(coords, Derivative(1, tuple(range(self.signal.dims)))), -2, -1)

    def laplacian(self, coords: Any) -> Float32[ndarray, "*points channels"]:
        """The sum over all axes of the second derivatives by global coordinates; see `derivative`.

        Samples are as far apart along each axis as -1..1 says here; `render` counts in samples.
        """
        bends = self._at(coords, Derivative(2, tuple(range(self.signal.dims))))
        found: Float32[ndarray, "*points channels"] = bends.sum(axis=-2)
        return found

    def _at(self, coords: Any, what: Derivative) -> Float32[ndarray, "*points planes channels"]:
        try:
            given = np.asarray(coords)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"coordinates must be an array that NumPy reads, got {type(coords).__name__} ({error}); for "
                "tensors that ask for gradients or are on another device, take `torch()`"
            ) from error
        if given.ndim < 1 or given.shape[-1] != self.signal.dims or given.dtype.kind not in "fiub":
            raise InputError(
                f"coordinates must be real numbers of shape (..., {self.signal.dims}), "
                f"got {given.dtype} of {given.shape}"
            )
        precision = np.float64 if given.dtype == np.float64 else np.float32
        points = np.ascontiguousarray(given, precision).reshape(-1, self.signal.dims)
        finite = np.isfinite(points).all(axis=1)
        if finite.all():
            out = self.at_points(points, what)
        else:
            out = np.full((len(points), what.planes * self.signal.channels), np.nan, np.float32)
            out[finite] = self.at_points(points[finite], what)
        return out.reshape(*given.shape[:-1], what.planes, self.signal.channels)

    def at_points(
        self, points: Float[ndarray, "points dims"], what: Derivative
    ) -> Float32[ndarray, "points columns"]:
        """Normalised values, or derivatives by global coordinates, at finite global coordinates.

        Returns:
            Planes after one another, of all channels each.
        """
        # NumPy can tell apart samples of long axes; see `on_lattice`.
        if self._native or not self.structure.exact:
            points = points.astype(np.float32, copy=False)
        out = np.zeros((len(points), what.planes * self.signal.channels), np.float32)
        for first in range(0, len(points), _BLOCK):
            block, values = points[first : first + _BLOCK], out[first : first + _BLOCK]
            assigned = self.structure.assign(block, what.axes if what.order else None)
            if self._native:
                self._add_native(block, assigned, what, values)
            else:
                self._add(block, assigned, what, values)
        return out

    def _add_native(
        self,
        coords: Float32[ndarray, "points dims"],
        assigned: Assignment,
        what: Derivative,
        out: Float32[ndarray, "points columns"],
    ) -> None:
        affine = self.structure.affine
        for g, (network, parameters) in enumerate(zip(self.networks, self.parameters, strict=True)):
            members = self.structure.slots(g)
            kernel.add_values(network, parameters, coords, assigned, members, affine, what, out)

    def _add(
        self,
        coords: Float[ndarray, "points dims"],
        assigned: Assignment,
        what: Derivative,
        out: Float32[ndarray, "points columns"],
    ) -> None:
        packing = pack(self.structure.rank[assigned.regions], self.regions)
        points, regions = assigned.points[packing.order], assigned.regions[packing.order]
        own = self.structure.own_coords(coords[points], regions)
        # A unit of each axis asked for, in each region's own coordinates.
        scale = self.structure.affine[0][regions].astype(np.float32)
        units = np.eye(self.signal.dims, dtype=np.float32)[list(what.axes)][:, None] * scale
        values = np.empty((1 + what.order * len(what.axes), len(own), self.signal.channels), np.float32)
        first = 0
        for network, parameters, members in zip(
            self.networks, self.parameters, self.structure.members, strict=True
        ):
            offsets = packing.offsets[first : first + len(members) + 1]
            first += len(members)
            part = slice(int(offsets[0]), int(offsets[-1]))
            values[:, part] = network_jets(
                network,
                parameters,
                own[part],
                units[:, part],
                what,
                offsets - offsets[0],
                self.signal.channels,
            )
        weights = assigned.weights[packing.order][:, None]
        if assigned.slopes is None:
            np.add.at(out, points, values[0] * weights)
            return
        slopes = assigned.slopes[packing.order]
        planes = []
        for k in range(len(what.axes)):
            # (w f)' = w f' + w' f and (w f)'' = w f'' + 2 w' f', as weights are linear where they are smooth.
            last = (k + 1) * what.order
            before = values[last - 1 if what.order == 2 else 0]
            planes.append(weights * values[last] + what.order * slopes[:, k : k + 1] * before)
        np.add.at(out, points, np.concatenate(planes, axis=1))

    def on_lattice(
        self, pixels: list[frames.Pixels], what: Derivative = VALUE
    ) -> Float32[ndarray, "pixels columns"] | None:
        """Values at the points of a lattice, or means over its pixels, in raster order, by the native kernel.

        Boxes meet a lattice in boxes, so nothing has to be looked up point by point.

        Args:
            pixels: what is to be known along each axis.
            what: or derivatives by global coordinates, along axes with points.

        Returns:
            Planes after one another, of all channels each. None where only a call can do it: label maps, and
            networks that the kernel does not know.
        """
        if self.partition.spans is None or not self._native:
            return None
        spans, which = self.partition.spans
        overlap = self.overlap if self.structure.blends else None
        apart = pitch(pixels)
        nodes = [
            Blend(samples, overlap, extents).nodes(along, apart, sloping=a in what.axes)
            for a, (samples, extents, along) in enumerate(zip(self.signal.shape, spans, pixels, strict=True))
        ]
        sizes = tuple(len(along.coords) for along in pixels)
        out = np.zeros((math.prod(sizes), what.planes * self.signal.channels), np.float32)
        affine = self.structure.affine
        for g, (network, parameters) in enumerate(zip(self.networks, self.parameters, strict=True)):
            members = self.structure.slots(g)
            exact = self.structure.exact
            kernel.add_lattice(
                network, parameters, nodes, which, sizes, members, affine, what, out, exact=exact
            )
        return out

    @property
    def _native(self) -> bool:
        """Whether the native kernel is there and knows all networks."""
        return kernel.why_missing() is None and all(kernel.knows(network) for network in self.networks)


def network_jets(
    network: Network,
    parameters: Parameters,
    own: Float32[ndarray, "samples dims"],
    units: Float32[ndarray, "axes samples dims"],
    what: Derivative,
    offsets: Int64[ndarray, "_"],
    channels: int,
) -> Float32[ndarray, "jets samples channels"]:
    """Values of each of a group's networks at its own samples, by NumPy, and their derivatives.

    Args:
        network: shape and activation.
        parameters: of the group's members.
        own: coordinates, sorted by member and in its frame.
        units: along which derivatives are taken, in that frame.
        what: up to which order.
        offsets: member i has the samples offsets[i] .. offsets[i + 1] - 1.
        channels: values a sample.

    Returns:
        The values, then for each axis its derivatives in ascending order.

    Raises:
        InputError: the network's formula cannot be differentiated.
    """
    values = np.empty((1 + what.order * len(units), len(own), channels), np.float32)
    limit = max(1, IN_CACHE // (len(values) * network.widest(own.shape[1], channels)))
    for batch in batches(offsets, np.arange(len(offsets) - 1), limit):
        index, mask = batch.index(), batch.mask()
        rows = Parameters.of([array[batch.regions] for array in parameters.arrays])
        if what.order == 0:
            values[0, index[mask]] = network.forward(own[index], rows)[mask]
            continue
        along = units[:, index]
        jet = Jet(own[index], along, 0 * along if what.order == 2 else None)
        try:
            found = network.forward(jet, rows)
        except (AttributeError, TypeError) as error:
            raise InputError(f"the network {network.name} has no derivatives: {error}") from error
        orders = [found.first] if found.second is None else [found.first, found.second]
        derivatives = np.stack(orders, axis=1).reshape(-1, *found.shape)
        values[:, index[mask]] = np.concatenate([found.value[None], derivatives])[:, mask]
    return values
