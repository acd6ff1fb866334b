"""Which regions make up the value at a point, and with which weights.

A window of 2 overlap + 1 samples along each axis is laid around the point. A region's weight is the share of
the window that it holds, where each sample reaches half-way to its neighbours and those at the border go on
without end. So the weights of a point add up to 1 for any partition in any number of dimensions, they are
continuous, change linearly across straight borders, and without overlap they are those of multilinear
interpolation. A region has weight at its own samples and at its margin: the samples at most `overlap` away
from one of its own along each axis.

Where a window ends half-way between two samples, as it does around each sample, weights bend. Their
derivative there is the mean of those on both sides, as a symmetric difference has it; the second one is 0
everywhere else.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.arrays import Array, cast, namespace, whole
from partinr.shapes import Bool, Float, Int, Int64

# Where a window ends this near to the middle between two samples (in samples), it ends there: single
# precision cannot tell, and weights at samples shall be exact.
AT_SAMPLE = 1e-3
MOST_OVERLAP = 16
"""Samples of margin that a model may have. Windows over label maps hold (2 overlap + 2)^dims samples."""

# Pairs of a point and a cell in its window that are looked at together.
_PAIRS = 1 << 22


class Assignment(NamedTuple):
    """Pairs of a point and a region that contributes to it; a point's weights add up to 1.

    No pair comes twice. points, regions and weights have shape (pairs,). Without blending there is one pair
    for each point, in the points' order. Where they are asked for, slopes (pairs, axes) are the derivatives
    of the weights, and a region whose weight is about to rise from 0 is in a pair, too.
    """

    points: Int64[ndarray, " pairs"]
    regions: Int64[ndarray, " pairs"]
    weights: Float[ndarray, " pairs"]
    slopes: Float[ndarray, "pairs axes"] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Assignment]) -> Assignment:
        """Several of them one after the other."""
        if len(parts) == 1:
            return parts[0]
        slopes = [part.slopes for part in parts if part.slopes is not None]
        points, regions, weights = map(np.concatenate, zip(*(part[:3] for part in parts), strict=True))
        return cls(points, regions, weights, np.concatenate(slopes) if slopes else None)


class Windows(NamedTuple):
    """What windows hold along one axis, in cells between the edges of a partition.

    Attributes:
        first: the first cell of each window.
        shares: share of each window that lies in its first cell, in the next one, and so on.
        slopes: derivatives of the shares, where they are asked for.
    """

    first: Int[Array, "*points"]
    shares: list[Float[Array, "*points"]]
    slopes: list[Float[Array, "*points"]] | None = None

    @classmethod
    def along(
        cls, position: Float[Array, "*points"], edges: Int[Array, " _"], overlap: int, cells: int
    ) -> Windows:
        """Windows around positions, NumPy arrays or tensors.

        Args:
            position: the windows' middles, in samples.
            edges: first sample of each cell but the first one, ascending.
            overlap: samples of a window on each side of the middle one.
            cells: the most that a window can touch, see `most_cells`.
        """
        module = namespace(position)
        first = module.searchsorted(edges, whole(position - overlap + AT_SAMPLE), side="right")
        shares = [0 * position]
        for k in range(cells - 1):
            edge = edges[module.clip(first + k, 0, len(edges) - 1)]
            beyond = first + k >= len(edges)
            shares.append(module.where(beyond, 0 * position + 1, before(edge, position, overlap)))
        return cls(first, [stop - start for start, stop in itertools.pairwise([*shares, 0 * position + 1])])

    @classmethod
    def sloping(
        cls, position: Float[ndarray, "*points"], edges: Int64[ndarray, " _"], overlap: int, cells: int
    ) -> Windows:
        """The same with slopes, from the cell before if a window just leaves that."""
        start = np.floor(position - overlap - AT_SAMPLE).astype(np.int64)
        first = np.searchsorted(edges, start, side="right")
        shares, slopes = [0 * position], [0 * position]
        for k in range(cells):
            edge = edges[np.clip(first + k, 0, len(edges) - 1)] if len(edges) else 0 * first
            beyond = first + k >= len(edges)
            shares.append(np.where(beyond, 1, before(edge, position, overlap)).astype(position.dtype))
            slopes.append(np.where(beyond, 0, slope_before(edge, position, overlap)).astype(position.dtype))
        shares, slopes = [*shares, 0 * position + 1], [*slopes, 0 * position]
        return cls(first, *([b - a for a, b in itertools.pairwise(of)] for of in (shares, slopes)))

    def at(self, some: Int64[ndarray, "some"] | slice) -> Windows:
        """Those of some of the points of one axis."""
        return Windows(self.first[some], [share[some] for share in self.shares])


def before(edge: Int[Array, "*_"], position: Float[Array, "*_"], overlap: int) -> Float[Array, "*_"]:
    """Share of windows that lies before an edge: 0..1.

    Args:
        edge: the first sample beyond it.
        position: the windows' middles, in samples.
        overlap: see `Windows.along`.
    """
    width = 2 * overlap + 1
    reach = cast(edge + overlap, position) - position  # from the window's start to the edge
    at_start, at_end = reach <= AT_SAMPLE, reach >= width - AT_SAMPLE
    return (reach / width) * ~(at_start | at_end) + at_end


def slope_before(
    edge: Int[ndarray, "*_"], position: Float[ndarray, "*_"], overlap: int
) -> Float[ndarray, "*_"]:
    """Derivative of `before` by the position; where that bends, the mean of those on both sides."""
    width = 2 * overlap + 1
    reach = edge + overlap - position
    sides: Float[ndarray, "*_"] = 1.0 * (reach > -AT_SAMPLE) * (reach < width + AT_SAMPLE)
    sides += (reach > AT_SAMPLE) * (reach < width - AT_SAMPLE)
    sides *= -0.5 / width
    return sides


def check_overlap(overlap: int, blend: bool) -> None:
    """Make sure that a function can have this overlap.

    Raises:
        InputError: it is out of range, or not 0 without blending.
    """
    if not 0 <= overlap <= (MOST_OVERLAP if blend else 0):
        raise InputError(
            f"overlap must be 0 to {MOST_OVERLAP} samples, and 0 without blending, got {overlap}"
        )


def most_cells(edges: Int64[ndarray, "_"], overlap: int) -> int:
    """Cells between these edges that a window can touch, at most."""
    if len(edges) == 0:
        return 1
    beyond = np.searchsorted(edges, edges + 2 * overlap + 1)
    return int((beyond - np.arange(len(edges))).max()) + 1


def widened(
    boxes: Int64[ndarray, "regions 2 dims"], overlap: int, shape: tuple[int, ...]
) -> Int64[ndarray, "regions 2 dims"]:
    """Bounding boxes of regions with their margins."""
    wide: Int64[ndarray, "regions 2 dims"] = np.clip(
        boxes + np.array([[-overlap], [overlap]]), 0, np.asarray(shape)
    )
    return wide


def near_borders(labels: Int[ndarray, "*shape"], reach: int) -> Bool[ndarray, "*shape"]:
    """Samples with one of another region at most `reach` samples away along each axis."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    most = least = labels
    for axis in range(labels.ndim):
        most = maximum_filter1d(most, 2 * reach + 1, axis, mode="nearest")
        least = minimum_filter1d(least, 2 * reach + 1, axis, mode="nearest")
    apart: Bool[ndarray, "*shape"] = most != least
    return apart


