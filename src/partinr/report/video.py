"""Videos in pages: frames of original, fit and error, and a small clip of both that plays."""

from __future__ import annotations

import io

import numpy as np
from numpy import ndarray

from partinr.report import page
from partinr.report.pictures import (
    RGB,
    Shown,
    error_map,
    error_stops,
    error_top,
    shown_range,
    to_rgb,
)
from partinr.report.reconstructions import missing
from partinr.report.volume_views import beside_each_other, stretched
from partinr.shapes import Bool, Shaped
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.videos.timing import frame_times

# Frames that are shown still, and those of a clip at most, of so many pixels a side, for about a megabyte.
_STILLS, _FRAMES, _SIDE = 3, 60, 320
_QUALITY = 75


def video_views(signal: Signal, values: Shaped[ndarray, "frames rows columns channels"]) -> list[page.Html]:
    """Some frames with the scale of all errors, and a clip of original and fit side by side.

    Args:
        signal: the original.
        values: what was made of it, as the signal has them.
    """
    spec, shown = signal.spec, shown_range(signal)
    count = len(values)
    chosen = sorted({(2 * i + 1) * count // (2 * _STILLS) for i in range(_STILLS)})
    errors = [error_map(signal.values[i], values[i], spec, _there(signal, i)) for i in chosen]
    top = error_top(errors)
    steps = _steps(spec)
    blocks = [_clip(signal, values, shown, steps)]
    for i, error in zip(chosen, errors, strict=True):
        rgb = _original(signal, i, shown), to_rgb(values[i], spec, shown)
        blocks.append(beside_each_other(f"Frame {i}", *rgb, error, top, steps))
    told = "Error: absolute difference in per cent of the value range."
    blocks.append(page.colour_bar(error_stops(), "0", f"{top:g} % and more", told))
    return [*blocks, *(page.paragraph(text) for text in [missing(signal, "checkerboards")] if text)]


def _there(signal: Signal, frame: int) -> Bool[ndarray, "rows columns"] | None:
    return None if signal.mask is None else signal.mask[frame]


def _original(signal: Signal, frame: int, shown: Shown) -> RGB:
    return to_rgb(signal.values[frame], signal.spec, shown, _there(signal, frame))


def _steps(spec: SignalSpec) -> tuple[float, float]:
    """Height and width of a pixel."""
    return (1.0, 1.0) if spec.axes is None else (abs(spec.axes[1].spacing), abs(spec.axes[2].spacing))


def _clip(
    signal: Signal,
    values: Shaped[ndarray, "frames rows columns channels"],
    shown: Shown,
    steps: tuple[float, float],
) -> page.Html:
    """An animated WebP within the page, which browsers play by themselves."""
    times, end = frame_times(signal.spec, signal.shape)
    every = -(-len(values) // _FRAMES)
    pairs = [
        np.concatenate(
            [
                _small(rgb, steps)
                for rgb in (_original(signal, i, shown), to_rgb(values[i], signal.spec, shown))
            ],
            1,
        )
        for i in range(0, len(values), every)
    ]
    durations = np.diff(np.append(times[::every], end))
    left_out = "" if every == 1 else f", one of {every} frames"
    text = f"{end:.3g} seconds{left_out}. The original is on the left, the fit on the right."
    return page.clip(webp(pairs, durations.tolist()), text)


def _small(picture: RGB, steps: tuple[float, float]) -> RGB:
    from PIL import Image

    square = stretched(picture, steps)
    rows, columns = square.shape[:2]
    factor = min(1.0, _SIDE / max(rows, columns))
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    return np.asarray(Image.fromarray(square).resize(size, Image.Resampling.BOX))


def webp(pictures: list[RGB], seconds: list[float]) -> bytes:
    """An animated WebP that is small, of pictures that are shown for so long each."""
    from PIL import Image

    first, *others = [Image.fromarray(picture) for picture in pictures]
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=[max(1, round(1000 * one)) for one in seconds],
        loop=0,
        quality=_QUALITY,
    )
    return file.getvalue()
