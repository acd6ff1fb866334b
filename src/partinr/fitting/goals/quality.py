"""A fit of a given structure to a PSNR: the learning rate stays high until its fall will end at the target.

`docs/method.md` explains it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.fitting.goals.goal import ENDLESS, Course, Seconds, Trained, check_psnr, check_within
from partinr.fitting.goals.rounding import before_rounding, most_before_rounding
from partinr.fitting.goals.steps import StepsCourse
from partinr.fitting.overlap import EXCHANGE_FROM
from partinr.fitting.recipe import Recipe
from partinr.fitting.state import Fit
from partinr.model.networks.network import Parameters
from partinr.model.structure import Structure
from partinr.shapes import Float64, Shaped
from partinr.signals.metrics import psnr_from_mse
from partinr.signals.signal import Signal, SignalSpec

MOST_CYCLES = 7
"""A fit ends after this many times the recipe's steps, whether its target is reached or not."""

# After so many steps at the peak rate, its fall gains so many dB over the losses before it, and two more for
# twice the parameters, where there is one parameter for three values. Rather too few than too many: another
# cycle costs more than a few steps (`benchmarks/cooldown.py`).
_HELD = (8, 16, 32, 64, 128, 256)
_GAINS = (3.8, 5.3, 6.3, 7.1, 8.6, 9.6)
# SIRENs gain more in cells so small that a step takes at least this share of their samples, from random
# numbers and learned layers alike. Rather less than the least of kodim01, 03, 05, 07 and 11 in default cells.
_SMALL_CELL, _GAINS_IF_SMALL = 0.25, (4.4, 5.9, 7.6, 8.4, 9.4, 10.2)
_BY_DENSITY, _DENSITY = 2.0, 1 / 3
# A fall begins if it is expected to end so far (dB) above the target.
_MARGIN = 0.2
# If so many dB are missing at the end of a cycle, the next one is twice as long; with less missing, half as
# long as the last one at least.
_DOUBLING, _SHORTEST = 2.5, 0.5
# Looks at the losses are this share of the cycle so far apart, also when the target is near; while the rate
# falls, this share of the steps that the pace of the latest losses would need.
_FIRST_LOOK, _LOOK_SHARE, _NEAR_SHARE, _EARLY = 8, 0.1, 0.02, 0.5
# Errors are computed when the losses of batches, which lag behind, are so near to the target (dB); the signal
# is rendered when these are so near: clipping makes errors a little smaller.
_NEAR, _CLIPPING = 0.5, 0.05
# Signals of so few values are looked at without delay.
_SMALL = 1 << 17
# Mean squared errors below this are not told apart.
_NOTHING = 1e-30


@dataclass(frozen=True)
class Quality(Trained):
    """A fit of a given structure to a PSNR, which finds out itself how many steps it needs.

    Attributes:
        psnr: of the rendered signal, in dB.
        within: stop after this time; without it, after seven times the recipe's steps.

    Raises:
        InputError: the PSNR is not a positive number, or the time is none.

    Example:
        >>> import numpy as np, partinr
        >>> wave = np.sin(np.arange(900) / 9).reshape(30, 30)
        >>> partinr.fit(wave, partinr.Grid(2, 2), goal=partinr.Quality(35)).psnr >= 35
        True
    """

    psnr: float
    within: Seconds | None = None

    overlaps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_psnr(self.psnr)
        check_within(self.within)

    def begin(self, signal: Signal, recipe: Recipe, learned: bool) -> Course:  # noqa: ARG002
        """See `Goal.begin`; by a recipe whose rate does not fall, one cycle that ends at the PSNR."""
        most = recipe.steps_to_psnr * MOST_CYCLES if self.within is None else ENDLESS
        if recipe.schedule != "cooldown":
            return StepsCourse(most, self.psnr)
        return QualityCourse(self.psnr, signal.spec, recipe, most)

    def planned(self, recipe: Recipe, signal: Signal) -> None:
        """See `Goal.planned`."""


