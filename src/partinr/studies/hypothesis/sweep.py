"""Many independent networks trained side by side, each until its error is small enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Adam, Engine, Plan, TrainingState, named_arrays, restore
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint, Settings
from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float64, Int8, Int64
from partinr.studies.hypothesis.material import Material
from partinr.text import csv_table

_CHECKPOINT_SECONDS = 10.0

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Rules:
    """How a run is trained and when it ends; the defaults are the published ones.

    Attributes:
        threshold: a run has converged once its mean squared error is below this.
        limit: steps after which a run is given up.
        learning_rate: of Adam, constant.

    Raises:
        InputError: a number is out of its range.
    """

    threshold: float = 0.05
    limit: int = 4000
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("learning rate", self.learning_rate)):
            if not 0 < value < math.inf:
                raise InputError(f"the {name} must be a positive number, got {value}")
        if self.limit < 1:
            raise InputError(f"steps must be at least 1, got {self.limit}")


class Ending(IntEnum):
    """How a run ended."""

    RUNNING = 0
    CONVERGED = 1
    CENSORED = 2
    """Not converged at the limit: its steps are only known to be more."""
    DIVERGED = 3
    """Its error was no longer a number."""


@dataclass(frozen=True)
class Run(Generic[Subject]):
    """One network and what came of it.

    Attributes:
        subject: what it learned, such as a signal of some size.
        repeat: which of the networks for that, counted from 0.
        seed: which its initial parameters follow from, and all else that is drawn for it.
        steps: that it took, or was given.
        ending: how it ended.
        error: mean squared error at the end.
    """

    subject: Subject
    repeat: int
    seed: int
    steps: int
    ending: Ending
    error: float


def rows(head: Sequence[str], runs: Iterable[Sequence[Any]]) -> str:
    """Runs as CSV, a row each that ends with its steps, ending and error."""
    table = []
    for *what, steps, ending, error in runs:
        running = ending is Ending.RUNNING
        table.append([*what, None if running else steps, ending.name.lower(), None if running else error])
    return csv_table([*head, "steps", "ending", "error"], table)


def settings_of(plan: Any, kind: str, engine: Engine, **others: object) -> Settings:
    """Everything that decides the numbers of a plan, in JSON's types.

    Args:
        plan: a dataclass with a network.
        kind: what the sweep is of.
        engine: what trains it.
        others: what the plan has in other types, or has not.
    """
    machine = {"engine": engine.name, "device": str(engine.device)}
    return {"sweep": kind, **asdict(plan), "network": plan.network.config(), **machine, **others}


@dataclass(eq=False)
class Tally:
    """Where every run stands.

    Attributes:
        step: steps that the runs that still go on have done.
        seconds: that they took.
        steps: of each run that has ended; 0 before.
        ending: an `Ending` each.
        error: mean squared error at the end; NaN before.
    """

    step: int
    seconds: float
    steps: Int64[ndarray, "runs"]
    ending: Int8[ndarray, "runs"]
    error: Float64[ndarray, "runs"]

    @classmethod
    def fresh(cls, runs: int) -> Tally:
        """Before the first step."""
        return cls(0, 0.0, np.zeros(runs, np.int64), np.zeros(runs, np.int8), np.full(runs, np.nan))

    @property
    def active(self) -> Int64[ndarray, "k"]:
        """Runs that still go on."""
        return np.flatnonzero(self.ending == Ending.RUNNING)

    def end(
        self,
        which: Int64[ndarray, "k"],
        errors: Float64[ndarray, "k"],
        step: int,
        rules: Rules,
    ) -> None:
        """Let runs end that have reason to, after `step` steps with these errors."""
        ending = np.where(
            errors < rules.threshold,
            Ending.CONVERGED,
            np.where(
                np.isfinite(errors),
                Ending.CENSORED if step >= rules.limit else Ending.RUNNING,
                Ending.DIVERGED,
            ),
        )
        ended = ending != Ending.RUNNING
        rows = which[ended]
        self.ending[rows], self.steps[rows], self.error[rows] = ending[ended], step, errors[ended]

    def __iter__(self) -> Iterator[tuple[int, Ending, float]]:
        """Steps, ending and error of every run."""
        for steps, ending, error in zip(self.steps, self.ending, self.error, strict=True):
            yield int(steps), Ending(int(ending)), float(error)

    def arrays(self) -> dict[str, ndarray]:
        """Everything in it, for a checkpoint."""
        numbers = {"step": np.array([self.step]), "seconds": np.array([self.seconds])}
        return {**numbers, "steps": self.steps, "ending": self.ending, "error": self.error}

    @classmethod
    def from_arrays(cls, arrays: dict[str, ndarray]) -> Tally:
        """The tally that `arrays` came from."""
        step, seconds = int(arrays["step"][0]), float(arrays["seconds"][0])
        return cls(step, seconds, arrays["steps"], arrays["ending"], arrays["error"])


@dataclass(frozen=True)
class Progress:
    """Where a sweep stands.

    Attributes:
        ended: runs that have ended.
        runs: all runs.
        step: steps that the others have done.
        limit: steps that they may do.
        seconds: that the sweep has taken.
        remaining: estimate of the seconds to come; None before anything can be said.
    """

    ended: int
    runs: int
    step: int
    limit: int
    seconds: float
    remaining: float | None

    @property
    def fraction(self) -> float:
        """Share of the work that is done, 0..1, as far as it can be estimated."""
        if self.remaining is None:
            return 0.0
        return self.seconds / max(self.seconds + self.remaining, 1e-9)


Callback = Callable[[Progress], "bool | None"]
"""Called after every step; returning True stops the sweep, which can go on later."""


class Sweep:
    """Runs that are trained together and leave one by one.

    A run's numbers depend on its seed alone: not on other runs, the number of threads, or an interruption.

    Args:
        network: of every run.
        material: what each run is trained on.
        seeds: of each run's initial parameters.
        difficulty: of each run, any number that grows with the steps it will need; for the estimate of time.
        rules: how runs are trained and when they end.
        engine: what trains them.
    """

    def __init__(
        self,
        network: Network,
        material: Material,
        seeds: Sequence[int],
        difficulty: Float64[ndarray, "runs"],
        rules: Rules,
        engine: Engine,
    ) -> None:
        self.network, self.material, self.rules, self.engine = network, material, rules, engine
        self.difficulty = difficulty
        self.state = TrainingState.fresh(_initial(network, material, seeds))
        self.tally = Tally.fresh(len(seeds))
        self._checkpoint: Checkpoint | None = None

    def kept_in(self, folder: Path | None, settings: Settings) -> Sweep:
        """The sweep, where a folder's checkpoint has it if there is one, which is written from now on.

        Raises:
            InputError: the checkpoint is damaged or belongs to other settings.
        """
        if folder is not None:
            self._checkpoint = Checkpoint(folder, settings)
            kept = self._checkpoint.read()
            if kept is not None:
                restore([self.state], kept)
                self.tally = Tally.from_arrays(kept)
        return self

    def run(self, callback: Callback | None = None) -> bool:
        """Train until every run has ended; False if the callback stopped it before."""
        before, written = self.tally.seconds, -math.inf
        began = time.perf_counter()
        stopped = False
        while len(self.tally.active) and not stopped:
            self._step()
            self.tally.seconds = before + time.perf_counter() - began
            if self.tally.seconds - written > _CHECKPOINT_SECONDS:
                self._save()
                written = self.tally.seconds
            stopped = callback is not None and bool(callback(self._progress()))
        if math.isfinite(written):  # nothing was done to a finished sweep
            self._save()
        return not len(self.tally.active)

    def _step(self) -> None:
        """One update of every run that goes on, and the error that decides whether it ends."""
        tally, active = self.tally, self.tally.active
        samples = self.material.training(tally.step, active)
        plan = Plan(
            regions=active,
            learning_rates=np.array([self.rules.learning_rate]),
            start=tally.step,
            batch=None,
            whole_signal=False,
            signal_samples=1,
            adam=Adam(),
        )
        losses = self.engine.advance(self.network, self.state, samples, plan, lambda _: False)[:, 0]
        if self.material.measured_by_loss:
            # Of the parameters before this update. A run that ends has been trained one step further.
            if tally.step:
                tally.end(active, losses, tally.step, self.rules)
            tally.step += 1
            return
        tally.step += 1
        judging = self.material.judging(active)
        squares = self.engine.squared_error(self.network, self.state.parameters, judging)
        errors = squares[active] / (judging.counts[active] * self.material.channels)
        tally.end(active, errors, tally.step, self.rules)

    def _save(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.write({**named_arrays([self.state]), **self.tally.arrays()})

    def _progress(self) -> Progress:
        tally = self.tally
        active = tally.active
        spent = float(tally.steps.sum() + tally.step * len(active))
        left = self._steps_left(active)
        remaining = None if left is None else left * tally.seconds / max(spent, 1.0)
        runs = len(tally.steps)
        return Progress(runs - len(active), runs, tally.step, self.rules.limit, tally.seconds, remaining)

    def _steps_left(self, active: Int64[ndarray, "k"]) -> float | None:
        """Steps that the runs will still need, from a power law through those that have converged."""
        done = self.tally.ending == Ending.CONVERGED
        if not len(active):
            return 0.0
        if len(np.unique(self.difficulty[done])) < 2:
            return None
        x, y = np.log(self.difficulty + 1), np.log(np.maximum(self.tally.steps, 1))
        slope, start = np.polyfit(x[done], y[done], 1)
        expected = np.exp(np.minimum(start + slope * x[active], math.log(self.rules.limit)))
        # A run that has outlived its estimate is expected to go on for a while.
        return float(np.maximum(expected - self.tally.step, 0.1 * self.tally.step).sum())


def _initial(network: Network, material: Material, seeds: Sequence[int]) -> Parameters:
    """Parameters of each run, drawn from its own seed."""
    drawn = [
        network.initialise(
            1, material.dims, material.channels, np.random.Generator(np.random.Philox(seed))
        ).arrays
        for seed in seeds
    ]
    return Parameters.of([np.concatenate(arrays) for arrays in zip(*drawn, strict=True)])
