"""Arguments of a fit that are of another kind than it takes, told in one line."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

import numpy as np

from partinr.errors import InputError
from partinr.fitting.defaults import Budget
from partinr.fitting.goals.goal import Goal
from partinr.fitting.loop import Keep, Watch
from partinr.fitting.recipe import Recipe
from partinr.fitting.starts.start import Start
from partinr.model.networks.network import Network
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.piecewise import Piecewise

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "partition": ((Rule, Partition), "a rule such as Grid(3, 3), or a Partition"),
    "network": ((Network, Budget), "a network such as Siren(32, 3), or a Budget"),
    "goal": ((Goal,), "a goal such as Steps(600) or Quality(38)"),
    "recipe": ((Recipe,), "a recipe such as FAST or PAPER"),
    "start": ((Piecewise, Start), 'a Start, the function of another fit, or "auto"'),
    "keep": ((Keep,), "a Keep, such as Keep(folder)"),
    "watch": ((Watch,), "a Watch, such as Watch(callback)"),
    "seed": ((int, np.integer), "a whole number"),
}


def check_kinds(**given: Any) -> None:
    """Make sure that arguments are what they are to be; None is anything.

    Args:
        given: by their names.

    Raises:
        InputError: one is not.

    Example:
        >>> import partinr
        >>> check_kinds(network=partinr.Siren(8, 1), partition=None)
    """
    for name, value in given.items():
        kinds, wanted = _KINDS[name]
        if value is not None and not isinstance(value, kinds):
            raise InputError(f"{name} must be {wanted}, got {brief(value)}")
