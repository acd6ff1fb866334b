"""The published analysis: mean over repeats, a cubic polynomial, then a bounded exponential."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64
from partinr.studies.hypothesis.observations import Observations

_LOWER, _UPPER = (1.0, 0.001, -100.0), (60.0, 0.1, 10.0)
_DEGREE = 3


@dataclass(frozen=True, eq=False)
class PublishedFit:
    """steps = a exp(b n) + c, fitted as published.

    Attributes:
        a, b, c: the curve.
        boundaries: sizes, ascending.
        mean: mean of the steps of each size.
        smooth: the cubic polynomial through them, which is what the curve is fitted to.
    """

    a: float
    b: float
    c: float
    boundaries: Float64[ndarray, "sizes"]
    mean: Float64[ndarray, "sizes"]
    smooth: Float64[ndarray, "sizes"]

    @property
    def p(self) -> float:
        """Factor for each further boundary, exp(b)."""
        return math.exp(self.b)

    @property
    def at_bound(self) -> bool:
        """Whether b is at an end of the interval that it was allowed: then it is no estimate."""
        return not _LOWER[1] * 1.001 < self.b < _UPPER[1] * 0.999

    def curve(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """The fitted curve."""
        return _exponential(boundaries, self.a, self.b, self.c)


def fit_published(runs: Observations, start: PublishedFit | None = None) -> PublishedFit | None:
    """The published analysis of some runs; those that hit the limit count with the limit, as published.

    Args:
        runs: at least one of each size.
        start: a fit of similar runs to start from, which saves time.

    Returns:
        None with fewer than five sizes, which a cubic polynomial does not smooth.

    Source: Liu et al., ICCV 2023, section 3, and its code: a in [1, 60], b in [0.001, 0.1], c in [-100, 10].
    """
    from scipy.optimize import curve_fit

    sizes = runs.sizes
    if len(sizes) < _DEGREE + 2:
        return None
    place = np.searchsorted(sizes, runs.boundaries)
    mean = np.bincount(place, runs.steps) / np.bincount(place)
    # Centred and scaled, which changes the polynomial's coefficients and not its values.
    x = (sizes - sizes.mean()) / sizes.std()
    smooth = np.polyval(np.polyfit(x, mean, _DEGREE), x)
    try:
        (a, b, c), _ = curve_fit(
            _exponential,
            sizes,
            smooth,
            p0=(10.0, 0.01, 0.0) if start is None else (start.a, start.b, start.c),
            jac=_derivative,
            bounds=(_LOWER, _UPPER),
            max_nfev=20_000,
        )
    except RuntimeError:  # it does not settle
        return None
    return PublishedFit(float(a), float(b), float(c), sizes, mean, smooth)


def _derivative(
    boundaries: Float64[ndarray, "n"],
    a: float,
    b: float,
    c: float,  # noqa: ARG001
) -> Float64[ndarray, "n 3"]:
    growth = np.exp(b * boundaries)
    return np.stack([growth, a * boundaries * growth, np.ones_like(growth)], axis=1)


def _exponential(boundaries: Float64[ndarray, "n"], a: float, b: float, c: float) -> Float64[ndarray, "n"]:
    return a * np.exp(b * boundaries) + c
