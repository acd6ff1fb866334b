"""Where the samples of a scan lie in the world.

A scan's source has `affine`, three rows of four numbers: it takes the indices (column, row, plane) of the
file's own grid to millimetres (or the unit of the axes) to the right, to the front and upwards, the "RAS+" of
NIfTI. It stays as the file has it, whatever is rendered; the axes of the spec say which part of that grid is
meant: places along an axis are in the axis' unit, 0 at the file's first sample, so that a rendering of
another size, whose axes have moved, has its affine, and one of the file's own grid has the file's, to the
last bit.
"""

from __future__ import annotations

import math
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float64
from partinr.signals.axes import Axis
from partinr.signals.signal import SignalSpec

NAMES = ("z", "y", "x")
"""Names of the axes (plane, row, column)."""

# Affines whose columns span less than this share of the volume that their lengths would allow are singular.
_FLAT = 1e-6


def described(affine: Any, unit: str = "mm", dims: int = 3) -> tuple[tuple[Axis, ...], dict[str, Any]]:
    """Axes and source of a scan.

    Args:
        affine: from (column, row, plane, 1) of the file's grid to the world; at least three rows.
        unit: of the world.
        dims: axes of the signal, the last of (plane, row, column).

    Raises:
        InputError: the affine is singular, or not finite.
    """
    rows = _checked(affine)
    lengths = spacings(rows)
    axes = tuple(
        Axis(name, unit, length) for name, length in zip(NAMES[-dims:], lengths[::-1][-dims:], strict=True)
    )
    return axes, {"affine": rows.tolist()}


def spacings(affine: Float64[ndarray, "3 4"]) -> tuple[float, ...]:
    """Distances between neighbouring samples along columns, rows and planes."""
    return tuple(math.sqrt(sum(x * x for x in column)) for column in affine[:, :3].T.tolist())


def affine_of(spec: SignalSpec) -> Float64[ndarray, "4 4"]:
    """From indices (column, row, plane, 1) of a signal's grid to the world.

    A signal whose source has no affine lies as its axes say; one without axes has samples of 1.

    Raises:
        InputError: the source has an affine that is none.
    """
    axes = [Axis(name) for name in NAMES]
    if spec.axes is not None:
        axes[-spec.dims :] = spec.axes
    steps, first = ([getattr(a, key) for a in reversed(axes)] for key in ("spacing", "origin"))
    moved = np.eye(4)
    told = spec.source.get("affine")
    if told is None:
        moved[:3, :3], moved[:3, 3] = np.diag(steps), first
        return moved
    affine = _checked(told)
    for i, length in enumerate(spacings(affine)):
        if 2 - i >= 3 - spec.dims:
            moved[i, i], moved[i, 3] = steps[i] / length, first[i] / length
    whole: Float64[ndarray, "4 4"] = np.vstack([affine, [0, 0, 0, 1]]) @ moved
    return whole


def flipped(affine: Any) -> Float64[ndarray, "rows 4"]:
    """An affine to the left and to the back as one to the right and to the front, and the other way round."""
    # Adding zero makes -0.0 a 0.0.
    mirrored: Float64[ndarray, "rows 4"] = np.array(affine, np.float64)
    mirrored[:2] = -mirrored[:2] + 0.0
    return mirrored


def _checked(affine: Any) -> Float64[ndarray, "3 4"]:
    """Three rows of an affine that has an inverse."""
    try:
        rows = np.array(affine, np.float64)[:3]
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.shape != (3, 4) or not np.isfinite(rows).all():
        raise InputError(f"an affine must be three rows of four finite numbers, got {brief(affine)}")
    room = math.prod(spacings(rows))
    if not room > 0 or abs(np.linalg.det(rows[:, :3])) < _FLAT * room:
        raise InputError(
            f"the affine is singular, so that samples lie on each other: {rows.tolist()}; correct it in the "
            "file's header"
        )
    return rows
