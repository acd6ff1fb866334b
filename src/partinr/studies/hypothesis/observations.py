"""Runs as statistics see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Float64, Int64


@dataclass(frozen=True, eq=False)
class Observations:
    """Step counts and what they belong to.

    Attributes:
        boundaries: number of boundaries of each run's signal.
        steps: steps that each run took; of a censored run, those it was given.
        censored: whether the run had not converged by then.
    """

    boundaries: Float64[ndarray, "runs"]
    steps: Float64[ndarray, "runs"]
    censored: Bool[ndarray, "runs"]

    def __len__(self) -> int:
        return len(self.steps)

    def pick(self, which: Int64[ndarray, "k"] | Bool[ndarray, "runs"]) -> Observations:
        """Some of the runs, or some of them several times."""
        return Observations(self.boundaries[which], self.steps[which], self.censored[which])

    @property
    def sizes(self) -> Float64[ndarray, "sizes"]:
        """Numbers of boundaries that occur, ascending."""
        return np.unique(self.boundaries)
