"""Values and means on a lattice of a piecewise network of any kind, evaluated point by point.

Pixels in which, and around which, one region is alone share the nodes of one lattice over the whole signal
(see `partinr.lattice`). In the others, weights bend at every sample (without blending, jump half-way between
two), and Gauss's rule is laid between each two of those; so it is everywhere without the native kernel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.model.derivatives import VALUE, Derivative
from partinr.model.lattice import STENCIL, Blend, Nodes, gauss, pitch
from partinr.model.piecewise import Piecewise
from partinr.shapes import Bool, Float, Float32, Float64, Int64
from partinr.signals import frames

# Pixels with more samples along an axis are means of smaller ones, fewer of which have several regions.
_LARGEST = 8
# Nodes between two bends along each axis, by the samples in a pixel that make up for them.
_BETWEEN = ((100, 2), (12, 3), (0, 4))


def averaged(
    model: Piecewise, pixels: Sequence[frames.Pixels], most: int, what: Derivative = VALUE
) -> Float32[ndarray, "pixels columns"]:
    """Normalised values at the points, or means over the pixels, of a lattice in raster order.

    Args:
        model: with networks of any kind.
        pixels: what is to be known along each axis.
        most: points that are evaluated at once, about.
        what: or derivatives by global coordinates, along axes with points.

    Returns:
        Planes after one another, of all channels each.
    """
    columns = what.planes * model.signal.channels
    apart = pitch(pixels)
    parts = [_divided(along) for along in pixels]
    fine = [along for along, _ in parts]
    sizes = [len(along.coords) for along in fine]
    sums = np.zeros((*(len(along.coords) for along in pixels), columns))
    steps, room = [1] * len(sizes), float(most)
    for a in reversed(range(len(sizes))):
        edges = fine[a].edges
        nodes = 1.0 if edges is None else (edges[1] - edges[0]) / apart
        steps[a] = max(1, min(sizes[a], int(room / nodes)))
        room = max(1.0, room / (steps[a] * nodes))
    for first in itertools.product(*(range(0, n, step) for n, step in zip(sizes, steps, strict=True))):
        block = [along.part(f, f + step) for along, f, step in zip(fine, first, steps, strict=True)]
        values = _block(model, block, apart, most, what)
        place = [
            np.arange(f, f + len(along.coords)) // k
            for along, f, (_, k) in zip(block, first, parts, strict=True)
        ]
        np.add.at(sums, np.ix_(*place), values)
    sums /= math.prod(k for _, k in parts)
    return sums.reshape(-1, columns).astype(np.float32)


def _divided(pixels: frames.Pixels) -> tuple[frames.Pixels, int]:
    """Smaller pixels where they are large, and how many each of them became."""
    if pixels.edges is None:
        return pixels, 1
    k = math.ceil((pixels.edges[1] - pixels.edges[0]) / _LARGEST)
    at = np.arange((len(pixels.edges) - 1) * k + 1) / k
    return frames.Pixels(
        np.repeat(pixels.coords, k), np.interp(at, np.arange(len(pixels.edges)), pixels.edges)
    ), k


def _block(
    model: Piecewise, pixels: list[frames.Pixels], apart: float, most: int, what: Derivative
) -> Float64[ndarray, "*shape columns"]:
    shape = [len(along.coords) for along in pixels]
    if all(along.edges is None for along in pixels):
        return _evaluated(model, frames.lattice([p.coords for p in pixels]), most, what).reshape(*shape, -1)
    mixed = _mixed(model, pixels, apart, what) if kernel.why_missing() is None else np.ones(shape, np.bool_)
    means = np.zeros((*shape, what.planes * model.signal.channels))
    if not mixed.all():
        nodes = [
            Blend(n, None, np.array([[0, n]])).nodes(along, apart)
            for n, along in zip(model.signal.shape, pixels, strict=True)
        ]
        values = _evaluated(model, frames.lattice([along.coords for along in nodes]), most, what)
        values = values.reshape(*(len(along.coords) for along in nodes), -1)
        for a, (along, size) in enumerate(zip(nodes, shape, strict=True)):
            values = _contracted(values, a, along, size)
        means[~mixed] = values[~mixed]
    if mixed.any():
        means[mixed] = _between_bends(model, pixels, np.argwhere(mixed), most, what)
    return means


def _mixed(
    model: Piecewise, pixels: list[frames.Pixels], apart: float, what: Derivative
) -> Bool[ndarray, "*shape"]:
    """Pixels to whose means, or whose nodes' polynomials, several regions contribute."""
    reach = float(model.overlap) if model.blend else 0.5
    low = high = model.partition.label_map
    for a, (n, along) in enumerate(zip(model.signal.shape, pixels, strict=True)):
        if along.edges is None:
            position = np.clip(frames.to_index(along.coords.astype(np.float64), n), 0, n - 1)
            # Weights that are about to rise have derivatives already.
            wide = reach + (1.0 if a in what.axes else 0.0)
            start, stop = position - wide, position + wide
        else:
            start, stop = along.edges[:-1] - reach, along.edges[1:] + reach
            start, stop = start - STENCIL * apart, stop + STENCIL * apart
        first = np.clip(np.floor(start), 0, n - 1).astype(np.int64)
        last = np.clip(np.ceil(stop), 0, n - 1).astype(np.int64) + 1
        some = slice(int(first.min()), int(last.max()))
        low, high = (np.moveaxis(np.moveaxis(labels, a, 0)[some], 0, a) for labels in (low, high))
        pairs = np.stack([first, last], axis=1).ravel() - some.start
        padding = [(0, int(a == b)) for b in range(low.ndim)]  # an index may be one past the end
        low = np.minimum.reduceat(np.pad(low, padding, mode="edge"), pairs, axis=a)
        high = np.maximum.reduceat(np.pad(high, padding, mode="edge"), pairs, axis=a)
        low, high = (np.moveaxis(np.moveaxis(labels, a, 0)[::2], 0, a) for labels in (low, high))
    apart_from_one: Bool[ndarray, "*shape"] = low != high
    return apart_from_one


