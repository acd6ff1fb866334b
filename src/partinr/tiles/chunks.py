"""Values at the samples, made in chunks that are kept: for those who look at one place again and again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.between.lattice import Samples
from partinr.shapes import Float32
from partinr.tiles.kept import Kept, Room

# Samples of a chunk, about: what is evaluated around one is a quarter of it.
_SAMPLES = 1 << 18


class Chunks:
    """Values at the samples, of which those that were asked for are kept.

    Args:
        shape: samples along each axis.
        samples: gives the values of a box.
        room: that there is for those that are kept.
    """

    def __init__(self, shape: Sequence[int], samples: Samples, room: Room) -> None:
        self._shape, self._samples = shape, samples
        self._side = round(_SAMPLES ** (1 / len(shape)))
        make: Callable[[tuple[int, ...]], Float32[ndarray, "*shape channels"]] = self._made
        self._kept = Kept(make, lambda values: values.nbytes, room)

    def _made(self, at: tuple[int, ...]) -> Float32[ndarray, "*shape channels"]:
        side = self._side
        box = [range(k * side, min(n, (k + 1) * side)) for k, n in zip(at, self._shape, strict=True)]
        # Not what was evaluated around them.
        return self._samples(box).copy()

    def __call__(self, box: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
        """The values of a box."""
        side = self._side
        touched = [range(along.start // side, -(-along.stop // side)) for along in box]
        places = list(itertools.product(*touched))
        try:
            chunks = self._kept.all(places)
        except InputError:
            # What cannot be read may be in the chunks and not in the box.
            return self._samples(box)
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
