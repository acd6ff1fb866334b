"""Maximum likelihood for step counts, of which some are only known to be greater than the limit.

The logarithm of a run's steps is taken as normal around the logarithm of a curve, with a deviation that may
change with the number of boundaries. A run that reached the limit says that its steps are more than that, and
counts with the probability of it (a censored observation).

Source: Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26, 1958; Akaike,
"A new look at the statistical model identification", IEEE Transactions on Automatic Control 19, 1974.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64
from partinr.studies.hypothesis.models import Model, Span
from partinr.studies.hypothesis.observations import Observations

_LOG_STEPS = (-3.0, 25.0)
_LOG_DEVIATION = (-5.0, 2.0)
_DEVIATION_CHANGE = (-4.0, 4.0)
# Gains in log likelihood below the second make no difference to anything.
_PATIENCE = {"maxiter": 1000, "ftol": 1e-9}


@dataclass(frozen=True, eq=False)
class Fit:
    """A family of curves fitted to runs.

    Attributes:
        model: the family.
        span: least and greatest number of boundaries that it was fitted to.
        numbers: logarithm of low and of rise, bend, logarithm of the deviation at the middle of the span, and
            its change from one end of the span to the other.
        log_likelihood: natural logarithm of the runs' probability density.
    """

    model: Model
    span: Span
    numbers: Float64[ndarray, "5"]
    log_likelihood: float

    @property
    def parameters(self) -> int:
        """Numbers that were fitted, the deviation's two included."""
        return self.model.numbers + 2

    @property
    def aic(self) -> float:
        """Akaike's information criterion; less is better."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def bend(self) -> float:
        """How the curve bends, as each family of `models.py` counts it."""
        return float(self.numbers[2])

    @property
    def p(self) -> float:
        """Factor for each further boundary, exp(b), of an exponential curve."""
        return math.exp(self.bend / self.span.length)

    def median(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """Steps that half of the runs need."""
        low, rise = np.exp(self.numbers[:2])
        curve = low + rise * self.model.shape(boundaries, self.span, self.bend)
        # Beyond the span that it was fitted to, a bent curve may fall to zero.
        positive: Float64[ndarray, "n"] = np.maximum(curve, 1e-3)
        return positive

    def deviation(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """Standard deviation of the logarithm of the steps."""
        middle, change = self.numbers[3:]
        deviation: Float64[ndarray, "n"] = np.exp(middle + change * (self.span.place(boundaries) - 0.5))
        return deviation

    def densities(self, runs: Observations) -> Float64[ndarray, "runs"]:
        """Logarithm of each run's probability density, or of its probability where it is censored."""
        from scipy.special import log_ndtr

        deviation, steps = self.deviation(runs.boundaries), np.log(runs.steps)
        z = (steps - np.log(self.median(runs.boundaries))) / deviation
        exact = -0.5 * z * z - np.log(deviation) - 0.5 * math.log(2 * math.pi) - steps
        densities: Float64[ndarray, "runs"] = np.where(runs.censored, log_ndtr(-z), exact)
        return densities

    def slope(self, runs: Observations) -> Float64[ndarray, "5"]:
        """Derivative of the log likelihood by each number; zero for the bend of a family without one."""
        from scipy.special import log_ndtr

        deviation, median = self.deviation(runs.boundaries), self.median(runs.boundaries)
        z = (np.log(runs.steps) - np.log(median)) / deviation
        # How fast the log density rises with the median's logarithm, times the deviation.
        hazard = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_ndtr(-z))
        by_median = np.where(runs.censored, hazard, z) / deviation / median
        by_deviation = np.where(runs.censored, z * hazard, z * z - 1)
        low, rise = np.exp(self.numbers[:2])
        shape, ahead, behind = (
            self.model.shape(runs.boundaries, self.span, self.bend + by) for by in (0.0, 1e-5, -1e-5)
        )
        parts = (
            by_median * low,
            by_median * rise * shape,
            by_median * rise * (ahead - behind) / 2e-5,
            by_deviation,
            by_deviation * (self.span.place(runs.boundaries) - 0.5),
        )
        return np.array([part.sum() for part in parts])


def fit_model(model: Model, runs: Observations, start: Fit | None = None) -> Fit | None:
    """The curve of a family under which the runs are most probable.

    Args:
        model: the family.
        runs: of at least three sizes, more of them converged than there are numbers to fit.
        start: a fit of similar runs to start from; None to start from several.

    Returns:
        None if the runs do not determine such a curve.
    """
    sizes = runs.sizes
    converged = ~runs.censored
    if len(sizes) < 3 or converged.sum() <= model.numbers + 2:
        return None
    span = Span(float(sizes[0]), float(sizes[-1]))

    if start is not None:
        starts = [start.numbers]
    else:
        low, high = (float(np.log(runs.steps[runs.boundaries == n]).mean()) for n in (span.low, span.high))
        rise = max(high, low) + math.log(max(1e-3, -math.expm1(-abs(high - low))))
        starts = [np.array([low, rise, bend, math.log(0.3), 0.0]) for bend in model.bends or (0.0,)]
    found = [_climb(Fit(model, span, numbers, -math.inf), runs) for numbers in starts]
    known = [fit for fit in found if math.isfinite(fit.log_likelihood)]
    return max(known, key=lambda fit: fit.log_likelihood, default=None)


def _climb(start: Fit, runs: Observations) -> Fit:
    """The nearest local maximum of the log likelihood.

    SLSQP finds the same maxima as L-BFGS-B, whose linear algebra waits on a busy machine for threads that
    five numbers do not need.

    Source: Kraft, "A software package for sequential quadratic programming", DFVLR-FB 88-28, 1988.
    """
    from scipy.optimize import minimize

    def downhill(numbers: Float64[ndarray, "5"]) -> tuple[float, Float64[ndarray, "5"]]:
        fit = replace(start, numbers=numbers)
        return -float(fit.densities(runs).sum()), -fit.slope(runs)

    bounds = [_LOG_STEPS, _LOG_STEPS, start.model.bounds, _LOG_DEVIATION, _DEVIATION_CHANGE]
    with warnings.catch_warnings():
        # Before SciPy 1.16, steps end beyond bounds by what rounding does, and SciPy says that it goes back.
        warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)
        found = minimize(downhill, start.numbers, jac=True, method="SLSQP", bounds=bounds, options=_PATIENCE)
    return replace(start, numbers=found.x, log_likelihood=-float(found.fun))
