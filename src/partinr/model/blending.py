"""Which regions make up the value at a point, and with which weights.

A window of 2 overlap + 1 samples along each axis is laid around the point. A region's weight is the share of
the window that it holds, where each sample reaches half-way to its neighbours and those at the border go on
without end. So the weights of a point add up to 1 for any partition in any number of dimensions, they are
continuous, change linearly across straight borders, and without overlap they are those of multilinear
interpolation. A region has weight at its own samples and at its margin: the samples at most `overlap` away
from one of its own along each axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from numpy import ndarray
from torch import Tensor

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
    for each point, in the points' order.
    """

    points: Int[Tensor, " pairs"]
    regions: Int[Tensor, " pairs"]
    weights: Float[Tensor, " pairs"]


class Windows(NamedTuple):
    """What windows hold along one axis, in cells between the edges of a partition.

    Attributes:
        first: the first cell of each window.
        shares: share of each window that lies in its first cell, in the next one, and so on.
    """

    first: Int[Tensor, "*points"]
    shares: list[Float[Tensor, "*points"]]

    @classmethod
    def along(
        cls, position: Float[Tensor, "*points"], edges: Int[Tensor, " _"], overlap: int, cells: int
    ) -> Windows:
        """Windows around positions.

        Args:
            position: the windows' middles, in samples.
            edges: first sample of each cell but the first one, ascending.
            overlap: samples of a window on each side of the middle one.
            cells: the most that a window can touch, see `most_cells`.
        """
        passed = (position.detach() - overlap + AT_SAMPLE).floor().long()
        first = torch.searchsorted(edges, passed, right=True)
        zero, one = torch.zeros_like(position), torch.ones_like(position)
        shares = [zero]
        for k in range(cells - 1):
            edge = edges[(first + k).clip(max=len(edges) - 1)]
            shares.append(torch.where(first + k >= len(edges), one, before(edge, position, overlap)))
        return cls(first, [stop - start for start, stop in itertools.pairwise([*shares, one])])

    def at(self, some: Int[Tensor, "some"]) -> Windows:
        """Those of some of the points of one axis."""
        return Windows(self.first[some], [share[some] for share in self.shares])


