"""How regions are trained: the one interface of every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from numpy import ndarray

from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float32, Float64, Int32, Int64, Shaped, UInt64


@dataclass(frozen=True)
class Adam:
    """Constants of the Adam optimiser.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a group of regions, sorted by region, packed once per fit.

    Attributes:
        coords: (samples, dims) in the frame of each sample's region.
        values: (samples, channels), normalised.
        offsets: region i holds the packed samples offsets[i] .. offsets[i + 1] - 1.
        keys: sampling key of each region.
        weights: (samples,) factor of each sample's squared error; None for all ones.
        points: (samples,) raster index of each sample; None where no regions share samples.
        shares: (samples,) of its region's function in the blend at each sample, a factor of its weight; None
            where no regions share samples.
        extents: (regions, dims) samples along each axis of each region's bounding box, margin included; None
            where nothing is solved by it.
    """

    coords: Float32[ndarray, "samples dims"]
    values: Float32[ndarray, "samples channels"]
    offsets: Int64[ndarray, "_"]
    keys: UInt64[ndarray, "regions"]
    weights: Float32[ndarray, "samples"] | None = None
    points: Int64[ndarray, "samples"] | None = None
    extents: Int64[ndarray, "regions dims"] | None = None
    shares: Float32[ndarray, "samples"] | None = None

    @property
    def counts(self) -> Int64[ndarray, "regions"]:
        """Number of samples of each region."""
        return np.diff(self.offsets)


@dataclass(frozen=True, eq=False)
class SharedSamples:
    """Pairs of a region and a sample that it shares with others, group after group.

    Attributes:
        rows: of each group, the packed samples that its pairs are.
        weights: the region's weight at the sample; those of a sample add up to 1.
        points: the pair's sample, counted from 0 over all shared samples.
        order: pairs sorted by sample.
        offsets: sample i has the pairs order[offsets[i]] .. order[offsets[i + 1] - 1].
        truth: (shared, channels) values of the samples, normalised.
    """

    rows: list[Int32[ndarray, "_"]]
    weights: Float32[ndarray, "pairs"]
    points: Int32[ndarray, "pairs"]
    order: Int32[ndarray, "pairs"]
    offsets: Int64[ndarray, "_"]
    truth: Float32[ndarray, "shared channels"]


@dataclass(eq=False)
class TrainingState:
    """Parameters and Adam's moments of a group of regions; engines advance it in place.

    Attributes:
        parameters: weights (regions, fan_in, fan_out) and biases (regions, fan_out) of each layer.
        first: running mean of the gradient, same shapes.
        second: running mean of the squared gradient, same shapes.
    """

    parameters: Parameters
    first: Parameters
    second: Parameters

    @classmethod
    def fresh(cls, parameters: Parameters) -> TrainingState:
        """State before the first step, around copies of these parameters."""
        own = parameters.map(_copied)
        return cls(own, own.map(np.zeros_like), own.map(np.zeros_like))

    def arrays(self) -> list[Float32[ndarray, "..."]]:
        """All arrays, in a fixed order: parameters, then both moments, each weights before biases."""
        return [*self.parameters.arrays, *self.first.arrays, *self.second.arrays]


def named_arrays(states: Sequence[TrainingState]) -> dict[str, Float32[ndarray, "..."]]:
    """Arrays of the states of several groups, by names for a checkpoint."""
    return {f"{g}.{i}": array for g, state in enumerate(states) for i, array in enumerate(state.arrays())}


def restore(states: Sequence[TrainingState], arrays: Mapping[str, Shaped[ndarray, "..."]]) -> None:
    """Put arrays that `named_arrays` gave into states of the same shapes."""
    for name, array in named_arrays(states).items():
        array[...] = arrays[name]


def _copied(array: Float32[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    return np.array(array, np.float32, order="C")


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do in one call: some steps of some regions.

    Attributes:
        regions: which regions (indices into the group).
        learning_rates: learning rate of each step, learning_rates[0] for the step `start`.
        start: the first step of the plan, counted from the start of the fit.
        batch: samples a region uses a step; None for all.
        whole_signal: scale the loss so that regions add up to the mean over the whole signal (the published
            full-batch loss) instead of a mean for each region; Adam hardly sees the difference.
        signal_samples: number of samples of the whole signal.
        adam: Adam's constants.
    """

    regions: Int64[ndarray, "k"]
    learning_rates: Float64[ndarray, "steps"]
    start: int
    batch: int | None
    whole_signal: bool
    signal_samples: int
    adam: Adam

    @property
    def stop(self) -> int:
        """One past the last step."""
        return self.start + len(self.learning_rates)


