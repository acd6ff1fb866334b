"""A signal: values on a regular grid, channels last, with a known value range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from reprlib import repr as brief
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy import ndarray

from partinr.display import Displayed
from partinr.errors import InputError
from partinr.shapes import Bool, Float, Float32, Int64, Shaped
from partinr.signals.axes import JSON, Axis, checked_source
from partinr.signals.frames import raster

Kind = Literal["image", "array", "sound", "video", "volume"]

Between = Literal["none", "smooth", "learned"]
"""What is taken to lie between samples: whatever the networks say there; the smooth function whose mean over
each sample's area is that sample; or such a function with the details that photographs have."""


@dataclass(frozen=True)
class SignalSpec:
    """What is needed to turn normalised values back into the signal's own kind of data.

    Attributes:
        kind: what the channels and axes mean: "image" is written by Pillow or tifffile, "array" by NumPy,
            "sound", "video" and "volume" by what writes those.
        shape: samples along each axis (plane, row, column), without channels; 1 to 3 axes.
        channels: values a sample.
        dtype: NumPy name of the data type of the source ("uint8", "uint16", "float32", ...).
        value_range: lowest and highest possible value, in the source's units. Normalised values are
            0 and 1 there. The difference is the peak of PSNR.
        channel_axis: whether the source array has a last axis for the channels (False: one channel, no axis).
        axes: where the samples lie along each axis of `shape`; None: nothing is known but their order.
        source: what the file says that must be written back and is no axis: depth, rescale slope, ...; small
            values of JSON's types, by the words of its reader and its writer.
        between: what lies between the samples; see `Between`.

    Raises:
        InputError: the axes are not as many as those of the shape, or the source is no small JSON object.
    """

    kind: Kind
    shape: tuple[int, ...]
    channels: int
    dtype: str
    value_range: tuple[float, float]
    channel_axis: bool
    axes: tuple[Axis, ...] | None = None
    source: Mapping[str, JSON] = field(default_factory=dict, hash=False)
    between: Between = "none"

    def __post_init__(self) -> None:
        if self.axes is not None and len(self.axes) != self.dims:
            raise InputError(
                f"a signal of shape {self.shape} needs {self.dims} axes or None, got {len(self.axes)}"
            )
        if self.between not in get_args(Between):
            raise InputError(
                f"between must be one of {', '.join(get_args(Between))}, got {brief(self.between)}"
            )
        if self.between == "learned" and self.dims != 2:
            raise InputError(
                f'between="learned" is what lies between the pixels of photographs, which have 2 axes, got '
                f'{self.dims}; take "smooth" or "none"'
            )
        object.__setattr__(self, "source", checked_source(self.source))

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

    def resampled(
        self, shape: tuple[int, ...], crop: Sequence[tuple[float, float]] | None = None
    ) -> SignalSpec:
        """What describes a rendering of another size, of the whole or of a part.

        Args:
            shape: samples along each axis.
            crop: first and last edge along each axis, in samples of this signal; None for all.
        """
        edges = [(0, n) for n in self.shape] if crop is None else crop
        axes = self.axes and tuple(
            axis.resampled(start, stop, n)
            for axis, (start, stop), n in zip(self.axes, edges, shape, strict=True)
        )
        return replace(self, shape=shape, axes=axes)

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


class Sites(NamedTuple):
    """Points that a function is fitted to.

    Attributes:
        coords: global coordinates.
        values: normalised.
        importance: what squared errors count, see `Signal.importance`; any shape.
        mask: which of the values are there, not filled; any shape; None: all.
    """

    coords: Float32[ndarray, "sites dims"]
    values: Float32[ndarray, "sites channels"]
    importance: Float32[ndarray, "..."] | None
    mask: Bool[ndarray, "..."] | None


@dataclass(frozen=True, eq=False, repr=False)
class Signal(Displayed):
    """Values of shape (*shape, channels) in the source's own data type, with their description.

    Attributes:
        values: channels last; where samples are missing a smooth filling, see `partinr.signals.filling`.
        spec: their description.
        metadata: what else is known of the source.
        mask: which samples are there, the others are not fitted and not judged; None: all are.
        weights: of the samples' squared errors, 0 exactly where the mask is false; None: all count the same.

    Raises:
        InputError: arrays do not fit each other, values are not finite, or no sample is there.
    """

    values: Shaped[ndarray, "*shape channels"]
    spec: SignalSpec
    metadata: dict[str, Any] = field(default_factory=dict)
    mask: Bool[ndarray, "*shape"] | None = None
    weights: Float32[ndarray, "*shape"] | None = None

    def __post_init__(self) -> None:
        expected = (*self.spec.shape, self.spec.channels)
        if self.values.shape != expected:
            raise InputError(f"signal values must have shape {expected}, got {self.values.shape}")
        if not 1 <= self.spec.dims <= 3:
            raise InputError(f"a signal has 1 to 3 axes (and channels), got shape {self.spec.shape}")
        if self.spec.samples == 0 or self.spec.channels == 0:
            raise InputError(f"a signal needs at least one sample, got shape {expected}")
        for name, array in (("mask", self.mask), ("weights", self.weights)):
            if array is not None and array.shape != self.spec.shape:
                raise InputError(f"the {name} must have the shape {self.spec.shape}, got {array.shape}")
        if self.mask is not None and not self.mask.any():
            raise InputError(f"all {self.spec.samples} samples are missing; there is nothing to fit")
        require_finite(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis, without channels."""
        return self.spec.shape

    @property
    def channels(self) -> int:
        """Values a sample."""
        return self.spec.channels

    def with_between(self, between: Between) -> Signal:
        """The same samples, with something else taken to lie between them.

        Raises:
            InputError: "learned" for a signal that is not of two axes.
        """
        return replace(self, spec=replace(self.spec, between=between))

    @property
    def missing(self) -> int:
        """Number of samples that are not there."""
        return 0 if self.mask is None else self.mask.size - int(np.count_nonzero(self.mask))

    def normalised(self) -> Float32[ndarray, "*shape channels"]:
        """Values scaled so that the value range becomes 0..1, in single precision."""
        return normalised(self.values, self.spec.value_range)

    @property
    def scattered(self) -> bool:
        """Whether points on no grid are fitted, see `Samples`; values are means around the grid's samples."""
        return False

    @property
    def fitted(self) -> int:
        """Number of points that a function is fitted to, those included that are filled."""
        return self.spec.samples

    def places(self) -> Int64[ndarray, "there dims"]:
        """Indices of the samples that are there."""
        return np.argwhere(np.ones(self.shape, bool) if self.mask is None else self.mask)

    def sites(self) -> Sites:
        """Where a function is fitted to what: all samples, in raster order."""
        values = self.normalised().reshape(-1, self.channels)
        return Sites(raster(self.shape), values, self.importance(), self.mask)

    def importance(self) -> Float32[ndarray, "*shape"] | None:
        """Weight of each sample's squared error, with the mean 1: the sum of what they weigh, divided by the
        number of all samples, is the mean over what is there. None where it is 1 for all."""
        if self.weights is not None:
            return self.weights / np.float32(self.weights.mean(dtype=np.float64))
        if self.mask is None:
            return None
        return self.mask * np.float32(self.mask.size / (self.mask.size - self.missing))


def normalised(
    values: Shaped[ndarray, "*shape channels"], value_range: tuple[float, float]
) -> Float32[ndarray, "*shape channels"]:
    """Values scaled so that the value range becomes 0..1, in single precision."""
    low, high = value_range
    if low == 0 and values.dtype.kind in "ub":
        return values.astype(np.float32) / np.float32(high)
    return ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)


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
