"""A fit to a quality: parameters where the error is, regions that rest once they are good enough, and growth.

`docs/quality.md` explains it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from partinr.engines.readout import RIDGE
from partinr.errors import InputError
from partinr.file.inr import in_half_precision
from partinr.fitting.goals.allocation import (
    Allocation,
    Allocator,
    structure,
)
from partinr.fitting.goals.goal import Course, Seconds, Trained, check_psnr, check_within
from partinr.fitting.goals.rounding import before_rounding, most_before_rounding
from partinr.fitting.goals.widening import carry_over
from partinr.fitting.overlap import EXCHANGE_FROM
from partinr.fitting.recipe import Recipe
from partinr.fitting.starts.shipped import narrowed, shipped_units
from partinr.fitting.starts.start import Start
from partinr.fitting.state import Fit
from partinr.model.networks.network import Network, Parameters
from partinr.model.networks.siren import Siren
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import rendered_psnr
from partinr.model.structure import Structure
from partinr.shapes import Float64, Shaped
from partinr.signals.signal import Signal, SignalSpec

# Narrower networks begin at random: so few units of a learned start are another thing.
_LEARNED = 4
# The first cycle has this share of the recipe's steps; `allocation.py` knows what networks come to in it.
_FIRST = 0.45
# Networks that grew get another cycle: the first one's steps times this, growth after growth.
_CYCLES = (1 / 3, 1 / 3, 2 / 3, 1.0, 2.0)
# All regions take part in the first of them, which is expected to gain this many dB without any parameter;
# parameters are asked for what is missing beyond that, times a factor.
_FREE, _EAGER = 0.35, 1.3
# Peak learning rate of those cycles, beside that of the first: higher ones undo more than they gain.
_AGAIN = 0.25
# What the losses so far tell about the end of a cycle, at these shares of it: by how many dB they will fall,
# and how much that tells beside what was expected before; in the first cycle, and in those after it.
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_FALL = (12.0, 8.2, 6.5, 6.0, 5.1, 3.9, 3.0, 2.1, 1.3, 0.6, 0.1)
_TRUST = (0.0, 0.4, 0.6, 0.65, 0.75, 0.9, 0.97, 1.0, 1.0, 1.0, 1.0)
_FALL_AGAIN = (1.8, 1.8, 1.8, 1.7, 1.4, 1.0, 0.7, 0.4, 0.25, 0.1, 0.0)
_TRUST_AGAIN = (0.1, 0.1, 0.1, 0.15, 0.25, 0.45, 0.65, 0.85, 0.95, 1.0, 1.0)
# Errors are expected to be this much larger than they are before anything relies on it.
_CAUTION = 1.06
# Regions may rest after this share of the first cycle, and the target is looked at after so many steps until
# then; later after a share of what is left of the cycle, but not more often than after so many steps, and
# nearer than this many dB no less often.
_REST, _EARLY, _LOOK, _LOOK_STEPS, _CLOSE = 0.3, 20, 0.2, 8, 0.4
# Signals that are measured at every look are small enough for more of them, and have so few regions that
# single steps show: after so many steps while it is still so many dB away.
_LOOKS_IF_SMALL = ((1.5, 20), (0.5, 10), (0.25, 4), (-math.inf, 1))
# Errors known from batches are computed once they are within this factor of what is allowed, and the signal
# is rendered once the computed ones are within this: clipping makes errors a little smaller.
_PROMISING, _NEAR = 1.1, 1.01
# A file has half precision if that costs less than this (dB); see `save`.
_HALF_COST = 0.05
# Signals of so few values are measured at every look; larger ones are known well from their batches.
_SMALL = 1 << 17


# Networks have so many layers, and the frequency constants that suit cells of so many samples a side.
_LAYERS, _SPAN = 2, 32
# At most this many parameters a value, or room for one region of a small signal.
_DENSITY, _LEAST = 2, 100


@dataclass(frozen=True)
class Growing(Trained):
    """A fit to a PSNR that chooses regions and widths itself, and changes them as it learns.

    Attributes:
        psnr: of the rendered signal, in dB.
        max_params: bound of weights and biases of all regions together; None for two for each value of the
            signal.
        within: stop after this time.

    Raises:
        InputError: a number is out of its range.

    Example:
        >>> import numpy as np, partinr
        >>> wave = np.sin(np.arange(1600) / 9).reshape(40, 40)
        >>> partinr.fit(wave, goal=partinr.Growing(40)).psnr >= 40
        True
    """

    psnr: float
    max_params: int | None = None
    within: Seconds | None = None

    overlaps: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_psnr(self.psnr)
        check_within(self.within)
        if self.max_params is not None and self.max_params < 1:
            raise InputError(f"max_params must be at least 1, got {self.max_params}")

    @property
    def like(self) -> Siren:
        """A network whose fields, but for the width, all networks have."""
        return Siren(hidden=1, layers=_LAYERS).suited_to(_SPAN)

    def most_params(self, spec: SignalSpec) -> int:
        """The bound of parameters for this signal."""
        if self.max_params is not None:
            return self.max_params
        least = _LEAST * self.like.params(spec.dims, spec.channels)
        return max(_DENSITY * spec.samples * spec.channels, least)

    def begin(self, signal: Signal, recipe: Recipe, learned: bool) -> GrowingCourse:
        """See `Goal.begin`.

        Raises:
            InputError: the recipe asks for an overlap, which such fits do not have.
        """
        if recipe.overlap not in ("auto", 0):
            raise InputError(
                f"a fit that grows has no overlap, got {recipe.overlap}; take Quality with a partition"
            )
        return GrowingCourse(self, signal, recipe, learned)

    def planned(self, recipe: Recipe, signal: Signal) -> None:
        """See `Goal.planned`."""


class GrowingCourse(Course):
    """Cycles over structures that grow, see docs/quality.md.

    Args:
        goal: what is to be reached.
        signal: what is fitted.
        recipe: how.
        learned: whether it may begin with units of the start that ships.

    Attributes:
        allocation: regions and widths now.
    """

    def __init__(self, goal: Growing, signal: Signal, recipe: Recipe, learned: bool) -> None:
        self._goal, self._spec, self._recipe = goal, signal.spec, recipe
        self.start = None
        if learned and recipe.solve_readout:
            self.start = shipped_units(signal.spec.dims, recipe.frame)
        self._cycle = math.ceil(_FIRST * recipe.steps_to_psnr)
        self.cycles, self.exchange_from = [0, self._cycle], self._cycle // EXCHANGE_FROM
        self._values = signal.spec.samples * signal.channels
        # Squared error of all values, normalised, of the function itself, before it is rounded: as expected,
        # until renderings tell, and the most that it might be.
        self.allowed = self._before_rounding(goal.psnr)
        self._most_allowed = most_before_rounding(10 ** (-goal.psnr / 10), signal.spec) * self._values
        self._allocator, self._most = Allocator(signal, goal.like), goal.most_params(signal.spec)
        self.allocation = self._allocator.allocate(self.allowed, self._most)
        self._look, self._growths = 0, 0

    def structure(self) -> Structure:
        """Of the function, as it is allocated now."""
        recipe = self._recipe
        return structure(self._spec, self.allocation, self._goal.like, recipe.frame, recipe.blend)

    def fresh(self, structure: Structure, seed: int) -> list[Parameters]:
        """See `Course.fresh`: first layers have the frequencies that suit the sizes of the regions. At the
        beginning of a fit, networks that are not too narrow have units of the learned start."""
        found, like = structure.initialise(seed), self._goal.like
        boxes = structure.partition.bounding_boxes
        sides = (boxes[:, 1] - boxes[:, 0]).max(axis=1)
        if structure.frame == "global":
            sides = np.full_like(sides, max(self._spec.shape))
        for parameters, members, network in zip(found, structure.members, structure.networks, strict=True):
            if self.start is not None and not self._growths:
                _take_units(parameters, network, self.start)
            factors = [like.suited_to(span).omega_0 / like.omega_0 for span in sides[members].tolist()]
            parameters.weights[0] *= np.asarray(factors, np.float32)[:, None, None]
        return found

    def next_look(self, start: int) -> int:
        """See `Course.next_look`."""
        return max(self._look, start + 1)

    def look(self, fit: Fit) -> bool:
        """See `Course.look`; lets regions rest that need not get better."""
        if fit.steps < self._look and fit.steps != self.cycles[-1]:
            return False
        small = self._values <= _SMALL
        known = fit.losses * fit.counts * fit.signal.channels
        total = float(known.sum()) if fit.steps else 0.0
        if small or total <= _PROMISING * self.allowed or fit.steps == self.cycles[-1]:
            known = fit.errors()
            total = float(known.sum())
            if total <= _NEAR * max(self.allowed, self._most_allowed) and self._reached(fit, total):
                return True
        _, end = self._cycle_ends(fit.steps)
        if self._growths or fit.steps >= _REST * end:
            self._rest(fit, known)
        away = 10 * math.log10(max(total, 1e-300) / self.allowed)
        self._look = fit.steps + self._steps_to_look(fit.steps, away, small)
        return False

    def _steps_to_look(self, steps: int, away: float, small: bool) -> int:
        """Steps until the target is looked at again, this many dB away from it."""
        if small:
            wait = next(wait for above, wait in _LOOKS_IF_SMALL if away > above)
            return min(wait, max(1, steps // 8) if away < 6 else wait)
        _, end = self._cycle_ends(steps)
        early = not self._growths and steps < _REST * end
        most = 0 if away <= _CLOSE else _EARLY if early else round(_LOOK * (end - steps))
        return max(_LOOK_STEPS, most)

    def _cycle_ends(self, steps: int) -> tuple[int, int]:
        """First step of the current cycle, and one past its last."""
        cycle = bisect.bisect_right(self.cycles, steps)
        return self.cycles[cycle - 1], self.cycles[min(cycle, len(self.cycles) - 1)]

    def _before_rounding(self, psnr: float) -> float:
        """Squared error of the function whose rendering is expected to have this PSNR."""
        return before_rounding(10 ** (-psnr / 10), self._spec) * self._values

    def _reached(self, fit: Fit, total: float) -> bool:
        """In single precision, and in half precision too if a file would have it for costing so little.

        If not, the rendering tells what the function's squared error, `total`, may be.
        """
        target, found = self._goal.psnr, fit.rendered_psnr()
        if found >= target:
            rounded = [state.parameters.map(in_half_precision) for state in fit.states]
            half = rendered_psnr(Piecewise(fit.structure, tuple(rounded)), fit.signal)
            found = half if found - half < _HALF_COST else found
        if found < target:
            self.allowed = total * self._before_rounding(target) / self._before_rounding(found)
        return found >= target

    def _rest(self, fit: Fit, known: Float64[ndarray, "regions"]) -> None:
        """Stop training regions that need not get better, those first whose steps gain least for the work."""
        gain = np.where(fit.active, np.maximum(known - self._foreseen(fit.steps, known), 0), 0)
        slack = self.allowed - _CAUTION * float((known - gain).sum())
        if slack <= 0:
            return
        cost = _step_costs(fit)
        active = np.flatnonzero(fit.active)
        order = active[np.argsort(gain[active] / cost[active], kind="stable")]
        resting = order[np.cumsum(gain[order]) <= slack]
        fit.active[resting] = False

    def _foreseen(self, steps: int, known: Float64[ndarray, "regions"]) -> Float64[ndarray, "regions"]:
        """Squared error that each region will have at the end of the cycle if it is trained on."""
        start, end = self._cycle_ends(steps)
        share = (steps - start) / max(1, end - start)
        fall, trusted = (_FALL_AGAIN, _TRUST_AGAIN) if self._growths else (_FALL, _TRUST)
        trust = float(np.interp(share, _SHARES, trusted))
        fallen = known * 10 ** (-np.interp(share, _SHARES, fall) / 10)
        foreseen: Float64[ndarray, "regions"] = fallen**trust * self.allocation.left ** (1 - trust)
        return foreseen

    def goes_on(self, fit: Fit) -> bool:
        """See `Course.goes_on`: widens or divides the regions that gain most by it, for another cycle."""
        if self._growths == len(_CYCLES):
            return False
        length = max(1, round(_CYCLES[self._growths] * self._cycle))
        self._growths += 1
        errors = fit.errors()
        rendered = fit.rendered_psnr()
        # Of the function, which rounding makes better or worse.
        ratio = self._before_rounding(rendered) / self._before_rounding(self._goal.psnr)
        short = max(10 * math.log10(ratio), 0) if math.isfinite(rendered) else 0.0
        # Whoever was too hopeful before asks for more.
        missing = _EAGER * max(short - _FREE, 0) if self._growths == 1 else (self._growths - 1) * short
        goal = float(errors.sum()) * 10 ** (-missing / 10) / _CAUTION
        found = self._allocator.reallocate(self.allocation, errors, goal, self._most)
        fit.losses = errors / (np.maximum(fit.counts, 1) * fit.signal.channels)
        self._grow(fit, found)
        self.cycles.append(fit.steps + length)
        self._look = fit.steps + _LOOK_STEPS
        return True

    def _grow(self, fit: Fit, found: Allocation) -> None:
        """Train another structure from now on: what is new in it, or everything if nothing is."""
        before, trained, states, losses = self.allocation, fit.structure, fit.states, fit.losses
        place = {box.tobytes(): region for region, box in enumerate(before.boxes)}
        old = np.array([place.get(box.tobytes(), -1) for box in found.boxes])
        kept = np.flatnonzero(old >= 0)
        unchanged = kept[found.hidden[kept] == before.hidden[old[kept]]]
        if len(unchanged) == len(before.boxes):
            fit.active[:] = True
            return
        self.allocation = found
        fit.take(self.structure())
        fresh = self.fresh(fit.structure, fit.seed + self._growths)
        fit.begin_with(fresh, RIDGE if len(kept) < len(old) and self._recipe.solve_readout else None)
        carry_over(trained, states, fit.structure, fit.states, old[kept], kept)
        fit.losses[kept] = losses[old[kept]]
        fit.active[unchanged] = self._growths == 1

    def rate(self, step: int) -> float:
        """See `Course.rate`."""
        return 1.0 if step < self.cycles[1] else _AGAIN

    def kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        """See `Course.kept`."""
        return {
            "course.boxes": self.allocation.boxes,
            "course.hidden": self.allocation.hidden,
            "course.expected": self.allocation.expected,
            "course.cycles": np.asarray(self.cycles),
            "course.numbers": np.asarray([self._look, self._growths]),
            "course.allowed": np.asarray(self.allowed),
        }

    def restore(self, kept: Mapping[str, Shaped[ndarray, "..."]], fit: Fit) -> None:
        """See `Course.restore`."""
        parts = (kept[f"course.{name}"] for name in ("boxes", "hidden", "expected"))
        self.allocation = Allocation(*parts)
        self.cycles = kept["course.cycles"].tolist()
        self._look, self._growths = kept["course.numbers"].tolist()
        self.allowed = kept["course.allowed"].item()
        fit.take(self.structure())
        fit.begin_with(self.fresh(fit.structure, fit.seed))


def _take_units(parameters: Parameters, network: Network, start: Start) -> None:
    """Let a group's networks begin with units of a learned start, if there are enough of them.

    Frequencies become those of the networks, phases stay what they are.
    """
    if not _LEARNED <= network.width <= start.network.width:
        return
    given = narrowed(start, network.width)
    for own, theirs in zip(parameters.arrays, given.arrays, strict=True):
        if own.shape[1:] == theirs.shape[1:] and own is not parameters.weights[-1]:
            own[:] = theirs
    parameters.biases[0] *= np.float32(start.network.config()["omega_0"] / network.config()["omega_0"])


def _step_costs(fit: Fit) -> Float64[ndarray, "regions"]:
    """Work of a training step of each region, in any unit."""
    costs, spec = np.zeros(fit.structure.regions), fit.signal.spec
    for network, members, samples in zip(
        fit.structure.networks, fit.structure.members, fit.samples, strict=True
    ):
        batch = fit.recipe.batch_for(float(samples.counts.mean()))
        used = samples.counts if batch is None else np.minimum(samples.counts, batch)
        costs[members] = used * (network.params(spec.dims, spec.channels) + 100)
    return costs
