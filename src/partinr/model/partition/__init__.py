"""Partitions: which region each sample belongs to. A new rule is a new file and a line in `RULES`."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as brief

from partinr.errors import InputError
from partinr.model.partition.auto import Auto
from partinr.model.partition.boundary import boundaries
from partinr.model.partition.felzenszwalb import Felzenszwalb
from partinr.model.partition.grid import Grid
from partinr.model.partition.hfs import HFS
from partinr.model.partition.labels import Labels
from partinr.model.partition.merge import connected_components, merge_small
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.model.partition.slic import SLIC
from partinr.model.partition.tree import Tree
from partinr.model.partition.whole import Whole

__all__ = [
    "HFS",
    "RULES",
    "SLIC",
    "Auto",
    "Felzenszwalb",
    "Grid",
    "Labels",
    "Partition",
    "Rule",
    "Tree",
    "Whole",
    "boundaries",
    "connected_components",
    "merge_small",
    "rule_from_word",
]

RULES: Mapping[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        Whole,
        Grid,
        HFS,
        SLIC,
        Felzenszwalb,
        Labels,
        Auto,
        Tree,
    )
}
"""Every rule by its name."""


def rule_from_word(word: str) -> Rule:
    """The rule that the command line writes as `word`: a name, then a colon and an argument if it has one.

    Raises:
        InputError: no rule has this name, or the argument is not of its form.

    Example:
        >>> rule_from_word("grid:3x3")
        Grid(3, 3)
    """
    name, _, argument = word.partition(":")
    if name not in RULES:
        raise InputError(
            f"partition must be one of {', '.join(RULES)}, got {brief(word)}; write grid:3x3 or hfs:9"
        )
    return RULES[name].from_word(argument)
