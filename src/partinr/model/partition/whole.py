"""No partition: one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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

    def partition(self, signal: Signal) -> Partition:
        """See `Rule.partition`; applies to every signal."""
        box = np.array([[np.zeros_like(signal.shape), signal.shape]], dtype=np.int64)
        return Partition.from_boxes(signal.shape, box, self.word)
