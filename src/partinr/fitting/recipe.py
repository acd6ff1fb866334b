"""Recipes: everything about training but the partition, the network, and when it is done."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Adam
from partinr.errors import InputError
from partinr.fitting.budgets import BUDGETS
from partinr.model.blending import check_overlap
from partinr.model.networks.network import Network
from partinr.shapes import Float64
from partinr.signals.frames import Frame
from partinr.signals.signal import Between

PSNR_STEPS = 600
"""Steps of the longest first cycle of a fit to a PSNR, whatever the signal's axes."""

STABLE = 1 / 3
"""Share of a fit during which the "cooldown" schedule holds the peak rate."""

# The same for fits from learned hidden layers, and the share of the peak rate that suits those of at least so
# many steps: shorter ones need all of it. Measured by `benchmarks/start.py`.
_START_STABLE, _START_RATE, _START_LONG = 0.15, 5 / 6, 300


@dataclass(frozen=True)
class Recipe:
    """Everything about training but the partition and the network.

    Attributes:
        name: what the file and the report call it; decides nothing.
        frame: coordinates that networks see: "global" or "local" to each region.
        steps: optimiser updates, where the goal does not say how many; None: as many as suit the signal's
            number of axes (`BUDGETS`), or a PSNR (`PSNR_STEPS`).
        batch: samples of each region in a step; None for all of them; "auto": see `batch_for`.
        learning_rate: peak rate of Adam for networks `reference_width` wide; see `rate_for`.
        reference_width: width at which `learning_rate` holds as it is; None: at every width.
        schedule: course of the learning rate after a warm-up of five steps: "cooldown" holds the peak for a
            while, then falls as 1 - sqrt(x) to a hundredth; "cosine" falls to a twentieth; "constant" has no
            warm-up either.
        adam: Adam's constants.
        whole_signal: the loss is the mean over the whole signal, not over each region's batch.
        solve_readout: start from output layers solved by least squares.
        hold: share of a fit during which "cooldown" holds the peak rate.
        blend: whether the function is continuous between regions, see `Structure`.
        overlap: samples of margin that each region is trained on beyond its own, see `Structure`; "auto": one
            where the goal is no PSNR and regions blend, or those of the fit that it starts from.
        cells: cells along each axis where no partition is given; None: cells of a size that suits networks
            of a usual width.
        like_one: where no network is given, all regions together have as many parameters as one network of
            this width and so many layers, with the published constants; None: constants that suit the
            size of the regions, and about as many parameters as the signal is worth.
        bf16: whether products may be in bfloat16 where that was measured to reach the same PSNR.
        between: what the function is between the samples, see `Between`; "auto": what suits the signal,
            see `between_for`.
        as_published: networks that were published with a learning rate of their own, whatever their width,
            are trained by that; see `trained_as`.

    Raises:
        InputError: steps, batch, learning rate, hold or overlap are out of their range.

    Example:
        >>> from dataclasses import replace
        >>> replace(FAST, steps=100, learning_rate=1e-3).steps
        100
    """

    name: str
    frame: Frame
    steps: int | None
    batch: int | Literal["auto"] | None
    learning_rate: float
    reference_width: int | None
    schedule: Literal["constant", "cosine", "cooldown"]
    adam: Adam
    whole_signal: bool
    solve_readout: bool
    hold: float = STABLE
    blend: bool = True
    overlap: int | Literal["auto"] = "auto"
    cells: int | None = None
    like_one: tuple[int, int] | None = None
    bf16: bool = True
    between: Between | Literal["auto"] = "auto"
    as_published: bool = True

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise InputError(f"steps must be at least 1, got {self.steps}")
        if isinstance(self.batch, int) and self.batch < 1:
            raise InputError(f"batch must be at least 1 or full, got {self.batch}")
        if not (0 < self.learning_rate < math.inf):
            raise InputError(f"the learning rate must be a positive number, got {self.learning_rate}")
        if not (0 <= self.hold < 1):
            raise InputError(f"hold must be at least 0 and less than 1, got {self.hold}")
        if self.overlap != "auto":
            check_overlap(self.overlap, self.blend)

    def changed(self, **changes: Any) -> Recipe:
        """The same but for some fields; a `learning_rate` given here holds for every network.

        Example:
            >>> FAST.changed(steps=100, learning_rate=1e-3).rate_for(40)
            0.001
        """
        if "learning_rate" in changes:
            changes = {"reference_width": None, "as_published": False, **changes}
        return replace(self, **changes)

    def trained_as(self, network: Network) -> Recipe:
        """The same with the learning rate and Adam's constants of a network that has its own."""
        own = network.training
        if own is None or not self.as_published:
            return self
        adam = Adam(own.beta1, own.beta2, own.eps)
        return replace(self, learning_rate=own.learning_rate, reference_width=None, adam=adam)

    def steps_for(self, axes: int) -> int:
        """Steps of a fit of a signal with so many axes to which no quality is named."""
        return BUDGETS[axes].steps if self.steps is None else self.steps

    @property
    def steps_to_psnr(self) -> int:
        """Steps of the longest first cycle of a fit to a PSNR."""
        return PSNR_STEPS if self.steps is None else self.steps

    def from_start(self, steps: int) -> Recipe:
        """The same for a fit of so many steps from learned hidden layers, which need less of a high rate: it
        is held for less long and, in fits that are not short, somewhat lower unless it is one to be used at
        any width."""
        lower = steps >= _START_LONG and self.reference_width is not None
        rate = self.learning_rate * (_START_RATE if lower else 1.0)
        return replace(self, learning_rate=rate, hold=min(self.hold, _START_STABLE))

    def rate_for(self, width: int) -> float:
        """Peak learning rate for networks of this width: inversely proportional to it, at most 1.4 times."""
        if self.reference_width is None:
            return self.learning_rate
        return self.learning_rate * min(1.4, self.reference_width / width)

    def batch_for(self, samples: float, packed: float = 1.0) -> int | None:
        """Samples in a step for regions of this mean size: "auto" takes 5 sqrt(samples), at least 128.

        That is a third of a 19 x 19 cell, and still a small share of a region that is half a photograph. With
        margins, which count as often as their weights say, it is `packed` times as many.

        Args:
            samples: of a region, its margin not counted.
            packed: samples of a region with its margin for each sample without it.
        """
        if self.batch != "auto":
            return self.batch
        return round(max(128, round(5 * math.sqrt(samples))) * packed)

    def schedule_at(
        self, fraction: Float64[ndarray, "n"], step: Float64[ndarray, "n"]
    ) -> Float64[ndarray, "n"]:
        """Share of the peak rate when this fraction of the fit is done, at these absolute steps.

        Source of the cooldown: Hägele et al., "Scaling laws and compute-optimal training beyond fixed
        training durations", NeurIPS 2024, section 3.
        """
        if self.schedule == "constant":
            return np.ones_like(fraction)
        warm = np.minimum(1.0, (step + 1) / 5)
        if self.schedule == "cosine":
            share = 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * np.clip(fraction, 0, 1)))
        else:
            share = 0.01 + 0.99 * (1 - np.sqrt(np.clip((fraction - self.hold) / (1 - self.hold), 0, 1)))
        found: Float64[ndarray, "n"] = warm * share
        return found


FAST = Recipe(
    name="fast",
    frame="local",
    steps=None,
    batch="auto",
    learning_rate=9e-3,
    reference_width=12,
    schedule="cooldown",
    adam=Adam(0.9, 0.9),
    whole_signal=False,
    solve_readout=True,
)
"""Small cells, local frame, minibatches; the default. Measured by `benchmarks/recipe.py`."""

PAPER = Recipe(
    name="paper",
    frame="global",
    steps=1500,
    batch=None,
    learning_rate=1e-4,
    reference_width=None,
    schedule="constant",
    adam=Adam(),
    whole_signal=True,
    solve_readout=False,
    overlap=0,
    cells=3,
    like_one=(512, 3),
    bf16=False,
    between="none",
)
"""The published recipe: full batch, Adam at 1e-4, global frame (section 5.2 of the paper)."""

RECIPES = {recipe.name: recipe for recipe in (FAST, PAPER)}
