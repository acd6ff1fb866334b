"""A fit while it runs: what is trained, what came of it so far, and what goals may ask of it."""

from __future__ import annotations

import time

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine, Samples, TrainingState
from partinr.engines.packing import pack_groups
from partinr.engines.readout import SOLVED_RIDGE
from partinr.fitting.history import History
from partinr.fitting.overlap import Overlap
from partinr.fitting.recipe import Recipe
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import rendered_psnr
from partinr.model.structure import Structure
from partinr.shapes import Bool, Float64, Int64
from partinr.signals.signal import Signal

# How fast the known loss of a region follows those of its batches.
_FOLLOW = 0.2


class DivergedError(ArithmeticError):
    """Training ended in numbers that are not finite."""


class Fit:
    """State of one fit.

    Args:
        signal: what is fitted.
        recipe: how.
        engine: by what.
        structure: of the function.
        seed: decides the order of samples.
        started: when the fit began, the choice of its structure included; None: now.

    Attributes:
        samples: of every group.
        states: of every group; empty until `begin_with`.
        overlap: what regions that overlap exchange; None where none do.
        active: regions that are still trained.
        losses: mean squared error of each region's latest batches; of a region at rest, as it was.
        history: of all steps so far.
        started: when the fit began, on the clock of `time.perf_counter`; later if it was interrupted.
    """

    samples: list[Samples]
    states: list[TrainingState]
    overlap: Overlap | None
    active: Bool[ndarray, "regions"]
    losses: Float64[ndarray, "regions"]

    def __init__(
        self,
        signal: Signal,
        recipe: Recipe,
        engine: Engine,
        structure: Structure,
        seed: int,
        started: float | None = None,
    ) -> None:
        self.started = time.perf_counter() if started is None else started
        self.signal, self.recipe, self.engine, self.seed = signal, recipe, engine, seed
        self.history = History()
        self.take(structure)

    def take(self, structure: Structure) -> None:
        """Train this structure from now on; its parameters are set next."""
        self.structure = structure
        self.samples = pack_groups(structure, self.signal, self.seed)
        self.overlap = None
        if structure.blends and (structure.overlap or self.signal.scattered):
            self.overlap = Overlap(structure, self.signal, self.samples, self.engine)
        self.states = []
        self.active = np.ones(structure.regions, bool)
        self.losses = np.full(structure.regions, np.nan)

    def begin_with(self, parameters: list[Parameters], ridge: float | None = None) -> None:
        """Set the parameters, with output layers solved by this ridge if there is one; where they are all
        that there is, they are solved in any case.

        Raises:
            InputError: there is too much to be solved.
        """
        self.states = [TrainingState.fresh(one) for one in parameters]
        for network, state, samples in zip(self.structure.networks, self.states, self.samples, strict=True):
            own = SOLVED_RIDGE if network.solved else ridge
            if own is not None:
                state.parameters = self.engine.solve_readout(network, state.parameters, samples, own)

    @property
    def solved(self) -> bool:
        """Whether nothing is left to train: output layers, which were solved, are all that there is."""
        return all(network.solved for network in self.structure.networks)

    @property
    def steps(self) -> int:
        """Steps that every region has done."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """Since the fit started, the time before an interruption included."""
        return time.perf_counter() - self.started

    @property
    def counts(self) -> Int64[ndarray, "regions"]:
        """Samples that each region is trained on, its margin included, each time it has one."""
        counts = np.zeros(self.structure.regions, np.int64)
        for members, samples in zip(self.structure.members, self.samples, strict=True):
            counts[members] = samples.counts
        return counts

    @property
    def values(self) -> int:
        """Number of values of the signal: samples times channels."""
        return self.signal.fitted * self.signal.channels

    def function(self) -> Piecewise:
        """The function as it is now; it changes as training goes on."""
        return Piecewise(self.structure, tuple(state.parameters for state in self.states))

    def rendered_psnr(self) -> float:
        """PSNR in dB of the rendered signal."""
        return rendered_psnr(self.function(), self.signal)

    def errors(self) -> Float64[ndarray, "regions"]:
        """Squared error of each region, computed."""
        errors = np.zeros(self.structure.regions)
        for network, members, state, samples in zip(
            self.structure.networks, self.structure.members, self.states, self.samples, strict=True
        ):
            errors[members] = self.engine.squared_error(network, state.parameters, samples)
        return errors

    def follow(self, regions: ndarray, losses: Float64[ndarray, "k steps"]) -> None:
        """Let the known losses follow those of some steps, one after another: rounds of any length agree."""
        known = self.losses[regions]
        with np.errstate(invalid="ignore"):  # a diverging fit, which the round complains about
            for latest in losses.T:
                known = np.where(np.isnan(known), latest, known + _FOLLOW * (latest - known))
        self.losses[regions] = known

    def check_parameters(self) -> None:
        """Make sure that training did not end in nonsense.

        Raises:
            DivergedError: a parameter is not finite.
        """
        for state in self.states:
            if not all(np.isfinite(array).all() for array in state.parameters.arrays):
                raise DivergedError(
                    f"parameters are no longer finite after step {self.steps}; lower the learning rate"
                )
