"""So many steps, or so much time; perhaps less, once a PSNR is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from numpy import ndarray

from partinr.errors import InputError
from partinr.fitting.goals.goal import ENDLESS, Course, Seconds, Trained, check_psnr, check_within
from partinr.fitting.overlap import EXCHANGE_FROM
from partinr.fitting.recipe import Recipe
from partinr.fitting.state import Fit
from partinr.model.networks.network import Parameters
from partinr.model.structure import Structure
from partinr.shapes import Shaped
from partinr.signals.signal import Signal

# A PSNR is looked at after every so many steps: rendered once the training loss is this near to it (dB).
_LOOK_STEPS = 20
_NEAR = 1.0
# Of scattered points, more steps learn the points rather than what lies between (`benchmarks/scattered.py`).
_SCATTERED_STEPS = 150


@dataclass(frozen=True)
class Steps(Trained):
    """A fit of so many optimiser updates; what is done where nothing is asked for.

    Attributes:
        steps: of every region; None for the recipe's, or, with `within`, as many as there is time for.
        psnr: stop sooner, once the rendered signal has this PSNR (dB).
        within: stop sooner, after this time; the learning rate follows the clock if that comes first.

    Raises:
        InputError: a number is out of its range.

    Example:
        >>> import numpy as np, partinr
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(20)).steps
        20
    """

    steps: int | None = None
    psnr: float | None = None
    within: Seconds | None = None

    overlaps: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps is not None and not 1 <= self.steps <= ENDLESS:
            raise InputError(f"steps must be at least 1 and at most {ENDLESS}, got {self.steps}")
        if self.psnr is not None:
            check_psnr(self.psnr)
        check_within(self.within)

    def begin(self, signal: Signal, recipe: Recipe, learned: bool) -> StepsCourse:  # noqa: ARG002
        """See `Goal.begin`."""
        endless = self.steps is None and self.within is not None
        return StepsCourse(ENDLESS if endless else self.planned(recipe, signal), self.psnr)

    def planned(self, recipe: Recipe, signal: Signal) -> int:
        """See `Goal.planned`."""
        if self.steps is not None:
            return self.steps
        usual = recipe.steps_for(signal.spec.dims)
        return min(usual, _SCATTERED_STEPS) if signal.scattered else usual


class StepsCourse(Course):
    """One cycle; a look every now and then, if there is a PSNR to reach.

    Args:
        steps: of the cycle.
        psnr: to stop at.
    """

    def __init__(self, steps: int, psnr: float | None) -> None:
        self.cycles, self.exchange_from = [0, steps], steps // EXCHANGE_FROM
        self._psnr = psnr

    def structure(self) -> Structure | None:
        """See `Course.structure`: that of the caller."""
        return None

    def fresh(self, structure: Structure, seed: int) -> list[Parameters]:
        """See `Course.fresh`."""
        return structure.initialise(seed)

    def next_look(self, start: int) -> int:
        """See `Course.next_look`."""
        return ENDLESS if self._psnr is None else (start // _LOOK_STEPS + 1) * _LOOK_STEPS

    def look(self, fit: Fit) -> bool:
        """See `Course.look`; renders only where the loss is near."""
        if self._psnr is None or not fit.steps:
            return False
        at_look = fit.steps % _LOOK_STEPS == 0 or fit.steps in self.cycles
        if not at_look or fit.history.psnr[-1] < self._psnr - _NEAR:
            return False
        return fit.rendered_psnr() >= self._psnr

    def goes_on(self, fit: Fit) -> bool:  # noqa: ARG002
        """See `Course.goes_on`: never."""
        return False

    def rate(self, step: int) -> float:  # noqa: ARG002
        """See `Course.rate`."""
        return 1.0

    def kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        """See `Course.kept`: nothing."""
        return {}

    def restore(self, kept: Mapping[str, Shaped[ndarray, "..."]], fit: Fit) -> None:
        """See `Course.restore`."""
