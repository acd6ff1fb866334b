"""The boxes that spectra are coded over: roots, slices and halves. `docs/format.md`, "Coded cosines"."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from partinr.model.spectra import Sides

_ENOUGH = 1 << 20


class Box(NamedTuple):
    """A box of samples.

    Attributes:
        start: its first sample.
        size: samples along each axis.
        depth: how many boxes it is a part of.
    """

    start: tuple[int, ...]
    size: tuple[int, ...]
    depth: int = 0


def _rows(shape: tuple[int, ...], sides: Sides) -> tuple[list[int], int, int]:
    """Roots along each axis, the axis whose rows are coded together, and how many of those are."""
    roots = [-(-n // sides.root) for n in shape]
    axis = next((a for a, count in enumerate(roots) if count > 1), len(shape) - 1)
    return roots, axis, max(1, _ENOUGH // max(1, math.prod(shape) // roots[axis]))


def slice_count(shape: tuple[int, ...], sides: Sides) -> int:
    """How many strings of bytes the roots are coded in.

    Whole rows of about 2^20 samples together, along the first axis that has several roots, or else the last.
    """
    roots, axis, rows = _rows(shape, sides)
    return -(-roots[axis] // rows)


def slices(shape: tuple[int, ...], sides: Sides) -> Iterator[Iterator[Box]]:
    """The roots of each slice, in order."""
    roots, axis, rows = _rows(shape, sides)
    for first in range(0, roots[axis], rows):
        spans = [range(count) for count in roots]
        spans[axis] = range(first, min(first + rows, roots[axis]))
        yield (_root(index, roots, shape) for index in product(*spans))


def _root(index: tuple[int, ...], roots: list[int], shape: tuple[int, ...]) -> Box:
    start = tuple(i * n // m for i, m, n in zip(index, roots, shape, strict=True))
    stop = ((i + 1) * n // m for i, m, n in zip(index, roots, shape, strict=True))
    return Box(start, tuple(last - first for first, last in zip(start, stop, strict=True)))


def may_split(box: Box, sides: Sides) -> bool:
    """Whether a box may be halved: along all axes of more than one sample at once."""
    long = [n for n in box.size if n > 1]
    return bool(long) and min(long) >= 2 * sides.least


def halves(box: Box) -> Iterator[Box]:
    """The parts of a box that is halved, the last axis fastest; an odd number has the smaller half first."""
    along = [
        ((first, n),) if n == 1 else ((first, n // 2), (first + n // 2, n - n // 2))
        for first, n in zip(box.start, box.size, strict=True)
    ]
    for part in product(*along):
        yield Box(tuple(first for first, _ in part), tuple(n for _, n in part), box.depth + 1)
