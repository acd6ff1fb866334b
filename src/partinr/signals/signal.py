"""A signal: values on a regular grid, channels last, with a known value range."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float, Float32, Shaped

Kind = Literal["image", "array"]


@dataclass(frozen=True)
class SignalSpec:
    """What is needed to turn normalised values back into the signal's own kind of data.

    Attributes:
        kind: "image" is written by Pillow or tifffile, "array" by NumPy.
        shape: samples along each axis (plane, row, column), without channels; 1 to 3 axes.
        channels: values a sample.
        dtype: NumPy name of the data type of the source ("uint8", "uint16", "float32", ...).
        value_range: lowest and highest possible value, in the source's units. Normalised values are
            0 and 1 there. The difference is the peak of PSNR.
        channel_axis: whether the source array has a last axis for the channels (False: one channel, no axis).
    """

    kind: Kind
    shape: tuple[int, ...]
    channels: int
    dtype: str
    value_range: tuple[float, float]
    channel_axis: bool

    @property
    def samples(self) -> int:
        """Number of samples, not counting channels."""
        return math.prod(self.shape)

    @property
    def dims(self) -> int:
        """Number of axes without channels."""
        return len(self.shape)

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of the source array, channels included if it has an axis for them."""
        return (*self.shape, self.channels) if self.channel_axis else self.shape

    def quantise(self, normalised: Float[ndarray, "*shape channels"]) -> Shaped[ndarray, "*shape channels"]:
        """Normalised values in the source's units and data type.

        Integer types are rounded and clipped to the value range; floating-point types are not rounded, and
        clipped only to what their data type can hold.
        """
        low, high = self.value_range
        dtype = np.dtype(self.dtype)
        # Single precision holds every 16-bit integer; wider types need double.
        exact = np.float32 if dtype.kind != "f" and dtype.itemsize <= 2 else np.float64
        with np.errstate(over="ignore"):
            values = np.multiply(normalised, high - low, dtype=exact)
            values += low
        if dtype.kind == "f":
            low, high = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
        else:
            np.rint(values, out=values)
        np.clip(values, low, high, out=values)
        quantised: Shaped[ndarray, "*shape channels"] = values.astype(dtype)
        return quantised


@dataclass(frozen=True, eq=False)
class Signal:
    """Values of shape (*shape, channels) in the source's own data type, with their description."""

    values: Shaped[ndarray, "*shape channels"]
    spec: SignalSpec
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (*self.spec.shape, self.spec.channels)
        if self.values.shape != expected:
            raise InputError(f"signal values must have shape {expected}, got {self.values.shape}")
        if not 1 <= self.spec.dims <= 3:
            raise InputError(f"a signal has 1 to 3 axes (and channels), got shape {self.spec.shape}")
        if self.spec.samples == 0 or self.spec.channels == 0:
            raise InputError(f"a signal needs at least one sample, got shape {expected}")
        require_finite(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis, without channels."""
        return self.spec.shape

    @property
    def channels(self) -> int:
        """Values a sample."""
        return self.spec.channels

    def normalised(self) -> Float32[ndarray, "*shape channels"]:
        """Values scaled so that the value range becomes 0..1, in single precision."""
        low, high = self.spec.value_range
        if low == 0 and self.values.dtype.kind in "ub":
            return self.values.astype(np.float32) / np.float32(high)
        return ((self.values.astype(np.float64) - low) / (high - low)).astype(np.float32)


def require_finite(values: Shaped[ndarray, "..."]) -> None:
    """Refuse floating-point values that no network can be fitted to.

    Raises:
        InputError: a value is NaN or infinite.
    """
    if values.dtype.kind != "f":
        return
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise InputError(f"signal values must be finite, got {bad} NaN or infinite; replace them first")
