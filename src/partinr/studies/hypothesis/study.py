"""The published experiment: step signals of many sizes, and the steps that each takes to be learned."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.checkpoint import Checkpoint, Settings
from partinr.model.networks import Network, Siren
from partinr.signals import frames
from partinr.studies.hypothesis.material import Fixed, Fresh, Material, Stretch
from partinr.studies.hypothesis.observations import Observations
from partinr.studies.hypothesis.signals import (
    PUBLISHED_1D,
    PUBLISHED_2D,
    Size,
    StepSignal,
    check_resolution,
    derived,
    most_square,
)
from partinr.studies.hypothesis.sweep import Ending, Rules, Sweep

# More samples at once than fit into the memory of a small machine.
_MOST_SAMPLES = 1 << 28


@dataclass(frozen=True)
class Run:
    """One network on one signal.

    Attributes:
        size: boundaries of its signal.
        repeat: counted from 0.
        seed: which the signal, the initial parameters and the points of every step follow from.
        steps: that it took, or was given.
        ending: how it ended.
        error: mean squared error at the end.
    """

    size: Size
    repeat: int
    seed: int
    steps: int
    ending: Ending
    error: float


@dataclass(frozen=True)
class Study:
    """What to train, and how long; `published` has the published values.

    Attributes:
        sizes: of the signals, all of one or all of two axes.
        repeats: signals of each size.
        network: of every run.
        points: on one axis, fresh points of every step and the points of the grid for the error; on two,
            samples along each axis.
        rules: how runs are trained and when they end.
        seed: of everything.

    Raises:
        InputError: there are no sizes or repeats, or too few points for the boundaries.

    Source: Liu et al., ICCV 2023, section 3, and its code.

    Example:
        >>> study = Study.published(1)
        >>> len(study.sizes) * study.repeats
        150
    """

    sizes: tuple[Size, ...]
    repeats: int
    network: Network
    points: int
    rules: Rules = field(default_factory=Rules)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.repeats < 1 or not self.sizes:
            raise InputError(
                f"a sweep needs at least one size and one repeat, got {len(self.sizes)} and {self.repeats}"
            )
        check_resolution(self.sizes, self.points, "points")
        if self.runs * self.points**self.dims > _MOST_SAMPLES:
            raise InputError(
                f"a sweep holds at most {_MOST_SAMPLES:,} samples, got {self.runs} runs of "
                f"{self.points**self.dims:,}; take fewer points, sizes or repeats"
            )

    @classmethod
    def published(cls, dims: int) -> Study:
        """The published experiment in one or two dimensions."""
        if dims == 1:
            return cls(PUBLISHED_1D, 5, Siren(32, 3, 10.0, 30.0), 5000)
        return cls(PUBLISHED_2D, 5, Siren(32, 3, 30.0, 30.0), 256)

    @classmethod
    def quick(cls, dims: int) -> Study:
        """A smaller one that still shows the growth, in under two minutes on two cores."""
        whole = cls.published(dims)
        if dims == 1:
            return replace(whole, sizes=tuple(Size((n,)) for n in range(1, 42, 4)), repeats=4)
        # Few sizes, but up to the largest and at full resolution: coarser samples miss narrow bands, and with
        # them the growth.
        sizes = tuple(most_square(product) for product in range(10, 251, 60))
        return replace(whole, sizes=sizes, repeats=4, rules=Rules(limit=1500))

    @property
    def dims(self) -> int:
        """Axes of the signals."""
        return len(self.sizes[0].thresholds)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.sizes) * self.repeats

    def settings(self, engine: Engine) -> Settings:
        """Everything that decides the numbers, in JSON's types."""
        return {
            "sweep": f"{self.dims}d",
            "sizes": [size.word for size in self.sizes],
            "repeats": self.repeats,
            "network": self.network.config(),
            "points": self.points,
            "rules": asdict(self.rules),
            "seed": self.seed,
            "engine": engine.name,
            "device": str(engine.device),
        }

    def seed_of(self, size: Size, repeat: int) -> int:
        """Seed of a run; the same in every study that has the run, whatever else is in it."""
        return derived(self.seed, *size.thresholds, repeat)

    def members(self) -> Iterator[tuple[Size, int, int]]:
        """Size, repeat and seed of every run, in order."""
        for size in self.sizes:
            for repeat in range(self.repeats):
                yield size, repeat, self.seed_of(size, repeat)

    def signal(self, size: Size, repeat: int) -> StepSignal:
        """The signal of a run."""
        return StepSignal.drawn(size, self.seed_of(size, repeat))

    def prepare(self, engine: Engine, folder: Path | None = None) -> Sweep:
        """The sweep, at its start or where a folder's checkpoint has it.

        Raises:
            InputError: the folder holds work with other settings, or damaged work.
        """
        members = list(self.members())
        sweep = Sweep(
            self.network,
            self._material(),
            [seed for _, _, seed in members],
            np.array([float(size.boundaries) for size, _, _ in members]),
            self.rules,
            engine,
        )
        if folder is not None:
            sweep.keep_in(Checkpoint(folder, self.settings(engine)))
        return sweep

    def outcome(self, sweep: Sweep) -> list[Run]:
        """Every run with what came of it."""
        tally = sweep.tally
        return [
            Run(*member, int(steps), Ending(int(ending)), float(error))
            for member, steps, ending, error in zip(
                self.members(), tally.steps, tally.ending, tally.error, strict=True
            )
        ]

    def grid(self) -> Float32[ndarray, "samples dims"]:
        """Where the error is measured: 2 i / points - 1 on one axis, -1 to 1 inclusive on two."""
        if self.dims == 2:
            return frames.raster((self.points, self.points))
        return (2 * np.arange(self.points) / self.points - 1).astype(np.float32)[:, None]

    def _material(self) -> Material:
        if self.dims == 1:
            return Fresh(
                [
                    Stretch(self.signal(size, repeat), seed, -1.0, 1.0, self.points)
                    for size, repeat, seed in self.members()
                ]
            )
        grid = self.grid()
        values = [self.signal(size, repeat)(grid) for size, repeat, _ in self.members()]
        return Fixed([grid] * self.runs, values)


def observations(runs: list[Run]) -> Observations:
    """The runs that converged or hit the limit, for statistics."""
    kept = [run for run in runs if run.ending in (Ending.CONVERGED, Ending.CENSORED)]
    return Observations(
        np.array([float(run.size.boundaries) for run in kept]),
        np.array([float(run.steps) for run in kept]),
        np.array([run.ending is Ending.CENSORED for run in kept], np.bool_),
    )


def table(runs: list[Run]) -> str:
    """The runs as CSV, a row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["boundaries", "thresholds", "repeat", "seed", "steps", "ending", "error"])
    for run in runs:
        ended = run.ending is not Ending.RUNNING
        measured = [run.steps, run.ending.name.lower(), repr(run.error)] if ended else ["", "running", ""]
        writer.writerow([run.size.boundaries, run.size.word, run.repeat, run.seed, *measured])
    return text.getvalue()
