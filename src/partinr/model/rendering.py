"""Evaluate a piecewise network on any grid, in blocks of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model import deblocking
from partinr.model.averaging import averaged
from partinr.model.between.lattice import Along, Samples, blocks
from partinr.model.derivatives import VALUE, Derivative, Rendered
from partinr.model.extents import Crop, check_room, output_shape, window_of
from partinr.model.memory import free_memory
from partinr.model.piecewise import Piecewise
from partinr.shapes import Float32, Shaped
from partinr.signals import frames
from partinr.signals.metrics import psnr, psnr_from_mse, similarity
from partinr.signals.scattered import Scattered
from partinr.signals.signal import Between, Signal, SignalSpec

# Output samples that are rendered at once, samples of the signal whose means are taken at once, and points
# that are evaluated at once where each is looked up.
_SLAB = 1 << 20
_MEANS = 1 << 18
_BLOCK = 1 << 18


def render_blocks(
    model: Piecewise,
    size: Sequence[int] | None = None,
    scale: float | None = None,
    crop: Sequence[Sequence[float]] | None = None,
    *,
    point: bool = False,
    derivative: str | None = None,
) -> Iterator[Shaped[ndarray, "_ *rest channels"]]:
    """A rendering as consecutive slabs along the first axis, in the signal's data type; see `render`.

    Memory is bounded by the slab, at least one row of the output.

    Raises:
        InputError: before any work; the size, scale, crop or derivative cannot be rendered, or not even one
            row.
    """
    spec = rendered_spec(model.signal, derivative)
    shape = output_shape(model.signal, size, scale, crop)
    largest = max(shape[0], math.prod(shape[1:]))
    check_room((largest,), replace(spec, dtype="float64"), free_memory(), "of memory, for one row,")
    return _blocks(model, shape, window_of(model.signal, crop), point, derivative)


def _blocks(
    model: Piecewise, shape: tuple[int, ...], window: Crop, point: bool, derivative: str | None
) -> Iterator[Shaped[ndarray, "_ *rest channels"]]:
    if derivative is None:
        for values in _values(model, shape, window, point, VALUE):
            yield model.signal.quantise(values)
        return
    asked = Rendered(derivative, model.signal)
    for values in _values(model, shape, window, point, asked.what):
        yield asked.in_units(values)


def sample_blocks(model: Piecewise) -> Iterator[Float32[ndarray, "_ *rest channels"]]:
    """Normalised values at the signal's own samples, neither rounded nor clipped, as consecutive slabs along
    the first axis."""
    return _sample_blocks(model, [range(n) for n in model.signal.shape])


def _values(
    model: Piecewise, shape: tuple[int, ...], window: Crop, point: bool, what: Derivative
) -> Iterator[Float32[ndarray, "_ *rest columns"]]:
    """Normalised values, or their derivatives by samples, planes after one another."""
    along = [
        Along(n, size, float(start), float(stop))
        for n, size, (start, stop) in zip(model.signal.shape, shape, window, strict=True)
    ]
    if model.signal.between == "none":
        return _networks_values(model, shape, window, point, what)
    if what == VALUE and all(axis.own for axis in along):
        return _sample_blocks(model, [range(int(axis.start), int(axis.stop)) for axis in along])
    learned = model.signal.between == "learned"
    return values_between(partial(at_samples, model), along, learned=learned, point=point, what=what)


def _sample_blocks(model: Piecewise, box: Sequence[range]) -> Iterator[Float32[ndarray, "_ *rest channels"]]:
    # Slabs that are thin beside what is evaluated around them would be evaluated several times.
    around = 1 if model.spectra is None or model.signal.between == "none" else deblocking.reach(model.spectra)
    rows = max(around, _SLAB // math.prod(map(len, box[1:])))
    for first in range(box[0].start, box[0].stop, rows):
        yield at_samples(model, [range(first, min(first + rows, box[0].stop)), *box[1:]])


def values_between(
    samples: Samples, along: Sequence[Along], *, learned: bool, point: bool, what: Derivative = VALUE
) -> Iterator[Float32[ndarray, "_ *rest columns"]]:
    """Normalised values of pixels of a function that is made of its values at the samples, as slabs.

    Args:
        samples: gives those.
        along: the pixels of each axis.
        learned: whether photographs' details are between the samples, or nothing but a smooth function.
        point: values at the middles of the pixels instead of means over them.
        what: or derivatives by samples, planes after one another.
    """
    planes = [[what.order * (a == axis) for a in range(len(along))] for axis in what.axes or (0,)]
    return blocks(samples, along, learned=learned, point=point, planes=planes)


def at_samples(model: Piecewise, box: Sequence[range]) -> Float32[ndarray, "*shape channels"]:
    """Normalised values at the signal's own samples in a box."""
    roundings = model.roundings if model.signal.between != "none" else ()
    reach = max(map(deblocking.reach, roundings), default=0)
    wide = [
        range(max(0, along.start - reach), min(n, along.stop + reach))
        for n, along in zip(model.signal.shape, box, strict=True)
    ]
    axes = [
        frames.axis(n)[along.start : along.stop] for n, along in zip(model.signal.shape, wide, strict=True)
    ]
    values = _evaluate(model, [frames.Pixels(axis) for axis in axes], VALUE)
    if not roundings:
        return values
    values = deblocking.deblock_parts(values, roundings, [along.start for along in wide])
    inside = (
        slice(along.start - around.start, along.stop - around.start)
        for along, around in zip(box, wide, strict=True)
    )
    return values[tuple(inside)]


