"""A fit of a given structure to a PSNR: the learning rate stays high until its fall will end at the target.

`docs/method.md` explains it.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Shaped
from numpy import ndarray

from partinr.fitting.goals.allocation import before_rounding, most_before_rounding
from partinr.fitting.loop import Training
from partinr.fitting.overlap import EXCHANGE_FROM
from partinr.model.networks.siren import Siren
from partinr.model.rendering import rendered_psnr
from partinr.signals.metrics import psnr_from_mse

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


class Targeted(Training):
    """A fit to a PSNR that finds out itself how many steps it needs, up to those of its limits.

    It trains at the peak rate until the losses tell that the fall of the rate, over twice as many steps
    again, ends at the target: the recipe's schedule, for as many steps as are needed, though not more than it
    has. If that ends below the target, another cycle begins, the longer the more is missing.

    The limits must have a PSNR, and the recipe the schedule "cooldown".
    """

    # The step of the next look, and the PSNR of the function that the last one found where it was near. What
    # renderings that fell short told: how far (dB) the goal is from where rounding is expected to put it.
    _look = _FIRST_LOOK
    _found: float
    _shift = 0.0

    @property
    def _target(self) -> float:
        assert self.limits.psnr is not None
        return self.limits.psnr

    @property
    def _goal(self) -> float:
        """The target before values are rounded to the data type."""
        return self._usual_goal + self._shift

    @cached_property
    def _usual_goal(self) -> float:
        return self._before_rounding(self._target)

    @cached_property
    def _least_goal(self) -> float:
        """The least PSNR of the function at which its rendering may have the target."""
        return psnr_from_mse(most_before_rounding(10 ** (-self._target / 10), self.signal.spec))

    def _before_rounding(self, psnr: float) -> float:
        """PSNR of the function whose rendering is expected to have this one."""
        return psnr_from_mse(before_rounding(10 ** (-psnr / 10), self.signal.spec))

    @property
    def _values(self) -> int:
        return self.signal.spec.samples * self.signal.channels

    def _first_cycle(self) -> int:
        return min(self.recipe.steps, self._most_steps)

    def _next_look(self, start: int) -> int:
        return max(self._look, start + 1)

    def _on_target(self) -> bool:
        ending = self.steps == self.cycles[-1]
        if self.steps < self._look and not ending:
            return False
        start, loss = self.cycles[-2], self.history.loss[self.cycles[-2] :]
        done = self.steps - start
        falling = done > self.recipe.hold * (self.cycles[-1] - start)
        latest = max(3, done // 30)
        known = psnr_of(loss[-latest:]) if falling else held_psnr(loss)
        if self._values <= _SMALL or ending or known > min(self._goal, self._least_goal) - _NEAR:
            if self._reached():
                return True
            known = max(known, self._found) if falling else known
        if ending:
            return False
        ahead = (_NEAR_SHARE if known > self._goal - 3 * _NEAR else _LOOK_SHARE) * done
        if falling:
            pace = (psnr_of(loss[-latest:]) - psnr_of(loss[:-latest][-latest:])) / latest
            ahead = min(ahead, _EARLY * (self._goal - known) / max(pace, 1e-9))
        self._look = self.steps + max(1, int(ahead))
        if start == 0 and not falling and known + self._gain(done) >= self._goal + _MARGIN:
            self.cycles[-1] = round(done / self.recipe.hold)
            # Exchanges that have begun go on as they are.
            if self.steps <= self._exchange_from:
                self._exchange_from = self.cycles[-1] // EXCHANGE_FROM
        return False

    def _gain(self, held: int) -> float:
        """What the fall of the rate after so many steps is expected to gain, in dB."""
        density = self.model.params / self._values
        gains = _GAINS_IF_SMALL if self._small_cells else _GAINS
        usual = float(np.interp(math.log(held), np.log(_HELD), gains))
        return usual + _BY_DENSITY * math.log2(density / _DENSITY)

    @cached_property
    def _small_cells(self) -> bool:
        """Whether SIRENs see a good part of their region in every step."""
        samples = float(self.model.partition.counts.mean())
        batch = self.recipe.batch_for(samples) or samples
        networks = (group.network for group in self.model.group_list)
        return batch >= _SMALL_CELL * samples and all(isinstance(each, Siren) for each in networks)

    def _reached(self) -> bool:
        """Looks at the errors first, which costs less than to render the signal; those of regions that
        overlap are no measure of their blend's."""
        if not self.model.overlap:
            self._found = psnr_of(self._errors().sum() / self._values)
            if self._found < min(self._goal, self._least_goal) - _CLIPPING:
                return False
        self._load_model()
        rendered = rendered_psnr(self.model, self.signal)
        if rendered >= self._target:
            return True
        function = self._before_rounding(rendered)
        if self.model.overlap:
            self._found = function
        self._shift = self._found - function
        return False

    def _went_on(self) -> bool:
        if self.steps >= self._most_steps:
            return False
        doublings = min((self._goal - self._found) / _DOUBLING, math.log2(MOST_CYCLES))
        longer = max(2**doublings, _SHORTEST) * (self.steps - self.cycles[-2])
        self.cycles.append(min(self._most_steps, self.steps + math.ceil(longer)))
        self._look = self.steps + _FIRST_LOOK
        return True

    def _kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        kept = {"cycles": self.cycles, "look": self._look, "exchange_from": self._exchange_from}
        kept |= {"shift": self._shift}
        return {**super()._kept(), **{name: np.asarray(value) for name, value in kept.items()}}

    def _restore(self, kept: dict[str, Shaped[ndarray, "..."]]) -> None:
        super()._restore(kept)
        self.cycles = kept["cycles"].tolist()
        self._look, self._exchange_from = int(kept["look"]), int(kept["exchange_from"])
        self._shift = float(kept["shift"])


def held_psnr(loss: Float64[ndarray, "steps"]) -> float:
    """PSNR in dB of the latest of some losses at one rate: single ones vary."""
    return psnr_of(loss[-max(3, min(10, len(loss) // 3)) :])


def psnr_of(losses: Float64[ndarray, "steps"] | float) -> float:
    """PSNR in dB of the mean of some losses."""
    return psnr_from_mse(max(float(np.mean(losses)), _NOTHING))
