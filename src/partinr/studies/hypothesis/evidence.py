"""What a sweep says about the hypothesis: the published analysis and a sound one beside each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Float64
from partinr.studies.hypothesis.likelihood import Fit, fit_model
from partinr.studies.hypothesis.models import EXPONENTIAL, MODELS, Model
from partinr.studies.hypothesis.observations import Observations
from partinr.studies.hypothesis.published import PublishedFit, fit_published

COVERAGE = 0.95
_FOLDS = 5
_EXTRAPOLATED = 1 / 3
# An interval from fewer resamples than this share of those asked for would be of the lucky ones alone.
_LEAST_SUCCESS = 0.9


@dataclass(frozen=True)
class Interval:
    """A percentile interval that covers 95 %."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class HeldOut:
    """Log probability density of runs that a curve was not fitted to.

    Attributes:
        total: over all held-out runs.
        behind: how much that is less than the best family's.
        error: standard error of `behind`, over sizes; None where a single size was held out.
    """

    total: float
    behind: float
    error: float | None

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.1f}"
        return f"{self.behind:.1f}{error}"


@dataclass(frozen=True, eq=False)
class Contender:
    """How well a family of curves does.

    Attributes:
        fit: to all runs; None if they do not determine it.
        delta: its AIC above the least; None without a fit.
        crossed: sizes left out in turns, a fifth at a time; None if a fold cannot be fitted.
        extrapolated: the largest third of the sizes, predicted from the others; None likewise.
    """

    fit: Fit | None
    delta: float | None
    crossed: HeldOut | None
    extrapolated: HeldOut | None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Two analyses of one sweep. What cannot be computed is None.

    Attributes:
        runs: what was analysed.
        published: the published analysis.
        published_interval: of its p, by bootstrap.
        contenders: every family by its name, the exponential first.
        interval: of the exponential's p by maximum likelihood, by bootstrap.
        resamples: bootstrap samples that were drawn.
    """

    runs: Observations
    published: PublishedFit | None
    published_interval: Interval | None
    contenders: Mapping[str, Contender]
    interval: Interval | None
    resamples: int

    @property
    def exponential(self) -> Fit | None:
        """The hypothesis, fitted by maximum likelihood."""
        return self.contenders[EXPONENTIAL.name].fit

    @property
    def ranked(self) -> list[str]:
        """Names of the families that could be fitted, best AIC first."""
        known = {name: c.delta for name, c in self.contenders.items() if c.delta is not None}
        return sorted(known, key=lambda name: known[name])

    def facts(self) -> dict[str, Any]:
        """The same in JSON's types."""
        fit = self.exponential
        return {
            "published": {
                "p": getattr(self.published, "p", None),
                "p_interval": pair(self.published_interval),
                **{name: getattr(self.published, name, None) for name in "abc"},
            },
            "likelihood": {"p": fit and fit.p, "p_interval": pair(self.interval)},
            "models": {name: _contender_facts(c) for name, c in self.contenders.items()},
            "best": self.ranked[0] if self.ranked else None,
            "runs": len(self.runs),
            "censored": int(self.runs.censored.sum()),
            "resamples": self.resamples,
        }


def weigh(
    runs: Observations,
    resamples: int = 1000,
    seed: int = 0,
    callback: Callable[[float], None] = lambda _: None,
) -> Evidence:
    """Analyse a sweep.

    Args:
        runs: those that converged or hit the limit.
        resamples: bootstrap samples for the intervals; runs are drawn with replacement, all sizes together.
        seed: of the resampling.
        callback: told the share of the work that is done, 0..1.
    """
    fits = {model.name: fit_model(model, runs) for model in MODELS}
    published = fit_published(runs) if len(runs) else None
    least = min((fit.aic for fit in fits.values() if fit is not None), default=math.nan)
    crossed = _against_best({model.name: _crossed(model, runs) for model in MODELS}, runs)
    extrapolated = _against_best({model.name: _extrapolated(model, runs) for model in MODELS}, runs)
    contenders = {
        name: Contender(fit, None if fit is None else fit.aic - least, crossed[name], extrapolated[name])
        for name, fit in fits.items()
    }
    exponential = fits[EXPONENTIAL.name]
    generator = np.random.default_rng(seed)
    factors: tuple[list[float], list[float]] = ([], [])
    for i in range(resamples if exponential is not None or published is not None else 0):
        drawn = runs.pick(generator.integers(0, len(runs), len(runs)))
        again = (
            published and fit_published(drawn, published),
            exponential and fit_model(EXPONENTIAL, drawn, exponential),
        )
        for found, fit in zip(factors, again, strict=True):
            found += [] if fit is None else [fit.p]
        callback((i + 1) / resamples)
    by_published, by_likelihood = (percentiles(found, resamples) for found in factors)
    return Evidence(runs, published, by_published, contenders, by_likelihood, resamples)


