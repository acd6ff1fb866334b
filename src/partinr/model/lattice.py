"""Where boxes are evaluated along one axis, and with which weights, for values and for means.

A region that is a box has a weight that is a product over the axes (see `partinr.blending`), so a lattice of
values is made axis by axis. The mean over a pixel is an integral of each region's function times its weight.
Along an axis the function stands on nodes at regular distances, which all pixels of a region share, and
between them is the polynomial through the nearest ones. That times the weight, a broken line, is integrated
exactly. So what no pixel is wide enough to show hardly adds to its error, and a rule for each pixel (Gauss's,
say) needs about twice as many nodes along each axis. Nothing is evaluated beyond the samples that a region
shares. `native/nodes.cpp` does that.

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

from partinr.model.blending import AT_SAMPLE, before, slope_before
from partinr.shapes import Float, Float32, Float64, Int64, Shaped
from partinr.signals import frames

# Samples between nodes where a pixel is as large as a sample, and how much more with every fourfold number of
# samples in a pixel: their mean hides more. See `benchmarks/rendering.py` for the error that is left.
_PITCH, _MORE, _WIDEST = 0.3, 0.1, 0.75
STENCIL = 6
"""Nodes that the polynomial at a point goes through."""


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
        slopes: derivatives of the shares by the coordinate, where they are asked for.
    """

    offsets: Int64[ndarray, " _"]
    coords: Float64[ndarray, "nodes"]
    entries: Int64[ndarray, " _"]
    places: Int64[ndarray, "entries"]
    shares: Float32[ndarray, "entries"]
    slopes: Float32[ndarray, "entries"] | None = None


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

    def nodes(self, pixels: frames.Pixels, pitch: float, *, sloping: bool = False) -> Nodes:
        """What makes up the values at pixels, or the means over them, with nodes `pitch` samples apart.

        Means are what the native kernel is needed for.

        Args:
            pixels: what is to be known.
            pitch: samples from one node to the next, for means.
            sloping: whether slopes are wanted, which there are of values.
        """
        if pixels.edges is None:
            return self._points(pixels.coords, sloping)
        from partinr import _native

        assert not sloping

        pitches = np.full(len(self.spans), pitch)
        return Nodes(*_native.mean_nodes(self.samples, self.width, self.spans, pitches, pixels.edges))

    def _points(self, coords: Float[ndarray, " _"], sloping: bool) -> Nodes:
        """A node for each position and each span with a weight or a slope there; as `Structure.assign`."""
        position = np.clip(frames.to_index(coords, self.samples), 0, self.samples - 1)
        if self.overlap is None:
            position = np.round(position)
            first, last = (np.searchsorted(position, self.spans[:, side]) for side in (0, 1))
        else:
            reach = self.overlap + 1 + AT_SAMPLE
            first = np.searchsorted(position, np.where(self.spans[:, 0] > 0, self.spans[:, 0] - reach, -1))
            last = np.searchsorted(position, self.spans[:, 1] + reach - 1, side="right")
        span, places = _ranges(first, last)
        if self.overlap is None:
            flat = np.zeros(len(places)) if sloping else None
            return _values(span, places, np.ones(len(places)), flat, coords, len(self.spans))
        x, (start, stop) = position[places], self.spans[span].T
        shares = np.where(stop < self.samples, before(stop, x, self.overlap), 1)
        shares -= np.where(start > 0, before(start, x, self.overlap), 0)
        some, slopes = shares > 0, None
        if sloping:
            slopes = np.where(stop < self.samples, slope_before(stop, x, self.overlap), 0)
            slopes -= np.where(start > 0, slope_before(start, x, self.overlap), 0)
            slopes *= frames.inside(coords, self.samples)[places]
            some |= slopes != 0
            slopes = slopes[some]
        return _values(span[some], places[some], shares[some], slopes, coords, len(self.spans))


@cache
def gauss(nodes: int) -> tuple[Float64[ndarray, "nodes"], Float64[ndarray, "nodes"]]:
    """Nodes and weights of Gauss's rule on 0..1."""
    x, weights = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, weights / 2


def _values(
    span: Int64[ndarray, "nodes"],
    places: Int64[ndarray, "nodes"],
    shares: Shaped[ndarray, "nodes"],
    slopes: Shaped[ndarray, "nodes"] | None,
    coords: Float[ndarray, "size"],
    spans: int,
) -> Nodes:
    """A node for each value at a pixel's middle and each span."""
    each = np.arange(len(places) + 1)
    slopes = None if slopes is None else slopes.astype(np.float32)
    exact = coords[places].astype(np.float64)
    return Nodes(_offsets(span, spans), exact, each, places, shares.astype(np.float32), slopes)


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