def before(edge: Any, position: Any, overlap: int) -> Any:
    """Share of windows that lies before an edge: 0..1. Takes and returns NumPy arrays or tensors.

    Args:
        edge: the first sample beyond it.
        position: the windows' middles, in samples.
        overlap: see `Windows.along`.
    """
    width = 2 * overlap + 1
    reach = (edge + overlap) - position  # from the window's start to the edge
    at_start, at_end = reach <= AT_SAMPLE, reach >= width - AT_SAMPLE
    return (reach / width) * ~(at_start | at_end) + at_end


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
    windows: Sequence[Windows], table: Int[Tensor, " _"], lengths: tuple[int, ...], distinct: bool
) -> Assignment:
    """Regions in the windows of points, weighted by the share that they hold.

    Args:
        windows: along each axis, of shapes that broadcast to that of the points; points are counted in
            raster order.
        table: region of each cell, flattened.
        lengths: cells along each axis.
        distinct: whether each cell is a region of its own.
    """
    alone = torch.ones((), dtype=torch.bool, device=table.device)
    for w in windows:
        alone = alone & (w.shares[0].detach() >= 1)
    inside = _cells([w.first for w in windows], lengths)
    weight = windows[0].shares[0].new_ones(())
    single = torch.nonzero(alone.reshape(-1))[:, 0]
    found = [Assignment(single, table[inside.reshape(-1)[single]].long(), weight.expand(len(single)))]
    near = torch.nonzero(~alone)
    most = max(1, _PAIRS // math.prod(len(w.shares) for w in windows))
    for rows in torch.split(near, most):
        found.append(_shared(rows, windows, table, lengths, distinct))
    return Assignment(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _shared(
    rows: Int[Tensor, "near axes"],
    windows: Sequence[Windows],
    table: Int[Tensor, " _"],
    lengths: tuple[int, ...],
    distinct: bool,
) -> Assignment:
    """Pairs of some points, given by their indices, with every region in their windows."""
    shape = np.broadcast_shapes(*(w.first.shape for w in windows))
    place = tuple(rows.unbind(1))
    points = _cells(list(place), shape)
    firsts = [w.first.expand(shape)[place] for w in windows]
    shares = [[share.expand(shape)[place] for share in w.shares] for w in windows]
    found = []
    for combination in itertools.product(*(range(len(s)) for s in shares)):
        weight = torch.ones_like(shares[0][0])
        for share, k in zip(shares, combination, strict=True):
            weight = weight * share[k]
        some = torch.nonzero(weight.detach() > 0)[:, 0]
        cells = _cells([first[some] + k for first, k in zip(firsts, combination, strict=True)], lengths)
        found.append(Assignment(points[some], table[cells].long(), weight[some]))
    pairs = Assignment(*(torch.cat(parts) for parts in zip(*found, strict=True)))
    return pairs if distinct else _merged(pairs, int(table.max()) + 1)


def assign_lattice(
    windows: Sequence[Windows], table: Int[Tensor, " _"], lengths: tuple[int, ...], distinct: bool
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
    inside = [torch.nonzero(mine)[:, 0] for mine in alone]
    cells = _outer([w.first[at] for w, at in zip(windows, inside, strict=True)], lengths)
    weight = windows[0].shares[0].new_ones(())
    single = Assignment(_outer(inside, shape), table[cells].long(), weight.expand(len(cells)))
    found = []
    for combination in itertools.product(*(range(len(w.shares)) for w in windows)):
        held = [w.shares[k] for w, k in zip(windows, combination, strict=True)]
        at = [torch.nonzero(share > 0)[:, 0] for share in held]
        points = _outer(at, shape)
        weight = torch.ones((), dtype=held[0].dtype, device=held[0].device)
        for share, some in zip(held, at, strict=True):
            weight = weight[..., None] * share[some]
        cells = _outer([w.first[i] + k for w, i, k in zip(windows, at, combination, strict=True)], lengths)
        pairs = Assignment(points, table[cells].long(), weight.reshape(-1))
        if not any(combination):
            near = torch.zeros((), dtype=torch.bool, device=points.device)
            for mine, some in zip(alone, at, strict=True):
                near = near[..., None] | ~mine[some]
            pairs = Assignment(*(part[near.reshape(-1)] for part in pairs))
        found.append(pairs)
    shared = Assignment(*(torch.cat(parts) for parts in zip(*found, strict=True)))
    if not distinct:
        shared = _merged(shared, int(table.max()) + 1)
    return Assignment(*(torch.cat(parts) for parts in zip(single, shared, strict=True)))


def _merged(pairs: Assignment, regions: int) -> Assignment:
    """One pair for all those of the same point and region."""
    keys, which = torch.unique(pairs.points * regions + pairs.regions, return_inverse=True)
    weights = pairs.weights.new_zeros(len(keys)).index_add(0, which, pairs.weights)
    return Assignment(keys // regions, keys % regions, weights)


def _outer(indices: Sequence[Int[Tensor, "_"]], lengths: Sequence[int]) -> Int[Tensor, "_"]:
    """Flat indices of a lattice's points, in raster order, from those along each axis."""
    flat = indices[0]
    for index, length in zip(indices[1:], lengths[1:], strict=True):
        flat = (flat[:, None] * length + index).reshape(-1)
    return flat


def _cells(indices: Sequence[Int[Tensor, "*_"]], lengths: Sequence[int]) -> Int[Tensor, "*_"]:
    """Flat index from one along each axis."""
    flat = indices[0]
    for index, length in zip(indices[1:], lengths[1:], strict=True):
        flat = flat * length + index
    return flat
