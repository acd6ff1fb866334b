"""Missing samples filled smoothly, from those that are there.

Means over ever larger blocks of what is there, down to one that nothing is missing of, give a first guess for
blocks of half the size, and so on down to the samples; there what is missing moves towards the mean of its
neighbours. Along one axis, straight lines from one sample to the next are as smooth.

Sources: Gortler, Grzeszczuk, Szeliski, Cohen, "The lumigraph", SIGGRAPH 1996, section 3.5 (pull-push);
Bornemann, Deuflhard, "The cascadic multigrid method for elliptic problems", Numerische Mathematik 75, 1996.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.shapes import Bool, Float32

# On blocks of each size; more gain little (2.8e-3, 2.3e-3, 2.1e-3 of the range for 2, 4 and 8 where half the
# samples of waves of 75 to 250 samples are missing).
_SWEEPS = 2


def filled(
    values: Float32[ndarray, "*shape channels"], mask: Bool[ndarray, "*shape"]
) -> Float32[ndarray, "*shape channels"]:
    """The same values where they are there, and a smooth continuation of them, within their range, elsewhere.

    Args:
        values: finite where they are there; nothing depends on what stands elsewhere.
        mask: which samples are there; at least one.

    Example:
        >>> ramp = np.arange(8, dtype=np.float32)[:, None]
        >>> filled(ramp, ramp[:, 0] != 3)[3].round(1).tolist()
        [3.0]
    """
    if values.ndim == 2:
        (places,) = np.nonzero(mask)
        lines = [np.interp(np.arange(len(mask)), places, values[places, c]) for c in range(values.shape[1])]
        return np.stack(lines, axis=-1, dtype=np.float32, casting="same_kind")
    # Rows of one channel are long, samples of a few channels are not.
    planes = np.ascontiguousarray(np.moveaxis(np.where(_each(mask, values), values, np.float32(0)), -1, 0))
    continued = np.moveaxis(_continued(planes, mask.astype(np.float32)), 0, -1)
    return np.where(_each(mask, values), values, continued)


def _each(mask: Bool[ndarray, "*shape"], values: Float32[ndarray, "*shape channels"]) -> Bool[ndarray, "..."]:
    """The mask for each channel, in memory: much faster than one that is broadcast over them."""
    return np.repeat(mask.reshape(-1), values.shape[-1]).reshape(values.shape)


def _continued(
    sums: Float32[ndarray, "channels *shape"], counts: Float32[ndarray, "*shape"]
) -> Float32[ndarray, "channels *shape"]:
    """Means of blocks of which there are samples, and a continuation for the others."""
    hole = (counts == 0).astype(np.float32)
    known: Float32[ndarray, "channels *shape"] = sums / np.maximum(counts, np.float32(1))
    if not hole.any():
        return known
    found = _doubled(_continued(_halved(sums), _halved(counts[None])[0]), sums.shape)
    for _ in range(_SWEEPS):
        found *= hole
        found += known
        found = _of_neighbours(found)
    found *= hole
    found += known
    return found


def _halved(sums: Float32[ndarray, "channels *shape"]) -> Float32[ndarray, "channels *half"]:
    """Sums over blocks of two along each axis, the last alone where their number is odd."""
    for axis in range(1, sums.ndim):
        first, second = _every_second(sums, axis, 0).copy(), _every_second(sums, axis, 1)
        first[(slice(None),) * axis + (slice(second.shape[axis]),)] += second
        sums = first
    return sums


def _doubled(
    values: Float32[ndarray, "channels *half"], shape: tuple[int, ...]
) -> Float32[ndarray, "channels *shape"]:
    """Between the middles of blocks of two along each axis, linear; constant beyond the outer ones."""
    for axis, length in enumerate(shape[1:], 1):
        half = values.shape[axis]
        if half == length:
            continue
        out = np.empty((*values.shape[:axis], length, *values.shape[axis + 1 :]), np.float32)
        before: tuple[slice, ...] = (slice(None),) * axis
        quarter = np.float32(0.25) * values
        even, odd = _every_second(out, axis, 0), _every_second(out, axis, 1)
        inner = (*before, slice(odd.shape[axis]))
        np.subtract(values, quarter, out=even)
        odd[:] = even[inner]
        even[(*before, slice(1, None))] += quarter[(*before, slice(half - 1))]
        even[(*before, slice(1))] += quarter[(*before, slice(1))]
        after = quarter[(*before, slice(1, odd.shape[axis] + 1))]
        odd[(*before, slice(after.shape[axis]))] += after
        odd[(*before, slice(after.shape[axis], None))] += quarter[(*before, slice(half - 1, None))]
        values = out
    return values


def _of_neighbours(values: Float32[ndarray, "channels *shape"]) -> Float32[ndarray, "channels *shape"]:
    """Mean of the two neighbours along each axis; beyond the border, a sample is its own neighbour."""
    mean, axes = np.zeros_like(values), [a for a, n in enumerate(values.shape) if a and n > 1]
    for axis in axes:
        before: tuple[slice, ...] = (slice(None),) * axis
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            mean[(*before, here)] += values[(*before, there)]
        for end in (slice(0, 1), slice(-1, None)):
            mean[(*before, end)] += values[(*before, end)]
    mean *= np.float32(1 / (2 * max(1, len(axes))))
    return mean


def _every_second(
    values: Float32[ndarray, "channels *shape"], axis: int, first: int
) -> Float32[ndarray, "channels *half"]:
    return values[(slice(None),) * axis + (slice(first, None, 2),)]