def _contracted(
    values: Float64[ndarray, "..."], axis: int, nodes: Nodes, size: int
) -> Float64[ndarray, "..."]:
    """Sums along an axis, which has `size` places afterwards."""
    from scipy.sparse import csr_matrix

    sums = csr_matrix(
        (nodes.shares.astype(np.float64), nodes.places, nodes.entries), (len(nodes.coords), size)
    ).T
    moved = np.moveaxis(values, axis, 0)
    found = sums @ moved.reshape(len(moved), -1)
    return np.moveaxis(found.reshape(size, *moved.shape[1:]), 0, axis)


def _between_bends(
    model: Piecewise,
    pixels: list[frames.Pixels],
    places: Int64[ndarray, "some dims"],
    most: int,
    what: Derivative,
) -> Float64[ndarray, "some columns"]:
    """Means over some pixels by Gauss's rule between bends."""
    inside = math.prod(1.0 if p.edges is None else float(p.edges[1] - p.edges[0]) for p in pixels)
    nodes = next(n for least, n in _BETWEEN if inside >= least)
    rules = [
        _rule(along, n, 0.0 if model.blend else 0.5, nodes)
        for n, along in zip(model.signal.shape, pixels, strict=True)
    ]
    dims = len(rules)
    means = []
    few = max(1, most // math.prod(coords.shape[1] for coords, _ in rules))
    for some in np.split(places, range(few, len(places), few)):
        shape = (len(some), *(coords.shape[1] for coords, _ in rules))
        points = np.empty((*shape, dims), rules[0][0].dtype)
        shares = np.ones(shape)
        for a, (coords, weights) in enumerate(rules):
            along = [len(some), *(shape[1 + a] if a == b else 1 for b in range(dims))]
            points[..., a] = coords[some[:, a]].reshape(along)
            shares *= weights[some[:, a]].reshape(along)
        used = shares.reshape(-1) > 0
        values = np.zeros((used.size, what.planes * model.signal.channels))
        values[used] = _evaluated(model, points.reshape(-1, dims)[used], most, what)
        values *= shares.reshape(-1, 1)
        means.append(values.reshape(len(some), -1, values.shape[1]).sum(axis=1))
    return np.concatenate(means)


def _rule(
    pixels: frames.Pixels, samples: int, bend: float, nodes: int
) -> tuple[Float[ndarray, "size nodes"], Float64[ndarray, "size nodes"]]:
    """Coordinates and weights of Gauss's rule between bends in each pixel; those of weight 0 fill up.

    Args:
        pixels: along one axis.
        samples: of the axis.
        bend: where weights bend, in samples from each sample.
        nodes: between each two.
    """
    if pixels.edges is None:
        return pixels.coords[:, None], np.ones((len(pixels.coords), 1))
    start, stop = pixels.edges[:-1, None], pixels.edges[1:, None]
    most = math.ceil(float((stop - start).max())) + 1
    cuts = np.clip(np.floor(start - bend) + bend + np.arange(most + 1), start, stop)
    x, weights = gauss(nodes)
    length = np.diff(cuts, axis=1)
    position = (cuts[:, :-1, None] + length[:, :, None] * x).reshape(len(cuts), -1)
    shares = (length[:, :, None] * weights).reshape(len(cuts), -1) / (stop - start)
    return (position * (2 / max(samples - 1, 1)) - 1).astype(pixels.coords.dtype), shares


def _evaluated(
    model: Piecewise, points: Float[ndarray, "points dims"], most: int, what: Derivative
) -> Float64[ndarray, "points columns"]:
    values = np.empty((len(points), what.planes * model.signal.channels))
    for first in range(0, len(points), most):
        values[first : first + most] = model.at_points(points[first : first + most], what)
    return values