def _networks_values(
    model: Piecewise, shape: tuple[int, ...], window: Crop, point: bool, what: Derivative
) -> Iterator[Float32[ndarray, "_ *rest columns"]]:
    pixels = [
        frames.pixels(n, length, float(start), float(stop), point=point, exact=model.structure.exact)
        for n, length, (start, stop) in zip(model.signal.shape, shape, window, strict=True)
    ]
    # As many samples of the output, or of the signal where the output has fewer.
    reach = [max(n, stop - start) for n, (start, stop) in zip(shape, window, strict=True)]
    in_row = math.prod(reach) / shape[0]
    # On one axis, what is known about each node is more than its values.
    most = _MEANS if len(shape) == 1 and pixels[0].edges is not None else _SLAB
    rows = max(1, int(most / in_row / what.planes))
    parts = 1 if pixels[0].edges is None else max(1, math.ceil(in_row / most))
    for first in range(0, shape[0], rows):
        slab = pixels[0].part(first, first + rows)
        # The mean over a row is that of the means over its parts.
        pieces = (_evaluate(model, [slab.share(k, parts), *pixels[1:]], what) for k in range(parts))
        values = next(pieces)
        for piece in pieces:
            values += piece
        yield values / parts if parts > 1 else values


def render(
    model: Piecewise,
    *,
    size: Sequence[int] | None = None,
    scale: float | None = None,
    crop: Sequence[Sequence[float]] | None = None,
    point: bool = False,
    between: Between | None = None,
    derivative: str | None = None,
    callback: Callable[[float], None] | None = None,
) -> Shaped[ndarray, "*array_shape"]:
    """The signal as an array in its own data type, at any size.

    Samples are areas: rendering at twice the size divides each sample's area in four, as image viewers and
    Pillow's `resize` do. A sample of the rendering is the mean of the function over its area, and the mean
    over the area of one of the signal's own samples is what the networks say there. With `between="none"`,
    where the function is what the networks say everywhere, that is so along axes with fewer samples than the
    signal; along the others, a sample is the value at the middle of its area. Integer signals are rounded
    and clipped to their value range.

    Args:
        model: a fitted piecewise network.
        size: output samples along each axis, one number for each; by default the size of the crop.
        scale: factor for every axis instead of a size.
        crop: part of the signal to render, in samples of the signal; by default everything.
        point: take the value at the middle of an area, never the mean.
        between: what lies between the samples; None: what the model's signal says. See `Between`.
        derivative: exact derivatives of the function instead of its values, in single precision, neither
            rounded nor clipped: the name of an axis, "gradient" or "laplacian"; see `docs/derivatives.md`.
            They are in the units of the signal's values for each unit of its axes, for each sample of the
            signal where nothing is known of those, whatever the size of the rendering. A sample of means is
            the mean of the derivative over its area, so the difference of what the function is at its ends.
        callback: called with the share that is done, 0..1.

    Returns:
        Array of the output shape, with a last axis for channels if the source had one. A gradient has one
        more axis, before that of the channels: the derivatives along the first axis, the second one, ...

    Raises:
        InputError: the size, scale, crop or derivative cannot be rendered, or the memory that is free cannot
            hold it.

    Example:
        >>> import numpy as np, partinr
        >>> model = partinr.fit(np.eye(8), goal=partinr.Steps(5)).model
        >>> partinr.render(model, scale=2).shape
        (16, 16)
        >>> partinr.render(model, derivative="gradient").shape
        (8, 8, 2)
    """
    if between is not None:
        model = model.with_between(between)
    shape = output_shape(model.signal, size, scale, crop)
    blocks = partial(render_blocks, model, size, scale, crop, point=point, derivative=derivative)
    return gathered(blocks, shape, model.signal, derivative, callback)


