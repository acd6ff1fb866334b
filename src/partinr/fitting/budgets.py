"""What a fast fit may spend on a signal where nobody says: parameters and steps, by its number of axes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worth:
    """What a signal is worth, beside the cells of `Auto` (`SAMPLES_PER_CELL`).

    Attributes:
        width: of the networks for which the cells are made, and for which `--params` makes others.
        density: most parameters a sample; networks are at least 8 wide all the same.
        steps: optimiser updates of a fit to which no quality is named.
    """

    width: int
    density: float
    steps: int


BUDGETS = {
    1: Worth(width=8, density=1.2, steps=600),
    2: Worth(width=12, density=1.2, steps=600),
    3: Worth(width=16, density=0.16, steps=300),
}
"""By number of axes; measured by `benchmarks/budgets.py`, and why in docs/choosing.md."""
