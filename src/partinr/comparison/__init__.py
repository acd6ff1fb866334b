"""Comparisons: partitions against one network at equal parameters; everything measured is kept."""

from __future__ import annotations

from partinr.comparison.record import Record
from partinr.comparison.rival import Rival
from partinr.comparison.run import Run
from partinr.comparison.running import Comparison, Standing, compare
from partinr.comparison.variant import DENSITY, Variant, published_rules

__all__ = [
    "DENSITY",
    "Comparison",
    "Record",
    "Rival",
    "Run",
    "Standing",
    "Variant",
    "compare",
    "published_rules",
]
