"""What rounding to a signal's data type does to errors, and which errors it therefore allows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64
from partinr.signals.signal import SignalSpec

_BISECTIONS = 30
# Errors of more steps than this are as good as not rounded.
_FINE = 16
# Normal errors are never larger than so many deviations.
_NEVER = 9.0

Tail = Callable[[Float64[ndarray, "n"]], Float64[ndarray, "n"]]


def before_rounding(mse: float, spec: SignalSpec) -> float:
    """The mean squared error (normalised values) that becomes `mse` once values are rounded to the data type.

    The signal's own values are such that rounding leaves alone: it adds a twelfth of a step squared to large
    errors, and makes those below half a step vanish. What is left where a step is coarse is the share of
    samples that are far off, and few are far off in a network's errors, but more than in normal ones.
    """
    return _unrounded(mse, spec, _heavy_tail)


def most_before_rounding(mse: float, spec: SignalSpec) -> float:
    """The same for normally distributed errors, whose tails are lightest: the most allowed."""
    return max(_unrounded(mse, spec, _normal_tail), before_rounding(mse, spec))


def _unrounded(mse: float, spec: SignalSpec, tail: Tail) -> float:
    if np.dtype(spec.dtype).kind == "f":
        return mse
    step = 1 / (spec.value_range[1] - spec.value_range[0])
    low, high = 1e-3 * step, math.sqrt(mse) + step
    for _ in range(_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _rounded(middle / step, tail) * step**2 < mse else (low, middle)
    return low**2


def _rounded(deviation: float, tail: Tail) -> float:
    """Mean square of errors of this deviation, rounded: the sum of (2j - 1) P(|x| > j - 1/2)."""
    if deviation > _FINE:
        return deviation**2 + 1 / 12
    j = np.arange(1, 100 * _FINE)
    return float(((2 * j - 1) * tail((j - 0.5) / deviation)).sum())


def _heavy_tail(beyond: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
    """Share of errors larger than so many deviations, of the density exp(-|x / a|^(1/2)), kurtosis 25."""
    root = np.sqrt(math.sqrt(120) * beyond)
    share: Float64[ndarray, "n"] = (1 + root) * np.exp(-root)
    return share


def _normal_tail(beyond: Float64[ndarray, "n"]) -> Float64[ndarray, "n"]:
    share = np.zeros(len(beyond))
    near = beyond < _NEVER
    share[near] = [math.erfc(z / math.sqrt(2)) for z in beyond[near]]
    return share
