"""What the runs of a comparison say: means over seeds, at equal steps, equal seconds and equal arithmetic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np

from partinr.studies.comparison.run import Run
from partinr.studies.comparison.running import Comparison


class Spread(NamedTuple):
    """Mean and sample standard deviation of some runs; the deviation of one run is not known: None."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one number; infinite ones have no deviation."""
        finite = bool(np.isfinite(values).all())
        mean = statistics.fmean(values)
        return cls(mean, statistics.stdev(values) if len(values) > 1 and finite else None)


@dataclass(frozen=True, eq=False)
class Line:
    """One variant over its seeds.

    Attributes:
        runs: at least one, all of one variant.
    """

    runs: Sequence[Run]

    @property
    def name(self) -> str:
        """What the comparison calls it."""
        return self.runs[0].variant.name

    @property
    def alone(self) -> bool:
        """Whether it is the network that partitions are compared with."""
        return self.runs[0].record.regions == 1 and self.runs[0].variant.partition.rule == "none"

    @property
    def steps(self) -> int:
        """Steps of every run."""
        return self.runs[0].record.steps

    @property
    def flops(self) -> int:
        """Floating-point operations of a step."""
        return self.runs[0].record.flops

    @cached_property
    def psnr(self) -> Spread:
        """PSNR in dB at the end, of the rendered signal."""
        return Spread.of([run.record.psnr for run in self.runs])

    @cached_property
    def ssim(self) -> Spread | None:
        """Structural similarity at the end; None for signals too small for it."""
        known = [run.record.ssim for run in self.runs if run.record.ssim is not None]
        return Spread.of(known) if len(known) == len(self.runs) else None

    @cached_property
    def seconds(self) -> Spread:
        """Duration of the training."""
        return Spread.of([run.record.seconds for run in self.runs])

    @cached_property
    def bytes(self) -> Spread:
        """Size of the file as a fit writes it."""
        return Spread.of([run.record.bytes for run in self.runs])

    @cached_property
    def bits(self) -> Spread:
        """Bits a sample of that file, all channels together."""
        samples = self.runs[0].variant.partition.label_map.size
        return Spread.of([8 * run.record.bytes / samples for run in self.runs])

    @cached_property
    def stored_psnr(self) -> Spread:
        """PSNR in dB of what that file holds."""
        return Spread.of([run.record.stored_psnr for run in self.runs])

    def psnr_after_seconds(self, seconds: float) -> Spread:
        """PSNR of the last training loss that was known then; of the first before there was one."""
        return Spread.of([run.record.history.psnr_after(seconds) for run in self.runs])

    def psnr_after_flops(self, flops: float) -> Spread:
        """PSNR of the last training loss for which this much arithmetic suffices."""
        known = max(int(flops // self.flops), 1)
        return Spread.of([float(run.record.history.psnr[:known][-1]) for run in self.runs])

    def seconds_to(self, psnr: float) -> Spread:
        """Seconds after which the training loss first had a PSNR (dB) that every run has reached."""
        return Spread.of([cast(float, run.record.history.seconds_to(psnr)) for run in self.runs])


@dataclass(frozen=True, eq=False)
class Family:
    """Variants that share a network and a recipe, and can be compared with each other.

    Attributes:
        network, recipe: their names.
        lines: the variants.
    """

    network: str
    recipe: str
    lines: Sequence[Line]

    @property
    def single(self) -> Line | None:
        """The one network without a partition, if it is among them."""
        return next((line for line in self.lines if line.alone), None)

    @property
    def seconds(self) -> float:
        """Duration of the quickest variant: each has got that far."""
        return min(line.seconds.mean for line in self.lines)

    @property
    def flops(self) -> int:
        """Arithmetic of the variant that took the least: each has got that far."""
        return min(line.steps * line.flops for line in self.lines)

    @property
    def level(self) -> int:
        """The highest whole PSNR (dB) that the training loss of every run has reached; at most 1000."""
        best = [float(run.record.history.psnr.max()) for line in self.lines for run in line.runs]
        return math.floor(min(1000.0, *best))


def families(comparison: Comparison) -> list[Family]:
    """The variants by network and recipe, in the order in which they first appear."""
    grouped: dict[tuple[str, str], list[Line]] = {}
    for runs in comparison.by_variant:
        variant = runs[0].variant
        grouped.setdefault((variant.network.name, variant.recipe.name), []).append(Line(runs))
    return [Family(network, recipe, lines) for (network, recipe), lines in grouped.items()]