def percentiles(values: list[float], resamples: int) -> Interval | None:
    """The interval that bootstrap values span; None if too many of the resamples gave none.

    Args:
        values: of the resamples that gave one.
        resamples: that were drawn.
    """
    if not values or len(values) < _LEAST_SUCCESS * resamples:
        return None
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))


Densities = Float64[ndarray, "runs"]
"""Log density of each run under a curve fitted without it; NaN where the run was not held out."""


def _crossed(model: Model, runs: Observations) -> Densities | None:
    """Sizes left out in turns."""
    place = np.searchsorted(runs.sizes, runs.boundaries)
    return _held_out(model, runs, [place % _FOLDS == fold for fold in range(_FOLDS)])


def _extrapolated(model: Model, runs: Observations) -> Densities | None:
    """The largest sizes left out."""
    sizes = runs.sizes
    place = np.searchsorted(sizes, runs.boundaries)
    return _held_out(model, runs, [place >= len(sizes) - round(_EXTRAPOLATED * len(sizes))])


def _held_out(model: Model, runs: Observations, folds: list[Bool[ndarray, "runs"]]) -> Densities | None:
    densities = np.full(len(runs), np.nan)
    for held in folds:
        fit = fit_model(model, runs.pick(~held))
        if fit is None:
            return None
        densities[held] = fit.densities(runs.pick(held))
    return None if np.isnan(densities).all() else densities


def _against_best(found: Mapping[str, Densities | None], runs: Observations) -> dict[str, HeldOut | None]:
    """Totals, and how far each is behind the best with the standard error of that."""
    known = {name: densities for name, densities in found.items() if densities is not None}
    if not known:
        return dict.fromkeys(found)
    best = max(known.values(), key=lambda densities: float(np.nansum(densities)))

    def compared(densities: Densities | None) -> HeldOut | None:
        if densities is None:
            return None
        # Runs of one size share the error that a curve makes there, so sizes are what is independent.
        held = ~np.isnan(densities)
        place = np.unique(runs.boundaries[held], return_inverse=True)[1]
        lacks = np.bincount(place, (best - densities)[held])
        error = float(lacks.std(ddof=1) * math.sqrt(len(lacks))) if len(lacks) > 1 else None
        return HeldOut(float(densities[held].sum()), float(lacks.sum()), error)

    return {name: compared(densities) for name, densities in found.items()}


def pair(interval: Interval | None) -> list[float] | None:
    """An interval in JSON's types."""
    return None if interval is None else [interval.low, interval.high]


def _contender_facts(contender: Contender) -> dict[str, Any]:
    fit = contender.fit
    return {
        "formula": fit and fit.model.formula,
        "log_likelihood": fit and fit.log_likelihood,
        "parameters": fit and fit.parameters,
        "aic": fit and fit.aic,
        "aic_above_best": contender.delta,
        "held_out": _held_facts(contender.crossed),
        "extrapolated": _held_facts(contender.extrapolated),
    }


def _held_facts(held: HeldOut | None) -> dict[str, float | None] | None:
    if held is None:
        return None
    return {"log_likelihood": held.total, "behind_best": held.behind, "standard_error": held.error}
