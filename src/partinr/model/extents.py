"""Which part of a signal is to be rendered at which size: what is asked for, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from partinr.errors import InputError
from partinr.signals.signal import SignalSpec

# Longest axis that can be asked for: whatever is less than this in bytes is looked at closely.
_LONGEST = 1 << 48

Crop = tuple[tuple[float, float], ...]
"""Start and stop along each axis in samples of the signal: ((100, 200), (0, 50)) for rows and columns."""


def output_shape(
    spec: SignalSpec,
    size: Sequence[int] | None = None,
    scale: float | None = None,
    crop: Sequence[Sequence[float]] | None = None,
) -> tuple[int, ...]:
    """Shape of a rendering, without channels; see `render`.

    Raises:
        InputError: the size, scale or crop cannot be rendered.
    """
    window = window_of(spec, crop)
    if size is not None and scale is not None:
        raise InputError("give either a size or a scale, not both")
    if size is not None:
        return _size(spec, size)
    factor = 1.0 if scale is None else _number("the scale", scale)
    if not 0 < factor < math.inf:
        raise InputError(f"the scale must be a positive number, got {scale}")
    lengths = [(stop - start) * factor for start, stop in window]
    if max(lengths) > _LONGEST:
        raise InputError(
            f"the scale must give axes of at most {_LONGEST:,} samples, got {scale}; take a smaller one"
        )
    return tuple(max(1, round(length)) for length in lengths)


def _size(spec: SignalSpec, size: Sequence[int]) -> tuple[int, ...]:
    dims = spec.dims
    wanted = f"the size must have {dims} whole positive number{'s' if dims > 1 else ''}, one for each axis"
    if isinstance(size, (str, bytes, Mapping)) or not isinstance(size, Iterable):
        raise InputError(f"{wanted}, got {size!r:.100}; write size=({', '.join(map(str, spec.shape))},)")
    found = list(size)
    if any(isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)) for n in found):
        raise InputError(f"{wanted}, got {size!r:.100}")
    if len(found) != dims or min(found) < 1:
        raise InputError(f"{wanted}, got {size!r:.100}")
    if max(found) > _LONGEST:
        raise InputError(f"the size must have axes of at most {_LONGEST:,} samples, got {size!r:.100}")
    return tuple(int(n) for n in found)


def window_of(spec: SignalSpec, crop: Sequence[Sequence[float]] | None) -> Crop:
    """The part to render, checked."""
    shape = spec.shape
    if crop is None:
        return whole(spec)
    wanted = f"the crop must have {len(shape)} pairs for a signal of shape {shape}"
    try:
        pairs = [tuple(pair) for pair in crop if not isinstance(pair, str)]
        fits = len(pairs) == len(crop) == len(shape) and all(len(pair) == 2 for pair in pairs)
    except TypeError:
        fits = False
    if not fits:
        raise InputError(f"{wanted}, a start and a stop for each axis, got {crop!r:.100}")
    window = tuple((_number("the crop", start), _number("the crop", stop)) for start, stop in pairs)
    for (start, stop), samples in zip(window, shape, strict=True):
        if not 0 <= start < stop <= samples:
            raise InputError(
                f"the crop must lie in 0..{samples} and start before it stops, got {start}..{stop}"
            )
    return window


def _number(name: str, value: object) -> float:
    """A number that may be NumPy's; no truth value and no text."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputError(f"{name} must be a number, got {value!r:.100}")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{name} must be a number that a double can hold, got {value!r:.100}") from None


def whole(spec: SignalSpec) -> Crop:
    """The crop that covers everything."""
    return tuple((0.0, float(n)) for n in spec.shape)


def check_room(shape: tuple[int, ...], spec: SignalSpec, free: int, where: str) -> None:
    """Refuse a rendering for which there is no room, before any work.

    Args:
        shape: samples along each axis.
        spec: channels and data type.
        free: bytes that it may take.
        where: what the bytes are of, for the message.

    Raises:
        InputError: it would take more.
    """
    samples = math.prod(shape)
    size = samples * spec.channels * np.dtype(spec.dtype).itemsize
    if size > free:
        axes = " x ".join(f"{n:,}" for n in shape)
        raise InputError(
            f"a rendering of {axes} = {samples:,} samples takes {size:,} bytes, and {free:,} bytes {where} "
            "are free; take a smaller size or scale, or render crops one by one"
        )
