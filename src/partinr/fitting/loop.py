"""The training loop: rounds over all regions; the clock, the target and the checkpoint in between."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64, Shaped
from numpy import ndarray

from partinr.engines.engine import Engine, Plan, Samples, TrainingState, Work
from partinr.engines.readout import RIDGE
from partinr.engines.sampling import region_keys
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint, settings_of
from partinr.fitting.history import History, Measurement
from partinr.fitting.overlap import EXCHANGE_FROM, EXCHANGE_STEPS, Margins
from partinr.fitting.recipe import Recipe
from partinr.fitting.starts.handover import adapted
from partinr.fitting.starts.start import Start
from partinr.model.packing import pack
from partinr.model.piecewise import Group, PiecewiseINR
from partinr.model.rendering import quality, rendered_psnr
from partinr.signals import frames
from partinr.signals.signal import Signal

Stopped = Literal["steps", "psnr", "time", "callback"]

# A round takes about the first of these; up to the second, if it would be short of this many steps: a round
# fetches all regions' samples and states from memory once.
_ROUND_SECONDS, _LONG_ROUND_SECONDS, _ROUND_STEPS = 0.5, 4.0, 8
_CHECKPOINT_SECONDS = 2.0
# A target is looked at after every so many steps: rendered once the training loss is this near to it (dB).
_LOOK_STEPS = 20
_NEAR = 1.0
# Features of a learned start are smoother than random ones and nearly dependent. Solved as tightly as those,
# the readout has weights so large that Adam's first steps on the hidden layers undo it.
_LEARNED_RIDGE = 0.3
# How fast the known loss of a region follows those of its batches.
_FOLLOW = 0.2
ENDLESS = 1 << 40
"""More steps than anyone will do."""


class DivergedError(ArithmeticError):
    """Training ended in numbers that are not finite."""


@dataclass(frozen=True)
class Progress:
    """Where a fit stands; given to the callback between rounds, and several times within a long one.

    Attributes:
        steps: steps done, averaged over regions.
        total_steps: steps planned; None where that is not known, or only the time counts.
        seconds: since the start of the fit.
        fraction: share of the plan that is done, 0..1.
        psnr: PSNR in dB of the training loss at the end of the last round; None during the first round.
    """

    steps: float
    total_steps: int | None
    seconds: float
    fraction: float
    psnr: float | None

    @property
    def remaining(self) -> float | None:
        """Estimated seconds to the end; None before anything can be said."""
        return None if self.fraction <= 0 else self.seconds * (1 / self.fraction - 1)


Callback = Callable[[Progress], "bool | None"]
"""Called often; returning True stops the fit, which keeps what it has."""


@dataclass(frozen=True)
class Limits:
    """When a fit ends: after so many steps, at a PSNR (dB), after so many seconds.

    Without steps, the seconds alone count.
    """

    steps: int | None
    psnr: float | None
    seconds: float | None


class Training:
    """One fit while it runs: the state of every group, the history and the clock.

    Attributes:
        active: regions that are still trained.
        losses: mean squared error of each region's latest batches; of a region at rest, as it was.
        cycles: first step of each learning-rate cycle, and the end of the last.
    """

    active: Bool[ndarray, "regions"]
    losses: Float64[ndarray, "regions"]

    def __init__(
        self,
        model: PiecewiseINR,
        signal: Signal,
        recipe: Recipe,
        engine: Engine,
        limits: Limits,
        seed: int,
        callback: Callback | None,
        measure_at: Iterable[int] = (),
    ) -> None:
        self._started = time.perf_counter()
        self.signal, self.recipe, self.engine = signal, recipe, engine
        self.limits, self.seed, self.callback = limits, seed, callback
        self.measure_at = frozenset(measure_at)
        self.history = History()
        self.cycles = [0, self._first_cycle()]
        self._take(model)
        self._exchange_from = self.cycles[1] // EXCHANGE_FROM
        self._checkpoint: Checkpoint | None = None
        self._written = -math.inf
        self._start = "fresh"

    @property
    def seconds(self) -> float:
        """Since the fit started, the time before an interruption included."""
        return time.perf_counter() - self._started

    @property
    def steps(self) -> int:
        """Steps that every region has done."""
        return len(self.history)

    @property
    def _most_steps(self) -> int:
        return self.limits.steps or ENDLESS

    def _first_cycle(self) -> int:
        """Steps of the first cycle, as far as known before it begins."""
        return self._most_steps

    def _take(self, model: PiecewiseINR) -> None:
        """Train this model from now on; its states are set next."""
        self.model = model
        self.samples = pack_groups(model, self.signal, self.seed, self.engine.device)
        shared = model.overlap and model.regions > 1
        self._margins = Margins(model, self.signal, self.samples, self.engine) if shared else None
        self.states: list[TrainingState] = []
        self.active = np.ones(model.regions, bool)
        self.losses = np.full(model.regions, np.nan)

    def start_from(self, init: PiecewiseINR | Start | None) -> None:
        """Set the parameters: another fit's, those that a learned start adapts to, or fresh ones; the latter
        two with their readout solved if the recipe says so."""
        if init is None:
            self._start_fresh(self.seed)
            self._solve_readouts(RIDGE)
        elif isinstance(init, Start):
            self._start = init.digest()
            (group,) = self.model.group_list
            group.load(adapted(init, self.signal, self.model.partition, self.engine.device))
            self._make_states()
            self._solve_readouts(_LEARNED_RIDGE if init.inner_steps else RIDGE)
        else:
            self._start = _copy_parameters(init, self.model)
            self._make_states()

    def _start_fresh(self, seed: int) -> None:
        self.model.initialise(seed)
        self._make_states()

    def _make_states(self) -> None:
        groups = self.model.group_list
        self.states = [TrainingState.fresh(g.parameters_by_layer, self.engine.device) for g in groups]

    def _solve_readouts(self, ridge: float) -> None:
        if self.recipe.solve_readout:
            for group, state, samples in zip(self.model.group_list, self.states, self.samples, strict=True):
                state.parameters = self.engine.solve_readout(group.network, state.parameters, samples, ridge)

    def keep_in(self, folder: Path, resume: bool) -> None:
        """Write checkpoints to a folder from now on; with `resume`, first go on from the one there."""
        settings = settings_of(
            self.signal,
            self.model,
            recipe=asdict(self.recipe),
            limits=asdict(self.limits),
            seed=self.seed,
            engine=self.engine.name,
            device=str(self.engine.device),
            precision=self.engine.precision,
            start=self._start,
            measure_at=sorted(self.measure_at),
        )
        self._checkpoint = Checkpoint(folder, settings)
        if self._checkpoint.path.exists() and not resume:
            raise InputError(
                f"{folder} holds the checkpoint of a fit; resume it (--resume) or use another folder"
            )
        kept = self._checkpoint.arrays() if resume else None
        if kept is not None:
            self._restore(kept)
            self._checkpoint.read(self.states)
            self.history = History.from_arrays(kept)
            self._started -= float(self.history.seconds[-1]) if len(self.history) else 0.0
        self._save()

    def train(self) -> Stopped:
        """Run to the end, put the parameters into the model, and say what ended it."""
        stopped = self._rounds()
        self._check_parameters()
        if stopped != "callback":
            self._save()
        self._load_model()
        return stopped

    def _check_parameters(self) -> None:
        for state in self.states:
            for tensor in (*state.parameters.weights, *state.parameters.biases):
                if not torch.isfinite(tensor).all():
                    raise DivergedError(
                        f"parameters are no longer finite after step {self.steps}; lower the learning rate"
                    )

    def _rounds(self) -> Stopped:
        length = 1
        while True:
            self._measure()
            if self._on_target():
                return "psnr"
            if self.steps >= self.cycles[-1] and not self._went_on():
                return "steps"
            if self.limits.seconds is not None and self.seconds >= self.limits.seconds:
                return "time"
            if self._told_to_stop(self.steps):
                return "callback"
            if self.limits.seconds is not None and self.seconds >= self.limits.seconds / EXCHANGE_FROM:
                self._exchange_from = min(self._exchange_from, self.steps)
            start, began = self.steps, self.seconds
            stop = self._round_end(start, length)
            if not self._round(start, stop):
                return "callback"
            pace = max(self.seconds - began, 1e-6) / (stop - start)
            wanted = max(int(_ROUND_SECONDS / pace), min(_ROUND_STEPS, int(_LONG_ROUND_SECONDS / pace)))
            length = max(1, min(4 * length, wanted))
            if self.seconds - self._written >= _CHECKPOINT_SECONDS and self._complete(stop):
                self._save()

    def _round_end(self, start: int, length: int) -> int:
        stop = min(start + length, next(end for end in self.cycles if end > start))
        if self.limits.psnr is not None:
            stop = min(stop, self._next_look(start))
        stop = min([stop, *(step for step in self.measure_at if step > start)])
        if self._margins is not None:
            past = max(0, (start - self._exchange_from) // EXCHANGE_STEPS + 1)
            stop = min(stop, self._exchange_from + past * EXCHANGE_STEPS)
        if self.limits.seconds is not None and start:
            affordable = int((self.limits.seconds - self.seconds) * start / self.seconds)
            stop = min(stop, start + max(1, affordable))
        return stop

    def _next_look(self, start: int) -> int:
        """The step at which the target is looked at next."""
        return (start // _LOOK_STEPS + 1) * _LOOK_STEPS

    def _exchanges_at(self, step: int) -> bool:
        """Whether regions that overlap exchange values before this step."""
        past = step - self._exchange_from
        due = past >= 0 and (past % EXCHANGE_STEPS == 0 or step in self.cycles)
        return self._margins is not None and due

    def _complete(self, step: int) -> bool:
        """Whether the states are all that the fit needs to go on: after an exchange, its targets are too."""
        return self._margins is None or step <= self._exchange_from or self._exchanges_at(step)

    def _round(self, start: int, stop: int) -> bool:
        """Train the active regions to `stop` steps; False if the callback said to stop in between."""
        region_steps, told = 0, False
        trained = max(1, int(self.active.sum()))
        counts = self.model.partition.counts

        def tick(done: int) -> bool:
            nonlocal region_steps, told
            region_steps += done
            told = self._told_to_stop(start + region_steps / trained)
            return told

        if self._margins is not None and self._exchanges_at(start):
            self._margins.exchange(self.states)
        work, regions = [], []
        for group, state, samples in zip(self.model.group_list, self.states, self.samples, strict=True):
            members = group.regions.numpy()
            for alike in self._alike(counts[members]):
                rows = alike[self.active[members[alike]]]
                if not len(rows):
                    continue
                own = counts[members[alike]].mean()
                plan = Plan(
                    regions=rows,
                    learning_rates=self._rates(group, start, stop),
                    start=start,
                    batch=self.recipe.batch_for(own, samples.counts[alike].mean() / own),
                    whole_signal=self.recipe.whole_signal,
                    signal_samples=self.signal.spec.samples,
                    adam=self.recipe.adam,
                )
                work.append(Work(group.network, state, samples, plan))
                regions.append(members[rows])
        found = self.engine.advance_all(work, tick)
        if told:
            return False
        squared = np.full(stop - start, (self.losses * counts)[~self.active].sum())
        for one, trained_now, losses in zip(work, regions, found, strict=True):
            self._follow(trained_now, losses)
            squared += (losses * one.samples.counts[one.plan.regions, None]).sum(axis=0)
        if not np.isfinite(squared).all():
            step = start + int(np.flatnonzero(~np.isfinite(squared))[0])
            raise DivergedError(f"the loss is no longer finite at step {step}; lower the learning rate")
        self.history.extend(squared / self.signal.spec.samples, self.seconds)
        return True

    def _alike(self, counts: Int64[ndarray, "k"]) -> list[Int64[ndarray, "_"]]:
        """Regions of a group that use equally many samples a step, given the samples that each has."""
        return [np.arange(len(counts))]

    def _follow(self, regions: Int64[ndarray, "k"], losses: Float64[ndarray, "k steps"]) -> None:
        """Let the known losses follow those of some steps, one after another: rounds of any length agree."""
        known = self.losses[regions]
        with np.errstate(invalid="ignore"):  # a diverging fit, which the round complains about
            for latest in losses.T:
                known = np.where(np.isnan(known), latest, known + _FOLLOW * (latest - known))
        self.losses[regions] = known

    def _told_to_stop(self, steps: float) -> bool:
        if self.callback is None:
            return False
        fraction = self._fraction(steps)
        psnr = float(self.history.psnr[-1]) if len(self.history) else None
        return bool(self.callback(Progress(steps, self._planned(), self.seconds, fraction, psnr)))

    def _planned(self) -> int | None:
        """Steps that there will be, as far as known."""
        return None if self.limits.steps is None else self.cycles[-1]

    def _fraction(self, steps: float) -> float:
        fraction = steps / self.cycles[-1]
        if self.limits.seconds is not None:
            fraction = max(fraction, self.seconds / self.limits.seconds)
        return min(1.0, fraction)

    def _rates(self, group: Group, start: int, stop: int) -> Float64[ndarray, "steps"]:
        step = np.arange(start, stop, dtype=np.float64)
        cycles = np.asarray(self.cycles)
        cycle = np.searchsorted(cycles, step, side="right") - 1
        fraction = (step + 1 - cycles[cycle]) / (cycles[cycle + 1] - cycles[cycle])
        if self.limits.seconds is not None and start:
            ahead = (step + 1 - start) * self.seconds / start
            fraction = np.maximum(fraction, (self.seconds + ahead) / self.limits.seconds)
        return self.recipe.rate_for(group.network.hidden) * self.recipe.schedule_at(fraction, step)

    def _measure(self) -> None:
        """Look at the rendered signal if that was asked for after this step; the clock stands still."""
        done = {measurement.steps for measurement in self.history.measured}
        if self.steps not in self.measure_at - done:
            return
        seconds, began = self.seconds, time.perf_counter()
        self._check_parameters()
        self._load_model()
        self.history.measured.append(Measurement(self.steps, seconds, *quality(self.model, self.signal)))
        self._started += time.perf_counter() - began

    def _on_target(self) -> bool:
        """Whether the rendered signal has the target PSNR; rendered only when the loss is near to it."""
        if self.limits.psnr is None or not len(self.history):
            return False
        at_look = self.steps % _LOOK_STEPS == 0 or self.steps in self.cycles
        if not at_look or self.history.psnr[-1] < self.limits.psnr - _NEAR:
            return False
        self._load_model()
        return rendered_psnr(self.model, self.signal) >= self.limits.psnr

    def _went_on(self) -> bool:
        """At the end of the last cycle: whether another one was begun."""
        return False

    def _errors(self) -> Float64[ndarray, "regions"]:
        """Squared error of each region, computed."""
        errors = np.zeros(self.model.regions)
        for group, state, samples in zip(self.model.group_list, self.states, self.samples, strict=True):
            squared = self.engine.squared_error(group.network, state.parameters, samples)
            errors[group.regions.numpy()] = squared
        return errors

    def _load_model(self) -> None:
        for group, state in zip(self.model.group_list, self.states, strict=True):
            group.load(state.parameters)

    def _save(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.write(self.states, {**self.history.arrays(), **self._kept()})
            self._written = self.seconds

    def _kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        """What `_restore` needs beside states and history."""
        return {"region_losses": self.losses}

    def _restore(self, kept: dict[str, Shaped[ndarray, "..."]]) -> None:
        """Make everything ready for the states of a checkpoint."""
        self.losses = kept["region_losses"]


def pack_groups(model: PiecewiseINR, signal: Signal, seed: int, device: torch.device) -> list[Samples]:
    """The samples of every group, sorted by region; those in margins once for each region that shares them.

    A sample counts in a region's loss by the region's weight there, so that each counts once altogether.
    """
    keys = region_keys(seed, model.regions)
    shared = model.assign_samples()
    # Regions in the order of their groups: what a group has is a slice of what all have.
    packing = pack(model.rank[shared.regions].numpy(), model.regions)
    order = torch.from_numpy(packing.order)
    points, owners = shared.points[order], shared.regions[order]
    coords = torch.as_tensor(frames.raster(signal.shape))[points]
    own = model.own_coords(coords, owners).to(device)
    values = torch.as_tensor(signal.normalised().reshape(-1, signal.channels))[points].to(device)
    margins = (shared.weights[order].to(device), points.to(device)) if model.overlap else ()
    packed, first = [], 0
    for group in model.group_list:
        last = first + len(group.regions)
        offsets = packing.offsets[first : last + 1]
        part = slice(int(offsets[0]), int(offsets[-1]))
        mine = (whole[part] for whole in margins)
        packed.append(
            Samples(own[part], values[part], offsets - offsets[0], keys[group.regions.numpy()], *mine)
        )
        first = last
    return packed


def _copy_parameters(source: PiecewiseINR, target: PiecewiseINR) -> str:
    """Copy another fit's parameters; returns a digest of them.

    Raises:
        InputError: the two differ in partition, networks or frame.
    """
    theirs = [group.network.config() for group in source.group_list]
    ours = [group.network.config() for group in target.group_list]
    for what, a, b in (
        ("networks", theirs, ours),
        ("frame", source.frame, target.frame),
        ("overlap", source.overlap, target.overlap),
        ("shape", source.signal.shape, target.signal.shape),
        ("channels", source.signal.channels, target.signal.channels),
    ):
        if a != b:
            raise InputError(f"the start must have the fit's {what}: it has {a}, the fit {b}")
    same = np.array_equal(source.partition.label_map, target.partition.label_map)
    if not same or not torch.equal(source.group_of, target.group_of):
        raise InputError(
            "the start must have the fit's partition; fit with the same --partition as the start"
        )
    digest = hashlib.sha256()
    for mine, given in zip(target.group_list, source.group_list, strict=True):
        mine.load(given.parameters_by_layer)
        for tensor in (*mine.weights, *mine.biases):
            digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()
