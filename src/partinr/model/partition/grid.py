"""A regular grid of balanced cells."""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as brief
from typing import ClassVar, SupportsIndex

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.partition.counts import as_count, count_from_text
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.shapes import Int64
from partinr.signals.signal import Signal

_AXES = {1: ("cells",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}


@dataclass(frozen=True, init=False, repr=False)
class Grid(Rule):
    """`Grid(rows, columns)`; in one dimension `Grid(cells)`, in three `Grid(planes, rows, columns)`.

    Along an axis of n samples divided by k, cell i starts at sample ceil(i n / k) and ends before sample
    ceil((i + 1) n / k): sizes differ by at most one sample, and doubled divisions divide the same cells.
    Regions are numbered in raster order.

    Attributes:
        divisions: number of cells along each axis, in the order of the signal's axes.

    Raises:
        InputError: a division is not a whole number of at least 1, or there are none or more than three.

    Source: Liu et al., ICCV 2023, section 4.1 (PoG).

    Example:
        >>> Grid(3, 3).word, Grid(5).divisions
        ('grid:3x3', (5,))
    """

    divisions: tuple[int, ...]

    name: ClassVar[str] = "grid"

    def __init__(self, *divisions: SupportsIndex) -> None:
        if len(divisions) not in _AXES:
            raise InputError(f"grid takes 1 to 3 numbers, got {len(divisions)}; write Grid(3, 3)")
        checked = []
        for division in divisions:
            number = as_count(division)
            if number is None:
                raise InputError(
                    f"grid needs whole numbers of at least 1, got {division!r}; write Grid(3, 3)"
                )
            checked.append(number)
        object.__setattr__(self, "divisions", tuple(checked))

    def __repr__(self) -> str:
        return f"Grid({', '.join(map(str, self.divisions))})"

    @classmethod
    def from_word(cls, argument: str) -> Grid:
        """See `Rule.from_word`; the argument is "5", "3x3" or "2x3x4"."""
        divisions = [count_from_text(number) for number in argument.split("x")]
        known = [number for number in divisions if number is not None]
        if len(known) < len(divisions) or len(divisions) not in _AXES:
            raise InputError(
                f"grid needs 1 to 3 numbers of at least 1 joined by x, got {brief(argument)}; "
                "write grid:3x3 (rows x columns)"
            )
        return cls(*known)

    @property
    def word(self) -> str:
        """See `Rule.word`."""
        return _word(self.divisions)

    def partition(self, signal: Signal) -> Partition:
        """Split the signal into `prod(divisions)` boxes.

        Raises:
            InputError: the grid has another number of axes than the signal, or more cells than samples.
        """
        names = _AXES[len(signal.shape)]
        if len(self.divisions) != len(signal.shape):
            kind = "an image" if signal.spec.kind == "image" else f"a signal of {len(names)} axes"
            # The last number is repeated, so that grid:3 on an image becomes grid:3x3.
            wanted = (self.divisions + self.divisions[-1:] * 2)[: len(names)]
            numbers = f"{len(names)} number{'s' if len(names) > 1 else ''} ({' x '.join(names)})"
            raise InputError(
                f"grid needs {numbers} for {kind} of shape {signal.shape}, got {len(self.divisions)} "
                f"({self.word}); write {_word(wanted)}"
            )
        for axis, (cells, samples) in enumerate(zip(self.divisions, signal.shape, strict=True)):
            if cells > samples:
                raise InputError(
                    f"{self.word} needs at least {cells} samples along axis {axis}, got {samples} "
                    f"(shape {signal.shape}); take at most {samples} {names[axis]}"
                )
        return Partition.from_boxes(signal.shape, self._boxes(signal.shape), self.word)

    def _boxes(self, shape: tuple[int, ...]) -> Int64[ndarray, "regions 2 dims"]:
        """First sample and one past the last sample of each cell, cells in raster order."""
        edges = [-(-np.arange(k + 1) * n // k) for k, n in zip(self.divisions, shape, strict=True)]
        first = np.meshgrid(*[e[:-1] for e in edges], indexing="ij")
        last = np.meshgrid(*[e[1:] for e in edges], indexing="ij")
        corners = [np.stack([axis.ravel() for axis in corner], axis=1) for corner in (first, last)]
        return np.stack(corners, axis=1).astype(np.int64)


def _word(divisions: tuple[int, ...]) -> str:
    return f"{Grid.name}:{'x'.join(map(str, divisions))}"
