"""What a goal is: when a fit is done, and how it gets there. `fitting/loop.py` asks, goals answer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from reprlib import repr as brief
from typing import ClassVar

from numpy import ndarray

from partinr.errors import InputError
from partinr.fitting.recipe import Recipe
from partinr.fitting.starts.start import Start
from partinr.fitting.state import Fit
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.model.structure import Structure
from partinr.shapes import Shaped
from partinr.signals.signal import Signal

ENDLESS = 1 << 40
"""More steps than anyone will do."""


@dataclass(frozen=True)
class Seconds:
    """So much time. `Steps(within=Seconds(10))` trains for ten seconds.

    The learning rate follows the clock, so results differ from run to run.

    Attributes:
        seconds: more than 0.

    Raises:
        InputError: the number is not positive.

    Example:
        >>> import numpy as np, partinr
        >>> goal = partinr.Steps(within=partinr.Seconds(0.2))
        >>> partinr.fit(np.eye(16), goal=goal).stopped
        'time'
    """

    seconds: float

    def __post_init__(self) -> None:
        if not _positive(self.seconds):
            raise InputError(f"seconds must be a positive number, got {brief(self.seconds)}")


def check_psnr(psnr: float) -> None:
    """Make sure that a fit can be asked to reach this PSNR.

    Raises:
        InputError: it is not a positive number of dB.
    """
    if not _positive(psnr):
        raise InputError(f"psnr must be a positive number of dB, got {brief(psnr)}")


def check_within(within: Seconds | None) -> None:
    """Make sure that the time which a fit may take is one.

    Raises:
        InputError: it is a bare number, or something else.
    """
    if within is not None and not isinstance(within, Seconds):
        raise InputError(f"within must be a time such as Seconds(10), got {brief(within)}")


def _positive(number: object) -> bool:
    return isinstance(number, Real) and 0 < float(number) < math.inf


class Goal(ABC):
    """When a fit is done, as a frozen value.

    Attributes:
        psnr: PSNR in dB of the rendered signal that the fit is to reach; None: there is none to reach.
        within: time that the fit may take; None for as much as it needs.

    Example:
        >>> import partinr
        >>> goals = [partinr.Steps(600), partinr.Quality(38), partinr.Growing(38), partinr.Compact(38)]
        >>> [goal.psnr for goal in goals]
        [None, 38, 38, 38]
    """

    psnr: float | None
    within: Seconds | None

    overlaps: ClassVar[bool]
    """Whether regions overlap by default: it looks better when enlarged, and takes longer."""

    def reached(self, function: Piecewise, psnr: float) -> bool:  # noqa: ARG002
        """Whether a function whose rendering has this PSNR is what was asked for."""
        return self.psnr is None or psnr >= self.psnr


class Solved(Goal):
    """A goal that a function is computed for, without steps."""

    overlaps: ClassVar[bool] = False

    @abstractmethod
    def solved(self, signal: Signal, threads: int | None, tell: Callable[[float], bool]) -> Piecewise:
        """The function.

        Args:
            signal: what is fitted.
            threads: of the CPU; None for all.
            tell: told the share of the work that is done; true: stop with what there is.

        Raises:
            InputError: it cannot be computed here.
        """


class Trained(Goal):
    """A goal that networks are trained for."""

    @abstractmethod
    def begin(self, signal: Signal, recipe: Recipe, learned: bool) -> Course:
        """How a fit of this signal by this recipe will go.

        Args:
            signal: what is fitted.
            recipe: how.
            learned: whether a goal that chooses the structure may begin with what was learned and ships.
        """

    @abstractmethod
    def planned(self, recipe: Recipe, signal: Signal) -> int | None:
        """Steps that are planned ahead for a signal; None where they are found out."""


class Course(ABC):
    """How one fit goes towards its goal: the part of its state that the goal decides.

    Attributes:
        cycles: first step of each cycle of the learning rate, and the end of the last.
        exchange_from: regions that overlap exchange values from this step on.
        start: the learned start that the goal chose, where it chooses the structure.
    """

    cycles: list[int]
    exchange_from: int
    start: Start | None = None

    @abstractmethod
    def structure(self) -> Structure | None:
        """The structure that the goal chooses; None if it is not the goal that does."""

    @abstractmethod
    def fresh(self, structure: Structure, seed: int) -> list[Parameters]:
        """Parameters of every group to begin with, where no start gives them."""

    @abstractmethod
    def next_look(self, start: int) -> int:
        """The next step after `start` at which `look` has to be asked."""

    @abstractmethod
    def look(self, fit: Fit) -> bool:
        """Whether the goal is reached. If not, may change what comes: cycles, regions that rest."""

    @abstractmethod
    def goes_on(self, fit: Fit) -> bool:
        """At the end of the last cycle: whether another one was begun, perhaps with another structure."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """Factor of the learning rate in a round that begins at this step."""

    @abstractmethod
    def kept(self) -> dict[str, Shaped[ndarray, "..."]]:
        """What a checkpoint has to keep of this, by names that begin with "course."."""

    @abstractmethod
    def restore(self, kept: Mapping[str, Shaped[ndarray, "..."]], fit: Fit) -> None:
        """Take over what `kept` gave, and make the fit ready for the states of that moment."""
