"""Evaluate a piecewise network on any grid, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Shaped
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.piecewise import Piecewise
from partinr.signals import frames
from partinr.signals.metrics import psnr, ssim
from partinr.signals.signal import Signal

# Output samples that are rendered at once.
_SLAB = 1 << 20

Crop = tuple[tuple[float, float], ...]
"""Start and stop along each axis in samples of the signal: ((100, 200), (0, 50)) for rows and columns."""


def output_shape(
    model: Piecewise,
    size: tuple[int, ...] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
) -> tuple[int, ...]:
    """Shape of a rendering, without channels; see `render`.

    Raises:
        InputError: the size, scale or crop cannot be rendered.
    """
    shape = model.signal.shape
    window = whole(model) if crop is None else crop
    if size is not None and scale is not None:
        raise InputError("give either a size or a scale, not both")
    if len(window) != len(shape):
        raise InputError(
            f"the crop must have {len(shape)} pairs for a signal of shape {shape}, got {len(window)}"
        )
    for (start, stop), samples in zip(window, shape, strict=True):
        if not 0 <= start < stop <= samples:
            raise InputError(
                f"the crop must lie in 0..{samples} and start before it stops, got {start}..{stop}"
            )
    if size is None:
        factor = 1.0 if scale is None else scale
        if not 0 < factor < float("inf"):
            raise InputError(f"the scale must be a positive number, got {factor}")
        size = tuple(max(1, round((stop - start) * factor)) for start, stop in window)
    if len(size) != len(shape) or min(size) < 1:
        raise InputError(f"the size must have {len(shape)} positive numbers, got {size}")
    return size


def whole(model: Piecewise) -> Crop:
    """The crop that covers everything."""
    return tuple((0.0, float(n)) for n in model.signal.shape)


def render_blocks(
    model: Piecewise,
    size: tuple[int, ...] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
) -> Iterator[Shaped[ndarray, "_ *rest channels"]]:
    """A rendering as consecutive slabs along the first axis, in the signal's data type; see `render`.

    Memory is bounded by the slab, at least one row of the output.
    """
    shape = output_shape(model, size, scale, crop)
    window = whole(model) if crop is None else crop
    axes = [
        frames.resampled_axis(n, length, float(start), float(stop))
        for n, length, (start, stop) in zip(model.signal.shape, shape, window, strict=True)
    ]
    row = int(np.prod(shape[1:]))
    rows = max(1, _SLAB // row)
    for first in range(0, shape[0], rows):
        slab = [axes[0][first : first + rows], *axes[1:]]
        values = _evaluate(model, slab)
        yield model.signal.quantise(values)


def render(
    model: Piecewise,
    *,
    size: tuple[int, ...] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
    callback: Callable[[float], None] | None = None,
) -> Shaped[ndarray, "*array_shape"]:
    """The signal as an array in its own data type, at any size.

    Samples are areas: rendering at twice the size divides each sample's area in four, as image viewers and
    Pillow's `resize` do. Integer signals are rounded and clipped to their value range.

    Args:
        model: a fitted piecewise network.
        size: output samples along each axis; by default the size of the crop.
        scale: factor for every axis instead of a size.
        crop: part of the signal to render, in samples of the signal; by default everything.
        callback: called with the share that is done, 0..1.

    Returns:
        Array of the output shape, with a last axis for channels if the source had one.

    Raises:
        InputError: the size, scale or crop cannot be rendered.

    Example:
        >>> import numpy as np, partinr
        >>> model = partinr.fit(np.eye(8), goal=partinr.Steps(5)).model
        >>> partinr.render(model, scale=2).shape
        (16, 16)
    """
    shape = output_shape(model, size, scale, crop)
    out = np.empty((*shape, model.signal.channels), np.dtype(model.signal.dtype))
    first = 0
    for block in render_blocks(model, size, scale, crop):
        out[first : first + len(block)] = block
        first += len(block)
        if callback is not None:
            callback(first / shape[0])
    return out if model.signal.channel_axis else out[..., 0]


def rendered_psnr(model: Piecewise, signal: Signal) -> float:
    """PSNR in dB of the rendering at the signal's own size, clipped and rounded as `render` does.

    Raises:
        InputError: the signal has another shape than the model's.

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.eye(8), goal=partinr.Steps(5))
        >>> rendered_psnr(result.model, result.signal) == result.psnr
        True
    """
    rendered = _like(model, signal)
    return psnr(signal.values, rendered, _peak(model))


class Quality(NamedTuple):
    """PSNR in dB, and structural similarity where the signal is large enough for it."""

    psnr: float
    ssim: float | None


def quality(model: Piecewise, signal: Signal) -> Quality:
    """PSNR and SSIM of the rendering at the signal's own size; see `rendered_psnr`."""
    rendered = _like(model, signal)
    return Quality(psnr(signal.values, rendered, _peak(model)), ssim(signal.values, rendered, _peak(model)))


def _like(model: Piecewise, signal: Signal) -> Shaped[ndarray, "*shape channels"]:
    """The rendering that is to be compared with a signal."""
    if signal.spec.array_shape != model.signal.array_shape:
        raise InputError(
            f"the signal must have the shape {model.signal.array_shape} of the model, "
            f"got {signal.spec.array_shape}"
        )
    return render(model).reshape(signal.values.shape)


def _peak(model: Piecewise) -> float:
    low, high = model.signal.value_range
    return high - low


def _evaluate(model: Piecewise, axes: list[Float32[ndarray, "_"]]) -> Float32[ndarray, "*shape channels"]:
    """Normalised values on a lattice."""
    shape = tuple(len(axis) for axis in axes)
    values = model.on_lattice(axes)
    if values is None:
        values = model(frames.lattice(axes))
    return values.reshape(*shape, model.signal.channels)
