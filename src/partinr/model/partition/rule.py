"""What a partition rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from partinr.errors import InputError
from partinr.model.partition.partition import Partition
from partinr.signals.signal import Signal


class Rule(ABC):
    """A way to split a signal into regions; a small frozen object such as `Grid(3, 3)`."""

    name: ClassVar[str]
    """First part of the rule's word: "grid" in "grid:3x3"."""

    @classmethod
    def from_word(cls, argument: str) -> Rule:
        """The rule from what follows the colon in its word ("" without a colon): by default nothing may.

        Raises:
            InputError: the argument is not of the rule's form.
        """
        if argument:
            raise InputError(
                f"partition {cls.name} takes no argument, got {cls.name}:{argument}; write {cls.name}"
            )
        return cls()

    @property
    def word(self) -> str:
        """The rule as the command line writes it: by default its name alone."""
        return self.name

    @abstractmethod
    def partition(self, signal: Signal) -> Partition:
        """Split the signal.

        Raises:
            InputError: the rule cannot be applied to a signal of this shape or kind.
        """