def assign(
    windows: Sequence[Windows], table: Int[ndarray, " _"], lengths: tuple[int, ...], distinct: bool
) -> Assignment:
    """Regions in the windows of points, weighted by the share that they hold.

    Args:
        windows: along each axis, of shapes that broadcast to that of the points; points are counted in
            raster order.
        table: region of each cell, flattened.
        lengths: cells along each axis.
        distinct: whether each cell is a region of its own.
    """
    alone = np.ones((), bool)
    level = None if windows[0].slopes is None else windows[0].shares[0].dtype
    for w in windows:
        alone = alone & (w.shares[0] >= 1)
        if w.slopes is not None:
            alone = alone & (w.slopes[0] == 0)
    inside = np.broadcast_to(cell_index([w.first for w in windows], lengths), alone.shape)
    single = np.flatnonzero(alone)
    weight = np.ones(len(single), windows[0].shares[0].dtype)
    slopes = None if level is None else np.zeros((len(single), len(windows)), level)
    found = [Assignment(single, table[inside.reshape(-1)[single]].astype(np.int64), weight, slopes)]
    near = np.argwhere(~alone)
    most = max(1, _PAIRS // math.prod(len(w.shares) for w in windows))
    for first in range(0, len(near), most):
        found.append(_shared(near[first : first + most], windows, table, lengths, distinct))
    return Assignment.joined(found)


def _shared(
    rows: Int64[ndarray, "near axes"],
    windows: Sequence[Windows],
    table: Int[ndarray, " _"],
    lengths: tuple[int, ...],
    distinct: bool,
) -> Assignment:
    """Pairs of some points, given by their indices, with every region in their windows."""
    shape = np.broadcast_shapes(*(w.first.shape for w in windows))
    place = tuple(rows.T)
    points = cell_index(list(place), shape)
    firsts = [np.broadcast_to(w.first, shape)[place] for w in windows]
    shares = [[np.broadcast_to(share, shape)[place] for share in w.shares] for w in windows]
    slopes = [[np.broadcast_to(slope, shape)[place] for slope in w.slopes or ()] for w in windows]
    found = []
    for combination in itertools.product(*(range(len(s)) for s in shares)):
        held = [share[k] for share, k in zip(shares, combination, strict=True)]
        weight, slope = math.prod(held), None
        used = weight > 0
        if slopes[0]:
            changing = [of[k] for of, k in zip(slopes, combination, strict=True)]
            # The derivative along an axis of a product over the axes.
            slope = np.stack(
                [math.prod([*held[:a], changing[a], *held[a + 1 :]]) for a in range(len(held))], axis=-1
            )
            used = used | slope.any(axis=-1)
        some = np.flatnonzero(used)
        cells = cell_index([first[some] + k for first, k in zip(firsts, combination, strict=True)], lengths)
        regions = table[cells].astype(np.int64)
        found.append(Assignment(points[some], regions, weight[some], None if slope is None else slope[some]))
    pairs = Assignment.joined(found)
    return pairs if distinct else _merged(pairs, int(table.max()) + 1)


def assign_lattice(
    windows: Sequence[Windows], table: Int[ndarray, " _"], lengths: tuple[int, ...], distinct: bool
) -> Assignment:
    """What `assign` gives at the points of a lattice, whose windows hold the same along all of its lines.

    A cell has weight at the points of a smaller lattice, so none of them has to be searched for.

    Args:
        windows: of the points along each axis, of shape (points along it,).
        table: region of each cell, flattened.
        lengths: cells along each axis.
        distinct: whether each cell is a region of its own.
    """
    shape = [len(w.first) for w in windows]
    alone = [w.shares[0] >= 1 for w in windows]
    inside = [np.flatnonzero(mine) for mine in alone]
    cells = _outer([w.first[at] for w, at in zip(windows, inside, strict=True)], lengths)
    weight = np.ones(len(cells), windows[0].shares[0].dtype)
    single = Assignment(_outer(inside, shape), table[cells].astype(np.int64), weight)
    found = []
    for combination in itertools.product(*(range(len(w.shares)) for w in windows)):
        held = [w.shares[k] for w, k in zip(windows, combination, strict=True)]
        at = [np.flatnonzero(share > 0) for share in held]
        weight = functools.reduce(np.multiply.outer, [s[i] for s, i in zip(held, at, strict=True)])
        cells = _outer([w.first[i] + k for w, i, k in zip(windows, at, combination, strict=True)], lengths)
        pairs = Assignment(_outer(at, shape), table[cells].astype(np.int64), weight.reshape(-1))
        if not any(combination):
            near = ~functools.reduce(np.logical_and.outer, [a[i] for a, i in zip(alone, at, strict=True)])
            pairs = Assignment(*(part[near.reshape(-1)] for part in pairs[:3]))
        found.append(pairs)
    shared = Assignment.joined(found)
    return Assignment.joined([single, shared if distinct else _merged(shared, int(table.max()) + 1)])


def _merged(pairs: Assignment, regions: int) -> Assignment:
    """One pair for all those of the same point and region."""
    keys, which = np.unique(pairs.points * regions + pairs.regions, return_inverse=True)
    dtype = pairs.weights.dtype
    weights = np.bincount(which, pairs.weights, len(keys)).astype(dtype)
    slopes = None
    if pairs.slopes is not None:
        along = [np.bincount(which, slope, len(keys)).astype(dtype) for slope in pairs.slopes.T]
        slopes = np.stack(along, axis=-1)
    return Assignment(keys // regions, keys % regions, weights, slopes)


def _outer(indices: Sequence[Int64[ndarray, "_"]], lengths: Sequence[int]) -> Int64[ndarray, "_"]:
    """Flat indices of a lattice's points, in raster order, from those along each axis."""
    flat = indices[0]
    for index, length in zip(indices[1:], lengths[1:], strict=True):
        flat = (flat[:, None] * length + index).reshape(-1)
    return flat


def cell_index(indices: Sequence[Int[Array, "*_"]], lengths: Sequence[int]) -> Int[Array, "*_"]:
    """Flat index from one along each axis; NumPy arrays or tensors."""
    flat = indices[0]
    for index, length in zip(indices[1:], lengths[1:], strict=True):
        flat = flat * length + index
    return flat
