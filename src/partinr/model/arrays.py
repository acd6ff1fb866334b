"""What formulas are written with: arrays of NumPy or of torch, or values of a recorder.

NumPy and torch call most functions alike, so one formula serves both. A recorder is an object whose class has
`__array_namespace__`, as the array API standard calls it: the ONNX export passes values that note down what
is done to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from partinr.shapes import Float, Int, Shaped

Array = Any
"""A NumPy array, a torch tensor, or a recorder's value."""


def namespace(x: Array) -> Any:
    """The module that has the functions for this kind of array: sin, cos, exp, abs, where, concatenate."""
    if isinstance(x, ndarray):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    import torch

    return torch


def like(values: Shaped[ndarray, "*shape"], x: Array) -> Shaped[Array, "*shape"]:
    """Constants as arrays of x's kind, precision and device."""
    if isinstance(x, ndarray):
        return values.astype(x.dtype)
    return namespace(x).asarray(values, dtype=x.dtype, device=x.device)


def cast(x: Shaped[Array, "*shape"], other: Array) -> Shaped[Array, "*shape"]:
    """The same numbers in the type of another array of the same kind."""
    return x.astype(other.dtype) if isinstance(x, ndarray) else x.to(other.dtype)


def whole(x: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """The largest whole numbers not above x, which do not change with it."""
    if isinstance(x, ndarray):
        return np.floor(x).astype(np.int64)
    module = namespace(x)
    return x.floor().long() if module.__name__ == "torch" else module.whole(x)


def affine(
    x: Float[Array, "regions samples fan_in"],
    weight: Float[Array, "regions fan_in fan_out"],
    bias: Float[Array, "regions fan_out"],
) -> Float[Array, "regions samples fan_out"]:
    """x @ weight + bias in every region."""
    module = namespace(x)
    if module.__name__ == "torch":  # which adds while it multiplies
        return module.baddbmm(bias[:, None], x, weight)
    return x @ weight + bias[:, None]


def picked(x: Float[Array, "*rest features"], index: Int[ndarray, " picked"]) -> Float[Array, "*rest picked"]:
    """The features with these indices."""
    module = namespace(x)
    if module.__name__ == "torch":
        return x.index_select(-1, module.asarray(index, device=x.device))
    return module.take(x, index, axis=-1)


def rows(
    table: Float[Array, "regions entries features"], index: Int[Array, "regions samples picked"]
) -> Float[Array, "regions samples picked_features"]:
    """Rows of each region's table side by side, those of a sample's first index first."""
    if isinstance(index, ndarray):
        which = np.arange(len(table))[:, None, None]
        return table[which, index].reshape(*index.shape[:2], -1)
    module = namespace(index)
    if module.__name__ != "torch":
        return module.rows(table, index)
    first = table.shape[1] * module.arange(table.shape[0], device=index.device)[:, None, None]
    flat = (index + first).reshape(-1)
    # Its gradient is added up several times as fast as those of other ways to index.
    return table.flatten(0, 1).index_select(0, flat).reshape(*index.shape[:2], -1)


def halves(
    x: Float[Array, "*rest features"],
) -> tuple[Float[Array, "*rest half"], Float[Array, "*rest half"]]:
    """The first and the second half of the features."""
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def positive(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """max(x, 0); what is no number stays none."""
    return namespace(x).where(x <= 0, 0.0, x)


def sines_and_cosines(phases: Float[Array, "*rest features"]) -> Float[Array, "*rest twice"]:
    """[sin | cos] of the phases."""
    module = namespace(phases)
    return module.concatenate((module.sin(phases), module.cos(phases)), axis=-1)
