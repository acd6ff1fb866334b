"""A cubic spline whose mean over the area of every sample is that sample."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.shapes import Float32, Float64, Int64

REACH = 18
"""Samples on either side that a value depends on: beyond, weights are below 1e-8 of the nearest one's."""

# Basis functions that are not zero somewhere on one sample's length.
_ORDER = 3


class Taps(NamedTuple):
    """Weights of neighbouring coefficients for values along one axis.

    Attributes:
        first: the first coefficient that each value needs.
        weights: of that one and those after it.
    """

    first: Int64[ndarray, "size"]
    weights: Float64[ndarray, "size taps"]

    def apply(self, values: Float32[ndarray, "*before n *after"], axis: int) -> Float32[ndarray, "..."]:
        """Weighted sums along an axis; coefficients beyond either end must not be asked for."""
        shape = (*values.shape[:axis], len(self.first), *values.shape[axis + 1 :])
        between = _middle(values, axis)
        out = np.empty((len(between), len(self.first), between.shape[2]), np.float32)
        weights = self.weights.astype(np.float32)
        if kernel.why_missing() is None:
            kernel.add_up(between, self.first, weights, out)
        else:
            out[:] = 0
            for k in range(weights.shape[1]):
                out += weights[:, k, None] * between[:, self.first + k]
        return out.reshape(shape)


def means(count: int, size: int) -> Taps:
    """Taps for the means of every `count` values, `size` of them."""
    return Taps(count * np.arange(size), np.full((size, count), 1 / count))


def _middle(values: Float32[ndarray, "*before n *after"], axis: int) -> Float32[ndarray, "outer n inner"]:
    """The values with all axes before the one in one, and all after it."""
    before = math.prod(values.shape[:axis])
    return np.ascontiguousarray(values, np.float32).reshape(before, values.shape[axis], -1)


def coefficients(
    values: Float32[ndarray, "*before n *after"], axis: int
) -> Float32[ndarray, "*before n *after"]:
    """Coefficients of the spline of values along an axis, whose ends must be `REACH` beyond what matters.

    The mean of the cubic B-spline over a sample's length is the quartic one at whole numbers, so these are
    the coefficients of the quartic spline through the values.

    Source: Unser, Aldroubi, Eden, "B-spline signal processing: Part II", IEEE Transactions on Signal
    Processing 41(2), 1993.
    """
    if kernel.why_missing() is None:
        between = _middle(values, axis).copy()
        kernel.to_spline(between)
        return between.reshape(values.shape)
    from scipy.ndimage import spline_filter1d

    found: Float32[ndarray, "*before n *after"] = spline_filter1d(
        values, order=_ORDER + 1, axis=axis, output=np.float32, mode="mirror"
    )
    return found


def at_points(places: Float64[ndarray, "size"], derivative: int = 0) -> Taps:
    """Taps for the spline's values, or its first or second derivatives, at places in samples."""
    first = np.floor(places).astype(np.int64) - 1
    away = places[:, None] - (first[:, None] + np.arange(_ORDER + 1))
    return Taps(first, _basis(away, _ORDER, derivative))


def over(edges: Float64[ndarray, "ends"], derivative: int = 0) -> Taps:
    """Taps for the means of the spline, or of its derivative, between each edge and the next.

    Args:
        edges: ascending places in samples; 0 is the middle of the first sample.
        derivative: 0 for the spline itself, 1 or 2 for its derivatives.
    """
    lengths = np.diff(edges)
    count = _ORDER + 1 + math.ceil(float(lengths.max())) + 1
    first = np.floor(edges[:-1]).astype(np.int64) - 1
    places = first[:, None] + np.arange(count)
    upper, lower = edges[1:, None] - places, edges[:-1, None] - places
    if derivative == 0:
        weights = _integral(upper) - _integral(lower)
    else:
        weights = _basis(upper, _ORDER, derivative - 1) - _basis(lower, _ORDER, derivative - 1)
    return Taps(first, weights / lengths[:, None])


def _basis(x: Float64[ndarray, "..."], order: int, derivative: int = 0) -> Float64[ndarray, "..."]:
    """The centred B-spline of an order, or its derivative."""
    if derivative:
        rise: Float64[ndarray, "..."] = _basis(x + 0.5, order - 1, derivative - 1)
        change: Float64[ndarray, "..."] = rise - _basis(x - 0.5, order - 1, derivative - 1)
        return change
    if order == 0:
        inside: Float64[ndarray, "..."] = ((x >= -0.5) & (x < 0.5)).astype(np.float64)
        return inside
    half = (order + 1) / 2
    left = (x + half) * _basis(x + 0.5, order - 1)
    found: Float64[ndarray, "..."] = (left + (half - x) * _basis(x - 0.5, order - 1)) / order
    return found


def _integral(x: Float64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    """The integral of the cubic B-spline from minus infinity, which rises from 0 to 1 over four samples."""
    half = (_ORDER + 1) / 2
    within = x.clip(-half, half)
    # The quartic B-splines from here on to the left add up to the integral.
    steps: Float64[ndarray, "..."] = np.stack(
        [_basis(within - 0.5 - k, _ORDER + 1) for k in range(_ORDER + 1)]
    )
    total: Float64[ndarray, "..."] = steps.sum(axis=0)
    return total
