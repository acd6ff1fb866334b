"""No partition: one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from partinr.errors import InputError
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.signals.signal import Signal


@dataclass(frozen=True)
class Whole(Rule):
    """The whole signal as one region.

    Example:
        >>> Whole().word
        'none'
    """

    name: ClassVar[str] = "none"

    @classmethod
    def from_word(cls, argument: str) -> Whole:
        """See `Rule.from_word`; takes no argument."""
        if argument:
            raise InputError(f"partition none takes no argument, got none:{argument}; write none")
        return cls()

    @property
    def word(self) -> str:
        """See `Rule.word`."""
        return self.name

    def partition(self, signal: Signal) -> Partition:
        """See `Rule.partition`; applies to every signal."""
        box = np.array([[np.zeros_like(signal.shape), signal.shape]], dtype=np.int64)
        return Partition.from_boxes(signal.shape, box, self.word)
