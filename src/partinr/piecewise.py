"""The piecewise network: every region's own small network, evaluated together as one function."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from torch import Tensor, nn

from partinr import coords as frames
from partinr import kernel
from partinr.coords import Frame
from partinr.errors import InputError
from partinr.networks.network import Network, Parameters
from partinr.packing import Packing, batches, pack
from partinr.partition.partition import Partition
from partinr.signals.signal import SignalSpec

# Values of the widest layer in one batch of an evaluation: bounds memory and stays in cache.
_BATCH_VALUES = 1 << 19
# A coordinate this near to a sample, in samples, is at the sample: single precision cannot tell.
AT_SAMPLE = 1e-3


class Assignment(NamedTuple):
    """Pairs of a point and a region that contributes to it; the weights of a point's pairs add up to 1.

    points and regions have shape (pairs,), weights too. Without blending there is one pair for each point, in
    the points' order.
    """

    points: Int[Tensor, " pairs"]
    regions: Int[Tensor, " pairs"]
    weights: Float[Tensor, " pairs"]


class Group(nn.Module):
    """Regions whose networks have one shape, their parameters stacked.

    Attributes:
        network: shape and activation of each region's network.
        channels: values a sample.
        regions: the partition's regions that belong to the group, ascending.
        weights: one parameter per layer, (regions, fan_in, fan_out).
        biases: one parameter per layer, (regions, fan_out).
    """

    regions: Tensor

    def __init__(self, network: Network, regions: Int[ndarray, "members"], dims: int, channels: int) -> None:
        super().__init__()
        self.network, self.channels = network, channels
        self.register_buffer("regions", torch.as_tensor(regions), persistent=False)
        shapes = network.layer_shapes(dims, channels)
        count = len(regions)
        self.weights = nn.ParameterList([torch.zeros(count, s.fan_in, s.fan_out) for s in shapes])
        self.biases = nn.ParameterList([torch.zeros(count, s.fan_out) for s in shapes])

    @property
    def parameters_by_layer(self) -> Parameters:
        """The group's parameters, not copied."""
        return Parameters(list(self.weights), list(self.biases))

    def values(
        self, own: Float[Tensor, "samples dims"], offsets: Int[ndarray, "_"]
    ) -> Float[Tensor, "samples channels"]:
        """Values of each member at its own samples.

        Args:
            own: coordinates, sorted by member and in its frame.
            offsets: member i has the samples offsets[i] .. offsets[i + 1] - 1.
        """
        parameters = self.parameters_by_layer
        channels = self.channels
        limit = max(1, _BATCH_VALUES // max(b.shape[1] for b in parameters.biases))
        pieces, places = [own.new_zeros(0, channels)], [torch.zeros(0, dtype=torch.long, device=own.device)]
        for batch in batches(offsets, np.arange(len(offsets) - 1), limit):
            place = torch.as_tensor(batch.index(), device=own.device)
            members = torch.as_tensor(batch.regions, device=own.device)
            values = self.network.forward(own[place], _pick(parameters, members))
            if batch.padded:
                mask = torch.as_tensor(batch.mask(), device=own.device)
                values, place = values[mask], place[mask]
            pieces.append(values.reshape(-1, channels))
            places.append(place.reshape(-1))
        where = torch.cat(places)
        back = torch.empty_like(where)
        back[where] = torch.arange(len(where), device=own.device)
        return torch.cat(pieces)[back]

    def load(self, parameters: Parameters) -> None:
        """Copy parameters of the same shapes into the group."""
        with torch.no_grad():
            for mine, given in zip(
                [*self.weights, *self.biases], [*parameters.weights, *parameters.biases], strict=True
            ):
                mine.copy_(given)


class PiecewiseINR(nn.Module):
    """One continuous function from coordinates to values, made of one small network per region.

    Evaluates any coordinates on any device, and is differentiable with respect to coordinates and parameters.

    Args:
        partition: which region each sample belongs to.
        network: the network of every region, or one network per group.
        signal: what the function represents; values are normalised (0..1 over the signal's value range).
        frame: "global" feeds coordinates -1..1 over the whole signal to every network, "local" -1..1 over
            the bounding box of its region.
        group_of: for several groups, the group of each region, shape (regions,).
        blend: between samples of different regions, interpolate linearly between the regions' functions,
            which makes the whole continuous; at the samples themselves it changes nothing. Without it, a
            point belongs to the region of the nearest sample alone, as in the paper.

    Source: Liu et al., "Partition Speeds Up Learning Implicit Neural Representations Based on
    Exponential-Increase Hypothesis", ICCV 2023, section 4.

    Example:
        >>> import torch, partinr
        >>> signal = partinr.from_array(torch.rand(32, 48).numpy())
        >>> model = partinr.fit(signal, partinr.Grid(2, 2), steps=5).model
        >>> model(torch.zeros(7, 2)).shape
        torch.Size([7, 1])
    """

    table: Tensor
    scale: Tensor
    shift: Tensor
    group_of: Tensor
    slot: Tensor
    rank: Tensor

    def __init__(
        self,
        partition: Partition,
        network: Network | Sequence[Network],
        signal: SignalSpec,
        frame: Frame,
        group_of: Int[ndarray, "regions"] | None = None,
        *,
        blend: bool = True,
    ) -> None:
        super().__init__()
        if partition.shape != signal.shape:
            raise InputError(
                f"the partition must have the signal's shape {signal.shape}, got {partition.shape}"
            )
        networks = [network] if isinstance(network, Network) else list(network)
        members = (
            np.zeros(partition.regions, np.int64) if group_of is None else np.asarray(group_of, np.int64)
        )
        if members.shape != (partition.regions,) or set(members) != set(range(len(networks))):
            raise InputError(
                f"group_of must name each of the {len(networks)} groups for the {partition.regions} regions"
            )
        self.partition = partition
        self.signal = signal
        self.frame = frame
        self.blend = blend
        self.groups = nn.ModuleList(
            [
                Group(n, np.flatnonzero(members == g), signal.dims, signal.channels)
                for g, n in enumerate(networks)
            ]
        )
        slot = np.zeros(partition.regions, np.int64)
        for g in range(len(networks)):
            slot[members == g] = np.arange(int((members == g).sum()))
        scale, shift = frames.frame_affine(frame, partition.bounding_boxes, signal.shape)
        for a, edges in enumerate(partition.edges or []):
            self.register_buffer(f"edges_{a}", torch.as_tensor(edges[1:-1].copy()), persistent=False)
        for name, value in (
            ("table", partition.table.reshape(-1).copy()),
            ("scale", scale),
            ("shift", shift),
            ("group_of", members),
            ("slot", slot),
            ("rank", np.argsort(np.argsort(members, kind="stable"), kind="stable")),
        ):
            self.register_buffer(name, torch.as_tensor(value), persistent=False)

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.partition.regions

    @property
    def _blends(self) -> bool:
        return self.blend and self.regions > 1

    @property
    def params(self) -> int:
        """Number of weights and biases of all regions together."""
        return sum(p.numel() for p in self.parameters())

    @property
    def group_list(self) -> list[Group]:
        """The groups, typed."""
        return [g for g in self.groups if isinstance(g, Group)]

    def initialise(self, seed: int) -> None:
        """Give every region fresh parameters as its network's publication draws them."""
        generator = torch.Generator().manual_seed(seed)
        for group in self.group_list:
            group.load(
                group.network.initialise(
                    len(group.regions), self.signal.dims, self.signal.channels, generator
                )
            )

    def region_of(self, coords: Float[Tensor, "points dims"]) -> Int[Tensor, "points"]:
        """Region of the sample nearest to each global coordinate; beyond the border, the border's."""
        nearest = [position.round().long() for position in self._positions(coords.detach())]
        return self._region_at([self._cell(a, index) for a, index in enumerate(nearest)])

    def _positions(self, coords: Float[Tensor, "points dims"]) -> list[Float[Tensor, "points"]]:
        """Position along each axis, in samples, not before the first nor after the last."""
        return [
            frames.to_index(coords[:, a], samples).clip(0, samples - 1)
            for a, samples in enumerate(self.signal.shape)
        ]

    def _cell(self, a: int, index: Int[Tensor, "points"]) -> Int[Tensor, "points"]:
        """Row of the partition's table, along axis a, of the samples at these indices."""
        if self.partition.edges is None:
            return index
        return torch.searchsorted(self.get_buffer(f"edges_{a}"), index, right=True)

    def _region_at(self, cells: list[Int[Tensor, "points"]]) -> Int[Tensor, "points"]:
        flat = cells[0]
        for a, cell in enumerate(cells[1:], 1):
            flat = flat * self.partition.table.shape[a] + cell
        return self.table[flat].long()

    def assign(self, coords: Float[Tensor, "points dims"]) -> Assignment:
        """Which regions' functions make up the value at each global coordinate, with which weights.

        Without blending, the nearest sample's region with weight 1. With it, every one of the 2**dims samples
        around a point contributes its region with the weight of multilinear interpolation: exactly 1 for one
        region at a sample, and wherever all samples around belong to the same region.
        """
        if not self._blends:
            points = torch.arange(len(coords), device=coords.device)
            return Assignment(points, self.region_of(coords), coords.new_ones(len(coords)))
        lower, upper, fraction = [], [], []
        between = torch.zeros(len(coords), dtype=torch.bool, device=coords.device)
        for a, position in enumerate(self._positions(coords)):
            first = (position.detach() + AT_SAMPLE).floor()
            beyond = position - first
            beyond = torch.where(beyond.detach() <= AT_SAMPLE, 0, beyond)
            lower.append(self._cell(a, first.long()))
            upper.append(self._cell(a, (first.long() + 1).clip(max=self.signal.shape[a] - 1)))
            fraction.append(beyond)
            between |= (lower[a] != upper[a]) & (beyond.detach() > 0)
        inside, near = torch.nonzero(~between)[:, 0], torch.nonzero(between)[:, 0]
        sides = [(low[near], high[near]) for low, high in zip(lower, upper, strict=True)]
        shared = _shared(
            [self._region_at(list(corner)) for corner in itertools.product(*sides)],
            [part[near] for part in fraction],
        )
        return Assignment(
            torch.cat([inside, near[shared.points]]),
            torch.cat([self._region_at([cell[inside] for cell in lower]), shared.regions]),
            torch.cat([coords.new_ones(len(inside)), shared.weights]),
        )

    def own_coords(
        self, coords: Float[Tensor, "points dims"], regions: Int[Tensor, "points"]
    ) -> Float[Tensor, "points dims"]:
        """Global coordinates in the frame of each point's region."""
        if self.frame == "global":
            return coords
        return coords * self.scale[regions] + self.shift[regions]

    def forward(self, coords: Tensor) -> Float[Tensor, "points channels"]:
        """Normalised values at global coordinates (-1..1 over the signal, first axis first).

        Args:
            coords: shape (points, dims), any number of points.

        Raises:
            InputError: the coordinates don't have one column for each axis of the signal.
        """
        if coords.ndim != 2 or coords.shape[1] != self.signal.dims:
            raise InputError(
                f"coordinates must have shape (points, {self.signal.dims}), got {tuple(coords.shape)}"
            )
        assigned = self.assign(coords)
        if all(kernel.can_evaluate(g.network, coords, g.parameters_by_layer) for g in self.group_list):
            return self._native_values(coords, assigned)
        own = self.own_coords(coords[assigned.points], assigned.regions)
        packing = pack(self.rank[assigned.regions].cpu().numpy(), self.regions)
        place = torch.as_tensor(packing.order, device=coords.device)
        values = self._packed_values(own[place], packing)
        back = torch.empty_like(place)
        back[place] = torch.arange(len(place), device=place.device)
        if not self._blends:
            return values[back]
        values = values[back]
        out = torch.zeros(len(coords), self.signal.channels, dtype=values.dtype, device=coords.device)
        return out.index_add(0, assigned.points, values * assigned.weights[:, None])

    def on_lattice(self, axes: list[Float32[ndarray, "_"]]) -> Float[Tensor, "points channels"] | None:
        """What `forward` gives at the points of a lattice in raster order, by the native kernel alone.

        Boxes meet a lattice in boxes, so nothing has to be looked up point by point.

        Args:
            axes: global coordinates along each axis.

        Returns:
            None where only `forward` can do it: label maps, other devices and precisions, gradients.
        """
        probe = self.scale[:1]
        able = (kernel.can_evaluate(g.network, probe, g.parameters_by_layer) for g in self.group_list)
        if self.partition.edges is None or not all(able):
            return None
        out = torch.zeros(math.prod(len(axis) for axis in axes), self.signal.channels)
        windows = [self._window(a, torch.as_tensor(axis)) for a, axis in enumerate(axes)]
        cells = self.table.long()
        for g, group in enumerate(self.group_list):
            members = torch.where(self.group_of == g, self.slot, -1)[cells]
            kernel.add_lattice(
                group.network,
                group.parameters_by_layer,
                axes,
                windows,
                self.partition.table.shape,
                members,
                (self.scale[cells], self.shift[cells]),
                out,
            )
        return out

    def _window(self, a: int, coords: Float[Tensor, "_"]) -> tuple[Int[Tensor, "_"], Float[Tensor, "most _"]]:
        """What `assign` does, along one axis: the first cell with a weight, and the weights from it on."""
        columns = coords[:, None].expand(-1, self.signal.dims)
        position = self._positions(columns)[a]
        if not self._blends:
            return self._cell(a, position.round().long()), torch.ones(1, len(coords))
        first = (position + AT_SAMPLE).floor()
        beyond = position - first
        lower = self._cell(a, first.long())
        upper = self._cell(a, (first.long() + 1).clip(max=self.signal.shape[a] - 1))
        share = torch.where((beyond > AT_SAMPLE) & (lower != upper), beyond, 0)
        return lower, torch.stack([1 - share, share])

    def _native_values(
        self, coords: Float[Tensor, "points dims"], assigned: Assignment
    ) -> Float[Tensor, "points channels"]:
        out = torch.zeros(len(coords), self.signal.channels)
        for g, group in enumerate(self.group_list):
            members = torch.where(self.group_of == g, self.slot, -1)
            affine = (self.scale, self.shift)
            kernel.add_values(
                group.network, group.parameters_by_layer, coords, assigned, members, affine, out
            )
        return out

    def _packed_values(
        self, own: Float[Tensor, "pairs dims"], packing: Packing
    ) -> Float[Tensor, "pairs channels"]:
        """Values at coordinates that are sorted by the rank of their region and in its frame."""
        pieces = []
        first = 0
        for group in self.group_list:
            offsets = packing.offsets[first : first + len(group.regions) + 1]
            first += len(group.regions)
            pieces.append(group.values(own[offsets[0] : offsets[-1]], offsets - offsets[0]))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def _shared(regions: list[Int[Tensor, "points"]], fraction: list[Float[Tensor, "points"]]) -> Assignment:
    """Points between samples, each with the regions of the samples around it.

    Args:
        regions: region of each of the 2**dims corners around a point, the last axis changing fastest.
        fraction: position between the corners along each axis, 0..1.
    """
    weights: list[Tensor] = []
    for corner in itertools.product((0, 1), repeat=len(fraction)):
        weight = torch.ones_like(fraction[0])
        for c, part in zip(corner, fraction, strict=True):
            weight = weight * (part if c else 1 - part)
        weights.append(weight)
    for later in range(1, len(regions)):
        for earlier in range(later):
            same = regions[later] == regions[earlier]
            weights[earlier] = weights[earlier] + torch.where(same, weights[later], 0)
            weights[later] = torch.where(same, 0, weights[later])
    counted = [torch.nonzero(weight.detach() > 0)[:, 0] for weight in weights]
    return Assignment(
        torch.cat(counted),
        torch.cat([region[some] for region, some in zip(regions, counted, strict=True)]),
        torch.cat([weight[some] for weight, some in zip(weights, counted, strict=True)]),
    )


def _pick(parameters: Parameters, members: Int[Tensor, "picked"]) -> Parameters:
    if len(members) == len(parameters.biases[0]) and bool((members[1:] > members[:-1]).all()):
        return parameters
    return Parameters([w[members] for w in parameters.weights], [b[members] for b in parameters.biases])
