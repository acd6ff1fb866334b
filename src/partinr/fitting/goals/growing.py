"""A fit to a quality: parameters where the error is, regions that rest once they are good enough, and growth.

`docs/quality.md` explains it.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped
from numpy import ndarray
from torch import Tensor

from partinr.engines.engine import Engine
from partinr.engines.readout import RIDGE
from partinr.fitting.goals.allocation import (
    Allocation,
    Allocator,
    before_rounding,
    most_before_rounding,
    structure,
)
from partinr.fitting.goals.widening import carry_over
from partinr.fitting.loop import Callback, Limits, Training
from partinr.fitting.recipe import Recipe
from partinr.fitting.starts.shipped import narrowed
from partinr.fitting.starts.start import Start
from partinr.model.networks.siren import Siren
from partinr.model.piecewise import Group, PiecewiseINR
from partinr.model.rendering import rendered_psnr
from partinr.signals.signal import Signal

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


class Adaptive(Training):
    """A fit to a PSNR that chooses regions and widths itself, and changes them as it learns.

    Args:
        signal, recipe, engine, seed, callback, measure_at: see `Training`.
        limits: with a PSNR and steps.
        like: a network whose fields, but for the width, all networks have.
        most: parameters that all regions together may have.
        blend: see `PiecewiseINR`.

    Raises:
        InputError: `most` is less than the smallest network has.
    """

    def __init__(
        self,
        signal: Signal,
        recipe: Recipe,
        engine: Engine,
        limits: Limits,
        seed: int,
        callback: Callback | None,
        measure_at: Iterable[int],
        *,
        like: Siren,
        most: int,
        blend: bool,
    ) -> None:
        began = time.perf_counter()
        assert limits.psnr is not None
        assert limits.steps is not None
        self._like, self._most, self._blend = like, most, blend
        self.target, self._cycle = limits.psnr, math.ceil(_FIRST * limits.steps)
        limits = replace(limits, steps=self._cycle)
        self._values = signal.spec.samples * signal.channels
        # Squared error of all values, normalised, of the function itself, before it is rounded: as expected,
        # until renderings tell, and the most that it might be.
        self._spec = signal.spec
        self.allowed = self._before_rounding(self.target)
        self._most_allowed = most_before_rounding(10 ** (-self.target / 10), signal.spec) * self._values
        self._allocator = Allocator(signal, like)
        self.allocation = self._allocator.allocate(self.allowed, most)
        self._look, self._growths = 0, 0
        super().__init__(
            self._model(signal, recipe), signal, recipe, engine, limits, seed, callback, measure_at
        )
        self._started = began

    def _model(self, signal: Signal, recipe: Recipe) -> PiecewiseINR:
        made = structure(signal.spec, self.allocation, self._like)
        return PiecewiseINR(
            made.partition, made.networks, signal.spec, recipe.frame, made.group_of, blend=self._blend
        )

    def start_from(self, init: PiecewiseINR | Start | None) -> None:
        """Fresh parameters, or units of a learned start without inner steps, and output layers solved."""
        if init is None:
            super().start_from(None)
            return
        assert isinstance(init, Start)
        self._start = init.digest()
        self._start_fresh(self.seed)
        self._take_units(init)
        self._make_states()
        self._solve_readouts(RIDGE)

    def _take_units(self, start: Start) -> None:
        """Let networks that are not too narrow or too wide for it begin with units of a learned start."""
        learned = start.network
        assert isinstance(learned, Siren)
        for group in self.model.group_list:
            network = group.network
            assert isinstance(network, Siren)
            if not _LEARNED <= network.hidden <= learned.hidden:
                continue
            given, own = narrowed(start, network.hidden), group.parameters_by_layer
            factors = self._factors(group)
            with torch.no_grad():
                for weight, theirs in zip(own.weights[:-1], given.weights[:-1], strict=True):
                    weight.copy_(theirs.expand_as(weight))
                for bias, theirs in zip(own.biases[:-1], given.biases[:-1], strict=True):
                    bias.copy_(theirs.expand_as(bias))
                own.weights[0] *= factors
                # Phases stay what they are.
                own.biases[0] *= learned.omega_0 / network.omega_0

    def _start_fresh(self, seed: int) -> None:
        """Fresh parameters whose first layers have the frequencies that suit the sizes of the regions."""
        self.model.initialise(seed)
        for group in self.model.group_list:
            with torch.no_grad():
                group.weights[0] *= self._factors(group)
        self._make_states()

    def _factors(self, group: Group) -> Tensor:
        """Frequencies that suit the sizes of a group's regions, beside the network's; (regions, 1, 1)."""
        boxes = self.allocation.boxes
        sides = (boxes[:, 1] - boxes[:, 0]).max(axis=1)
        if self.recipe.frame == "global":
            sides = np.full_like(sides, max(self.signal.shape))
        spans = sides[group.regions.numpy()].tolist()
        return torch.tensor([self._like.suited_to(span).omega_0 / self._like.omega_0 for span in spans])[
            :, None, None
        ]

    def _next_look(self, start: int) -> int:
        return max(self._look, start + 1)

    def _on_target(self) -> bool:
        """Whether the rendered signal is good enough. If not, lets regions rest that can."""
        if self.steps < self._look and self.steps != self.cycles[-1]:
            return False
        small = self._values <= _SMALL
        known = self._known_errors()
        total = float(known.sum()) if self.steps else 0.0
        if small or total <= _PROMISING * self.allowed or self.steps == self.cycles[-1]:
            known = self._errors()
            total = float(known.sum())
            if total <= _NEAR * max(self.allowed, self._most_allowed) and self._reached(total):
                return True
        _, end = self._cycle_ends()
        if self._growths or self.steps >= _REST * end:
            self._rest(known)
        away = 10 * math.log10(max(total, 1e-300) / self.allowed)
        self._look = self.steps + self._steps_to_look(away, small)
        return False

    def _steps_to_look(self, away: float, small: bool) -> int:
        """Steps until the target is looked at again, this many dB away from it."""
        if small:
            steps = next(steps for above, steps in _LOOKS_IF_SMALL if away > above)
            return min(steps, max(1, self.steps // 8) if away < 6 else steps)
        _, end = self._cycle_ends()
        early = not self._growths and self.steps < _REST * end
        most = 0 if away <= _CLOSE else _EARLY if early else round(_LOOK * (end - self.steps))
        return max(_LOOK_STEPS, most)

    def _cycle_ends(self) -> tuple[int, int]:
        """First step of the current cycle, and one past its last."""
        cycle = bisect.bisect_right(self.cycles, self.steps)
        return self.cycles[cycle - 1], self.cycles[min(cycle, len(self.cycles) - 1)]

    def _before_rounding(self, psnr: float) -> float:
        """Squared error of the function whose rendering is expected to have this PSNR."""
        return before_rounding(10 ** (-psnr / 10), self._spec) * self._values

    def _reached(self, total: float) -> bool:
        """In single precision, and in half precision too if a file would have it for costing so little.

        If not, the rendering tells what the function's squared error, `total`, may be.
        """
        self._load_model()
        found = rendered_psnr(self.model, self.signal)
        if found >= self.target:
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.copy_(parameter.half())
            half = rendered_psnr(self.model, self.signal)
            found = half if found - half < _HALF_COST else found
        if found < self.target:
            self.allowed = total * self._before_rounding(self.target) / self._before_rounding(found)
        return found >= self.target

    def _known_errors(self) -> Float64[ndarray, "regions"]:
        """Squared error of each region, from the losses of its latest batches."""
        values = self.model.partition.counts * self.signal.channels
        errors: Float64[ndarray, "regions"] = self.losses * values
        return errors

    def _rest(self, known: Float64[ndarray, "regions"]) -> None:
        """Stop training regions that need not get better, those first whose steps gain least for the work."""
        gain = np.where(self.active, np.maximum(known - self._foreseen(known), 0), 0)
        slack = self.allowed - _CAUTION * float((known - gain).sum())
        if slack <= 0:
            return
        cost = self._step_costs()
        active = np.flatnonzero(self.active)
        order = active[np.argsort(gain[active] / cost[active], kind="stable")]
        resting = order[np.cumsum(gain[order]) <= slack]
        self.active[resting] = False

    def _foreseen(self, known: Float64[ndarray, "regions"]) -> Float64[ndarray, "regions"]:
        """Squared error that each region will have at the end of the cycle if it is trained on."""
        start, end = self._cycle_ends()
        share = (self.steps - start) / max(1, end - start)
        fall, trusted = (_FALL_AGAIN, _TRUST_AGAIN) if self._growths else (_FALL, _TRUST)
        trust = float(np.interp(share, _SHARES, trusted))
        fallen = known * 10 ** (-np.interp(share, _SHARES, fall) / 10)
        foreseen: Float64[ndarray, "regions"] = fallen**trust * self.allocation.left ** (1 - trust)
        return foreseen

    def _step_costs(self) -> Float64[ndarray, "regions"]:
        """Work of a training step of each region, in any unit."""
        costs = np.zeros(self.model.regions)
        spec = self.signal.spec
        for group, samples in zip(self.model.group_list, self.samples, strict=True):
            batch = self.recipe.batch_for(float(samples.counts.mean()))
            used = samples.counts if batch is None else np.minimum(samples.counts, batch)
            costs[group.regions.numpy()] = used * (group.network.params(spec.dims, spec.channels) + 100)
        return costs

    def _went_on(self) -> bool:
        """Widen or divide the regions that gain most by it, and train them for another cycle."""
        if self._growths == len(_CYCLES):
            return False
        length = max(1, round(_CYCLES[self._growths] * self._cycle))
        self._growths += 1
        errors = self._errors()
        self._load_model()
        rendered = rendered_psnr(self.model, self.signal)
        # Of the function, which rounding makes better or worse.
        ratio = self._before_rounding(rendered) / self._before_rounding(self.target)
        short = max(10 * math.log10(ratio), 0) if math.isfinite(rendered) else 0.0
        # Whoever was too hopeful before asks for more.
        missing = _EAGER * max(short - _FREE, 0) if self._growths == 1 else (self._growths - 1) * short
        goal = float(errors.sum()) * 10 ** (-missing / 10) / _CAUTION
        found = self._allocator.reallocate(self.allocation, errors, goal, self._most)
        self.losses = errors / (self.model.partition.counts * self.signal.channels)
        self._grow(found)
        self.cycles.append(self.steps + length)
        self._look = self.steps + _LOOK_STEPS
        return True

    def _grow(self, found: Allocation) -> None:
        """Train another structure from now on: what is new in it, or everything if nothing is."""
        before, model, states, losses = self.allocation, self.model, self.states, self.losses
        place = {box.tobytes(): region for region, box in enumerate(before.boxes)}
        old = np.array([place.get(box.tobytes(), -1) for box in found.boxes])
        kept = np.flatnonzero(old >= 0)
        unchanged = kept[found.hidden[kept] == before.hidden[old[kept]]]
        if len(unchanged) == len(before.boxes):
            self.active[:] = True
            return
        self.allocation = found
        self._take(self._model(self.signal, self.recipe))
        self._start_fresh(self.seed + self._growths)
        if len(kept) < len(old):
            self._solve_readouts(RIDGE)
        carry_over(model, states, self.model, self.states, old[kept], kept)
        self.losses[kept] = losses[old[kept]]
        self.active[unchanged] = self._growths == 1

    def _alike(self, counts: Int64[ndarray, "k"]) -> list[Int64[ndarray, "_"]]:
        """Cells of one level: each has twice as many samples along every axis as those of the one before."""
        level = np.rint(np.log2(counts) / self.signal.spec.dims)
        return [np.flatnonzero(level == one) for one in np.unique(level)]

    def _rates(self, group: Group, start: int, stop: int) -> Float64[ndarray, "steps"]:
        rates = super()._rates(group, start, stop)
        return rates if start < self.cycles[1] else rates * _AGAIN

    def _kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        return {
            **super()._kept(),
            "boxes": self.allocation.boxes,
            "hidden": self.allocation.hidden,
            "expected": self.allocation.expected,
            "active": self.active,
            "cycles": np.asarray(self.cycles),
            "look_and_growths": np.asarray([self._look, self._growths]),
            "allowed": np.asarray(self.allowed),
        }

    def _restore(self, kept: dict[str, Shaped[ndarray, "..."]]) -> None:
        self.allocation = Allocation(kept["boxes"], kept["hidden"], kept["expected"])
        self._take(self._model(self.signal, self.recipe))
        self._start_fresh(self.seed)
        super()._restore(kept)
        self.active = kept["active"]
        self.cycles = kept["cycles"].tolist()
        self._look, self._growths = kept["look_and_growths"].tolist()
        self.allowed = float(kept["allowed"])
