"""The piecewise network: every region's own small network, evaluated together as one function."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from partinr.errors import InputError
from partinr.model import kernel
from partinr.model.blending import (
    MOST_OVERLAP,
    Assignment,
    Windows,
    assign,
    assign_lattice,
    most_cells,
    near_borders,
    widened,
)
from partinr.model.lattice import Blend, pitch
from partinr.model.networks.network import Network, Parameters
from partinr.model.packing import Packing, batches, pack
from partinr.model.partition.partition import Partition
from partinr.signals import frames
from partinr.signals.frames import Frame
from partinr.signals.signal import SignalSpec

# Values of the widest layer in one batch of an evaluation: bounds memory and stays in cache.
_BATCH_VALUES = 1 << 19
# Samples whose regions are looked up at once.
_SLAB = 1 << 20


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
        limit = max(1, _BATCH_VALUES // max(b.shape[1] for b in parameters.biases))
        pieces, places = (
            [own.new_zeros(0, self.channels)],
            [torch.zeros(0, dtype=torch.long, device=own.device)],
        )
        for batch in batches(offsets, np.arange(len(offsets) - 1), limit):
            place = torch.as_tensor(batch.index(), device=own.device)
            members = torch.as_tensor(batch.regions, device=own.device)
            values = self.network.forward(own[place], _pick(parameters, members))
            if batch.padded:
                mask = torch.as_tensor(batch.mask(), device=own.device)
                values, place = values[mask], place[mask]
            pieces.append(values.reshape(-1, self.channels))
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
        blend: interpolate linearly between the functions of neighbouring regions, which makes the whole
            continuous. Without it, a point belongs to the region of the nearest sample, as in the paper.
        overlap: samples of each region's margin, where it shares the value with its neighbours; needs
            blending. With 0, blending takes place between samples only and changes nothing at the samples.

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
        overlap: int = 0,
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
        if not 0 <= overlap <= (MOST_OVERLAP if blend else 0):
            raise InputError(
                f"overlap must be 0 to {MOST_OVERLAP} samples, and 0 without blending, got {overlap}"
            )
        self.partition = partition
        self.signal = signal
        self.frame = frame
        self.blend = blend
        self.overlap = overlap
        self.groups = nn.ModuleList(
            [
                Group(n, np.flatnonzero(members == g), signal.dims, signal.channels)
                for g, n in enumerate(networks)
            ]
        )
        slot = np.zeros(partition.regions, np.int64)
        for g in range(len(networks)):
            slot[members == g] = np.arange(int((members == g).sum()))
        reach = widened(partition.bounding_boxes, overlap, signal.shape)
        scale, shift = frames.frame_affine(frame, reach, signal.shape)
        self.most_cells: list[int] = []
        for a, length in enumerate(signal.shape):
            edges = np.arange(1, length) if partition.edges is None else partition.edges[a][1:-1].copy()
            self.most_cells.append(most_cells(edges, overlap))
            self.register_buffer(f"edges_{a}", torch.as_tensor(edges), persistent=False)
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
        cell = torch.zeros(len(coords), dtype=torch.long, device=coords.device)
        for a, position in enumerate(self._positions(coords.detach())):
            index = torch.searchsorted(self.get_buffer(f"edges_{a}"), position.round().long(), right=True)
            cell = cell * self.partition.table.shape[a] + index
        return self.table[cell].long()

    def _positions(self, coords: Float[Tensor, "points dims"]) -> list[Float[Tensor, "points"]]:
        """Position along each axis, in samples, not before the first nor after the last."""
        return [
            frames.to_index(coords[:, a], samples).clip(0, samples - 1)
            for a, samples in enumerate(self.signal.shape)
        ]

    def assign(self, coords: Float[Tensor, "points dims"]) -> Assignment:
        """Which regions' functions make up the value at each global coordinate, with which weights.

        Without blending, the nearest sample's region with weight 1. With it, see `blending.py`: without
        overlap every one of the 2**dims samples around a point contributes its region with the weight of
        multilinear interpolation, exactly 1 for one region at a sample.
        """
        if not self._blends:
            points = torch.arange(len(coords), device=coords.device)
            return Assignment(points, self.region_of(coords), coords.new_ones(len(coords)))
        return self._assign(self._positions(coords))

    def _assign(self, positions: list[Float[Tensor, "points"]]) -> Assignment:
        distinct = len(self.table) == self.regions
        return assign(self._windows(positions), self.table, self.partition.table.shape, distinct)

    def _windows(self, positions: list[Float[Tensor, "_"]]) -> list[Windows]:
        """Windows along each axis around positions in samples."""
        return [
            Windows.along(position, self.get_buffer(f"edges_{a}"), self.overlap, self.most_cells[a])
            for a, position in enumerate(positions)
        ]

    def assign_samples(self) -> Assignment:
        """The pairs of every sample, counted in raster order: what each region is trained on.

        Without overlap, every sample with its own region alone.
        """
        if self.overlap == 0 or self.regions == 1:
            labels = torch.as_tensor(self.partition.label_map.reshape(-1).astype(np.int64))
            return Assignment(torch.arange(len(labels)), labels, torch.ones(len(labels)))
        found = self._assign_labels() if self.partition.edges is None else self._assign_boxes()
        return Assignment(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _assign_boxes(self) -> list[Assignment]:
        shape = self.signal.shape
        row = math.prod(shape[1:])
        _, *others = windows = self._windows([torch.arange(n).double() for n in shape])
        found = []
        for rows in torch.split(torch.arange(shape[0]), max(1, _SLAB // row)):
            slab = [windows[0].at(rows), *others]
            here = assign_lattice(
                slab, self.table, self.partition.table.shape, len(self.table) == self.regions
            )
            found.append(Assignment(here.points + int(rows[0]) * row, here.regions, here.weights.float()))
        return found

    def _assign_labels(self) -> list[Assignment]:
        """Every sample is a cell here: windows are laid only where they hold more than one region."""
        labels = self.partition.label_map
        mixed = near_borders(labels, self.overlap)
        alone = torch.as_tensor(np.flatnonzero(~mixed))
        inside = torch.as_tensor(labels.reshape(-1).astype(np.int64))[alone]
        found = [Assignment(alone, inside, torch.ones(len(alone)))]
        places = torch.as_tensor(np.argwhere(mixed))
        points = torch.as_tensor(np.flatnonzero(mixed))
        some = max(1, _SLAB // (2 * self.overlap + 1))
        for part, where in zip(torch.split(points, some), torch.split(places, some), strict=True):
            here = self._assign([p.double() for p in where.unbind(1)])
            found.append(Assignment(part[here.points], here.regions, here.weights.float()))
        return found

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

    def on_lattice(self, pixels: list[frames.Pixels]) -> Float[Tensor, "pixels channels"] | None:
        """Values at the points of a lattice, or means over its pixels, in raster order, by the native kernel.

        Boxes meet a lattice in boxes, so nothing has to be looked up point by point.

        Args:
            pixels: what is to be known along each axis.

        Returns:
            None where only `forward` can do it: label maps, other devices and precisions, gradients.
        """
        probe = self.scale[:1]
        able = (kernel.can_evaluate(g.network, probe, g.parameters_by_layer) for g in self.group_list)
        if self.partition.spans is None or not all(able):
            return None
        spans, which = self.partition.spans
        overlap = self.overlap if self._blends else None
        apart = pitch(pixels)
        nodes = [
            Blend(samples, overlap, extents).nodes(along, apart)
            for samples, extents, along in zip(self.signal.shape, spans, pixels, strict=True)
        ]
        sizes = tuple(len(along.coords) for along in pixels)
        out = torch.zeros(math.prod(sizes), self.signal.channels)
        for g, group in enumerate(self.group_list):
            members = torch.where(self.group_of == g, self.slot, -1)
            affine = (self.scale, self.shift)
            kernel.add_lattice(
                group.network, group.parameters_by_layer, nodes, which, sizes, members, affine, out
            )
        return out

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


def _pick(parameters: Parameters, members: Int[Tensor, "picked"]) -> Parameters:
    if len(members) == len(parameters.biases[0]) and bool((members[1:] > members[:-1]).all()):
        return parameters
    return Parameters([w[members] for w in parameters.weights], [b[members] for b in parameters.biases])
