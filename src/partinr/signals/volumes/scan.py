"""What the readers of scans share: limits, one volume of several, values that are a scan's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Shaped
from partinr.signals.array import signal_of
from partinr.signals.axes import Axis
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.signal import Kind, Signal, SignalSpec


@dataclass(frozen=True)
class Wish:
    """What is to be read of a file, and how.

    Attributes:
        value_range: lowest and highest possible value; None: what `scan_range` says.
        max_pixels: greatest number of samples, checked before any is read; None for no limit.
        volume: which volume of several, from 0.
        channels_last: whether the last axis of an array without names holds channels; None: as `from_array`.
    """

    value_range: tuple[float, float] | None = None
    max_pixels: int | None = MAX_PIXELS
    volume: int | None = None
    channels_last: bool | None = None

    def chosen(self, path: Path | str, count: int, what: str = "volumes") -> int:
        """The volume asked for, of so many.

        Raises:
            InputError: there are several and none was named, or it is not there.
        """
        if self.volume is None and count > 1:
            raise InputError(
                f"{path}: holds {count} {what}, and a signal has 1 to 3 axes; name one of them by --volume N "
                f"(in Python volume=N), 0 to {count - 1}"
            )
        chosen = self.volume or 0
        if not 0 <= chosen < count:
            raise InputError(f"{path}: --volume must be 0 to {count - 1}, got {chosen}")
        return chosen

    def check(self, path: Path | str, shape: Sequence[int], itemsize: int = 1) -> None:
        """Refuse values by the size that a header states, channels counted, before they are read.

        Raises:
            InputError: there are none, or too many.
        """
        values = math.prod(shape)
        size = " x ".join(map(str, shape))
        if values == 0 or min(shape, default=1) < 0:
            raise InputError(f"{path}: a signal needs at least one sample, got {size}")
        if self.max_pixels is not None and values > self.max_pixels:
            raise InputError(
                f"{path}: a scan or array may have at most {self.max_pixels:,} values, got {values:,} "
                f"({size}, "
                f"{values * itemsize:,} bytes); if you trust the file, pass --max-pixels {values} (in Python "
                f"max_pixels={values}), or none for no limit"
            )


def scan_signal(
    values: Shaped[ndarray, "..."],
    wish: Wish,
    *,
    channel_axis: bool,
    axes: Sequence[Axis] | None,
    source: Mapping[str, Any],
    kind: Kind | None = None,
) -> Signal:
    """A signal of stored values, as they are in the file; `source` says what they mean.

    Samples that have the source's `fill` are missing, as are those of NaN. Slope and intercept of 1 and 0 are
    left out of the source. Where no kind is named, three axes are a
    volume, fewer an array.

    Raises:
        InputError: values that are not finite or not of a type that a signal has; a value range that does not
            hold them.
    """
    told = worth_telling(source)
    dims = values.ndim - channel_axis
    mask = present(values if channel_axis else values[..., None], told.get("fill"))
    # Where none is there, `signal_of` says so.
    known = values[mask] if mask is not None and mask.any() else values
    span = wish.value_range or scan_range(known)
    kind = kind or ("volume" if dims == 3 else "array")
    signal = signal_of(values, channel_axis=channel_axis, value_range=span, kind=kind, mask=mask)
    spec = replace(signal.spec, axes=None if axes is None else tuple(axes), source=told)
    return replace(signal, spec=spec)


def worth_telling(source: Mapping[str, Any]) -> dict[str, Any]:
    """What of a source says anything."""
    told = {name: value for name, value in source.items() if value not in (None, {}, [], "")}
    if told.get("slope", 1.0) == 1.0 and told.get("intercept", 0.0) == 0.0:
        told = {name: value for name, value in told.items() if name not in ("slope", "intercept")}
    return told


def present(values: Shaped[ndarray, "*shape channels"], fill: float | None) -> Bool[ndarray, "*shape"] | None:
    """Which samples are there: those no channel of which has the value that stands for missing ones.

    None: all are, as far as that value says.
    """
    if fill is None:
        return None
    gone: Bool[ndarray, "*shape"] = (values == fill).any(axis=-1)
    return ~gone if gone.any() else None


def scaling(spec: SignalSpec) -> tuple[float, float]:
    """Slope and intercept that a scan's source states: what a value means is slope * value + intercept.

    Raises:
        InputError: they are no finite numbers.
    """
    slope, intercept = (
        spec.source.get(name, default) for name, default in (("slope", 1.0), ("intercept", 0.0))
    )
    try:
        pair = float(slope), float(intercept)
    except (TypeError, ValueError, OverflowError):
        pair = math.nan, math.nan
    if not all(map(math.isfinite, pair)):
        raise InputError(
            f"the source's slope and intercept must be finite, got {slope!r:.40}, {intercept!r:.40}"
        )
    return pair


def scan_range(values: Shaped[ndarray, "..."]) -> tuple[float, float] | None:
    """The value range of a scan: lowest to highest value for more than 8 bits.

    Scanners fill a small part of what 16 bits hold; a PSNR whose peak were all of it would call coarse fits
    excellent. None: what `default_range` says, which is the same for 32 bits and more.
    """
    if values.dtype.kind not in "iu" or values.dtype.itemsize != 2 or values.size == 0:
        return None
    low, high = int(values.min()), int(values.max())
    if low == high:
        most = np.iinfo(values.dtype).max
        low, high = (low - 1, low) if high == most else (low, low + 1)
    return float(low), float(high)