def gathered(
    blocks: Callable[[], Iterator[Shaped[ndarray, "_ *rest columns"]]],
    shape: tuple[int, ...],
    signal: SignalSpec,
    derivative: str | None = None,
    callback: Callable[[float], None] | None = None,
) -> Shaped[ndarray, "*array_shape"]:
    """A rendering as one array, of its slabs along the first axis; arguments as for `render`.

    No slab is asked for before there is room for all.

    Raises:
        InputError: the memory that is free cannot hold it.
    """
    spec = rendered_spec(signal, derivative)
    check_room(shape, spec, free_memory(), "of memory")
    out = np.empty((*shape, spec.channels), np.dtype(spec.dtype))
    first = 0
    for block in blocks():
        out[first : first + len(block)] = block
        first += len(block)
        if callback is not None:
            callback(first / shape[0])
    if derivative == "gradient":
        out = out.reshape(*shape, signal.dims, signal.channels)
    return out if signal.channel_axis else out[..., 0]


def rendered_spec(signal: SignalSpec, derivative: str | None = None) -> SignalSpec:
    """What describes a rendering of the signal's own size, or of a derivative; see `render`.

    Raises:
        InputError: there is no such derivative.
    """
    return signal if derivative is None else Rendered(derivative, signal).rendered


def rendered_psnr(model: Piecewise, signal: Signal) -> float:
    """PSNR in dB of the rendering at the signal's own size, clipped and rounded as `render` does, over the
    samples that are there, with their weights.

    Raises:
        InputError: the signal has another shape than the model's.

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.eye(8), goal=partinr.Steps(5))
        >>> rendered_psnr(result.model, result.signal) == result.psnr
        True
    """
    exact = np.dtype(signal.spec.dtype).kind in "iu" and np.dtype(signal.spec.dtype).itemsize <= 2
    if signal.scattered or signal.importance() is not None or not exact:
        return psnr(*_judged(model, signal))
    # Sums of whole numbers are the same in any order, so that not all of a video need be there at once.
    _check_like(model, signal)
    first, total = 0, 0
    for block in render_blocks(model):
        error = block.astype(np.int32) - signal.values[first : first + len(block)]
        total += int(np.square(error, dtype=np.int64).sum())
        first += len(block)
    return psnr_from_mse(total / signal.values.size, _peak(model))


class Quality(NamedTuple):
    """PSNR in dB, and structural similarity where the signal is large enough for it."""

    psnr: float
    ssim: float | None


def quality(
    model: Piecewise, signal: Signal, rendered: Shaped[ndarray, "*shape channels"] | None = None
) -> Quality:
    """PSNR and SSIM of the rendering at the signal's own size, which may be known; see `rendered_psnr`."""
    values, found, peak, weights = _judged(model, signal, rendered)
    alike = None if signal.scattered else similarity(signal.spec, values, found, weights)
    return Quality(psnr(values, found, peak, weights), alike)


