"""What the runs of a sweep are trained on and judged by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Samples
from partinr.shapes import Float32, Float64, Int64
from partinr.studies.hypothesis.signals import StepSignal, derived, uniform


class Material(ABC):
    """Samples of every run of a sweep.

    Attributes:
        dims: axes.
        channels: values a sample.
        measured_by_loss: whether a run is judged by the very samples that it is trained on, so that the loss
            of the next step is the error after this one.
    """

    dims: int
    channels: int
    measured_by_loss: bool

    @abstractmethod
    def training(self, step: int, active: Int64[ndarray, "k"]) -> Samples:
        """Samples of one step; runs that are not active may have none."""

    @abstractmethod
    def judging(self, active: Int64[ndarray, "k"]) -> Samples:
        """Samples whose mean squared error decides; runs that are not active may have none."""


class Fixed(Material):
    """The same samples in every step, and the error of all of them decides.

    Args:
        coords: of each run, (samples, dims).
        values: of each run, (samples, channels).
    """

    measured_by_loss = True

    def __init__(
        self,
        coords: Sequence[Float32[ndarray, "_ dims"]],
        values: Sequence[Float32[ndarray, "_ channels"]],
    ) -> None:
        self.dims, self.channels = coords[0].shape[1], values[0].shape[1]
        self._samples = packed(coords, values)

    def training(self, step: int, active: Int64[ndarray, "k"]) -> Samples:  # noqa: ARG002
        return self._samples

    def judging(self, active: Int64[ndarray, "k"]) -> Samples:  # noqa: ARG002
        return self._samples


@dataclass(frozen=True, eq=False)
class Stretch:
    """A run on a stretch of a line.

    Attributes:
        signal: of one axis.
        seed: of the points.
        low, high: ends of the stretch.
        points: that a step draws, and that the even grid for the error has.
        local: the network sees -1 to 1 from one end of the stretch to the other, not the line's coordinates.
    """

    signal: StepSignal
    seed: int
    low: float
    high: float
    points: int
    local: bool = False

    @property
    def boundaries(self) -> int:
        """Boundaries of the signal on this stretch."""
        places = self.signal.thresholds[0]
        return int(((places > self.low) & (places <= self.high)).sum())


Places = Callable[[Stretch], Float64[ndarray, "points"]]
"""Points of a stretch, 0 at its low end and 1 at its high one."""


class Fresh(Material):
    """New points in every step, uniform over a run's stretch; the error on an even grid decides.

    The grid has the stretch's first point and not its last, as published.
    """

    measured_by_loss = False
    dims = channels = 1

    def __init__(self, runs: Sequence[Stretch]) -> None:
        self._runs = runs
        self._grid: tuple[bytes, Samples] | None = None

    def training(self, step: int, active: Int64[ndarray, "k"]) -> Samples:
        return self._made(active, lambda run: uniform(derived(run.seed, 1, step), run.points))

    def judging(self, active: Int64[ndarray, "k"]) -> Samples:
        key = active.tobytes()
        if self._grid is None or self._grid[0] != key:
            self._grid = key, self._made(active, lambda run: np.arange(run.points) / run.points)
        return self._grid[1]

    def _made(self, active: Int64[ndarray, "k"], places: Places) -> Samples:
        coords = [np.empty((0, 1), np.float32)] * len(self._runs)
        values = list(coords)
        for i in active:
            run = self._runs[i]
            place = places(run)
            coords[i] = (run.low + (run.high - run.low) * place).astype(np.float32)[:, None]
            values[i] = run.signal(coords[i])
            if run.local:
                coords[i] = (2 * place - 1).astype(np.float32)[:, None]
        return packed(coords, values)


def packed(
    coords: Sequence[Float32[ndarray, "_ dims"]], values: Sequence[Float32[ndarray, "_ channels"]]
) -> Samples:
    """Samples of runs, one after another."""
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in coords])]).astype(np.int64)
    return Samples(
        np.concatenate(coords),
        np.concatenate(values),
        offsets,
        np.zeros(len(coords), np.uint64),
    )
