"""The grid of tiles that a signal is cut into."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from partinr.errors import InputError
from partinr.model.spectra import Sides

Index = tuple[int, ...]
"""Place of a tile in the grid: row and column, or as many numbers as the signal has axes."""

# Values of a tile, about: large enough for the range coder to learn what a tile is like, small enough for a
# crop to be read at once. A sample counts as this many values at least.
_VALUES, _LEAST_VALUES = 3 << 20, 3


@dataclass(frozen=True)
class Layout:
    """Tiles of equal sides; the last along an axis has what is left.

    Sides are multiples of the roots of trees of boxes, so that the boxes of a tile are those that a fit of
    the whole could have.

    Attributes:
        shape: samples of the whole along each axis.
        side: of a tile, in samples along each axis.

    Raises:
        InputError: a side is no multiple of a root's.

    Example:
        >>> layout = Layout((100, 200), (64, 64))
        >>> layout.grid, layout.extent((1, 3)), list(layout.touching((60, 130), (10, 10)))
        ((2, 4), (36, 8), [(0, 2), (1, 2)])
    """

    shape: tuple[int, ...]
    side: tuple[int, ...]

    def __post_init__(self) -> None:
        root = Sides.usual(len(self.shape)).root
        if len(self.side) != len(self.shape) or any(n < root or n % root for n in self.side):
            raise InputError(
                f"sides of tiles must be multiples of {root} samples for {len(self.shape)} axes, got "
                f"{' x '.join(map(str, self.side))}"
            )

    @property
    def grid(self) -> Index:
        """Tiles along each axis."""
        return tuple(-(-n // side) for n, side in zip(self.shape, self.side, strict=True))

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return math.prod(self.grid)

    def index(self, number: int) -> Index:
        """The place in the grid of a tile that is counted in raster order."""
        found = []
        for n in reversed(self.grid):
            number, place = divmod(number, n)
            found.append(place)
        return tuple(reversed(found))

    def number(self, index: Index) -> int:
        """The inverse of `index`."""
        number = 0
        for n, place in zip(self.grid, index, strict=True):
            number = number * n + place
        return number

    def first(self, index: Index) -> tuple[int, ...]:
        """The first sample of a tile along each axis."""
        return tuple(place * side for place, side in zip(index, self.side, strict=True))

    def extent(self, index: Index) -> tuple[int, ...]:
        """Samples of a tile along each axis."""
        return tuple(
            min(side, n - first)
            for side, n, first in zip(self.side, self.shape, self.first(index), strict=True)
        )

    def samples(self) -> Iterator[int]:
        """Samples of each tile, in raster order."""
        along = [
            [min(side, n - first) for first in range(0, n, side)]
            for n, side in zip(self.shape, self.side, strict=True)
        ]
        return map(math.prod, product(*along))

    def touching(self, first: Sequence[int], shape: Sequence[int]) -> Iterator[Index]:
        """Tiles that have samples of a window, in raster order.

        Args:
            first: where the window begins along each axis; may lie outside of the signal.
            shape: of the window, in samples.
        """
        ranges = [
            range(max(at, 0) // side, -(-min(at + n, whole) // side))
            for at, n, side, whole in zip(first, shape, self.side, self.shape, strict=True)
        ]
        return product(*ranges)


def layout_of(shape: Sequence[int], channels: int, side: int | None = None) -> Layout:
    """The tiles of a signal.

    Args:
        shape: of the signal, without channels.
        channels: values a sample.
        side: of tiles along all axes; None for about 3 million values a tile, 1024 x 1024 for pictures.

    Raises:
        InputError: the side is no multiple of a root's.
    """
    root = Sides.usual(len(shape)).root
    if side is not None:
        if side < root or side % root:
            raise InputError(
                f"--tile must be a multiple of {root} samples for signals of {len(shape)} "
                f"axes, got {side}; take {max(root, round(side / root) * root)}"
            )
        return Layout(tuple(shape), (side,) * len(shape))
    left = _VALUES / max(channels, _LEAST_VALUES)
    sides = [0] * len(shape)
    # Short axes first: what they do not need, others have.
    for done, axis in enumerate(sorted(range(len(shape)), key=lambda i: shape[i])):
        equal = left ** (1 / (len(shape) - done))
        most = -(-shape[axis] // root) * root
        sides[axis] = min(max(root, round(equal / root) * root), most)
        left /= min(equal, shape[axis])
    return Layout(tuple(shape), tuple(sides))
