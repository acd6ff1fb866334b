"""Learning rates of the inner loop: one for everything, or one for each parameter, each step, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from partinr.model.arrays import Array

RateKind = Literal["fixed", "learned", "step", "parameter", "parameter-step"]
"""Which inner learning rates there are: one that stays as it is given; one that is learned; one learned for
each step; one for each parameter; one for each parameter and step, as published."""


@dataclass(frozen=True, eq=False)
class Rates:
    """Inner learning rates, of whatever kind, as arrays, or as tensors while the outer loop learns them.

    Attributes:
        kind: which there are.
        steps: inner steps that they were made for; a later step takes the last one's. 0: there are none, and
            the rates have no meaning.
        values: one array of shape (1,) or (steps,), or one for each array of the network's parameters, of
            shape (1, ...) or (steps, ...) with that array's shape after it.
    """

    kind: RateKind
    steps: int
    values: list[Array]

    @classmethod
    def fresh(cls, kind: RateKind, steps: int, rate: float, shapes: list[tuple[int, ...]]) -> Rates:
        """The same rate everywhere.

        Args:
            kind: which rates there are.
            steps: inner steps.
            rate: initial value of all of them.
            shapes: shape of each tensor of one network's parameters.
        """
        return cls(
            kind, steps, [np.full(shape, rate, np.float32) for shape in shapes_of(kind, steps, shapes)]
        )

    @property
    def learned(self) -> bool:
        """Whether the outer loop changes them."""
        return self.kind != "fixed"

    @property
    def _whole(self) -> bool:
        return self.kind in ("fixed", "learned", "step")

    def _row(self, step: int) -> int:
        return min(step, len(self.values[0]) - 1)

    def at(self, step: int, tensors: int) -> list[Array]:
        """Rate of each parameter in a step.

        Args:
            step: inner step, from 0.
            tensors: number of tensors that the parameters are in.

        Returns:
            a tensor for each, which broadcasts to (regions, *its shape).
        """
        row = self._row(step)
        return [self.values[0][row]] * tensors if self._whole else [value[row] for value in self.values]

    def pull_back(self, step: int, slopes: list[Array], total: list[Array]) -> None:
        """Add the gradient of a step's rates to that of all rates.

        Args:
            step: inner step, from 0.
            slopes: derivative by each parameter's own rate in this step, shapes (regions, ...).
            total: where to add it, shaped like `values`.
        """
        row = self._row(step)
        if self._whole:
            total[0][row] += sum(slope.sum() for slope in slopes)
        else:
            for into, slope in zip(total, slopes, strict=True):
                into[row] += slope.sum(0)


def shapes_of(kind: RateKind, steps: int, shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Shapes of `Rates.values` for a network whose parameters have these shapes."""
    rows = steps if kind in ("step", "parameter-step") else 1
    if kind in ("fixed", "learned", "step"):
        return [(rows,)]
    return [(rows, *shape) for shape in shapes]
