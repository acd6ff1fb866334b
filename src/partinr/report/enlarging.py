"""A part of a picture, enlarged in several ways, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partinr.model.piecewise import Piecewise
from partinr.model.rendering import render
from partinr.report.pictures import RGB, Picture, Shown, plane, repeated, to_rgb
from partinr.signals.signal import Signal

Window = tuple[tuple[int, int], tuple[int, int]]
"""Start and stop along rows and columns, in samples."""


def busiest_window(picture: RGB, side: int) -> Window:
    """The square with the most detail (sum of absolute differences of neighbours), nearest to the top left.

    Args:
        picture: where to look.
        side: length of the square in pixels; shortened to the picture's shorter side.
    """
    grey = picture.astype(np.float32).mean(axis=-1)
    detail = np.zeros_like(grey)
    detail[:-1] += np.abs(np.diff(grey, axis=0))
    detail[:, :-1] += np.abs(np.diff(grey, axis=1))
    side = min(side, *grey.shape)
    total = np.pad(detail.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return (int(row), int(row) + side), (int(column), int(column) + side)


def enlarged(
    model: Piecewise,
    signal: Signal,
    window: Window,
    scale: int,
    shown: Shown | None = None,
    reference: Signal | None = None,
) -> list[Picture]:
    """One window of a picture, or of the middle plane, enlarged in several ways, all of one size.

    Args:
        model: a fit of the signal; evaluated between the samples.
        signal: the original; its pixels are enlarged as squares and by bicubic interpolation (Pillow), which
            sees the pixels around the window too.
        window: what to enlarge, in pixels of the signal.
        scale: factor.
        shown: see `to_rgb`.
        reference: the same scene with more pixels, if there is one: what the others should look like.
    """
    from PIL import Image

    (top, bottom), (left, right) = window
    size = ((right - left) * scale, (bottom - top) * scale)
    original = to_rgb(plane(signal.values), signal.spec, shown)
    cubic = Image.fromarray(original).resize(size, Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    pictures = [
        Picture("Pixels", repeated(np.ascontiguousarray(original[top:bottom, left:right]), scale)),
        Picture("Bicubic", np.asarray(cubic)),
        Picture("Piecewise INR", part(model, window, scale, shown)),
    ]
    if reference is not None:
        finer = to_rgb(plane(reference.values), reference.spec, shown)
        rows, columns = (finer.shape[0] / original.shape[0], finer.shape[1] / original.shape[1])
        box = (left * columns, top * rows, right * columns, bottom * rows)
        resized = Image.fromarray(finer).resize(size, Image.Resampling.BICUBIC, box=box)
        pictures.append(Picture("Reference", np.asarray(resized)))
    return pictures


def part(model: Piecewise, window: Window, scale: int, shown: Shown | None = None) -> RGB:
    """A window of a picture, or of the middle plane, as the model has it between the samples."""
    (top, bottom), (left, right) = window
    crop: tuple[tuple[float, float], ...] = ((top, bottom), (left, right))
    shape: tuple[int, ...] = ((bottom - top) * scale, (right - left) * scale)
    if model.signal.dims == 3:
        middle = model.signal.shape[0] // 2
        crop, shape = ((middle, middle + 1), *crop), (1, *shape)
    values = render(model, size=shape, crop=crop).reshape(*shape[-2:], model.signal.channels)
    return to_rgb(values, model.signal, shown)


def side_by_side(pictures: Sequence[Picture]) -> RGB:
    """Pictures of one size in a row, each with its label above it."""
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = pictures[0].rgb.shape[:2]
    gap = max(4, columns // 64)
    text = max(12, columns // 24)
    head = 2 * text
    canvas = Image.new("RGB", (len(pictures) * (columns + gap) - gap, rows + head), "white")
    draw = ImageDraw.Draw(canvas)
    for i, picture in enumerate(pictures):
        left = i * (columns + gap)
        canvas.paste(Image.fromarray(picture.rgb), (left, head))
        where = (left + columns / 2, head / 2)
        draw.text(where, picture.label, fill="black", anchor="mm", font=ImageFont.load_default(text))
    return np.array(canvas)


def describe(window: Window) -> str:
    """Where a window is."""
    (top, bottom), (left, right) = window
    return f"Rows {top} to {bottom - 1}, columns {left} to {right - 1}"