class HeldOut(NamedTuple):
    """The error at points that were not fitted.

    Attributes:
        points: how many.
        psnr: in dB.
        rms: root of the mean squared error, in the signal's units.
    """

    points: int
    psnr: float
    rms: float


def held_out(model: Piecewise, signal: Signal) -> HeldOut | None:
    """The error at points of scattered samples that were kept back; None where there are none."""
    if not isinstance(signal, Scattered) or not len(signal.held_points):
        return None
    found = model.signal.quantise(model(signal.held_points))
    errors = np.square(found.astype(np.float64) - signal.held_values)
    return HeldOut(len(found), psnr(signal.held_values, found, _peak(model)), float(np.sqrt(errors.mean())))


def _judged(
    model: Piecewise, signal: Signal, rendered: Shaped[ndarray, "*shape channels"] | None = None
) -> tuple[Shaped[ndarray, "..."], Shaped[ndarray, "..."], float, Float32[ndarray, "..."] | None]:
    """What is there, what the function has there, the peak, and weights."""
    if isinstance(signal, Scattered):
        found = model.signal.quantise(model(signal.points))
        return signal.exact, found, _peak(model), signal.counting
    found = _like(model, signal) if rendered is None else rendered
    return signal.values, found, _peak(model), signal.importance()


def _like(model: Piecewise, signal: Signal) -> Shaped[ndarray, "*shape channels"]:
    """The rendering that is to be compared with a signal."""
    _check_like(model, signal)
    return render(model).reshape(signal.values.shape)


def _check_like(model: Piecewise, signal: Signal) -> None:
    if signal.spec.array_shape != model.signal.array_shape:
        raise InputError(
            f"the signal must have the shape {model.signal.array_shape} of the model, "
            f"got {signal.spec.array_shape}"
        )


def _peak(model: Piecewise) -> float:
    low, high = model.signal.value_range
    return high - low


def _evaluate(
    model: Piecewise, pixels: list[frames.Pixels], what: Derivative
) -> Float32[ndarray, "*shape columns"]:
    """Normalised values at the points, or means over the pixels, of a lattice, or derivatives by samples."""
    shape = tuple(len(along.coords) for along in pixels)
    if what.order == 0:
        return _function(model, pixels, what).reshape(*shape, -1)
    if all(pixels[a].edges is None for a in what.axes):
        values = _function(model, pixels, what).reshape(*shape, what.planes, -1)
        for k, a in enumerate(what.axes):
            values[..., k, :] *= _per_sample(model, a) ** what.order
    else:
        values = np.stack([_along(model, pixels, what.order, a) for a in what.axes], axis=-2)
    return values.reshape(*shape, -1)


def _along(
    model: Piecewise, pixels: list[frames.Pixels], order: int, axis: int
) -> Float32[ndarray, "*shape channels"]:
    """A derivative along one axis by samples. Its mean over a pixel is a difference of the derivative of one
    order less, or the value, at the pixel's ends, over its length."""
    edges = pixels[axis].edges
    if edges is None:
        return _evaluate(model, pixels, Derivative(order, (axis,)))
    ends = [*pixels[:axis], pixels[axis].ends(model.signal.shape[axis]), *pixels[axis + 1 :]]
    found = _evaluate(model, ends, VALUE if order == 1 else Derivative(order - 1, (axis,)))
    lengths = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(len(pixels) + 1)])
    return np.diff(found, axis=axis) / lengths.astype(np.float32)


def _per_sample(model: Piecewise, axis: int) -> float:
    """Global coordinates from one sample to the next; none on an axis of one sample."""
    samples = model.signal.shape[axis]
    return 0.0 if samples == 1 else 2 / (samples - 1)


def _function(
    model: Piecewise, pixels: list[frames.Pixels], what: Derivative
) -> Float32[ndarray, "pixels columns"]:
    """What is rendered: values, or derivatives by global coordinates along axes of points, on a lattice in
    raster order, planes after one another. Nothing else here evaluates the model."""
    values = model.on_lattice(pixels, what)
    return averaged(model, pixels, _BLOCK, what) if values is None else values
