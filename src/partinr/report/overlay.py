"""A signal with the borders of its regions drawn over it."""

from __future__ import annotations

import math
import os

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.partition.boundary import boundaries
from partinr.model.partition.partition import Partition
from partinr.report.pictures import (
    RGB,
    error_rgb,
    plane,
    plane_there,
    repeated,
    shown_range,
    to_rgb,
    write_rgb,
)
from partinr.report.plots import draw_borders, to_picture
from partinr.shapes import Bool, Float64, Int32
from partinr.signals.signal import Signal

LIGHT, DARK = (255, 221, 0), (0, 0, 0)
"""The two tones of a border: one of them stands out from any picture."""

# Share of the colour in a tinted region.
_TINT = 0.6
# Small pictures are enlarged to this length of the longer side, and until regions have this side.
_LENGTH, _CELL = 400, 16
# Enlarging stops here. Pictures that are larger by themselves get thicker lines: a screen shows them reduced.
_LONGEST = 2400
_THICK_FROM = 1000


def overlay(signal: Signal, partition: Partition, shade: Float64[ndarray, "regions"] | None = None) -> RGB:
    """The signal as a picture, with the borders between regions as thin lines of two tones.

    A border is a light line in the region above or to the left, and a dark line beside it in the other. Small
    pictures, and pictures of many small regions, are enlarged by a whole factor so that lines leave the
    regions visible; the factor is the result's length over the signal's. Three axes are shown by the middle
    plane, one axis as a plot.

    Args:
        signal: any number of axes and channels, any data type.
        partition: its partition.
        shade: a number from 0 to 1 for each region, which tints it, from dark to light.

    Returns:
        RGB picture, shape (rows, columns, 3).

    Raises:
        InputError: the partition has another shape than the signal.

    Example:
        >>> import numpy as np, partinr
        >>> signal = partinr.from_array(np.eye(500))
        >>> overlay(signal, partinr.Grid(2, 2).partition(signal)).shape
        (500, 500, 3)
    """
    if partition.shape != signal.shape:
        raise InputError(f"the partition must have the signal's shape {signal.shape}, got {partition.shape}")
    if signal.spec.dims == 1:
        return to_picture(lambda axes: draw_borders(axes, signal, partition), width=9, height=3.5)
    labels = partition.label_map if signal.spec.dims == 2 else partition.label_map[signal.shape[0] // 2]
    picture = to_rgb(plane(signal.values), signal.spec, shown_range(signal), plane_there(signal))
    if shade is not None:
        tint = error_rgb(shade[labels].astype(np.float32), 1.0).astype(np.float32)
        grey = picture.mean(axis=2, keepdims=True, dtype=np.float32)
        picture = (grey + _TINT * (tint - grey)).round().astype(np.uint8)
    factor = enlargement(labels.shape, _typical_side(partition))
    thickness = max(1, min(round(max(labels.shape) / _THICK_FROM), round(_typical_side(partition) / 8)))
    return with_borders(repeated(picture, factor), labels.repeat(factor, 0).repeat(factor, 1), thickness)


def write_overlay(
    path: str | os.PathLike[str],
    signal: Signal,
    partition: Partition,
    shade: Float64[ndarray, "regions"] | None = None,
) -> None:
    """Write `overlay` to a file, in the format that its suffix names.

    Args:
        path: the file; .png keeps the lines sharp.
        signal: any number of axes and channels, any data type.
        partition: its partition.
        shade: see `overlay`.

    Raises:
        InputError: the shapes differ, the suffix is unknown, or the path cannot be written.
        OSError: the disk is full.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> signal = partinr.from_array(np.eye(500))
        >>> path = os.path.join(tempfile.mkdtemp(), "regions.png")
        >>> write_overlay(path, signal, partinr.Grid(2, 2).partition(signal))
        >>> partinr.read(path).shape
        (500, 500)
    """
    write_rgb(path, overlay(signal, partition, shade))


def enlargement(shape: tuple[int, ...], side: float) -> int:
    """Whole factor that makes a picture long enough, and regions of this side large enough, for lines."""
    wanted = max(math.ceil(_LENGTH / max(shape)), math.ceil(_CELL / side))
    return max(1, min(wanted, _LONGEST // max(shape)))


def with_borders(picture: RGB, labels: Int32[ndarray, "rows columns"], thickness: int = 1) -> RGB:
    """The picture with a light and a dark line along every border, each `thickness` pixels wide."""
    light, dark = boundaries(labels), boundaries(labels[::-1, ::-1])[::-1, ::-1]
    out = picture.copy()
    # The dark line first: where lines cross, the light one is whole.
    out[_grown(dark, thickness)] = DARK
    out[_grown(light[::-1, ::-1], thickness)[::-1, ::-1]] = LIGHT
    return out


def _grown(mask: Bool[ndarray, "rows columns"], thickness: int) -> Bool[ndarray, "rows columns"]:
    """The mask and the pixels that follow a marked one within `thickness` along rows and columns."""
    out = mask.copy()
    for i in range(1, thickness):
        out[i:] |= mask[:-i]
        out[:, i:] |= mask[:, :-i]
    return out


def _typical_side(partition: Partition) -> float:
    """Side of a square (or cube) of as many samples as the median region has."""
    return math.pow(float(np.median(partition.counts)), 1 / len(partition.shape))
