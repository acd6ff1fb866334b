"""Comparisons: partitions against one network at equal parameters; everything measured is kept."""

from __future__ import annotations

from partinr.studies.comparison.record import Record
from partinr.studies.comparison.rival import Rival
from partinr.studies.comparison.run import Run
from partinr.studies.comparison.running import Comparison, Standing, compare
from partinr.studies.comparison.variant import DENSITY, Variant, published_rules

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
