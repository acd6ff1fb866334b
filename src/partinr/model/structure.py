"""What a piecewise function is made of, but for its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from reprlib import repr as brief

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.arrays import Array
from partinr.model.blending import (
    Assignment,
    Windows,
    assign,
    assign_lattice,
    cell_index,
    check_overlap,
    most_cells,
    near_borders,
    widened,
)
from partinr.model.networks.network import Network, Parameters
from partinr.model.partition.partition import Partition
from partinr.shapes import Float, Int, Int64
from partinr.signals import frames
from partinr.signals.frames import Frame
from partinr.signals.signal import SignalSpec

# Samples whose regions are looked up at once.
_SLAB = 1 << 20


@dataclass(frozen=True, eq=False)
class Structure:
    """Regions, their networks, and how their functions are put together.

    Regions whose networks have one shape form a group, whose parameters are stacked.

    Attributes:
        partition: which region each sample belongs to.
        networks: the network of every region of each group.
        signal: what the function represents; values are normalised (0..1 over the signal's value range).
        frame: "global" feeds coordinates -1..1 over the whole signal to every network, "local" -1..1 over
            the bounding box of its region, margin included, "area" -1..1 over the area of that box's samples.
        groups: the group of each region; None for one group.
        blend: interpolate linearly between the functions of neighbouring regions, which makes the whole
            continuous. Without it, a point belongs to the region of the nearest sample, as in the paper.
        overlap: samples of each region's margin, where it shares the value with its neighbours if they
            blend. With 0, blending takes place between samples only and changes nothing at the samples.

    Raises:
        InputError: the partition has another shape than the signal, `groups` does not fit, or the overlap
            is out of range.

    Example:
        >>> import numpy as np, partinr
        >>> signal = partinr.from_array(np.eye(20))
        >>> partition = partinr.Grid(2, 2).partition(signal)
        >>> structure = partinr.Structure(partition, (partinr.Siren(8, 1),), signal.spec, "local")
        >>> partinr.Piecewise(structure, tuple(structure.initialise(seed=0))).params
        420

    Source: Liu et al., "Partition Speeds Up Learning Implicit Neural Representations Based on
    Exponential-Increase Hypothesis", ICCV 2023, section 4.
    """

    partition: Partition
    networks: tuple[Network, ...]
    signal: SignalSpec
    frame: Frame
    groups: Int64[ndarray, "regions"] | None = None
    blend: bool = True
    overlap: int = 0

    def __post_init__(self) -> None:
        check_overlap(self.overlap, self.blend)
        if self.partition.shape != self.signal.shape:
            raise InputError(
                f"the partition must have the signal's shape {self.signal.shape}, got {self.partition.shape}"
            )
        count = len(self.networks)
        if self.group_of.shape != (self.regions,) or set(self.group_of.tolist()) != set(range(count)):
            raise InputError(f"groups must name each of the {count} groups for the {self.regions} regions")

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.partition.regions

    @property
    def blends(self) -> bool:
        """Whether anything is blended."""
        return self.blend and self.regions > 1

    @cached_property
    def group_of(self) -> Int64[ndarray, "regions"]:
        """The group of each region."""
        return np.zeros(self.regions, np.int64) if self.groups is None else self.groups.astype(np.int64)

    @cached_property
    def members(self) -> list[Int64[ndarray, "_"]]:
        """Regions of each group, ascending."""
        return [np.flatnonzero(self.group_of == g) for g in range(len(self.networks))]

    @cached_property
    def slot(self) -> Int64[ndarray, "regions"]:
        """Place of each region in its group."""
        slot = np.zeros(self.regions, np.int64)
        for regions in self.members:
            slot[regions] = np.arange(len(regions))
        return slot

    @cached_property
    def rank(self) -> Int64[ndarray, "regions"]:
        """Place of each region where regions are sorted by their groups."""
        return np.argsort(np.concatenate(self.members))

    def slots(self, group: int) -> Int64[ndarray, "regions"]:
        """Place of each region in this group, -1 for those of other groups."""
        return np.where(self.group_of == group, self.slot, -1)

    @cached_property
    def reach(self) -> Int64[ndarray, "regions 2 dims"]:
        """Bounding boxes of the regions, margins included."""
        return widened(self.partition.bounding_boxes, self.overlap, self.signal.shape)

    @property
    def exact(self) -> bool:
        """Whether coordinates are in double precision wherever they can be: of boxes of cosines, whose axes
        may be so long that single precision does not tell samples apart."""
        return self.frame == "area" and all(network.frame == "area" for network in self.networks)

    @cached_property
    def affine(self) -> tuple[Float[ndarray, "regions dims"], Float[ndarray, "regions dims"]]:
        """Scale and shift that take global coordinates to each region's frame."""
        return frames.frame_affine(self.frame, self.reach, self.signal.shape, exact=self.exact)

    @cached_property
    def edges(self) -> list[Int64[ndarray, "_"]]:
        """Along each axis, the first sample of each cell of the partition's table but the first one."""
        edges = self.partition.edges
        if edges is None:
            return [np.arange(1, length) for length in self.signal.shape]
        return [along[1:-1].astype(np.int64) for along in edges]

    @cached_property
    def most_cells(self) -> list[int]:
        """Cells that the window around a point can touch along each axis, at most."""
        return [most_cells(along, self.overlap) for along in self.edges]

    @cached_property
    def table(self) -> Int[ndarray, "cells"]:
        """Region of each cell between the edges, flattened."""
        return self.partition.table.reshape(-1)

    @property
    def params(self) -> int:
        """Number of weights and biases of all regions together."""
        dims, channels = self.signal.dims, self.signal.channels
        each = [network.params(dims, channels) for network in self.networks]
        return sum(len(regions) * params for regions, params in zip(self.members, each, strict=True))

    def initialise(self, seed: int) -> list[Parameters]:
        """Fresh parameters of every group as the networks' publications draw them."""
        random = np.random.Generator(np.random.Philox(seed))
        dims, channels = self.signal.dims, self.signal.channels
        return [
            network.initialise(len(regions), dims, channels, random)
            for network, regions in zip(self.networks, self.members, strict=True)
        ]

    def checked(self, parameters: Sequence[Parameters]) -> tuple[Parameters, ...]:
        """These parameters of every group as everything here wants them: single precision, contiguous; the
        same arrays where they are that already.

        Raises:
            InputError: they have not the shapes of the networks' layers.
        """
        if len(parameters) != len(self.networks):
            raise InputError(
                f"there must be parameters of {len(self.networks)} groups, got {len(parameters)}"
            )
        for g, (network, members, own) in enumerate(
            zip(self.networks, self.members, parameters, strict=True)
        ):
            layers = network.layer_shapes(self.signal.dims, self.signal.channels)
            weights: list[tuple[int, ...]] = [(len(members), *layer) for layer in layers]
            biases: list[tuple[int, ...]] = [(len(members), layer.fan_out) for layer in layers]
            for what, arrays, wanted in zip(("weights", "biases"), own, (weights, biases), strict=True):
                found = [np.shape(array) for array in arrays]
                if found != wanted:
                    raise InputError(
                        f"{what} of group {g} must have the shapes {brief(wanted)}, got {brief(found)}"
                    )
        return tuple(own.map(lambda array: np.ascontiguousarray(array, np.float32)) for own in parameters)

    def positions(self, coords: Float[Array, "*points dims"]) -> list[Float[Array, "*points"]]:
        """Position along each axis, in samples, not before the first nor after the last."""
        return [
            frames.to_index(coords[..., a], samples).clip(0, samples - 1)
            for a, samples in enumerate(self.signal.shape)
        ]

    def region_of(self, coords: Float[ndarray, "points dims"]) -> Int64[ndarray, "points"]:
        """Region of the sample nearest to each global coordinate; beyond the border, the border's."""
        cells = [
            np.searchsorted(edges, np.rint(position).astype(np.int64), side="right")
            for edges, position in zip(self.edges, self.positions(coords), strict=True)
        ]
        return self.table[cell_index(cells, self.partition.table.shape)].astype(np.int64)

    def assign(
        self, coords: Float[ndarray, "points dims"], axes: tuple[int, ...] | None = None
    ) -> Assignment:
        """Which regions' functions make up the value at each global coordinate, with which weights.

        Without blending, the nearest sample's region with weight 1. With it, see `blending.py`: without
        overlap every one of the 2**dims samples around a point contributes its region with the weight of
        multilinear interpolation, exactly 1 for one region at a sample.

        Args:
            coords: the points.
            axes: where slopes are wanted: the derivatives of the weights by these coordinates.
        """
        if not self.blends:
            slopes = None if axes is None else np.zeros((len(coords), len(axes)), coords.dtype)
            weights = np.ones(len(coords), coords.dtype)
            return Assignment(np.arange(len(coords)), self.region_of(coords), weights, slopes)
        if axes is None:
            return self._assign(self.positions(coords))
        windows = [
            Windows.sloping(position, edges, self.overlap, cells)
            for position, edges, cells in zip(
                self.positions(coords), self.edges, self.most_cells, strict=True
            )
        ]
        distinct = len(self.table) == self.regions
        found = assign(windows, self.table, self.partition.table.shape, distinct)
        assert found.slopes is not None
        inside = np.stack([frames.inside(coords[:, a], self.signal.shape[a]) for a in axes], axis=-1)
        return found._replace(slopes=found.slopes[:, list(axes)] * inside[found.points])

    def _assign(self, positions: list[Float[ndarray, "points"]]) -> Assignment:
        distinct = len(self.table) == self.regions
        return assign(self._windows(positions), self.table, self.partition.table.shape, distinct)

    def _windows(self, positions: list[Float[ndarray, "_"]]) -> list[Windows]:
        """Windows along each axis around positions in samples."""
        return [
            Windows.along(position, edges, self.overlap, cells)
            for position, edges, cells in zip(positions, self.edges, self.most_cells, strict=True)
        ]

    def assign_samples(self) -> Assignment:
        """The pairs of every sample, counted in raster order: what each region is trained on.

        Without overlap, every sample with its own region alone.
        """
        if self.overlap == 0 or not self.blends:
            labels = self.partition.label_map.reshape(-1).astype(np.int64)
            return Assignment(np.arange(len(labels)), labels, np.ones(len(labels), np.float32))
        found = self._assign_labels() if self.partition.edges is None else self._assign_boxes()
        return Assignment.joined(found)

    def _assign_boxes(self) -> list[Assignment]:
        shape, lengths = self.signal.shape, self.partition.table.shape
        row = math.prod(shape[1:])
        _, *others = windows = self._windows([np.arange(n, dtype=np.float64) for n in shape])
        found, some = [], max(1, _SLAB // row)
        for first in range(0, shape[0], some):
            slab = [windows[0].at(slice(first, first + some)), *others]
            here = assign_lattice(slab, self.table, lengths, len(self.table) == self.regions)
            weights = here.weights.astype(np.float32)
            found.append(Assignment(here.points + first * row, here.regions, weights))
        return found

    def _assign_labels(self) -> list[Assignment]:
        """Every sample is a cell here: windows are laid only where they hold more than one region."""
        labels = self.partition.label_map
        mixed = near_borders(labels, self.overlap)
        alone = np.flatnonzero(~mixed)
        inside = labels.reshape(-1)[alone].astype(np.int64)
        found = [Assignment(alone, inside, np.ones(len(alone), np.float32))]
        places, points = np.argwhere(mixed), np.flatnonzero(mixed)
        some = max(1, _SLAB // (2 * self.overlap + 1))
        for first in range(0, len(points), some):
            where = places[first : first + some].astype(np.float64)
            here = self._assign(list(where.T))
            point = points[first : first + some][here.points]
            found.append(Assignment(point, here.regions, here.weights.astype(np.float32)))
        return found

    def own_coords(
        self, coords: Float[ndarray, "points dims"], regions: Int64[ndarray, "points"]
    ) -> Float[ndarray, "points dims"]:
        """Global coordinates in the frame of each point's region."""
        if self.frame == "global":
            return coords
        scale, shift = self.affine
        own: Float[ndarray, "points dims"] = coords * scale[regions] + shift[regions]
        return own.astype(np.float32, copy=False)
