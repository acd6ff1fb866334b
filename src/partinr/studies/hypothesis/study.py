"""The published experiment: step signals of many sizes, and the steps that each takes to be learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.checkpoint import Settings
from partinr.model.networks import Network, Siren
from partinr.shapes import Float32
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
from partinr.studies.hypothesis.sweep import Ending, Rules, Run, Sweep, rows, settings_of

# More samples at once than fit into the memory of a small machine.
_MOST_SAMPLES = 1 << 28


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
        sizes = [size.word for size in self.sizes]
        return settings_of(self, f"{self.dims}d", engine, sizes=sizes)

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
        """The sweep, at its start or where a folder has it; see `Sweep.kept_in`."""
        members = list(self.members())
        seeds = [seed for _, _, seed in members]
        boundaries = np.array([float(size.boundaries) for size, _, _ in members])
        sweep = Sweep(self.network, self._material(), seeds, boundaries, self.rules, engine)
        return sweep.kept_in(folder, self.settings(engine))

    def outcome(self, sweep: Sweep) -> list[Run[Size]]:
        """Every run with what came of it."""
        return [Run(*member, *end) for member, end in zip(self.members(), sweep.tally, strict=True)]

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


def observations(runs: Sequence[Run[Size]]) -> Observations:
    """The runs that converged or hit the limit, for statistics."""
    kept = [run for run in runs if run.ending in (Ending.CONVERGED, Ending.CENSORED)]
    return Observations(
        np.array([float(run.subject.boundaries) for run in kept]),
        np.array([float(run.steps) for run in kept]),
        np.array([run.ending is Ending.CENSORED for run in kept], np.bool_),
    )


def table(runs: Sequence[Run[Size]]) -> str:
    """The runs as CSV, a row each."""
    return rows(
        ["boundaries", "thresholds", "repeat", "seed"],
        [
            (run.subject.boundaries, run.subject.word, run.repeat, run.seed, run.steps, run.ending, run.error)
            for run in runs
        ],
    )
