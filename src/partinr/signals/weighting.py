"""Signals of which only some samples count, or some more than others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float32
from partinr.signals.array import default_range
from partinr.signals.missing import there_of, with_filling
from partinr.signals.signal import Signal


def masked(signal: Signal, mask: Any) -> Signal:
    """A signal of which only some samples are there; those that it lacks itself are missing still.

    Args:
        signal: which may have missing samples already.
        mask: array of the signal's shape without channels: true or not 0 where a sample is there.

    Returns:
        A signal whose value range is that of the samples that are there, if it came from the values.

    Raises:
        InputError: the mask has another shape, or no sample is there.
    """
    _check_grid(signal, "a mask")
    there = there_of(mask, signal.shape)
    there = there if signal.mask is None else there & signal.mask
    if there.all():
        return signal
    if not there.any():
        raise InputError(f"all {there.size:,} samples are missing; there is nothing to fit")
    spec = signal.spec
    before = signal.values if signal.mask is None else signal.values[signal.mask]
    if spec.value_range == default_range(before) != (span := default_range(signal.values[there])):
        spec = replace(spec, value_range=span)
    values = with_filling(signal.values, there, spec)
    values.flags.writeable = False
    weights = None if signal.weights is None else signal.weights * there
    return replace(signal, values=values, spec=spec, mask=there, weights=weights)


def weighted(signal: Signal, weights: Any) -> Signal:
    """A signal whose samples' squared errors count by these weights, beside those that it has.

    Args:
        signal: which may have missing samples and weights.
        weights: array of the signal's shape without channels: 0 or more, 0 for samples that are missing.

    Raises:
        InputError: weights that are negative or not finite, of another shape, or all 0.
    """
    _check_grid(signal, "weights")
    found = np.asarray(weights)
    if found.dtype.kind not in "buif":
        raise InputError(f"weights must be numbers, got {found.dtype}")
    if found.shape != signal.shape:
        raise InputError(f"weights must have the signal's shape {signal.shape}, got {found.shape}")
    there = np.ones(signal.shape, bool) if signal.mask is None else signal.mask
    known = found[there]
    bad = known.size - int(np.count_nonzero(np.isfinite(known) & (known >= 0)))
    if bad:
        raise InputError(f"weights must be finite and not negative, got {bad:,} that are not; replace them")
    if not known.any():
        raise InputError("weights are 0 for all samples; there is nothing to fit")
    # Between 0 and 1, so that no weight is lost in single precision but those that count for nothing.
    own: Float32[ndarray, "*shape"] = np.where(there, found / known.max(), 0).astype(np.float32)
    if signal.weights is not None:
        own = own * signal.weights
    signal = masked(signal, own > 0)
    counting = own[own > 0]
    return replace(signal, weights=None if (counting == counting[0]).all() else own)


def _check_grid(signal: Signal, what: str) -> None:
    if signal.scattered:
        raise InputError(
            f"{what} must be of samples on a grid; leave points out, or give Samples(weights=...)"
        )
