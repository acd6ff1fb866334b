"""A part of a picture, enlarged in several ways, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from partinr.model.piecewise import Piecewise
from partinr.model.rendering import render
from partinr.report.pictures import RGB, Picture, Shown, plane, plane_there, repeated, to_rgb
from partinr.signals.metrics import psnr, ssim
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
        signal: the original; its pixels are enlarged as squares and by Pillow's filters, which see the pixels
            around the window too, and a filling of those that are missing.
        window: what to enlarge, in pixels of the signal.
        scale: factor.
        shown: see `to_rgb`.
        reference: the same scene with more pixels, if there is one: what the others should look like.
    """
    from PIL import Image

    (top, bottom), (left, right) = window
    size = ((right - left) * scale, (bottom - top) * scale)
    original = to_rgb(plane(signal.values), signal.spec, shown, plane_there(signal))
    whole = Image.fromarray(to_rgb(plane(signal.values), signal.spec, shown))
    filtered = [
        Picture(name, np.asarray(whole.resize(size, resample, box=(left, top, right, bottom))))
        for name, resample in filters().items()
    ]
    pictures = [
        Picture("Pixels", repeated(np.ascontiguousarray(original[top:bottom, left:right]), scale)),
        *filtered,
        Picture("Piecewise INR", part(model, window, scale, shown)),
    ]
    if reference is not None:
        finer = to_rgb(plane(reference.values), reference.spec, shown)
        rows, columns = (finer.shape[0] / original.shape[0], finer.shape[1] / original.shape[1])
        box = (left * columns, top * rows, right * columns, bottom * rows)
        resized = Image.fromarray(finer).resize(size, Image.Resampling.BICUBIC, box=box)
        pictures.append(Picture("Reference", np.asarray(resized)))
    return pictures


def filters() -> dict[str, Any]:
    """Pillow's filters that enlargements are shown beside, by name."""
    from PIL.Image import Resampling

    return {"Bilinear": Resampling.BILINEAR, "Bicubic": Resampling.BICUBIC, "Lanczos": Resampling.LANCZOS}


class Closeness(NamedTuple):
    """How close an enlargement of a whole picture is to the same scene with more pixels."""

    how: str
    psnr: float
    ssim: float | None


def closeness(model: Piecewise, signal: Signal, reference: Signal) -> list[Closeness]:
    """Enlargements to the size of the reference by filters and by the model, and how close they are to it."""
    from PIL import Image

    finer = to_rgb(plane(reference.values), reference.spec)
    size = finer.shape[1::-1]
    original = Image.fromarray(to_rgb(plane(signal.values), signal.spec))
    large = {name: np.asarray(original.resize(size, how)) for name, how in filters().items()}
    whole = tuple((0, n) for n in plane(signal.values).shape[:2])
    large["Piecewise INR"] = _rendered(model, (whole[0], whole[1]), finer.shape[:2], None)
    return [Closeness(name, psnr(finer, rgb, 255), ssim(finer, rgb, 255)) for name, rgb in large.items()]


def part(model: Piecewise, window: Window, scale: int, shown: Shown | None = None) -> RGB:
    """A window of a picture, or of the middle plane, as the model has it between the samples."""
    (top, bottom), (left, right) = window
    return _rendered(model, window, ((bottom - top) * scale, (right - left) * scale), shown)


def _rendered(model: Piecewise, window: Window, size: tuple[int, ...], shown: Shown | None) -> RGB:
    crop: tuple[tuple[float, float], ...] = window
    shape = size
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
