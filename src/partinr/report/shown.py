"""What is shown of signals, partitions, functions and fits: a few pictures or plots, bounded in size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.fitting.fit import FitResult
from partinr.model.partition.partition import Partition
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import render
from partinr.report.figures import Plot
from partinr.report.overlay import enlargement, with_borders
from partinr.report.pictures import (
    RGB,
    Picture,
    Shown,
    at_most,
    error_map,
    error_rgb,
    error_top,
    region_rgb,
    repeated,
    shown_range,
    to_rgb,
)
from partinr.report.plots import draw_borders, draw_points, draw_signals, with_gaps
from partinr.report.volume_views import shown_slices, stretched, view_of
from partinr.shapes import Bool, Int32, Shaped
from partinr.signals.scattered import Scattered
from partinr.signals.signal import Between, Signal, SignalSpec

Part = Picture | Plot
"""A picture, or a plot of lines."""

SIDE = 384
"""Pixels of the longer side of a picture, at most."""

# Samples of a plane that are rendered one by one; larger ones are rendered reduced, and without their error.
_EXACT = 1 << 22
# Samples of a curve that are rendered.
_CURVE = 1 << 22
# Inches across a curve, and up.
_WIDE, _HIGH = 8.0, 2.4
# Regions are no longer told apart by lines where they have fewer pixels than this on a side.
_LINES = 4


class Face(NamedTuple):
    """A plane of a signal that is looked at.

    Attributes:
        name: empty where there is one alone.
        crop: first and one past the last sample along each axis.
        across: the axis that has one sample, of the axes as they are looked at; None: there is none.
    """

    name: str
    crop: tuple[tuple[int, int], ...]
    across: int | None

    def cut(self, values: Shaped[ndarray, "*shape"]) -> Shaped[ndarray, "..."]:
        """The plane's part of an array with the signal's axes first; all axes are kept."""
        return values[tuple(slice(*extent) for extent in self.crop)]

    def seen(self, part: Shaped[ndarray, "..."], spec: SignalSpec) -> Shaped[ndarray, "rows columns *rest"]:
        """A part as it is looked at."""
        if self.across is None:
            return part
        turned = part if spec.kind == "video" else view_of(spec).turned(part)
        face: Shaped[ndarray, "rows columns *rest"] = turned.take(0, axis=self.across)
        return face

    def steps(self, spec: SignalSpec) -> tuple[float, float]:
        """How high and wide a pixel is."""
        if self.across is None or spec.kind == "video":
            return 1.0, 1.0
        first, second = (step for axis, step in enumerate(view_of(spec).steps) if axis != self.across)
        return first, second


def faces(spec: SignalSpec) -> Iterator[Face]:
    """What is looked at: a picture; three frames of a film; a slice across each axis of a volume."""
    whole = tuple((0, n) for n in spec.shape)
    if spec.dims == 2:
        yield Face("", whole, None)
    elif spec.kind == "video":
        for frame in sorted({0, spec.shape[0] // 2, spec.shape[0] - 1}):
            yield Face(f"Frame {frame}", ((frame, frame + 1), *whole[1:]), 0)
    else:
        view = view_of(spec)
        for across, axis in enumerate(view.order):
            at = spec.shape[axis] // 2
            crop = tuple((at, at + 1) if a == axis else extent for a, extent in enumerate(whole))
            named = f" ({view.names[across]})" if view.names else ""
            yield Face(f"Slice {at}{named}", crop, across)


@singledispatch
def parts_of(shown: object) -> list[Part]:
    """The pictures and plots of an object.

    Raises:
        TypeError: it is of no kind that is shown.
    """
    raise TypeError(f"partinr shows signals, partitions, functions and fits, got {type(shown).__name__}")


@parts_of.register
def _(signal: Signal) -> list[Part]:
    if isinstance(signal, Scattered):
        return [_points(signal, "Points")]
    if signal.spec.dims == 1:
        return [_curve([with_gaps(signal)], "Signal")]
    shown = _range(signal)
    return [
        Picture(face.name or "Signal", _original(signal, face, shown), _there(signal))
        for face in faces(signal.spec)
    ]


@parts_of.register
def _(partition: Partition) -> list[Part]:
    return [Picture("Regions", regions_rgb(partition))]


@parts_of.register
def _(model: Piecewise) -> list[Part]:
    if model.signal.dims == 1:
        return [_curve([_rendered_curve(model)], "Function")]
    first, *rest = faces(model.signal)
    pictures = [Picture(face.name or "Function", rendered_rgb(model, face)) for face in (first, *rest)]
    return [*pictures, Picture("Regions", regions_rgb(model.partition))]


@parts_of.register
def _(result: FitResult) -> list[Part]:
    signal, model = result.signal, result.model
    if signal.spec.dims == 1:
        values = _rendered_curve(model)
        if isinstance(signal, Scattered):
            return [_points(signal, "Points"), _curve([values], "Fit")]
        both = _curve([with_gaps(signal), values], "Original (solid) and fit (dashed)")
        return [both, _bordered(signal, model.partition)]
    if isinstance(signal, Scattered):
        return [_points(signal, "Points"), *parts_of(model)]
    return [*_beside(result), Picture("Regions", regions_rgb(model.partition))]


def _beside(result: FitResult) -> list[Part]:
    """Original, fit and error of each face."""
    signal, shown = result.signal, _range(result.signal)
    parts: list[Part] = []
    for face in faces(signal.spec):
        name = f"{face.name}, " if face.name else ""
        original = face.cut(signal.values)
        parts.append(_named(name, "original", _original(signal, face, shown)))
        parts.append(_named(name, "fit", rendered_rgb(result.model, face, shown)))
        if original[..., 0].size <= _EXACT:
            there = None if signal.mask is None else face.cut(signal.mask)
            error = error_map(original, _at_samples(result.model, face), signal.spec, there)
            top = error_top([error])
            rgb = _fitted(error_rgb(face.seen(error, signal.spec), top), face, signal.spec)
            parts.append(_named(name, "error", rgb, f"White: {top:g} % of the range and more."))
    return parts


def _named(name: str, what: str, rgb: RGB, note: str = "") -> Picture:
    return Picture(f"{name}{what}" if name else what.capitalize(), rgb, note)


def rendered_rgb(model: Piecewise, face: Face, shown: Shown | None = None, side: int = SIDE) -> RGB:
    """What a function has in a face, of `side` pixels at most."""
    spec = model.signal
    size = [stop - start for start, stop in face.crop]
    large = math.prod(size) > _EXACT
    if large:  # values at some points, where means over all would take long
        size = [max(1, round(n * min(1.0, 4 * SIDE / max(size)))) for n in size]
    elif side < SIDE:
        size = [max(1, round(n * min(1.0, side / max(size)))) for n in size]
    between: Between | None = "none" if large else None
    values = render(model, size=size, crop=face.crop, point=large, between=between)
    values = values.reshape(*size, spec.channels)
    seen = np.ascontiguousarray(face.seen(values, spec))
    return _fitted(to_rgb(seen, spec, shown or _range_of(seen, spec)), face, spec, side)


def _at_samples(model: Piecewise, face: Face) -> Shaped[ndarray, "*shape channels"]:
    size = tuple(stop - start for start, stop in face.crop)
    return render(model, crop=face.crop).reshape(*size, model.signal.channels)


def _original(signal: Signal, face: Face, shown: Shown) -> RGB:
    """A face of a signal; every so many samples of one that is far larger than what is shown."""
    seen = face.seen(face.cut(signal.values), signal.spec)
    every = max(1, max(seen.shape[:2]) // (4 * SIDE))
    there: Bool[ndarray, "rows columns"] | None = None
    if signal.mask is not None:
        there = face.seen(face.cut(signal.mask), signal.spec)[::every, ::every]
    rgb = to_rgb(np.ascontiguousarray(seen[::every, ::every]), signal.spec, shown, there)
    return _fitted(rgb, face, signal.spec)


def _fitted(rgb: RGB, face: Face, spec: SignalSpec, side: int = SIDE) -> RGB:
    """With square pixels, no more of them than are shown; few ones are enlarged."""
    steps = face.steps(spec)
    square = at_most(rgb if steps[0] == steps[1] else stretched(rgb, steps), side)
    return repeated(square, max(1, side // max(square.shape[:2])))


def _range(signal: Signal) -> Shown:
    return shown_slices(signal) if signal.spec.dims == 3 else shown_range(signal)


def _range_of(seen: Shaped[ndarray, "rows columns channels"], spec: SignalSpec) -> Shown:
    """What is black and white of a rendering that stands alone."""
    if np.dtype(spec.dtype).itemsize == 1:
        return spec.value_range
    low, high = (float(v) for v in np.percentile(seen.astype(np.float64), (0.1, 99.9)))
    return (low, high) if low < high else spec.value_range


def regions_rgb(partition: Partition) -> RGB:
    """Regions in colours of their own, with borders where there is room for lines; a strip for one axis, the
    middle plane of three."""
    labels = _labels(partition)
    if len(partition.shape) == 1:
        labels = labels.reshape(1, -1).repeat(max(1, labels.size // 10), axis=0)
    colours = region_rgb(labels)
    side = np.sqrt(labels.size / max(1, len(np.unique(labels))))
    factor = max(1, min(enlargement(labels.shape, side), SIDE // max(labels.shape)))
    large = repeated(colours, factor)
    if side * factor < _LINES or len(partition.shape) == 1:
        return large
    return with_borders(large, labels.repeat(factor, 0).repeat(factor, 1))


def _labels(partition: Partition) -> Int32[ndarray, "..."]:
    """Region of every so many samples: of as many as are shown, of the middle plane of three axes."""
    shape = partition.shape
    every = max(1.0, max(shape[-2:]) / SIDE)
    picked = [(np.arange(max(1, math.floor(n / every))) * every).astype(np.int64) for n in shape]
    if len(shape) == 3:
        picked[0] = np.array([shape[0] // 2])
    if partition.edges is not None:
        picked = [
            np.searchsorted(edges, samples, side="right") - 1
            for edges, samples in zip(partition.edges, picked, strict=True)
        ]
    labels = partition.table[np.ix_(*picked)]
    return labels[0] if len(shape) == 3 else labels


def _curve(signals: Sequence[Shaped[ndarray, "samples channels"]], label: str) -> Plot:
    return Plot("curve", lambda axes: draw_signals(axes, signals), label, _HIGH, _WIDE)


def _bordered(signal: Signal, partition: Partition) -> Plot:
    return Plot(
        "regions", lambda axes: draw_borders(axes, signal, partition), "Borders of regions", _HIGH, _WIDE
    )


def _rendered_curve(model: Piecewise) -> Shaped[ndarray, "samples channels"]:
    samples = min(model.signal.shape[0], _CURVE)
    return render(model, size=(samples,)).reshape(samples, model.signal.channels)


def _points(signal: Scattered, label: str) -> Plot:
    return Plot("points", lambda axes: draw_points(axes, signal), label, 4.0, 4.8)


def _there(signal: Signal) -> str:
    return f"{signal.missing:,} samples are missing." if signal.missing else ""
