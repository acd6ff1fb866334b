"""Where boxes are evaluated along one axis, and with which weights, for values and for means.

A region that is a box has a weight that is a product over the axes (see `partinr.blending`), so a lattice of
values is made axis by axis. The mean over a pixel is an integral of each region's function times its weight.
Along an axis the function stands on nodes at regular distances, which all pixels of a region share, and
between them is the polynomial through the nearest ones. That times the weight, a broken line, is integrated
exactly. So what no pixel is wide enough to show hardly adds to its error, and a rule for each pixel (Gauss's,
say) needs about twice as many nodes along each axis. Nothing is evaluated beyond the samples that a region
shares.

Source: Davis, Rabinowitz, "Methods of Numerical Integration", 2nd edition, Academic Press 1984, section 2.5.6
(product integration).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.model.blending import before
from partinr.shapes import Bool, Float32, Float64, Int64, Shaped
from partinr.signals import frames

# Samples between nodes where a pixel is as large as a sample, and how much more with every fourfold number of
# samples in a pixel: their mean hides more. See `benchmarks/rendering.py` for the error that is left.
_PITCH, _MORE, _WIDEST = 0.26, 0.1, 0.75
STENCIL = 6
"""Nodes that the polynomial at a point goes through."""
# Distances in pitches of the first nodes from an end at which a region has its full weight: beyond, they
# stand regularly. That takes _ADDED nodes more than regular ones throughout.
_AT_END = np.array([0.1, 0.5, 1.1, 1.8, 2.6, 3.5])
_ADDED = 2
# Regions with fewer nodes have those of Gauss's rule, and one more.
_FEW = 12
# Intervals shorter than this, in samples, come from rounding.
_NOTHING = 1e-9
# Regular nodes around a gap that starts at 0 and is 1 long.
_STEPS = np.arange(STENCIL) - (STENCIL // 2 - 1)
# Intervals that are integrated over at once.
_INTERVALS = 1 << 14


def pitch(pixels: Sequence[frames.Pixels]) -> float:
    """Samples between nodes for means over such pixels along all axes."""
    inside = math.prod(1.0 if p.edges is None else float(p.edges[1] - p.edges[0]) for p in pixels)
    return min(_WIDEST, _PITCH + _MORE * math.log2(max(inside, 1)) / 2)


class Nodes(NamedTuple):
    """Nodes along one axis, span by span.

    Attributes:
        offsets: span s has the nodes offsets[s] .. offsets[s + 1] - 1.
        coords: where functions are evaluated, in the global frame.
        entries: node i has the entries entries[i] .. entries[i + 1] - 1.
        places: pixels that a node counts for.
        shares: and how much.
    """

    offsets: Int64[ndarray, " _"]
    coords: Float32[ndarray, "nodes"]
    entries: Int64[ndarray, " _"]
    places: Int64[ndarray, "entries"]
    shares: Float32[ndarray, "entries"]


class Blend(NamedTuple):
    """How the regions of a signal share an axis.

    Attributes:
        samples: samples of the axis.
        overlap: samples of a region's margin; None without blending.
        spans: first sample and one past the last of the different extents that regions have along the axis.
    """

    samples: int
    overlap: int | None
    spans: Int64[ndarray, "spans 2"]

    @property
    def width(self) -> int:
        """Samples over which a weight rises from 0 to 1; 0 without blending."""
        return 0 if self.overlap is None else 2 * self.overlap + 1

    def nodes(self, pixels: frames.Pixels, pitch: float) -> Nodes:
        """What makes up the values at pixels, or the means over them, with nodes `pitch` samples apart."""
        return self._points(pixels.coords) if pixels.edges is None else self._means(pixels.edges, pitch)

    def _points(self, coords: Float32[ndarray, " _"]) -> Nodes:
        """A node for each position and each span with a weight there; as `Structure.assign`."""
        position = np.clip(frames.to_index(coords, self.samples), 0, self.samples - 1)
        if self.overlap is None:
            position = np.round(position)
            first, last = (np.searchsorted(position, self.spans[:, side]) for side in (0, 1))
        else:
            reach = self.overlap + 1
            first = np.searchsorted(position, np.where(self.spans[:, 0] > 0, self.spans[:, 0] - reach, -1))
            last = np.searchsorted(position, self.spans[:, 1] + self.overlap, side="right")
        span, places = _ranges(first, last)
        if self.overlap is None:
            return _values(span, places, np.ones(len(places)), coords, len(self.spans))
        x, (start, stop) = position[places], self.spans[span].T
        shares = np.where(stop < self.samples, before(stop, x, self.overlap), 1)
        shares -= np.where(start > 0, before(start, x, self.overlap), 0)
        some = shares > 0
        return _values(span[some], places[some], shares[some], coords, len(self.spans))

    def _means(self, edges: Float64[ndarray, " _"], pitch: float) -> Nodes:
        """Nodes and weights of the means over the pixels between these edges, in samples."""
        span, position = self._laid(edges, pitch)
        offsets = _offsets(span, len(self.spans))
        a, b, of, passed = self._intervals(edges, span, position)
        pixel = np.searchsorted(edges, (a + b) / 2, side="right") - 1
        width = np.diff(edges)[pixel]
        # A node counts for pixels next to one another: what it adds stands in a row of a table.
        found: list[tuple[Int64[ndarray, "_ _"], Float64[ndarray, "_ _"], Int64[ndarray, " _"]]] = []
        size = np.minimum(np.diff(offsets), STENCIL)[of]
        for nodes in np.unique(size):
            alike = np.flatnonzero(size == nodes)
            for some in np.split(alike, range(_INTERVALS, len(alike), _INTERVALS)):
                first = np.clip(passed[some] - nodes // 2, offsets[of[some]], offsets[of[some] + 1] - nodes)
                stencil = first[:, None] + np.arange(nodes)
                shares = self._integrated(a[some], b[some], of[some], position[stencil])
                found.append((stencil, shares / width[some, None], pixel[some]))
        lowest, highest = np.full(len(position), len(edges)), np.full(len(position), -1)
        for stencil, _, place in found:
            np.minimum.at(lowest, stencil, place[:, None])
            np.maximum.at(highest, stencil, place[:, None])
        row = int((highest - lowest).max()) + 1
        table = np.zeros(len(position) * row)
        for stencil, shares, place in found:
            np.add.at(table, stencil * row + (place[:, None] - lowest[stencil]), shares)
        node, column = np.nonzero(table.reshape(-1, row))
        shares, places = table.reshape(-1, row)[node, column], lowest[node] + column
        entries = np.bincount(node, minlength=len(position))
        used = entries > 0
        coords = position[used] * (2 / max(self.samples - 1, 1)) - 1
        return Nodes(
            _offsets(span[used], len(self.spans)),
            coords.astype(np.float32),
            np.append(0, entries[used].cumsum()),
            places,
            shares.astype(np.float32),
        )

    def _laid(
        self, edges: Float64[ndarray, " _"], pitch: float
    ) -> tuple[Int64[ndarray, "nodes"], Float64[ndarray, "nodes"]]:
        """Nodes near the pixels, in samples, and their spans; where they are doesn't depend on the pixels."""
        low, high = self._ends()
        start, stop = self._borders()
        length = high - low
        regular = np.maximum(np.ceil(length / pitch), 2).astype(np.int64)
        pitches = length / regular
        few = regular < _FEW
        full_low, full_high = ((self.width == 0) | np.isinf(border) for border in (start, stop))
        total = regular + np.where(few, 1, _ADDED * (full_low.astype(np.int64) + full_high))
        margin = STENCIL + _ADDED + 2
        first = np.floor((edges[0] - low) / pitches).astype(np.int64) - margin
        last = np.ceil((edges[-1] - low) / pitches).astype(np.int64) + margin + 2 * _ADDED
        first = np.where(few, 0, np.clip(first, 0, total))
        last = np.where(few & (low < edges[-1]) & (high > edges[0]), total, np.clip(last, 0, total * ~few))
        span, j = _ranges(first, last)
        back = total[span] - 1 - j
        from_low, from_high = _from_end(j, full_low[span]), _from_end(back, full_high[span])
        pitches_from_low = np.where(j < back, from_low, regular[span] - from_high)
        position = low[span] + pitches[span] * pitches_from_low
        for nodes in np.unique(total[few]):
            some = few[span] & (total[span] == nodes)
            position[some] = low[span[some]] + length[span[some]] * gauss(int(nodes))[0][j[some]]
        return span, position

    def _intervals(
        self,
        edges: Float64[ndarray, " _"],
        span: Int64[ndarray, "nodes"],
        position: Float64[ndarray, "nodes"],
    ) -> tuple[
        Float64[ndarray, "intervals"],
        Float64[ndarray, "intervals"],
        Int64[ndarray, "intervals"],
        Int64[ndarray, "intervals"],
    ]:
        """Intervals with one polynomial, one line as their weight and one pixel: where they start and
        stop, their spans, and how many nodes come before them, those of earlier spans included."""
        low, high = self._ends()
        start, stop = self._borders()
        bends = [low, high, start + self.width / 2, stop - self.width / 2]
        bends += [np.zeros_like(low), np.full_like(low, self.samples - 1)] if self.overlap else []
        bend = np.stack(bends, axis=1)
        near = (bend >= low[:, None]) & (bend <= high[:, None])
        near &= ((low <= edges[-1]) & (high >= edges[0]))[:, None]
        bend_span, which = np.nonzero(near)
        edge_span, edge = _ranges(np.searchsorted(edges, low), np.searchsorted(edges, high, side="right"))
        cuts = np.concatenate([position, bend[bend_span, which], edges[edge]])
        of = np.concatenate([span, bend_span, edge_span])
        order = np.lexsort((cuts, of))
        passed = (order < len(position)).cumsum()[:-1]
        cuts, of = cuts[order], of[order]
        a, b = cuts[:-1], cuts[1:]
        some = (of[1:] == of[:-1]) & (b - a > _NOTHING) & (a + b > 2 * edges[0]) & (a + b < 2 * edges[-1])
        return a[some], b[some], of[:-1][some], passed[some]

    def _integrated(
        self,
        a: Float64[ndarray, "intervals"],
        b: Float64[ndarray, "intervals"],
        span: Int64[ndarray, "intervals"],
        nodes: Float64[ndarray, "intervals nodes"],
    ) -> Float64[ndarray, "intervals nodes"]:
        """Integrals of Lagrange's polynomials times a span's weight from a to b."""
        if nodes.shape[1] < STENCIL:
            return self._lagrange(a, b, span, nodes)
        # From one regular node to the next, most of them: always the same.
        start, stop = self._borders()
        length, half = (b - a)[:, None], self.width / 2
        whole = (a >= (start + half)[span]) & (b <= (stop - half)[span]) & (a >= 0) & (b <= self.samples - 1)
        whole &= (np.abs(nodes - a[:, None] - length * _STEPS) < _NOTHING).all(axis=1)
        integrals: Float64[ndarray, "intervals nodes"] = length * _regular()
        odd = ~whole
        integrals[odd] = self._lagrange(a[odd], b[odd], span[odd], nodes[odd])
        return integrals

    def _lagrange(
        self,
        a: Float64[ndarray, "intervals"],
        b: Float64[ndarray, "intervals"],
        span: Int64[ndarray, "intervals"],
        nodes: Float64[ndarray, "intervals nodes"],
    ) -> Float64[ndarray, "intervals nodes"]:
        """The same for any nodes and weight; Gauss's rule is exact for a polynomial times a line."""
        fine, weights = gauss(nodes.shape[1] // 2 + 1)
        length = (b - a)[:, None]
        x = a[:, None] + length * fine
        return _polynomials(x, length * weights * self._weight(x, span), nodes)

    def _weight(
        self, x: Float64[ndarray, "intervals points"], span: Int64[ndarray, "intervals"]
    ) -> Float64[ndarray, "intervals points"]:
        """The share that a span has at points where it has any."""
        if self.width == 0:
            return np.ones_like(x)
        start, stop = (border[span, None] for border in self._borders())
        middle, half = np.clip(x, 0, self.samples - 1), self.width / 2
        held = np.minimum(middle + half, stop) - np.maximum(middle - half, start)
        share: Float64[ndarray, "intervals points"] = np.clip(held / self.width, 0, 1)
        return share

    def _borders(self) -> tuple[Float64[ndarray, "spans"], Float64[ndarray, "spans"]]:
        """Where spans begin and end, in samples; those at the signal's border go on without end."""
        start = np.where(self.spans[:, 0] > 0, self.spans[:, 0] - 0.5, -np.inf)
        return start, np.where(self.spans[:, 1] < self.samples, self.spans[:, 1] - 0.5, np.inf)

    def _ends(self) -> tuple[Float64[ndarray, "spans"], Float64[ndarray, "spans"]]:
        """Where spans have weight, in samples, within the signal."""
        start, stop = self._borders()
        low, high = start - self.width / 2, stop + self.width / 2
        return np.maximum(low, -0.5), np.minimum(high, self.samples - 0.5)


def _polynomials(
    x: Float64[ndarray, "intervals points"],
    shares: Float64[ndarray, "intervals points"],
    nodes: Float64[ndarray, "intervals nodes"],
) -> Float64[ndarray, "intervals nodes"]:
    """Weighted sums over points of Lagrange's polynomials through nodes."""
    away = x[:, :, None] - nodes[:, None, :]
    apart = (nodes[:, :, None] - nodes[:, None, :] + np.eye(nodes.shape[1])).prod(axis=2)
    sums: Float64[ndarray, "intervals nodes"] = ((shares * away.prod(axis=2))[:, :, None] / away).sum(axis=1)
    sums /= apart
    return sums


@cache
def _regular() -> Float64[ndarray, "nodes"]:
    """Integrals of Lagrange's polynomials through regular nodes over the gap in the middle, of length 1."""
    fine, weights = gauss(STENCIL // 2 + 1)
    middle: Float64[ndarray, "nodes"] = _polynomials(fine[None], weights[None], 1.0 * _STEPS[None])[0]
    return middle


def _from_end(j: Int64[ndarray, "nodes"], full: Bool[ndarray, "nodes"]) -> Float64[ndarray, "nodes"]:
    """Distance in pitches of the node number j, counted from an end, from that end."""
    regular = j + 0.5
    near = _AT_END[np.minimum(j, len(_AT_END) - 1)]
    return np.where(full, np.where(j < len(_AT_END), near, regular - _ADDED), regular)


@cache
def gauss(nodes: int) -> tuple[Float64[ndarray, "nodes"], Float64[ndarray, "nodes"]]:
    """Nodes and weights of Gauss's rule on 0..1."""
    x, weights = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, weights / 2


def _values(
    span: Int64[ndarray, "nodes"],
    places: Int64[ndarray, "nodes"],
    shares: Shaped[ndarray, "nodes"],
    coords: Float32[ndarray, "size"],
    spans: int,
) -> Nodes:
    """A node for each value at a pixel's middle and each span."""
    each = np.arange(len(places) + 1)
    return Nodes(_offsets(span, spans), coords[places], each, places, shares.astype(np.float32))


def _ranges(
    first: Int64[ndarray, "items"], last: Int64[ndarray, "items"]
) -> tuple[Int64[ndarray, " _"], Int64[ndarray, " _"]]:
    """All numbers from first to last - 1 of each item, one item after another, and whose they are."""
    lengths = np.maximum(last - first, 0)
    item = np.repeat(np.arange(len(lengths)), lengths)
    starts = lengths.cumsum() - lengths
    return item, np.arange(len(item)) + (first - starts)[item]


def _offsets(span: Int64[ndarray, "nodes"], spans: int) -> Int64[ndarray, " _"]:
    """Where each span's nodes begin, of ascending spans."""
    return np.append(0, np.bincount(span, minlength=spans).cumsum())
