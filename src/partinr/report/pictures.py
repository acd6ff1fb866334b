"""Displayable pictures from signals: RGB, and error maps on a common scale."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Float32, Float64, Int32, Shaped, UInt8
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.writing import write

RGB = UInt8[ndarray, "_rows _columns 3"]
"""A picture; two in one signature may differ in size."""

Shown = tuple[float, float]
"""Values, in the signal's units, that are displayed as black and as white."""

_STRIP_ROWS = 256
# Shares of the samples that may be darker than black and brighter than white.
_TAILS = (0.1, 99.9)
# They are looked for in about 2 to this power of values.
_ENOUGH = 22
_LIGHT, _DARK = 235, 190
_ERROR_COLOURS = "inferno"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with the words under it.

    Attributes:
        label: what it is, in a few words.
        rgb: the picture.
        note: what else there is to say; may be empty.
    """

    label: str
    rgb: RGB
    note: str = ""


def plane(values: Shaped[ndarray, "*shape channels"]) -> Shaped[ndarray, "rows columns channels"]:
    """The picture itself, or the middle plane of three axes.

    Raises:
        InputError: there is one axis, which is not a picture.
    """
    if values.ndim == 2:
        raise InputError(
            f"a picture needs two or three axes, got the shape {values.shape[:-1]}; plot it instead"
        )
    return values if values.ndim == 3 else values[len(values) // 2]


def plane_there(signal: Signal) -> Bool[ndarray, "rows columns"] | None:
    """Which samples of a signal's `plane` are there; None: all."""
    return None if signal.mask is None else plane(signal.mask[..., None])[..., 0]


def shown_range(signal: Signal) -> Shown:
    """Values to display as black and white: all that 8 bits hold; otherwise nearly all values there are.

    Deep pictures and arrays rarely use their whole value range, and would be black.
    """
    if np.dtype(signal.spec.dtype).itemsize == 1:
        return signal.spec.value_range
    values = signal.values if signal.spec.dims == 1 else plane(signal.values)
    there = signal.mask if signal.spec.dims == 1 else plane_there(signal)
    colours = values[..., : _colours(signal.spec)]
    colours = colours if there is None else colours[there]
    if not colours.size:
        return signal.spec.value_range
    every = max(1, colours.size >> _ENOUGH)
    low, high = (float(v) for v in np.percentile(colours[::every].astype(np.float64), _TAILS))
    return (low, high) if low < high else signal.spec.value_range


def to_rgb(
    values: Shaped[ndarray, "rows columns channels"],
    spec: SignalSpec,
    shown: Shown | None = None,
    there: Bool[ndarray, "rows columns"] | None = None,
) -> RGB:
    """A picture that can be displayed.

    One channel is grey, three are red, green and blue. In images the last of two or four channels is opacity,
    shown on a checkerboard; in other arrays, and of more channels, the first three or the first one are
    shown.

    Args:
        values: in the signal's units, any data type.
        spec: what the channels mean.
        shown: what is black and what is white; by default the value range.
        there: a checkerboard is where nothing is; None: all is there.
    """
    rows, columns, channels = values.shape
    colours = _colours(spec)
    alpha = spec.kind == "image" and channels in (2, 4)
    low, high = spec.value_range if shown is None else shown
    out = np.empty((rows, columns, 3), np.uint8)
    for first in range(0, rows, _STRIP_ROWS):
        strip = values[first : first + _STRIP_ROWS]
        target = out[first : first + _STRIP_ROWS]
        if strip.dtype == np.uint8 and (low, high) == (0.0, 255.0) and not alpha:
            target[...] = strip[..., :colours]
            continue
        level = _normalised(strip[..., :colours], low, high)
        if alpha:
            opacity = _normalised(strip[..., -1:], *spec.value_range)
            board = checkerboard(rows, columns, first, first + len(strip))
            level = level * opacity + board[..., None] * (1 - opacity)
        target[...] = np.rint(level * 255)
    return out if there is None else _on_board(out, there)


def write_rgb(path: str | os.PathLike[str], picture: RGB) -> None:
    """Write a picture as it is; see `partinr.write`."""
    write(path, picture, SignalSpec("image", picture.shape[:2], 3, "uint8", (0.0, 255.0), True))


