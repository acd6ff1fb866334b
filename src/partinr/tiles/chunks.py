"""Values at the samples, made in chunks that are kept: for those who look at one place again and again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.between import spline
from partinr.model.between.lattice import Samples
from partinr.shapes import Float32
from partinr.tiles.kept import Kept, Room

# Samples of a chunk, about: what is evaluated around one is a quarter of it.
_SAMPLES = 1 << 18

MOST_HALVINGS = 3
"""How often a chunk's sides are halved for means of its samples."""

_Name = tuple[int, tuple[int, ...]]  # halvings, and place in the grid of chunks


class Chunks:
    """Values at the samples, and means over 2, 4 and 8 of them along each axis; those that were asked for are
    kept.

    Args:
        shape: samples along each axis.
        samples: gives the values of a box.
        room: that there is for those that are kept.
    """

    def __init__(self, shape: Sequence[int], samples: Samples, room: Room) -> None:
        self._shape, self._samples = shape, samples
        self._side = 1 << round(np.log2(_SAMPLES) / len(shape))
        self._kept: Kept[_Name, Float32[ndarray, "*shape channels"]] = Kept(
            self._made, lambda values: values.nbytes, room
        )

    def __call__(self, box: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
        """The values of a box."""
        return self.means(0, box)

    def means(self, halvings: int, box: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
        """Means over 2^halvings samples along each axis, of a box of them."""
        side = self._side >> halvings
        touched = [range(along.start // side, -(-along.stop // side)) for along in box]
        places = list(itertools.product(*touched))
        try:
            chunks = self._kept.all((halvings, place) for place in places)
        except InputError:
            # What cannot be read may be in the chunks and not in the box.
            fine = [range(along.start << halvings, along.stop << halvings) for along in box]
            return _means(self._samples(fine), halvings)
        out = np.empty((*map(len, box), chunks[0].shape[-1]), np.float32)
        for place, chunk in zip(places, chunks, strict=True):
            low = [max(along.start, k * side) for along, k in zip(box, place, strict=True)]
            high = [min(along.stop, (k + 1) * side) for along, k in zip(box, place, strict=True)]
            to = tuple(
                slice(a - along.start, b - along.start) for a, b, along in zip(low, high, box, strict=True)
            )
            own = tuple(slice(a - k * side, b - k * side) for a, b, k in zip(low, high, place, strict=True))
            out[to] = chunk[own]
        return out

    def _made(self, name: _Name) -> Float32[ndarray, "*shape channels"]:
        halvings, place = name
        if halvings:
            return _means(self._kept.one((0, place)), halvings)
        side = self._side
        box = [range(k * side, min(n, (k + 1) * side)) for k, n in zip(place, self._shape, strict=True)]
        # Not what was evaluated around them.
        return self._samples(box).copy()


def _means(values: Float32[ndarray, "*shape channels"], halvings: int) -> Float32[ndarray, "*fewer channels"]:
    """Means over 2^halvings values along each axis, of as many as are whole."""
    for axis, n in enumerate(values.shape[:-1]):
        if halvings:
            values = spline.means(1 << halvings, n >> halvings).apply(values, axis)
    return values
