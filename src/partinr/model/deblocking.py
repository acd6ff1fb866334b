"""Jumps at the borders of boxes that rounding made, taken back.

Where spectra were rounded, neighbouring boxes err by themselves, and flat parts show where they meet. In
each coded channel, the jump from the last sample of a box to the first one of the next is closed by both of
them, as far as it looks like rounding: small against the step, where the boxes themselves are flat. It is
spread over as many samples as the errors of a box go together: half of a box that has nothing but its mean,
since what it lacks are low frequencies, and fewer of one whose low frequencies were kept, or whose
neighbour's were.

Source of the idea: List, Joch, Lainema, Bjøntegaard, Karczewicz, "Adaptive deblocking filter", IEEE
Transactions on Circuits and Systems for Video Technology 13(7), 2003; the filter is our own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.model.spectra import Rounding, Spectra, unmixing
from partinr.shapes import Float32, Int64

# Sums of magnitudes from which on a box is as lively as can be.
_LIVELY = 10
# Steps: jumps that are surely real, and differences within the boxes beside which jumps are left as they
# are. How much of a jump goes. All were chosen on photographs that `experiments/between.py` learns from.
_JUMP, _FLAT, _TAKEN = 2.5, 2.0, 0.75


def reach(spectra: Spectra | Rounding) -> int:
    """Samples on either side that a sample's new value depends on."""
    return min(_most(spectra.boxes.shape[2]), spectra.sides.root // 2) + 2


def farthest(dims: int) -> int:
    """What `reach` is at most, of signals of so many axes."""
    return _most(dims) + 2


def _most(dims: int) -> int:
    """Samples that a box's half of a jump is spread over at most."""
    return (8, 32, 4)[dims - 1]


def deblock_parts(
    values: Float32[ndarray, "*shape channels"], roundings: Sequence[Rounding], first: Sequence[int]
) -> Float32[ndarray, "*shape channels"]:
    """What `deblock` gives of boxes rounded in several ways: each changes samples of its own parts."""
    if len(roundings) == 1:
        return deblock(values, roundings[0], first)
    out = values.copy()
    for rounding in roundings:
        margin = reach(rounding)
        for extent in rounding.extents:
            own = np.clip(extent - np.asarray(first), 0, values.shape[:-1])
            if (own[0] >= own[1]).any():
                continue
            wide = np.clip(own + np.array([[-margin], [margin]]), 0, values.shape[:-1])
            found = deblock(values[_inside(wide)], rounding, (np.asarray(first) + wide[0]).tolist())
            out[_inside(own)] = found[_inside(own - wide[0])]
    return out


def deblock(
    values: Float32[ndarray, "*shape channels"], spectra: Spectra | Rounding, first: Sequence[int]
) -> Float32[ndarray, "*shape channels"]:
    """Values at the samples of a window without the jumps that rounding made.

    Args:
        values: of the functions of the boxes alone; those that are closer than `reach` to an end of the
            window which is none of the signal come out as they may.
        spectra: that the function was made of, or what is left of them.
        first: where the window starts along each axis.
    """
    activity = np.minimum(spectra.activity, _LIVELY).astype(np.uint8)
    channels, most = len(spectra.mixing), _most(spectra.boxes.shape[2])
    mixing = np.stack([unmixing(spectra.mixing).T, spectra.mixing])
    if np.array_equal(spectra.mixing, np.eye(channels)):
        mixing = mixing[:0]
    if kernel.why_missing() is None:
        found = np.array(values, np.float32, order="C")
        limits = (spectra.step * _JUMP, spectra.step * _FLAT)
        mixing = np.ascontiguousarray(mixing)
        kernel.deblock(found, spectra.boxes, activity, mixing, first, limits, _TAKEN, most)
        return found
    found = values @ mixing[0] if len(mixing) else values
    boxes = spectra.boxes - np.asarray(first)
    lively = np.zeros(found.shape, np.int64)
    for box, own in zip(boxes, activity, strict=True):
        lively[_inside(box)] = own
    for axis in reversed(range(values.ndim - 1)):
        before, found = found, found.copy()
        for box in boxes:
            _along(before, found, box, lively, axis, spectra.step, most)
    return found @ mixing[1] if len(mixing) else found


def _along(
    before: Float32[ndarray, "*shape channels"],
    after: Float32[ndarray, "*shape channels"],
    box: Int64[ndarray, "2 dims"],
    lively: Int64[ndarray, "*shape channels"],
    axis: int,
    step: float,
    most: int,
) -> None:
    """Close a box's half of the jumps at its two ends along an axis."""
    here = _inside(box)
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
        parts = 6 + 3 * lively[_at(here, axis, end)] + lively[_at(here, axis, end - inwards)]
        over = np.clip(3 * length // parts, 1, most)
        for k in range(over.max(initial=0)):
            place = end + inwards * k
            if 0 <= place < size:
                part = np.maximum(0, 0.5 * (1 - (k + 0.5) / over)).astype(np.float32)
                after[_at(here, axis, place)] -= part * share * jump


def _inside(box: Int64[ndarray, "2 dims"]) -> tuple[slice, ...]:
    return tuple(slice(max(0, start), max(0, stop)) for start, stop in box.T.tolist())


def _at(here: tuple[slice, ...], axis: int, place: int) -> tuple[slice | int, ...]:
    return (*here[:axis], place, *here[axis + 1 :])
