"""Jumps at the borders of boxes that rounding made, taken back.

Where spectra were rounded, neighbouring boxes err by themselves, and flat parts show where they meet. The
jump from the last sample of a box to the first one of the next is closed, by both of them and over some
samples, as far as it looks like rounding: small against the step, where the boxes themselves are flat.

Source of the idea: List, Joch, Lainema, Bjøntegaard, Karczewicz, "Adaptive deblocking filter", IEEE
Transactions on Circuits and Systems for Video Technology 13(7), 2003; the filter is our own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.model.spectra import Spectra
from partinr.shapes import Float32, Int64

REACH = 12
"""Samples on either side that a sample's new value depends on."""

# Of a box's side, how much its half of a jump is spread over, and samples at most.
_SHARE, _MOST = 8, 8
# Steps: jumps that are surely real, and differences within the boxes beside which jumps are left as they are.
# How much of a jump goes.
_JUMP, _FLAT, _TAKEN = 1.2, 1.0, 0.7


def deblock(
    values: Float32[ndarray, "*shape channels"], spectra: Spectra, first: Sequence[int]
) -> Float32[ndarray, "*shape channels"]:
    """Values at the samples of a window without the jumps that rounding made.

    Args:
        values: of the functions of the boxes alone; those that are closer than `REACH` to an end of the
            window which is none of the signal come out as they may.
        spectra: that the function was made of.
        first: where the window starts along each axis.
    """
    if kernel.why_missing() is None:
        found = np.ascontiguousarray(values, np.float32).copy()
        limits = (spectra.step * _JUMP, spectra.step * _FLAT)
        kernel.deblock(found, spectra.boxes, first, limits, _TAKEN, (_SHARE, _MOST))
        return found
    found = values
    for axis in reversed(range(values.ndim - 1)):
        before, found = found, found.copy()
        for box in spectra.boxes:
            _along(before, found, box - np.asarray(first), axis, spectra.step)
    return found


def _along(
    before: Float32[ndarray, "*shape channels"],
    after: Float32[ndarray, "*shape channels"],
    box: Int64[ndarray, "2 dims"],
    axis: int,
    step: float,
) -> None:
    """Close a box's half of the jumps at its two ends along an axis."""
    here = tuple(slice(max(0, start), max(0, stop)) for start, stop in box.T.tolist())
    start, stop = box[:, axis].tolist()
    length, size = stop - start, before.shape[axis]
    for end, inwards in ((start, 1), (stop - 1, -1)):
        beyond = end - 2 * inwards
        if not (0 <= end < size and 0 <= beyond < size):
            continue
        further = end + inwards * (length > 1)
        if not 0 <= further < size:
            continue

        own, inner, other, outer = (
            before[_at(here, axis, place)] for place in (end, further, end - inwards, beyond)
        )
        jump = own - other
        rough = np.abs(own - inner) + np.abs(other - outer)
        share = np.float32(_TAKEN) * np.maximum(0, 1 - (jump / np.float32(step * _JUMP)) ** 2)
        share *= np.maximum(0, 1 - rough / np.float32(step * _FLAT))
        over = max(1, min(_MOST, length // _SHARE))
        for k in range(over):
            place = end + inwards * k
            if 0 <= place < size:
                part = np.float32(0.5 * (1 - (k + 0.5) / over))
                after[_at(here, axis, place)] -= part * share * jump


def _at(here: tuple[slice, ...], axis: int, place: int) -> tuple[slice | int, ...]:
    return (*here[:axis], place, *here[axis + 1 :])
