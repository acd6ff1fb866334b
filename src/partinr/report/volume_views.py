"""A volume to look at: a slice across each axis and a maximum projection, of original, fit and error.

Pixels are as wide and high as the samples are in the world. Where a scan knows the world, axes are put in
the order that radiologists are used to: heads up, faces up or to the left, the body's right on the left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.report import page
from partinr.report.pictures import (
    RGB,
    Picture,
    Shown,
    error_map,
    error_rgb,
    error_stops,
    error_top,
    mean_error,
    to_rgb,
)
from partinr.report.reconstructions import missing
from partinr.shapes import Float32, Shaped
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.geometry import affine_of, spacings

_NAMES = ("axial", "coronal", "sagittal")
# Samples that are looked at to choose what is black and white, about.
_ENOUGH = 1 << 22
_TAILS = (0.5, 99.9)
# Pixels of the longer side of a view, at most.
_LARGEST = 1024


class View(NamedTuple):
    """How the axes of a volume are turned to be looked at.

    Attributes:
        order: of the axes: (up, back, aside) of a body, or as they are.
        flips: those axes of the turned volume that are reversed.
        steps: distances between samples along the turned axes.
        names: of the slices across them; empty where no body is known.
    """

    order: tuple[int, int, int]
    flips: tuple[int, ...]
    steps: tuple[float, float, float]
    names: tuple[str, ...]

    def turned(self, values: Shaped[ndarray, "planes rows columns *rest"]) -> Shaped[ndarray, "..."]:
        """Values, without a copy, with their axes as they are looked at."""
        rest = range(3, values.ndim)
        return np.flip(values.transpose(*self.order, *rest), self.flips)


def view_of(spec: SignalSpec) -> View:
    """How to look at a volume."""
    if "affine" not in spec.source:
        steps = (1.0, 1.0, 1.0) if spec.axes is None else tuple(abs(axis.spacing) for axis in spec.axes)
        return View((0, 1, 2), (), (steps[0], steps[1], steps[2]), ())
    # Columns for the axes (plane, row, column); rows to the right, to the front and up.
    directions = affine_of(spec)[:3, 2::-1]
    lengths = spacings(affine_of(spec)[:3])[::-1]
    towards = [int(np.abs(directions[:, axis] / lengths[axis]).argmax()) for axis in range(3)]
    if sorted(towards) != [0, 1, 2]:
        return View((0, 1, 2), (), (lengths[0], lengths[1], lengths[2]), ())
    up, front, right = (towards.index(world) for world in (2, 1, 0))
    order = (up, front, right)
    flips = tuple(i for i, axis in enumerate(order) if directions[2 - i, axis] > 0)
    return View(order, flips, (lengths[up], lengths[front], lengths[right]), _NAMES)


def volume_views(signal: Signal, values: Shaped[ndarray, "planes rows columns channels"]) -> list[page.Html]:
    """Three slices and a projection, with the scale of all errors.

    Args:
        signal: the original.
        values: what was made of it, as the signal has them.
    """
    view, spec = view_of(signal.spec), signal.spec
    error = error_map(signal.values, values, spec, signal.mask)
    there = np.broadcast_to(True, signal.shape) if signal.mask is None else signal.mask
    shown = shown_slices(signal)
    turned = [view.turned(one) for one in (signal.values, values, error, there)]
    pairs = [(across, _slices(turned, across)) for across in range(3)]
    original, made, loss, known = turned
    projected = [
        original.max(axis=1, where=known[..., None], initial=original.min()),
        made.max(axis=1),
        np.fmax.reduce(loss, axis=1),
        known.any(axis=1),
    ]
    # The projection has the greatest of many errors, beside which those of slices would be black.
    top = error_top([parts[2] for _, parts in pairs])

    def row(name: str, parts: list[Shaped[ndarray, "..."]], steps: tuple[float, float]) -> page.Html:
        rgb = to_rgb(parts[0], spec, shown, parts[3]), to_rgb(parts[1], spec, shown)
        return beside_each_other(name, *rgb, parts[2], top, steps)

    blocks = []
    for across, parts in pairs:
        at, samples = turned[0].shape[across] // 2, turned[0].shape[across]
        named = f" ({view.names[across]})" if view.names else ""
        rows, columns = (view.steps[i] for i in range(3) if i != across)
        blocks.append(row(f"Slice {at} of 0 to {samples - 1}{named}", parts, (rows, columns)))
    blocks.append(row("Maximum projection", projected, (view.steps[0], view.steps[2])))
    caption = (
        "Error: absolute difference in per cent of the value range; of the projection, the greatest behind "
        "each pixel."
    )
    blocks.append(page.colour_bar(error_stops(), "0", f"{top:g} % and more", caption))
    text = f"Shown from black to white: {shown[0]:g} to {shown[1]:g}."
    if view.names:
        text += " The body's right is on the left."
    told = [text, missing(signal, "checkerboards")]
    return [*blocks, *(page.paragraph(text) for text in told if text)]


def beside_each_other(
    name: str,
    original: RGB,
    made: RGB,
    error: Float32[ndarray, "rows columns"],
    top: float,
    steps: tuple[float, float],
) -> page.Html:
    """A part of a signal, what was made of it, and the error in colours up to `top`; steps as `stretched`."""
    pictures = [("original", original, ""), ("reconstruction", made, "")]
    pictures.append(("error", error_rgb(error, top), mean_error(error)))
    return page.gallery(
        [Picture(f"{name}, {what}", stretched(rgb, steps), note) for what, rgb, note in pictures]
    )


def stretched(picture: RGB, steps: tuple[float, float]) -> RGB:
    """A picture whose pixels are `steps` high and wide, with square ones."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    height, width = rows * steps[0], columns * steps[1]
    # No axis loses samples, unless the picture became too large.
    scale = min(max(rows / height, columns / width), _LARGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (columns, rows):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def _slices(turned: list[Shaped[ndarray, "..."]], across: int) -> list[Shaped[ndarray, "..."]]:
    """The middle slice across an axis of each."""
    return [one.take(one.shape[across] // 2, axis=across) for one in turned]


def shown_slices(signal: Signal) -> Shown:
    """Values that are black and white in all slices: nearly all there are."""
    there = signal.values if signal.mask is None else signal.values[signal.mask]
    values: Shaped[ndarray, " _"] = there.reshape(-1)
    some: Float32[ndarray, " _"] = values[:: max(1, values.size // _ENOUGH)].astype(np.float32)
    low, high = (float(v) for v in np.percentile(some, _TAILS))
    return (low, high) if low < high else signal.spec.value_range