@dataclass(frozen=True, eq=False)
class Work:
    """A plan, and all that it is for: what one call of `Engine.advance` is given."""

    network: Network
    state: TrainingState
    samples: Samples
    plan: Plan


Precision = Literal["fp32", "bf16"]
"""Of an engine's products: single precision, or bfloat16 with sums in single precision."""

Tick = Callable[[int], bool]
"""Called often while an engine works, with the region steps done since the last call; true to stop."""


class Engine(ABC):
    """Trains and evaluates groups of regions."""

    name: ClassVar[str]

    @property
    def precision(self) -> Precision:
        """What products of hidden layers are computed in while training."""
        return "fp32"

    @property
    def device(self) -> str:
        """Where it computes."""
        return "cpu"

    @abstractmethod
    def advance(
        self,
        network: Network,
        state: TrainingState,
        samples: Samples,
        plan: Plan,
        tick: Tick,
    ) -> Float64[ndarray, "k steps"]:
        """Train the plan's regions from step `plan.start` to `plan.stop`, in place.

        When `tick` returns true, the engine stops after the current step of the current regions; regions it
        has not come to stay as they were.

        Returns:
            Mean weighted squared error of each step before its update, over the samples it used; NaN where a
            step was not done.
        """

    def advance_all(self, work: Sequence[Work], tick: Tick) -> list[Float64[ndarray, "k steps"]]:
        """Several plans, with no wait between one and the next where the engine can; see `advance`.

        No region of a state may be in two plans.
        """
        stopped = False

        def tell(done: int) -> bool:
            nonlocal stopped
            stopped = tick(done)
            return stopped

        losses = []
        for one in work:
            if stopped:
                losses.append(np.full((len(one.plan.regions), len(one.plan.learning_rates)), np.nan))
            else:
                losses.append(self.advance(one.network, one.state, one.samples, one.plan, tell))
        return losses

    @abstractmethod
    def evaluate(
        self, network: Network, parameters: Parameters, samples: Samples
    ) -> Float32[ndarray, "samples channels"]:
        """Normalised values of every region's network at its own samples."""

    @abstractmethod
    def solve_readout(
        self, network: Network, parameters: Parameters, samples: Samples, ridge: float
    ) -> Parameters:
        """Replace every region's output layer by the ridge regression of its values on its hidden features.

        Args:
            network: of the group.
            parameters: whose hidden layers stay as they are.
            samples: weighted as in training.
            ridge: added to the normal matrix's diagonal but for the bias, relative to its mean.

        Returns:
            Parameters that share the hidden layers with the given ones.

        Raises:
            InputError: there are more features than are solved for.
        """

    def exchange(
        self, found: Float32[ndarray, "pairs channels"], shared: SharedSamples, samples: list[Samples]
    ) -> None:
        """Let every region learn, at each sample that it shares, its own value plus the blend's error.

        Args:
            found: what each pair's region gives at its sample.
            samples: of each group; their values are changed in place.
        """
        weighted = (found * shared.weights[:, None])[shared.order]
        errors = shared.truth - np.add.reduceat(weighted, shared.offsets[:-1])
        targets = found + errors[shared.points]
        ends = np.cumsum([len(rows) for rows in shared.rows])
        for packed, rows, part in zip(samples, shared.rows, np.split(targets, ends[:-1]), strict=True):
            packed.values[rows] = part

    def squared_error(
        self, network: Network, parameters: Parameters, samples: Samples
    ) -> Float64[ndarray, "regions"]:
        """Sum of weighted squared errors of each region over all its samples and channels."""
        errors = self.evaluate(network, parameters, samples)
        errors -= samples.values
        squares = np.square(errors, dtype=np.float64)
        if samples.weights is not None:
            squares *= samples.weights[:, None]
        # Of no other region's numbers: a region's error is its own to the last bit.
        return np.array([squares[start:stop].sum() for start, stop in pairwise(samples.offsets)])