def repeated(picture: RGB, factor: int) -> RGB:
    """Every pixel `factor` times along rows and columns."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def at_most(picture: RGB, longest: int) -> RGB:
    """The picture itself, or reduced so that its longer side has `longest` pixels."""
    from PIL import Image

    size = max(picture.shape[:2])
    if size <= longest:
        return picture
    width, height = (max(1, round(n * longest / size)) for n in (picture.shape[1], picture.shape[0]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def error_map(
    reference: Shaped[ndarray, "*shape channels"],
    values: Shaped[ndarray, "*shape channels"],
    spec: SignalSpec,
    there: Bool[ndarray, "*shape"] | None = None,
) -> Float32[ndarray, "*shape"]:
    """Mean absolute difference over the channels, in per cent of the value range; NaN where none is there."""
    low, high = spec.value_range
    difference = np.empty(reference.shape[:-1], np.float32)
    for i in range(len(reference)):
        # In double precision: neither unsigned integers nor their half-precision differences may wrap.
        error = np.abs(reference[i].astype(np.float64) - values[i].astype(np.float64))
        difference[i] = (error / (high - low)).mean(axis=-1) * 100
    if there is not None:
        difference[~there] = np.nan
    return difference


def mean_error(error: Float32[ndarray, "..."]) -> str:
    """The mean of an error map over what is there, as a note."""
    known = error[~np.isnan(error)]
    return f"mean {known.mean():.2f} %." if known.size else "Nothing is there."


def signed_error(
    reference: Shaped[ndarray, "*shape channels"],
    values: Shaped[ndarray, "*shape channels"],
    spec: SignalSpec,
) -> Float64[ndarray, "*shape channels"]:
    """Values less the reference, in per cent of the value range."""
    low, high = spec.value_range
    error: Float64[ndarray, "*shape channels"] = values.astype(np.float64) - reference.astype(np.float64)
    return error * (100 / (high - low))


def error_top(maps: Sequence[Float32[ndarray, "..."]]) -> float:
    """The top of a common colour scale for error maps: a round number that 99.5 % of samples keep below."""
    known = [m[~np.isnan(m)] for m in maps]
    bound = max((float(np.percentile(m, 99.5)) for m in known if m.size), default=0.0)
    if bound <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(bound))
    return next(step * unit for step in (1, 2, 3, 4, 5, 6, 8, 10, 20) if step * unit >= bound)


def error_rgb(error: Float32[ndarray, "rows columns"], top: float) -> RGB:
    """An error map in colours, from black at 0 to pale yellow at `top` and above; NaN is a checkerboard."""
    table, there = _colour_table(), ~np.isnan(error)
    index = np.clip(np.rint(np.where(there, error, 0) * (255 / top)), 0, 255).astype(np.uint8)
    return table[index] if there.all() else _on_board(table[index], there)


def error_stops(count: int = 9) -> list[str]:
    """Colours of the error scale from 0 to its top, evenly spaced, as CSS writes them."""
    chosen = _colour_table()[np.linspace(0, 255, count).round().astype(int)]
    return ["#{:02x}{:02x}{:02x}".format(*(int(v) for v in colour)) for colour in chosen]


def checkerboard(
    rows: int, columns: int, first: int = 0, last: int | None = None
) -> Float32[ndarray, "strip columns"]:
    """Grey levels, 0..1, of a checkerboard of about 40 squares along the longer side; rows from `first` to
    before `last`."""
    square = max(1, max(rows, columns) // 40)
    chosen = np.arange(first, rows if last is None else last)
    odd = (chosen[:, None] // square + np.arange(columns) // square) % 2
    return np.where(odd == 1, _DARK, _LIGHT).astype(np.float32) / np.float32(255)


def region_rgb(labels: Int32[ndarray, "rows columns"]) -> RGB:
    """A soft colour for each label, unlike those of the labels before and after."""
    hue = labels * 0.618034 % 1
    # Three cosines a third of a turn apart.
    turns = 2 * np.pi * (hue[..., None] - np.arange(3) / 3)
    rgb: RGB = np.rint(165 + 60 * np.cos(turns)).astype(np.uint8)
    return rgb


def _colours(spec: SignalSpec) -> int:
    return 3 if spec.channels >= 3 else 1


def _normalised(values: Shaped[ndarray, "*shape"], low: float, high: float) -> Float32[ndarray, "*shape"]:
    scaled = (values.astype(np.float64) - low) / (high - low)
    return np.clip(scaled, 0, 1).astype(np.float32)


def _on_board(picture: RGB, there: Bool[ndarray, "rows columns"]) -> RGB:
    """The picture, and a checkerboard where nothing is."""
    board = np.rint(checkerboard(*there.shape) * 255).astype(np.uint8)
    shown: RGB = np.where(there[..., None], picture, board[..., None])
    return shown


def _colour_table() -> UInt8[ndarray, "256 3"]:
    from matplotlib import colormaps

    table: UInt8[ndarray, "256 3"] = colormaps[_ERROR_COLOURS](np.arange(256), bytes=True)[:, :3]
    return table
