"""Step signals: 1 and -1, with boundaries in between at places drawn by chance.

Everything random is a hash of a run's seed and of what is drawn, not the state of a generator, so that any
run and any step can be made again alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.hashing import splitmix64
from partinr.shapes import Float, Float32, Float64


@dataclass(frozen=True)
class Size:
    """How many boundaries a step signal has.

    Attributes:
        thresholds: places along each axis where the value changes its sign.

    Example:
        >>> Size((5, 2)).boundaries
        27
    """

    thresholds: tuple[int, ...]

    @property
    def boundaries(self) -> int:
        """The hypothesis' n: points on a line, and pieces of line between crossings in a plane."""
        if len(self.thresholds) == 1:
            return self.thresholds[0]
        rows, columns = self.thresholds
        return 2 * rows * columns + rows + columns

    @property
    def word(self) -> str:
        """The thresholds as files write them, such as 5x2."""
        return "x".join(str(n) for n in self.thresholds)


PUBLISHED_1D = tuple(Size((n,)) for n in range(1, 60, 2))
"""The published sizes in one dimension: 1, 3, ..., 59 boundaries."""


def most_square(product: int) -> Size:
    """Thresholds along rows and columns with this product, as the published search finds them.

    Example:
        >>> most_square(30).thresholds
        (6, 5)
    """
    rows = next(n for n in range(math.isqrt(product) + 1, 0, -1) if product % n == 0)
    return Size((rows, product // rows))


PUBLISHED_2D = tuple(most_square(product) for product in range(10, 251, 10))
"""The published sizes in two dimensions: 27 to 535 boundaries."""


def derived(seed: int, *numbers: int) -> int:
    """A seed of 63 bits for something that these numbers name."""
    state = splitmix64(np.array([seed], np.uint64))
    for number in numbers:
        state = splitmix64(state + np.uint64(number))
    return int(state[0] >> np.uint64(1))


def uniform(seed: int, count: int) -> Float64[ndarray, "count"]:
    """Numbers from U[0, 1), a function of the seed alone.

    Example:
        >>> bool((uniform(3, 5) == uniform(3, 9)[:5]).all())
        True
    """
    bits = splitmix64(np.uint64(seed) + np.arange(count, dtype=np.uint64))
    return (bits >> np.uint64(11)) * 2.0**-53


@dataclass(frozen=True, eq=False)
class StepSignal:
    """The product over the axes of functions that are 1 before the first threshold and change sign at each.

    Attributes:
        thresholds: of each axis, ascending, in coordinates -1..1.
    """

    thresholds: tuple[Float64[ndarray, "_"], ...]

    @classmethod
    def drawn(cls, size: Size, seed: int) -> StepSignal:
        """Thresholds from U(-1, 1)."""
        places = [2 * uniform(derived(seed, axis), n) - 1 for axis, n in enumerate(size.thresholds)]
        return cls(tuple(np.sort(one) for one in places))

    def __call__(self, coords: Float[ndarray, "samples dims"]) -> Float32[ndarray, "samples 1"]:
        """Values at some coordinates."""
        crossed = np.zeros(len(coords), np.int64)
        for axis, places in enumerate(self.thresholds):
            crossed += np.searchsorted(places, coords[:, axis], side="right")
        return (1 - 2 * (crossed & 1)).astype(np.float32)[:, None]


def check_resolution(sizes: tuple[Size, ...], samples: int, option: str) -> None:
    """Refuse signals with more boundaries along an axis than there are gaps between its samples.

    Args:
        sizes: of all signals.
        samples: along an axis.
        option: what the samples are called where they are set.

    Raises:
        InputError: a size has too many boundaries.
    """
    most = max(max(size.thresholds) for size in sizes)
    if most >= samples:
        raise InputError(
            f"{option} must be at least {most + 1} for {most} boundaries along an axis, got {samples}"
        )
