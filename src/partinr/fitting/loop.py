"""The training loop: rounds over all regions; the goal, the clock and the checkpoint in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Plan, Work, named_arrays, restore
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint, Settings
from partinr.fitting.goals.goal import ENDLESS, Course
from partinr.fitting.history import History, Measurement
from partinr.fitting.overlap import EXCHANGE_FROM, EXCHANGE_STEPS
from partinr.fitting.state import DivergedError, Fit
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import quality
from partinr.shapes import Float64, Int64

Stopped = Literal["steps", "psnr", "time", "callback", "solved"]

# A round takes about the first of these; up to the second, if it would be short of this many steps: a round
# fetches all regions' samples and states from memory once.
_ROUND_SECONDS, _LONG_ROUND_SECONDS, _ROUND_STEPS = 0.5, 4.0, 8
_CHECKPOINT_SECONDS = 2.0


@dataclass(frozen=True)
class Progress:
    """Where a fit stands; given to the callback between rounds, several times within one, and at the end.

    Attributes:
        steps: steps done, averaged over regions.
        total_steps: steps planned; None where only the time counts.
        seconds: since the start of the fit.
        fraction: share of the plan that is done, 0..1.
        psnr: PSNR in dB of the training loss at the end of the last round; None during the first round.
        model: the function as it is now, which changes as training goes on; None within a round, and while
            a fit without steps is computed.
    """

    steps: float
    total_steps: int | None
    seconds: float
    fraction: float
    psnr: float | None
    model: Piecewise | None = None

    @property
    def remaining(self) -> float | None:
        """Estimated seconds to the end; None before anything can be said."""
        return None if self.fraction <= 0 else self.seconds * (1 / self.fraction - 1)


Callback = Callable[[Progress], "bool | None"]
"""Called often; returning True stops the fit, which keeps what it has."""


@dataclass(frozen=True)
class Watch:
    """Who looks at a fit while it runs.

    Attributes:
        callback: called with `Progress`; returning True stops the fit.
        measure_at: numbers of steps after which the signal is rendered and its quality kept in
            `history.measured`; the clock stands still meanwhile, and the fit's result does not change.

    Example:
        >>> import numpy as np, partinr
        >>> impatient = partinr.Watch(lambda progress: progress.steps >= 5)
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(), watch=impatient).stopped
        'callback'
    """

    callback: Callback | None = None
    measure_at: Iterable[int] = ()


@dataclass(frozen=True)
class Keep:
    """Where the state of an unfinished fit is kept.

    Attributes:
        folder: written every few seconds; made if missing.
        resume: go on from the checkpoint in it, if there is one. The fit ends with the same bytes.

    Example:
        >>> import numpy as np, partinr, tempfile
        >>> keep = partinr.Keep(tempfile.mkdtemp(), resume=True)
        >>> partinr.fit(np.eye(16), goal=partinr.Steps(5), keep=keep).steps
        5
    """

    folder: str | Path
    resume: bool = False


@final
class Loop:
    """Trains a fit until its goal is reached, or until it ends otherwise.

    Args:
        fit: what is trained, with its parameters set.
        course: how it goes towards its goal.
        seconds: time that it may take; None for as much as it needs.
        watch: who looks on.
    """

    def __init__(self, fit: Fit, course: Course, seconds: float | None, watch: Watch) -> None:
        self.fit, self.course, self.seconds = fit, course, seconds
        self.callback, self.measure_at = watch.callback, frozenset(watch.measure_at)
        self._checkpoint: Checkpoint | None = None
        self._written = -math.inf

    def keep_in(self, keep: Keep, settings: Settings) -> None:
        """Write checkpoints to a folder from now on, after going on from the one there if that is asked for.

        Raises:
            InputError: there is one of other settings, or one although nobody asked to go on.
        """
        self._checkpoint = Checkpoint(Path(keep.folder), settings)
        if self._checkpoint.path.exists() and not keep.resume:
            raise InputError(
                f"{keep.folder} holds the checkpoint of a fit; resume it (--resume) or use another folder"
            )
        kept = self._checkpoint.read()
        if kept is not None:
            self.course.restore(kept, self.fit)
            restore(self.fit.states, kept)
            self.fit.losses, self.fit.active = kept["region_losses"], kept["active"]
            self.fit.history = History.from_arrays(kept)
            self.fit.started -= float(self.fit.history.seconds[-1]) if self.fit.steps else 0.0
        self._save()

    def run(self) -> Stopped:
        """Train to the end, and say what ended it."""
        stopped = self._rounds()
        self.fit.check_parameters()
        if stopped != "callback":
            self._save()
            if self.callback is not None:
                self.callback(self._progress(self.fit.steps, ended=True))
        return stopped

    def _rounds(self) -> Stopped:
        fit, course, length = self.fit, self.course, 1
        while True:
            self._measure()
            if course.look(fit):
                return "psnr"
            if fit.solved or (fit.steps >= course.cycles[-1] and not course.goes_on(fit)):
                return "steps"
            if self.seconds is not None and fit.seconds >= self.seconds:
                return "time"
            if self._told_to_stop(fit.steps):
                return "callback"
            if self.seconds is not None and fit.seconds >= self.seconds / EXCHANGE_FROM:
                course.exchange_from = min(course.exchange_from, fit.steps)
            start, began = fit.steps, fit.seconds
            stop = self._round_end(start, length)
            if not self._round(start, stop):
                return "callback"
            pace = max(fit.seconds - began, 1e-6) / (stop - start)
            wanted = max(int(_ROUND_SECONDS / pace), min(_ROUND_STEPS, int(_LONG_ROUND_SECONDS / pace)))
            length = max(1, min(4 * length, wanted))
            if fit.seconds - self._written >= _CHECKPOINT_SECONDS and self._complete(stop):
                self._save()

    def _round_end(self, start: int, length: int) -> int:
        ends = [start + length, next(end for end in self.course.cycles if end > start)]
        ends += [self.course.next_look(start), *(step for step in self.measure_at if step > start)]
        if self.fit.overlap is not None:
            past = max(0, (start - self.course.exchange_from) // EXCHANGE_STEPS + 1)
            ends.append(self.course.exchange_from + past * EXCHANGE_STEPS)
        if self.seconds is not None and start:
            affordable = int((self.seconds - self.fit.seconds) * start / self.fit.seconds)
            ends.append(start + max(1, affordable))
        return min(ends)

    def _exchanges_at(self, step: int) -> bool:
        """Whether regions that overlap exchange values before this step."""
        past = step - self.course.exchange_from
        due = past >= 0 and (past % EXCHANGE_STEPS == 0 or step in self.course.cycles)
        return self.fit.overlap is not None and due

    def _complete(self, step: int) -> bool:
        """Whether the states are all that the fit needs to go on: after an exchange, its targets are too."""
        return self.fit.overlap is None or step <= self.course.exchange_from or self._exchanges_at(step)

    def _round(self, start: int, stop: int) -> bool:
        """Train the active regions to `stop` steps; False if the callback said to stop in between."""
        fit = self.fit
        region_steps, told = 0, False
        trained = max(1, int(fit.active.sum()))

        def tick(done: int) -> bool:
            nonlocal region_steps, told
            region_steps += done
            told = self._told_to_stop(start + region_steps / trained)
            return told

        if fit.overlap is not None and self._exchanges_at(start):
            fit.overlap.exchange(fit.states)
        work, regions = self._work(start, stop)
        found = fit.engine.advance_all(work, tick)
        if told:
            return False
        squared = np.full(stop - start, (fit.losses * fit.counts)[~fit.active].sum())
        for one, trained_now, losses in zip(work, regions, found, strict=True):
            fit.follow(trained_now, losses)
            # Regions lie side by side, so that numbers are added in one order in rounds of any length.
            by_step = np.ascontiguousarray((losses * one.samples.counts[one.plan.regions, None]).T)
            squared += by_step.sum(axis=1)
        if not np.isfinite(squared).all():
            step = start + int(np.flatnonzero(~np.isfinite(squared))[0])
            raise DivergedError(f"the loss is no longer finite at step {step}; lower the learning rate")
        fit.history.extend(squared / fit.signal.fitted, fit.seconds)
        return True

    def _work(self, start: int, stop: int) -> tuple[list[Work], list[Int64[ndarray, "_"]]]:
        """What the engine is to do in a round, and the regions of each piece of it."""
        fit, recipe = self.fit, self.fit.recipe
        counts = fit.counts if fit.signal.scattered else fit.structure.partition.counts
        work, regions = [], []
        for network, members, state, samples in zip(
            fit.structure.networks, fit.structure.members, fit.states, fit.samples, strict=True
        ):
            for alike in self._alike(counts[members]):
                rows = alike[fit.active[members[alike]]]
                if not len(rows):
                    continue
                own = counts[members[alike]].mean()
                plan = Plan(
                    regions=rows,
                    learning_rates=self._rates(network.width, start, stop),
                    start=start,
                    batch=recipe.batch_for(own, samples.counts[alike].mean() / own),
                    whole_signal=recipe.whole_signal,
                    signal_samples=fit.signal.fitted,
                    adam=recipe.adam,
                )
                work.append(Work(network, state, samples, plan))
                regions.append(members[rows])
        return work, regions

    def _alike(self, counts: Int64[ndarray, "k"]) -> list[Int64[ndarray, "_"]]:
        """Regions of a group that use equally many samples a step, given the samples that each has: boxes of
        one level, each with twice as many samples along every axis as those of the one before; all others."""
        if self.fit.structure.partition.boxes is None:
            return [np.arange(len(counts))]
        level = np.rint(np.log2(counts) / self.fit.signal.spec.dims)
        return [np.flatnonzero(level == one) for one in np.unique(level)]

    def _rates(self, width: int, start: int, stop: int) -> Float64[ndarray, "steps"]:
        fit, step = self.fit, np.arange(start, stop, dtype=np.float64)
        cycles = np.asarray(self.course.cycles)
        cycle = np.searchsorted(cycles, step, side="right") - 1
        fraction = (step + 1 - cycles[cycle]) / (cycles[cycle + 1] - cycles[cycle])
        if self.seconds is not None and start:
            ahead = (step + 1 - start) * fit.seconds / start
            fraction = np.maximum(fraction, (fit.seconds + ahead) / self.seconds)
        peak = fit.recipe.rate_for(width) * self.course.rate(start)
        return peak * fit.recipe.schedule_at(fraction, step)

    def _told_to_stop(self, steps: float) -> bool:
        return self.callback is not None and bool(self.callback(self._progress(steps)))

    def _progress(self, steps: float, *, ended: bool = False) -> Progress:
        fit, last = self.fit, self.course.cycles[-1]
        fraction = 1.0 if ended else steps / last
        if self.seconds is not None:
            fraction = max(fraction, fit.seconds / self.seconds)
        psnr = float(fit.history.psnr[-1]) if fit.steps else None
        planned = None if last == ENDLESS else last
        # Within a round, regions are at different steps, and being written to.
        model = fit.function() if steps == fit.steps else None
        return Progress(steps, planned, fit.seconds, min(1.0, fraction), psnr, model)

    def _measure(self) -> None:
        """Look at the rendered signal if that was asked for after this step; the clock stands still."""
        fit = self.fit
        done = {measurement.steps for measurement in fit.history.measured}
        if fit.steps not in self.measure_at - done:
            return
        seconds, began = fit.seconds, time.perf_counter()
        fit.check_parameters()
        fit.history.measured.append(Measurement(fit.steps, seconds, *quality(fit.function(), fit.signal)))
        fit.started += time.perf_counter() - began

    def _save(self) -> None:
        if self._checkpoint is not None:
            fit = self.fit
            kept = {"region_losses": fit.losses, "active": fit.active, **self.course.kept()}
            self._checkpoint.write({**named_arrays(fit.states), **fit.history.arrays(), **kept})
            self._written = fit.seconds
