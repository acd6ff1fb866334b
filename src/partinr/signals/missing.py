"""Samples that are missing: which are there, and what stands where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Shaped
from partinr.signals.filling import filled
from partinr.signals.signal import SignalSpec, normalised


def mask_of(
    values: Shaped[ndarray, "*shape channels"], mask: Bool[ndarray, "*shape"] | None
) -> Bool[ndarray, "*shape"] | None:
    """Which samples are there: those of a mask that are not NaN in any channel. None: all.

    Raises:
        InputError: none is there.
    """
    if values.dtype.kind == "f" and np.isnan(np.max(values)):
        known = ~np.isnan(values).any(axis=-1)
        mask = known if mask is None else mask & known
    if mask is None or mask.all():
        return None
    if not mask.any():
        raise InputError(f"all {mask.size:,} samples are missing; there is nothing to fit")
    return mask


def there_of(mask: Any, shape: tuple[int, ...]) -> Bool[ndarray, "*shape"]:
    """A mask from an array of any numbers: a sample is there where it is neither 0 nor NaN.

    Raises:
        InputError: it has another shape.
    """
    found = np.asarray(mask)
    if found.dtype.kind not in "buif":
        raise InputError(f"the mask must hold booleans or numbers, got {found.dtype}")
    if found.shape != shape:
        raise InputError(f"the mask must have the signal's shape {shape}, got {found.shape}")
    there: Bool[ndarray, "*shape"] = (found != 0) & ~np.isnan(found)
    return there


def with_filling(
    values: Shaped[ndarray, "*shape channels"], mask: Bool[ndarray, "*shape"], spec: SignalSpec
) -> Shaped[ndarray, "*shape channels"]:
    """The same values where they are there, and a smooth filling elsewhere, whatever stood there."""
    low = np.asarray(spec.value_range[0]).astype(values.dtype)
    each = np.repeat(mask.reshape(-1), values.shape[-1]).reshape(values.shape)
    known = np.where(each, values, low)
    filling = spec.quantise(filled(normalised(known, spec.value_range), mask))
    both: Shaped[ndarray, "*shape channels"] = np.where(each, values, filling)
    return both
