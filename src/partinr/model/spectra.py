"""A function as the coefficients of cosines over the boxes of a tree, in whole steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model import kernel
from partinr.shapes import Float32, Int32, Int64, UInt8


@dataclass(frozen=True)
class Sides:
    """Sides in samples of a tree's boxes: its roots' at most, and its leaves' at least, along each axis.

    Attributes:
        root: an axis of n samples has ceil(n / root) roots of equal size, but for one sample.
        least: boxes are halved along all their axes, down to no less than this.
    """

    root: int
    least: int

    @classmethod
    def usual(cls, dims: int) -> Sides:
        """Those that signals of so many axes are cut into (`benchmarks/compact_signals.py`)."""
        return (cls(1024, 16), cls(64, 8), cls(16, 2))[dims - 1]


@dataclass(frozen=True, eq=False)
class Spectra:
    """Coefficients of orthonormal cosines over boxes, as whole numbers of one step.

    Attributes:
        shape: samples along each axis of the signal.
        sides: of the tree's boxes.
        splits: for each root, depth first: 1 for a box that is halved along all axes, 0 for one that could be
            and is not.
        boxes: first sample and one past the last of each box that is not halved, in the tree's order.
        integers: of each box, of each channel, the coefficients in C order of their frequencies.
        step: in normalised values; a coefficient is its integer times this.
        mixing: (coded channels, channels of the signal): rows are orthonormal but for rounding. A signal's
            channel is the sum of the coded ones with the weights of its column.
    """

    shape: tuple[int, ...]
    sides: Sides
    splits: UInt8[ndarray, "_"]
    boxes: Int64[ndarray, "regions 2 dims"]
    integers: Int32[ndarray, "_"]
    step: float
    mixing: Float32[ndarray, "channels channels"]

    @property
    def channels(self) -> int:
        """Values a sample."""
        return len(self.mixing)

    @property
    def reach(self) -> Int32[ndarray, "regions"]:
        """One more than the greatest frequency along any axis of what is not 0, of each box."""
        return self._measured[0]

    @property
    def activity(self) -> Int64[ndarray, "regions channels"]:
        """Of each box and coded channel, the sum of its integers' magnitudes, but for the mean's."""
        return self._measured[1]

    @cached_property
    def _measured(self) -> tuple[Int32[ndarray, "regions"], Int64[ndarray, "regions channels"]]:
        if kernel.why_missing() is None:
            from partinr import _native

            return _native.measure_spectra(
                self.boxes, self.integers, shape=self.shape, channels=self.channels
            )
        boxes = self.by_box()
        reach = [1 + np.argwhere(own.any(axis=0)).max(initial=0) for own in boxes]
        flat = [np.abs(own.reshape(self.channels, -1)[:, 1:].astype(np.int64)).sum(axis=1) for own in boxes]
        return np.array(reach, np.int32), np.stack(flat)

    @property
    def rounding(self) -> Rounding:
        """What jumps at the borders of boxes are judged by."""
        whole = np.array([[[0] * len(self.shape), self.shape]], np.int64)
        return Rounding(self.boxes, self.activity, self.sides, self.step, self.mixing, whole)

    def by_box(self) -> list[Int32[ndarray, "channels *size"]]:
        """The integers of each box."""
        sizes = self.boxes[:, 1] - self.boxes[:, 0]
        ends = np.cumsum(sizes.prod(axis=1) * self.channels)[:-1]
        return [
            own.reshape(self.channels, *size)
            for own, size in zip(np.split(self.integers, ends), sizes.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Rounding:
    """How boxes were rounded: what takes back jumps at their borders where spectra are not at hand.

    Attributes:
        boxes: as `Spectra` have them, of all there are around.
        activity: likewise.
        sides, step, mixing: of the spectra of some parts.
        extents: those parts, first sample and one past the last of each.
    """

    boxes: Int64[ndarray, "regions 2 dims"]
    activity: Int64[ndarray, "regions channels"]
    sides: Sides
    step: float
    mixing: Float32[ndarray, "channels channels"]
    extents: Int64[ndarray, "parts 2 dims"]


def mixing_for(
    values: Float32[ndarray, "*shape channels"], apart: int = 0
) -> Float32[ndarray, "channels channels"]:
    """Orthonormal directions in which the channels' differences between neighbours are uncorrelated, largest
    first, in multiples of 2^-14: the Karhunen-Loève transform of the channels.

    Signals of one channel, or of very many, keep theirs.

    Args:
        values: of a signal.
        apart: how many of the first axes have no neighbours in them: parts of a signal one after another.

    Source: Jain, "Fundamentals of digital image processing", 1989, section 5.11.
    """
    channels = values.shape[-1]
    if not 1 < channels <= MOST_MIXED:
        return np.eye(channels, dtype=np.float32)
    sums = np.zeros((channels, channels))
    for axis, n in list(enumerate(values.shape[:-1]))[apart:]:
        # Some of a long axis' neighbours say enough.
        first = np.arange(0, n - 1, 1 + n // _NEIGHBOURS)
        lines = np.moveaxis(values, axis, 0)
        flat = (lines[first + 1] - lines[first]).reshape(-1, channels)
        sums += flat.T @ flat
    _, directions = np.linalg.eigh(sums)
    rows = directions[:, ::-1].T
    # A direction and its opposite are the same: the largest weight is positive.
    rows = rows * np.sign(np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1))
    return np.ascontiguousarray(np.rint(rows * MIXING_UNIT) / MIXING_UNIT, np.float32)


_NEIGHBOURS = 256

MIXING_UNIT = 1 << 14
"""Weights of mixed channels are multiples of one over this."""

MOST_MIXED = 16
"""Channels of which more are coded each for itself."""


def unmixing(mixing: Float32[ndarray, "channels channels"]) -> Float32[ndarray, "channels channels"]:
    """What turns a signal's channels into coded ones, from which `mixing` gives them back.

    Raises:
        InputError: nothing does.
    """
    try:
        found = np.linalg.inv(mixing.astype(np.float64).T)
    except np.linalg.LinAlgError as error:
        raise InputError("the channels' mixing must have an inverse") from error
    if not math.isfinite(float(np.abs(found).max())):
        raise InputError("the channels' mixing must have an inverse")
    return np.ascontiguousarray(found, np.float32)
