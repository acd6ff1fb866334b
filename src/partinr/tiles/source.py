"""Signals that are read in parts: what is known of them before, and their values in a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Shaped
from partinr.signals.array import default_range, has_channel_axis, signal_of
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.scan import present, scan_range

Window = tuple[slice, ...]
"""A part of a signal: for each axis, its samples."""

Span = tuple[float, float]

Handle = TypeVar("Handle")


class SourceChanged(InputError):
    """What is read is no longer what it was when the fit began, or is gone."""


class Source(ABC, Generic[Handle]):
    """A signal that is read in parts, by any process.

    Attributes:
        name: for messages.
        spec: of the whole; its value range counts only if it is `ranged`.
        ranged: whether the value range is known before all values have been seen.
        scan: whether integers of 16 bits are taken to range from the lowest to the highest value.
        shared: whether other processes can open it; else they are sent what they need.
    """

    scan = False
    shared = True
    _shut: Callable[[], Any] | None = None

    def __init__(self, name: str, spec: SignalSpec, ranged: bool) -> None:
        self.name, self.spec, self.ranged = name, spec, ranged
        self._handle: Handle | None = None
        self._shut = None

    def __getstate__(self) -> dict[str, Any]:
        """Other processes open it for themselves."""
        return {**self.__dict__, "_handle": None, "_shut": None}

    def close(self) -> None:
        """Close what is open; it is opened again if it is needed."""
        if self._shut is not None:
            self._shut()
        self._handle = self._shut = None

    @property
    def handle(self) -> Handle:
        """What is open, which it is when it is first needed."""
        if self._handle is None:
            try:
                self._handle = self._open()
            except BaseException:
                self.close()
                raise
        return self._handle

    @abstractmethod
    def _open(self) -> Handle:
        """Open it.

        Raises:
            InputError: it is gone, or cannot be read.
        """

    @abstractmethod
    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        """Stored values in a window."""

    def _present(
        self, values: Shaped[ndarray, "*shape channels"], window: Window
    ) -> Bool[ndarray, "*shape"] | None:
        """Which samples of a window are there, as far as no value is NaN; None: all."""
        del window
        return present(values, self.spec.source.get("fill"))

    def identity(self) -> dict[str, Any]:
        """What tells it from another one of the same name, as JSON types: bytes, time of the last change, ...

        Raises:
            SourceChanged: it is gone.
        """
        return {}

    def parcel(self, window: Window) -> Any:
        """What another process needs to have `values`, where it cannot open the source."""
        return None if self.shared else self.values(window)

    def values(self, window: Window, parcel: Any = None) -> Shaped[ndarray, "*shape channels"]:
        """Stored values in a window, native and contiguous.

        Raises:
            InputError: they cannot be read.
        """
        values = self._values(window) if parcel is None else np.asarray(parcel)
        values = values.reshape(*(part.stop - part.start for part in window), self.spec.channels)
        return np.ascontiguousarray(values, values.dtype.newbyteorder("="))

    def signal(self, window: Window, span: Span, parcel: Any = None) -> Signal | None:
        """The signal in a window; None if no sample is there.

        Args:
            window: of samples.
            span: value range of the whole.
            parcel: what another process has read of it.

        Raises:
            InputError: values cannot be read, are infinite, or lie outside of the range.
        """
        return as_part(*self.known(window, parcel), self.spec_in(window, span))

    def known(
        self, window: Window, parcel: Any = None
    ) -> tuple[Shaped[ndarray, "*shape channels"], Bool[ndarray, "*shape"] | None]:
        """Stored values in a window, and which samples are there, as far as no value is NaN; None: all.

        Raises:
            InputError: they cannot be read.
        """
        values = self.values(window, parcel)
        return values, self._present(values, window)

    def spec_in(self, window: Window, span: Span) -> SignalSpec:
        """What a window represents."""
        whole = replace(self.spec, value_range=span)
        edges = [(part.start, part.stop) for part in window]
        return whole.resampled(tuple(stop - start for start, stop in edges), edges)

    def extremes(self, window: Window, parcel: Any = None) -> tuple[Any, Any] | None:
        """Lowest and highest value in a window, of samples that are there; None if none is.

        Raises:
            InputError: a value is infinite.
        """
        values, there = self.known(window, parcel)
        known = values if there is None else values[there]
        if values.dtype.kind == "f":
            known = known[~np.isnan(known)]
        if not known.size:
            return None
        low, high = known.min().item(), known.max().item()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError("signal values must be finite, got infinity; replace it first")
        return low, high

    def span_of(self, extremes: Sequence[tuple[Any, Any]]) -> Span:
        """The value range of a whole that has these values."""
        both = np.array([min(low for low, _ in extremes), max(high for _, high in extremes)], self.spec.dtype)
        return (scan_range(both) if self.scan else None) or default_range(both)


def as_part(
    values: Shaped[ndarray, "*shape channels"], there: Bool[ndarray, "*shape"] | None, spec: SignalSpec
) -> Signal | None:
    """The signal of a part; None if no sample is there."""
    if values.dtype.kind == "f" and np.isnan(np.max(values)):
        known = ~np.isnan(values).any(axis=-1)
        there = known if there is None else there & known
    if there is not None and not there.any():
        return None
    if not spec.channel_axis:
        values = values[..., 0]
    found = signal_of(
        values, channel_axis=spec.channel_axis, value_range=spec.value_range, kind=spec.kind, mask=there
    )
    return replace(found, spec=replace(spec, dtype=found.spec.dtype))


class ArraySource(Source[None]):
    """Anything with shape, dtype and slicing: NumPy's arrays, Dask's, h5py's data sets, Zarr's arrays, ..."""

    shared = False

    def __init__(self, array: Any, channels_last: bool | None, value_range: Span | None) -> None:
        shape, dtype = tuple(map(int, array.shape)), np.dtype(array.dtype)
        channel_axis = has_channel_axis(shape, channels_last)
        spec = plain_spec(shape, dtype, channel_axis, value_range)
        super().__init__(f"the array of shape {shape}", spec, ranged_by_type(dtype, value_range))
        self._array = array

    def __getstate__(self) -> dict[str, Any]:
        """Others are sent what they need."""
        return {**super().__getstate__(), "_array": None}

    def _open(self) -> None:
        return None

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        return np.asarray(self._array[window])

    def parcel(self, window: Window) -> Any:
        """See `Source.parcel`: a part of a lazy array is computed where it is used."""
        if type(self._array).__module__.startswith("dask."):
            import dask.base

            optimised: Any = dask.base.optimize
            return optimised(self._array[window])[0]
        return super().parcel(window)

    def values(self, window: Window, parcel: Any = None) -> Shaped[ndarray, "*shape channels"]:
        """See `Source.values`."""
        lazy = self._array[window] if parcel is None else parcel
        if hasattr(lazy, "compute"):
            # One task is one core's work.
            return super().values(window, lazy.compute(scheduler="synchronous"))
        return super().values(window, lazy)


class SignalSource(Source[None]):
    """A signal that is in memory.

    Args:
        name: for messages.
        signal: the signal.
        read_from: identity of the file that it was read from, so that no other one is gone on with.
    """

    shared = False

    def __init__(self, name: str, signal: Signal, read_from: dict[str, Any] | None = None) -> None:
        if signal.scattered:
            raise InputError("fits in tiles are of signals on grids, got points on none; fit them as a whole")
        if signal.weights is not None:
            raise InputError("fits in tiles know no weights; leave them out, or fit the signal as a whole")
        super().__init__(name, signal.spec, ranged=True)
        self.whole, self._read_from = signal, read_from or {}

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return self._read_from

    def __getstate__(self) -> dict[str, Any]:
        """Others are sent what they need."""
        return {**super().__getstate__(), "whole": None}

    def _open(self) -> None:
        return None

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        return self.whole.values[window]

    def parcel(self, window: Window) -> Any:
        """See `Source.parcel`: values, and which are there."""
        mask = self.whole.mask
        return self._values(window), None if mask is None else mask[window]

    def known(
        self, window: Window, parcel: Any = None
    ) -> tuple[Shaped[ndarray, "*shape channels"], Bool[ndarray, "*shape"] | None]:
        """See `Source.known`."""
        values, there = parcel or self.parcel(window)
        return np.ascontiguousarray(values), there


def plain_spec(
    shape: tuple[int, ...], dtype: np.dtype[Any], channel_axis: bool, value_range: Span | None
) -> SignalSpec:
    """What an array of which nothing is said represents."""
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(
            f"signal values must be integers, booleans or floating-point numbers of up to 64 bits, "
            f"got {dtype}"
        )
    if 0 in shape:
        raise InputError(f"a signal needs at least one sample, got an array of shape {shape}")
    span = value_range or (default_range(np.zeros(1, dtype)) if ranged_by_type(dtype, None) else (0.0, 1.0))
    samples = shape[:-1] if channel_axis else shape
    channels = shape[-1] if channel_axis else 1
    return SignalSpec("array", samples, channels, dtype.newbyteorder("=").name, span, channel_axis)


def ranged_by_type(dtype: np.dtype[Any], value_range: Span | None, *, scan: bool = False) -> bool:
    """Whether a value range is known from the type, or was told."""
    return value_range is not None or dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize <= 2 - scan)


def window_of(first: Sequence[int], shape: Sequence[int]) -> Window:
    """The window that begins at a sample."""
    return tuple(slice(start, start + n) for start, n in zip(first, shape, strict=True))