class QualityCourse(Course):
    """Trains at the peak rate until the losses tell that the fall of the rate, over twice as many steps
    again, ends at the target: the recipe's schedule, for as many steps as are needed, though not more than it
    has. If that ends below the target, another cycle begins, the longer the more is missing.

    Args:
        target: PSNR in dB.
        spec: of the signal.
        recipe: with the schedule "cooldown".
        most: steps that all cycles together may have.
    """

    def __init__(self, target: float, spec: SignalSpec, recipe: Recipe, most: int) -> None:
        self._target, self._spec, self._hold, self._most = target, spec, recipe.hold, most
        self.cycles = [0, min(recipe.steps_to_psnr, most)]
        self.exchange_from = self.cycles[1] // EXCHANGE_FROM
        # The step of the next look, and the PSNR of the function that the last one found where it was near.
        self._look, self._found = _FIRST_LOOK, -math.inf
        # The target before values are rounded to the data type, as expected until renderings tell, and the
        # least PSNR of the function at which its rendering may have the target.
        self._goal = self._before_rounding(target)
        self._least = psnr_from_mse(most_before_rounding(10 ** (-target / 10), spec))

    def structure(self) -> Structure | None:
        """See `Course.structure`: that of the caller."""
        return None

    def fresh(self, structure: Structure, seed: int) -> list[Parameters]:
        """See `Course.fresh`."""
        return structure.initialise(seed)

    def next_look(self, start: int) -> int:
        """See `Course.next_look`."""
        return max(self._look, start + 1)

    def look(self, fit: Fit) -> bool:
        """See `Course.look`; ends the first cycle where its fall would end at the target."""
        ending = fit.steps == self.cycles[-1]
        if fit.steps < self._look and not ending:
            return False
        start, loss = self.cycles[-2], fit.history.loss[self.cycles[-2] :]
        goal, done = self._goal, fit.steps - start
        falling = done > self._hold * (self.cycles[-1] - start)
        latest = max(3, done // 30)
        known = psnr_of(loss[-latest:]) if falling else held_psnr(loss)
        if fit.values <= _SMALL or ending or known > min(goal, self._least) - _NEAR:
            if self._reached(fit):
                return True
            goal = self._goal
            known = max(known, self._found) if falling else known
        if ending:
            return False
        ahead = (_NEAR_SHARE if known > goal - 3 * _NEAR else _LOOK_SHARE) * done
        if falling:
            pace = (psnr_of(loss[-latest:]) - psnr_of(loss[:-latest][-latest:])) / latest
            ahead = min(ahead, _EARLY * (goal - known) / max(pace, 1e-9))
        self._look = fit.steps + max(1, int(ahead))
        if start == 0 and not falling and known + _gain(fit, done) >= goal + _MARGIN:
            self.cycles[-1] = round(done / self._hold)
            # Exchanges that have begun go on as they are.
            if fit.steps <= self.exchange_from:
                self.exchange_from = self.cycles[-1] // EXCHANGE_FROM
        return False

    def _before_rounding(self, psnr: float) -> float:
        """PSNR of the function whose rendering is expected to have this one."""
        return psnr_from_mse(before_rounding(10 ** (-psnr / 10), self._spec))

    def _reached(self, fit: Fit) -> bool:
        """Looks at the errors first, which costs less than to render the signal; those of regions that
        overlap are no measure of their blend's. A rendering that falls short tells where the goal is."""
        if not fit.structure.overlap:
            self._found = psnr_of(fit.errors().sum() / fit.values)
            if self._found < min(self._goal, self._least) - _CLIPPING:
                return False
        rendered = fit.rendered_psnr()
        if rendered >= self._target:
            return True
        function = self._before_rounding(rendered)
        if fit.structure.overlap:
            self._found = function
        self._goal = self._before_rounding(self._target) + self._found - function
        return False

    def goes_on(self, fit: Fit) -> bool:
        """See `Course.goes_on`."""
        if fit.steps >= self._most:
            return False
        doublings = min((self._goal - self._found) / _DOUBLING, math.log2(MOST_CYCLES))
        longer = max(2**doublings, _SHORTEST) * (fit.steps - self.cycles[-2])
        self.cycles.append(min(self._most, fit.steps + math.ceil(longer)))
        self._look = fit.steps + _FIRST_LOOK
        return True

    def rate(self, step: int) -> float:  # noqa: ARG002
        """See `Course.rate`."""
        return 1.0

    def kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        """See `Course.kept`."""
        return {
            "course.cycles": np.asarray(self.cycles),
            "course.numbers": np.asarray([self._look, self.exchange_from]),
            "course.goal": np.asarray(self._goal),
        }

    def restore(self, kept: Mapping[str, Shaped[ndarray, "..."]], fit: Fit) -> None:  # noqa: ARG002
        """See `Course.restore`."""
        self.cycles = kept["course.cycles"].tolist()
        self._look, self.exchange_from = kept["course.numbers"].tolist()
        self._goal = kept["course.goal"].item()


def _gain(fit: Fit, held: int) -> float:
    """What the fall of the rate after so many steps is expected to gain, in dB."""
    density = fit.structure.params / fit.values
    gains = _GAINS_IF_SMALL if _small_cells(fit) else _GAINS
    usual = float(np.interp(math.log(held), np.log(_HELD), gains))
    return usual + _BY_DENSITY * math.log2(density / _DENSITY)


def _small_cells(fit: Fit) -> bool:
    """Whether SIRENs see a good part of their region in every step."""
    samples = float(fit.structure.partition.counts.mean())
    batch = fit.recipe.batch_for(samples) or samples
    return batch >= _SMALL_CELL * samples and {n.name for n in fit.structure.networks} == {"siren"}


def held_psnr(loss: Float64[ndarray, "steps"]) -> float:
    """PSNR in dB of the latest of some losses at one rate: single ones vary."""
    return psnr_of(loss[-max(3, min(10, len(loss) // 3)) :])


def psnr_of(losses: Float64[ndarray, "steps"] | float) -> float:
    """PSNR in dB of the mean of some losses."""
    return psnr_from_mse(max(float(np.mean(losses)), _NOTHING))
