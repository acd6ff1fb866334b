"""Cells small enough to be trained fast: the partition of a fit without options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from partinr.model.partition.grid import Grid
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.signals.signal import Signal

SAMPLES_PER_CELL = {1: 144, 2: 352, 3: 4096}
"""By number of axes: runs of 144 samples, about 19 x 19 pixels, 16 x 16 x 16 voxels. A network 8, 12 or 16
wide then has about 1.2, 1.1 or 0.15 parameters a sample (`benchmarks/budgets.py`, `benchmarks/recipe.py`)."""


@dataclass(frozen=True)
class Auto(Rule):
    """A grid of near-cubic cells of about `samples` samples each, whatever the signal's axes.

    With a parameter budget, `fit` chooses `samples` so that networks of the recipe's width fill the budget.

    Attributes:
        samples: wanted size of a cell; None: what `SAMPLES_PER_CELL` says for the signal's number of axes.

    Example:
        >>> Auto(samples=100).grid((40, 60))
        Grid(4, 6)
    """

    samples: float | None = None

    name: ClassVar[str] = "auto"

    def grid(self, shape: tuple[int, ...]) -> Grid:
        """The grid for a signal of this shape.

        An axis shorter than a cell's side is not divided; the cells grow along the others instead.
        """
        divisions = [1] * len(shape)
        volume = SAMPLES_PER_CELL[len(shape)] if self.samples is None else self.samples
        by_length = sorted(range(len(shape)), key=lambda a: shape[a])
        for position, a in enumerate(by_length):
            side = max(1.0, volume ** (1 / (len(shape) - position)))
            divisions[a] = max(1, min(shape[a], round(shape[a] / side)))
            volume = max(1.0, volume / (shape[a] / divisions[a]))
        return Grid(*divisions)

    def partition(self, signal: Signal) -> Partition:
        """See `Rule.partition`."""
        return self.grid(signal.shape).partition(signal)
