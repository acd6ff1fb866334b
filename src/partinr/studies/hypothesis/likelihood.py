"""Maximum likelihood for step counts, of which some are only known to be greater than the limit.

The logarithm of a run's steps is taken as normal around the logarithm of a curve, with a deviation that may
change with the number of boundaries. A run that reached the limit says that its steps are more than that, and
counts with the probability of it (a censored observation).

Source: Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26, 1958; Akaike,
"A new look at the statistical model identification", IEEE Transactions on Automatic Control 19, 1974.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from partinr.studies.hypothesis.models import Model, Span
from partinr.studies.hypothesis.observations import Observations

_LOG_STEPS = (-3.0, 25.0)
_LOG_DEVIATION = (-5.0, 2.0)
_DEVIATION_CHANGE = (-4.0, 4.0)
_MOST_STEPS = 300
_MOST_DAMPING = 1e8
# A gain in log likelihood that makes no difference to anything.
_ENOUGH = 1e-7


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
        """See the model."""
        return float(self.numbers[2])

    @property
    def p(self) -> float:
        """Factor for each further boundary, exp(b), of an exponential curve."""
        return math.exp(self.bend / self.span.length)

    def median(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """Steps that half of the runs need."""
        return _median(self.model, self.span, self.numbers, boundaries)

    def deviation(self, boundaries: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
        """Standard deviation of the logarithm of the steps."""
        return _deviation(self.span, self.numbers, boundaries)

    def densities(self, runs: Observations) -> Float64[ndarray, "runs"]:
        """Logarithm of each run's probability density, or of its probability where it is censored."""
        return _densities(self.model, self.span, self.numbers, runs)


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
    found = [_climb(model, span, numbers, runs) for numbers in starts]
    known = [(value, numbers) for value, numbers in found if math.isfinite(value)]
    if not known:
        return None
    value, numbers = max(known, key=lambda one: one[0])
    return Fit(model, span, numbers, value)


def _climb(
    model: Model, span: Span, start: Float64[ndarray, "5"], runs: Observations
) -> tuple[float, Float64[ndarray, "5"]]:
    """Local maximum of the log likelihood and where it is.

    Each step solves with the outer product of the runs' scores, damped until it goes upward. SciPy's
    L-BFGS-B finds the same maxima; on a busy machine its linear algebra waits for threads that five numbers
    do not need.

    Source: Berndt, Hall, Hall, Hausman, "Estimation and inference in nonlinear structural models", Annals of
    Economic and Social Measurement 3, 1974.
    """
    bounds = np.array([_LOG_STEPS, _LOG_STEPS, model.bounds, _LOG_DEVIATION, _DEVIATION_CHANGE])
    numbers = np.clip(start, bounds[:, 0], bounds[:, 1])
    value = float(_densities(model, span, numbers, runs).sum())
    damping = 1e-2
    for _ in range(_MOST_STEPS):
        scores = _scores(model, span, numbers, runs)
        uphill = scores.sum(axis=0)
        # A number at its bound stays there while the others move.
        held = ((numbers <= bounds[:, 0]) & (uphill < 0)) | ((numbers >= bounds[:, 1]) & (uphill > 0))
        scores[:, held] = 0
        outer = np.einsum("ri,rj->ij", scores, scores)
        gain = 0.0
        while gain <= 0 and damping < _MOST_DAMPING:
            lifted = outer + np.diag(damping * outer.diagonal() + 1e-9)
            move = np.linalg.solve(lifted, np.where(held, 0.0, uphill))
            tried = np.clip(numbers + move, bounds[:, 0], bounds[:, 1])
            gain = float(_densities(model, span, tried, runs).sum()) - value
            damping *= 0.3 if gain > 0 else 4.0
        if not gain > 0:
            break
        numbers, value = tried, value + gain
        damping = max(damping, 1e-6)
        if gain < _ENOUGH:
            break
    return value, numbers


def _scores(
    model: Model, span: Span, numbers: Float64[ndarray, "5"], runs: Observations
) -> Float64[ndarray, "runs 5"]:
    """Derivative of each run's log density by each number; zero for the bend of a family without one."""
    from scipy.special import log_ndtr

    deviation = _deviation(span, numbers, runs.boundaries)
    median = _median(model, span, numbers, runs.boundaries)
    z = (np.log(runs.steps) - np.log(median)) / deviation
    # How fast the log density rises with the median's logarithm, times the deviation.
    hazard = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_ndtr(-z))
    pull = np.where(runs.censored, hazard, z)
    by_median = pull / deviation / median
    by_deviation = np.where(runs.censored, z * hazard, z * z - 1)
    low, rise = np.exp(numbers[:2])
    bend, step = float(numbers[2]), 1e-5
    by_bend = np.zeros_like(z)
    if model.bends:
        ahead, behind = (model.shape(runs.boundaries, span, bend + sign * step) for sign in (1, -1))
        by_bend = by_median * rise * (ahead - behind) / (2 * step)
    parts = (
        by_median * low,
        by_median * rise * model.shape(runs.boundaries, span, bend),
        by_bend,
        by_deviation,
        by_deviation * (span.place(runs.boundaries) - 0.5),
    )
    return np.stack(parts, axis=1)


def _median(
    model: Model, span: Span, numbers: Float64[ndarray, "5"], boundaries: Float64[ndarray, "n"]
) -> Float64[ndarray, "n"]:
    curve = math.exp(numbers[0]) + math.exp(numbers[1]) * model.shape(boundaries, span, float(numbers[2]))
    # Beyond the span that it was fitted to, a bent curve may fall to zero.
    positive: Float64[ndarray, "n"] = np.maximum(curve, 1e-3)
    return positive


def _deviation(
    span: Span, numbers: Float64[ndarray, "5"], boundaries: Float64[ndarray, "n"]
) -> Float64[ndarray, "n"]:
    deviation: Float64[ndarray, "n"] = np.exp(numbers[3] + numbers[4] * (span.place(boundaries) - 0.5))
    return deviation


def _densities(
    model: Model, span: Span, numbers: Float64[ndarray, "5"], runs: Observations
) -> Float64[ndarray, "runs"]:
    from scipy.special import log_ndtr

    deviation = _deviation(span, numbers, runs.boundaries)
    steps = np.log(runs.steps)
    z = (steps - np.log(_median(model, span, numbers, runs.boundaries))) / deviation
    exact = -0.5 * z * z - np.log(deviation) - 0.5 * math.log(2 * math.pi) - steps
    densities: Float64[ndarray, "runs"] = np.where(runs.censored, log_ndtr(-z), exact)
    return densities
