"""Boxes of a tree, each with about as many of the samples that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.partition.auto import SAMPLES_PER_CELL
from partinr.model.partition.counts import count_from_text
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.shapes import Int64
from partinr.signals.signal import Signal


@dataclass(frozen=True)
class Tree(Rule):
    """Boxes that are divided across their longest side until each has about `samples` samples.

    Small where there are many samples, large where there are few: for signals whose samples are scattered or
    missing in part. A box that is one sample wide along all axes is not divided.

    Attributes:
        samples: wanted in a box; None: what `SAMPLES_PER_CELL` says for the signal's number of axes.

    Raises:
        InputError: the number is not positive.

    Source: Bentley, "Multidimensional binary search trees used for associative searching", Communications of
    the ACM 18(9), 1975, with the split of Friedman, Bentley, Finkel, ACM TOMS 3(3), 1977, at the median.

    Example:
        >>> import partinr
        >>> Tree(25).partition(partinr.from_array(np.eye(10))).counts.tolist()
        [25, 25, 25, 25]
    """

    samples: int | None = None

    name: ClassVar[str] = "tree"

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise InputError(f"tree needs a number of samples of at least 1, got {self.samples}")

    @classmethod
    def from_word(cls, argument: str) -> Tree:
        """See `Rule.from_word`; the argument is the number of samples, or nothing."""
        if not argument:
            return cls()
        samples = count_from_text(argument)
        if samples is None:
            raise InputError(f"tree needs a number of samples, got tree:{argument!s:.100}; write tree:300")
        return cls(samples)

    @property
    def word(self) -> str:
        """See `Rule.word`."""
        return self.name if self.samples is None else f"{self.name}:{self.samples}"

    def partition(self, signal: Signal) -> Partition:
        """See `Rule.partition`."""
        wanted = SAMPLES_PER_CELL[len(signal.shape)] if self.samples is None else self.samples
        boxes = _boxes(signal.places(), signal.shape, wanted)
        return Partition.from_boxes(signal.shape, np.asarray(boxes, np.int64), self.word)


def _boxes(
    places: Int64[ndarray, "points dims"], shape: tuple[int, ...], wanted: float
) -> list[list[list[int]]]:
    """First sample and one past the last of every box, depth first."""
    found = []
    waiting = [(places, [0] * len(shape), list(shape))]
    while waiting:
        inside, start, stop = waiting.pop()
        parts = max(1, round(len(inside) / wanted))
        axis = max(range(len(shape)), key=lambda a: stop[a] - start[a])
        if parts == 1 or stop[axis] - start[axis] == 1:
            found.append([start, stop])
            continue
        few = parts // 2
        along = np.ascontiguousarray(inside[:, axis])
        middle = int(np.partition(along, len(along) * few // parts)[len(along) * few // parts])
        edge = min(max(middle, start[axis] + 1), stop[axis] - 1)
        before = along < edge
        # Or one sample later, if that divides them better.
        if edge + 1 < stop[axis]:
            later = along <= edge
            goal = len(along) * few / parts
            if abs(np.count_nonzero(later) - goal) < abs(np.count_nonzero(before) - goal):
                edge, before = edge + 1, later
        last, first = list(stop), list(start)
        last[axis] = first[axis] = edge
        waiting.append((inside[~before], first, stop))
        waiting.append((inside[before], start, last))
    return found
