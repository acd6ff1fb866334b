"""The corollary measured: the same signals in parts, each with its own network, at equal total parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.checkpoint import Settings
from partinr.model.networks import Network, Siren, fit_width
from partinr.shapes import Float64
from partinr.signals.frames import Frame
from partinr.studies.hypothesis.likelihood import Fit
from partinr.studies.hypothesis.material import Fresh, Stretch
from partinr.studies.hypothesis.signals import Size, StepSignal, check_resolution, derived
from partinr.studies.hypothesis.study import Study
from partinr.studies.hypothesis.sweep import Ending, Rules, Sweep, rows, settings_of

_SWEEP_SIZES = 9


@dataclass(frozen=True)
class Part:
    """One network on one part of a signal.

    Attributes:
        count: equal parts that the signal is cut into.
        repeat: which signal.
        place: which of its parts.
        boundaries: in this part.
        steps: that the network took, or was given.
        ending: how it ended.
        error: mean squared error at the end.
    """

    count: int
    repeat: int
    place: int
    boundaries: int
    steps: int
    ending: Ending
    error: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What cutting into some number of parts costs; an entry a signal, in its order.

    Attributes:
        steps: of the part that takes longest, which is when the whole is below the threshold.
        cost: arithmetic of all parts, in training steps of the undivided network on the undivided signal.
        censored: whether a part did not converge, so that both are more than this.
    """

    steps: Float64[ndarray, "signals"]
    cost: Float64[ndarray, "signals"]
    censored: ndarray


@dataclass(frozen=True)
class Parts:
    """What to train.

    Attributes:
        boundaries: of every signal.
        repeats: signals.
        counts: numbers of equal parts.
        network: of the undivided signal.
        equal_params: parts have narrower networks with at most as many parameters together; otherwise each
            has a network as wide as the undivided signal's.
        frame: coordinates that a part's network sees: those of the whole signal, as published, or its own.
        points: of all parts of a signal together, in every step.
        rules: how networks are trained and when they end, each by the error of its own part.
        seed: of everything.

    Raises:
        InputError: counts are not distinct numbers above 0, or there are too few points.
    """

    boundaries: int = 48
    repeats: int = 5
    counts: tuple[int, ...] = (1, 2, 4, 8)
    network: Network = field(default_factory=lambda: Siren(32, 3, 10.0, 30.0))
    equal_params: bool = True
    frame: Frame = "global"
    points: int = 5000
    rules: Rules = field(default_factory=Rules)
    seed: int = 0

    @classmethod
    def quick(cls) -> Parts:
        """A smaller one that still shows the gain, in under two minutes on two cores."""
        return cls(boundaries=32, repeats=3)

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 1 or len(set(self.counts)) < len(self.counts):
            raise InputError(f"numbers of parts must be distinct and at least 1, got {list(self.counts)}")
        if self.boundaries < 3:
            raise InputError(f"signals need at least 3 boundaries, got {self.boundaries}")
        check_resolution((Size((self.boundaries,)),), self.points // max(self.counts), "points of a part")
        self.sweep  # noqa: B018  refuses what no sweep can do
        for count in self.counts:
            self.narrowed(count)

    @property
    def sweep(self) -> Study:
        """The sweep over undivided signals that predictions come from."""
        places = np.linspace(1, self.boundaries, _SWEEP_SIZES)
        sizes = tuple(Size((n,)) for n in sorted({round(n) for n in places.tolist()}))
        return Study(sizes, self.repeats, self.network, self.points, self.rules, self.seed)

    def narrowed(self, count: int) -> Network:
        """The network of each of `count` parts."""
        if not self.equal_params:
            return self.network
        return fit_width(self.network, self.network.params(1, 1), count, 1, 1)

    def signal(self, repeat: int) -> StepSignal:
        """A signal; the same as that of the sweep."""
        return self.sweep.signal(Size((self.boundaries,)), repeat)

    def members(self, count: int) -> Iterator[tuple[int, int, Stretch]]:
        """Signal, place and samples of every part."""
        for repeat in range(self.repeats):
            seed = self.sweep.seed_of(Size((self.boundaries,)), repeat)
            for place in range(count):
                low, high = (2 * edge / count - 1 for edge in (place, place + 1))
                own = derived(seed, count, place)
                points, local = self.points // count, self.frame == "local"
                yield repeat, place, Stretch(self.signal(repeat), own, low, high, points, local)

    def prepare(self, count: int, engine: Engine, folder: Path | None = None) -> Sweep:
        """All parts of all signals, at their start or where a folder has them; see `Sweep.kept_in`."""
        stretches = [stretch for _, _, stretch in self.members(count)]
        network, seeds = self.narrowed(count), [stretch.seed for stretch in stretches]
        inside = np.array([stretch.boundaries for stretch in stretches], np.float64)
        sweep = Sweep(network, Fresh(stretches), seeds, inside, self.rules, engine)
        settings = {**self.settings(engine), "network": network.config(), "count": count}
        return sweep.kept_in(folder, settings)

    def parts(self, count: int, sweep: Sweep) -> list[Part]:
        """Every part with what came of it."""
        return [
            Part(count, repeat, place, stretch.boundaries, *end)
            for (repeat, place, stretch), end in zip(self.members(count), sweep.tally, strict=True)
        ]

    def settings(self, engine: Engine) -> Settings:
        """Everything but the numbers of parts that decides the numbers, in JSON's types."""
        settings = settings_of(self, "parts", engine)
        del settings["counts"]
        return settings

    def outcome(self, count: int, parts: list[Part]) -> Outcome:
        """Steps and cost of each signal."""
        steps = np.array([part.steps for part in parts], np.float64).reshape(self.repeats, count)
        missed = np.array([part.ending is not Ending.CONVERGED for part in parts]).reshape(steps.shape)
        cost = steps.sum(axis=1) * self._share(count)
        return Outcome(steps.max(axis=1), cost, np.asarray(missed.any(axis=1)))

    def predicted(self, count: int, fit: Fit) -> Outcome:
        """The same from a curve, which knows nothing but each part's number of boundaries."""
        inside = [float(stretch.boundaries) for _, _, stretch in self.members(count)]
        # A part can have fewer boundaries than the least of the sweep.
        known = np.maximum(inside, fit.span.low)
        steps = fit.median(known).reshape(self.repeats, count)
        cost = steps.sum(axis=1) * self._share(count)
        return Outcome(steps.max(axis=1), cost, np.zeros(self.repeats, np.bool_))

    def _share(self, count: int) -> float:
        """Arithmetic of one step of one part, against one of the undivided signal."""
        return self.narrowed(count).params(1, 1) / self.network.params(1, 1) / count


def parts_table(parts: Mapping[int, list[Part]]) -> str:
    """The parts as CSV, a row each."""
    head = ["parts", "signal", "part", "boundaries"]
    return rows(head, [astuple(part) for group in parts.values() for part in group])
