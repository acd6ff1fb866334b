"""Coordinates: the only place that defines axis order, range, and the local and global frames.

Axes are ordered (plane, row, column): axis 0 of a coordinate belongs to axis 0 of the array. Along an axis of
n samples, sample i has the global coordinate -1 + 2 i / (n - 1), so the first sample is at -1 and the last at
+1; an axis with one sample has the coordinate 0. Flattened samples are in raster (C) order.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.shapes import Float, Float32, Float64, Int

Frame = Literal["global", "local", "area"]
"""What -1 and 1 are for a network: the first and last sample of the whole signal, or of its region's bounding
box, or the ends of the area that the samples of that box cover."""

StartFrame = Literal["global", "local", "centred"]
"""Frames of a learned start: those of a fit, and sample / samples - 1/2 along each axis of the signal."""


def axis(samples: int, *, exact: bool = False) -> Float[ndarray, "samples"]:
    """Global coordinates of the samples of one axis, -1 to 1 inclusive; in double precision if `exact`.

    Computed from both ends with a step in single precision and one rounding, which makes the axis exactly
    antisymmetric and equal, bit for bit, to `torch.linspace(-1, 1, samples)` on processors with fused
    multiply-add: encodings with very high frequencies tell such coordinates apart.
    """
    if samples == 1:
        return np.zeros(1, np.float64 if exact else np.float32)
    if exact:
        return np.arange(samples) * (2 / (samples - 1)) - 1
    step = np.float64(np.float32(2) / np.float32(samples - 1))
    i = np.arange(samples)
    coords = np.where(i < samples // 2, -1 + step * i, 1 - step * (samples - 1 - i))
    return coords.astype(np.float32)


def lattice(axes: list[Float[ndarray, "_"]]) -> Float[ndarray, "samples dims"]:
    """All combinations of the coordinates along each axis, in raster order."""
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.stack([m.ravel() for m in mesh], axis=1)


def raster(shape: tuple[int, ...]) -> Float32[ndarray, "samples dims"]:
    """Global coordinates of every sample of a signal of this shape, in raster order."""
    return lattice([axis(n) for n in shape])


def resampled_axis(
    samples: int, size: int, start: float = 0.0, stop: float | None = None, *, exact: bool = False
) -> Float[ndarray, "size"]:
    """Global coordinates of `size` output samples that cover the samples `start` to `stop` of an axis.

    Samples are areas here, as in every image viewer: sample i covers [i, i + 1), and an output sample is
    evaluated at the centre of its own area. At the native size this gives exactly `axis(samples)`. In double
    precision if `exact`, in single otherwise.
    """
    stop = float(samples) if stop is None else stop
    if (start, stop, size) == (0.0, float(samples), samples):
        return axis(samples, exact=exact)
    precision = np.float64 if exact else np.float32
    centres = start + (np.arange(size) + 0.5) * ((stop - start) / size) - 0.5
    if samples == 1:
        return np.zeros(size, precision)
    return (centres * (2.0 / (samples - 1)) - 1.0).astype(precision)


class Pixels(NamedTuple):
    """What is to be known along one axis: values at coordinates, or means over pixels.

    Attributes:
        coords: the middle of each pixel, in the global frame, ascending.
        edges: where means are meant, the ends of the pixels in samples (0 is the first sample's centre).
    """

    coords: Float[ndarray, "size"]
    edges: Float64[ndarray, " _"] | None = None

    def part(self, first: int, last: int) -> Pixels:
        """The pixels first .. last - 1."""
        edges = None if self.edges is None else self.edges[first : last + 1]
        return Pixels(self.coords[first:last], edges)

    def share(self, k: int, parts: int) -> Pixels:
        """Of one pixel, its part number k of so many equal ones; all pixels where there is one part."""
        if parts == 1 or self.edges is None:
            return self
        start, length = self.edges[0], (self.edges[1] - self.edges[0]) / parts
        return Pixels(self.coords, start + length * np.array([k, k + 1.0]))

    def ends(self, samples: int) -> Pixels:
        """Points where the pixels begin and end, on an axis of so many samples."""
        assert self.edges is not None
        if samples == 1:
            return Pixels(np.zeros(len(self.edges), np.float32))
        return Pixels((self.edges * (2.0 / (samples - 1)) - 1.0).astype(np.float32))


def pixels(
    samples: int, size: int, start: float, stop: float, *, point: bool = False, exact: bool = False
) -> Pixels:
    """`size` pixels that cover the samples `start` to `stop` of an axis; see `resampled_axis`.

    Pixels larger than a sample are meant as means, unless `point` asks for values at their middles.
    """
    middles = resampled_axis(samples, size, start, stop, exact=exact)
    if point or stop - start <= size:
        return Pixels(middles)
    return Pixels(middles, start - 0.5 + np.arange(size + 1) * ((stop - start) / size))


def to_index(coordinate: Any, samples: int) -> Any:
    """Position along an axis in samples (0 is the first sample's centre) of global coordinates.

    Takes and returns NumPy arrays or tensors.
    """
    return (coordinate + 1) * ((samples - 1) / 2)


def inside(coordinate: Float[ndarray, "*points"], samples: int) -> Float[ndarray, "*points"]:
    """Derivative of the nearest position between the first and the last sample, ends included."""
    within = np.abs(coordinate) <= 1 + 1e-6
    slope: Float[ndarray, "*points"] = (within * ((samples - 1) / 2)).astype(coordinate.dtype)
    return slope


def frame_affine(
    frame: Frame | StartFrame,
    boxes: Int[ndarray, "regions 2 dims"],
    shape: tuple[int, ...],
    *,
    exact: bool = False,
) -> tuple[Float[ndarray, "regions dims"], Float[ndarray, "regions dims"]]:
    """Scale and shift per region that take global coordinates to the region's own frame.

    `boxes` holds each region's bounding box: first sample and one past the last sample, per axis. In the
    local frame the first sample of the box is at -1 and the last at +1; an axis along which the box has one
    sample becomes the constant 0. In the area frame, sample i of the box's n is at -1 + (2 i + 1) / n, and an
    axis along which the box has one sample is the constant 0 as well. In the global frame the map is the
    identity. In the centred frame sample i of n is at i / n - 1/2, whatever its region.

    Returns:
        scale and shift, with `own = global * scale + shift`; of the area frame in double precision if
        `exact`.
    """
    regions, _, dims = boxes.shape
    if frame == "global":
        return np.ones((regions, dims), np.float32), np.zeros((regions, dims), np.float32)
    if frame == "centred":
        n = np.asarray(shape, np.float64)
        half = (n - 1) / (2 * n)
        scale, shift = half.astype(np.float32), (half - 0.5).astype(np.float32)
        return np.tile(scale, (regions, 1)), np.tile(shift, (regions, 1))
    one = boxes[:, 1] - boxes[:, 0] == 1
    if frame == "area":
        # Differences of whole numbers, exact until the division.
        samples, sides = np.asarray(shape, np.float64), (boxes[:, 1] - boxes[:, 0]).astype(np.float64)
        scale = np.where(one, 0.0, (samples - 1) / sides)
        shift = np.where(one, 0.0, (samples - 2 * boxes[:, 0] - sides) / sides)
        return (scale, shift) if exact else (scale.astype(np.float32), shift.astype(np.float32))
    extent = np.maximum(np.asarray(shape, np.float64) - 1, 1)
    first = boxes[:, 0] * (2 / extent) - 1
    last = (boxes[:, 1] - 1) * (2 / extent) - 1
    length = last - first
    scale = np.where(one, 0.0, 2.0 / np.where(one, 1.0, length))
    shift = np.where(one, 0.0, -1.0 - first * scale)
    return scale.astype(np.float32), shift.astype(np.float32)
