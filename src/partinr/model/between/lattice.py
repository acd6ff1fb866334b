"""Means over pixels of any size of the function that the values at the samples stand for.

Every sample is the mean of the function over its area. So values are made in up to three moves: samples are
halved as often as their pixels call for it, if what lies between them was learned (`details.py`); a spline is
laid through what there is (`spline.py`); and its means over the pixels, or its values or derivatives at their
middles, are taken. Pixels of whole samples, or of whole quarters of them, need no spline.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.model.between import details, spline
from partinr.shapes import Float32, Float64

# Output samples that are made at once, about.
_SLAB = 1 << 21

Samples = Callable[[Sequence[range]], Float32[ndarray, "*shape channels"]]
"""Values at the samples of a box, all inside of the signal."""


class Along(NamedTuple):
    """The pixels along one axis.

    Attributes:
        samples: of the signal.
        size: number of pixels.
        start, stop: what they cover together, from edge to edge of samples: 0 is where the first one starts.
    """

    samples: int
    size: int
    start: float
    stop: float

    @property
    def span(self) -> float:
        """Of all pixels, in samples."""
        return self.stop - self.start

    @property
    def length(self) -> float:
        """Of a pixel, in samples."""
        return self.span / self.size

    def part(self, first: int, last: int) -> Along:
        """The pixels first .. last - 1."""
        return Along(
            self.samples, last - first, self.start + first * self.length, self.start + last * self.length
        )

    @property
    def own(self) -> bool:
        """Whether the pixels are the signal's own samples."""
        return self.length == 1 and self.start == int(self.start)


def blocks(
    samples: Samples, pixels: Sequence[Along], *, learned: bool, point: bool, planes: Sequence[Sequence[int]]
) -> Iterator[Float32[ndarray, "_ *rest columns"]]:
    """Values of pixels as consecutive slabs along the first axis.

    Args:
        samples: gives values at samples.
        pixels: along each axis.
        learned: whether samples are halved as photographs would be; for two axes.
        point: values at the middles of the pixels instead of means over them.
        planes: what is wanted, one after the other: of which order a derivative is along each axis, all 0
            for the function itself.
    """
    finest = min(along.length for along in pixels)
    halvings = details.photographs() if learned else ()
    halvings = halvings[: max(0, math.ceil(-math.log2(finest) - 1e-9))]
    in_row = max(1.0, pixels[0].length) * math.prod(max(along.size, along.span) for along in pixels[1:])
    rows = max(1, int(_SLAB / in_row))
    held = _Held(samples, pixels)
    for first in range(0, pixels[0].size, rows):
        slab = [pixels[0].part(first, min(first + rows, pixels[0].size)), *pixels[1:]]
        yield _block(held, slab, halvings, point, planes)


class _Held:
    """Samples around the slab that is made; those that the next one needs, too, are kept for it."""

    def __init__(self, samples: Samples, pixels: Sequence[Along]) -> None:
        self._samples, self._pixels = samples, pixels
        self._first = 0
        self._values: Float32[ndarray, "*shape channels"] | None = None

    def box(self, wanted: Sequence[tuple[int, int]]) -> Float32[ndarray, "*shape channels"]:
        """Values from a first sample to one past the last along each axis.

        Beyond the signal's ends, values go on as they would if the signal were turned around its last sample:
        linear ones stay linear.
        """
        inside = [
            range(max(0, first), min(along.samples, last))
            for (first, last), along in zip(wanted, self._pixels, strict=True)
        ]
        values = self._rows(inside)
        beyond = [
            (within.start - first, last - within.stop)
            for (first, last), within in zip(wanted, inside, strict=True)
        ]
        if not any(itertools.chain(*beyond)):
            return values
        # What a turn needs may be more than there is of a short axis, never of the rows that are held.
        return np.pad(values, [*beyond, (0, 0)], mode="reflect", reflect_type="odd")

    def _rows(self, inside: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
        rows = inside[0]
        if self._values is None:
            values = self._samples(inside)
        else:
            values = self._values[rows.start - self._first :]
            have = rows.start + len(values)
            if have < rows.stop:
                values = np.concatenate([values, self._samples([range(have, rows.stop), *inside[1:]])])
        self._first, self._values = rows.start, values
        return values[: len(rows)]


def _block(
    held: _Held,
    pixels: Sequence[Along],
    halvings: Sequence[details.Details],
    point: bool,
    planes: Sequence[Sequence[int]],
) -> Float32[ndarray, "*shape columns"]:
    fine = 1 << len(halvings)
    # Where pixels start and stop among the finest samples there will be.
    ends = [(along.start * fine, along.stop * fine) for along in pixels]
    derived = any(order for plane in planes for order in plane)
    whole = not point and not derived and all(_whole(along, fine) for along in pixels)
    reach = 0 if whole else spline.REACH
    wanted = [(math.floor(start) - reach, math.ceil(stop) + reach) for start, stop in ends]
    # From the finest samples back to the signal's own, which more of are needed for each halving.
    levels = [wanted]
    for halving in reversed(halvings):
        wanted = [(first // 2 - halving.reach, -(-last // 2) + halving.reach) for first, last in wanted]
        levels.insert(0, wanted)
    values = held.box(levels[0])
    for halving, (above, here) in zip(halvings, itertools.pairwise(levels), strict=True):
        values = halving.halved(values)
        # An odd first or last sample has a sibling that nobody asked for.
        (top, left) = (2 * (a[0] + halving.reach) for a in above)
        values = values[here[0][0] - top : here[0][1] - top, here[1][0] - left : here[1][1] - left]
    if whole:
        for axis, along in enumerate(pixels):
            count = round(along.length * fine)
            if count > 1:
                values = spline.means(count, along.size).apply(values, axis)
        return values
    for axis in range(len(pixels)):
        values = spline.coefficients(values, axis)
    edges = [
        start - 0.5 - first + np.arange(along.size + 1) * (along.length * fine)
        for along, (start, _), (first, _) in zip(pixels, ends, levels[-1], strict=True)
    ]
    return np.concatenate([_plane(values, edges, point, plane, fine) for plane in planes], axis=-1)


def _plane(
    coefficients: Float32[ndarray, "*shape channels"],
    edges: Sequence[Float64[ndarray, "_"]],
    point: bool,
    orders: Sequence[int],
    fine: int,
) -> Float32[ndarray, "*pixels channels"]:
    """The spline, or a derivative by the signal's samples, of which those of the coefficients are a share."""
    found = coefficients
    for axis, (along, order) in enumerate(zip(edges, orders, strict=True)):
        found = _taps(along, point, order).apply(found, axis)
    return found * np.float32(fine ** sum(orders)) if any(orders) else found


def _whole(along: Along, fine: int) -> bool:
    """Whether each pixel is made of whole samples of a grid that is finer by a factor."""
    length, start = along.length * fine, along.start * fine
    return math.isclose(length, round(length), rel_tol=1e-12) and start == int(start) and length > 0.5


def _taps(edges: Float64[ndarray, "ends"], point: bool, order: int) -> spline.Taps:
    if point:
        return spline.at_points((edges[1:] + edges[:-1]) / 2, order)
    return spline.over(edges, order)
