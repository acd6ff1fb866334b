"""Samples on no grid: values at coordinates anywhere, of which a share is kept back to judge a fit by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.hashing import splitmix64
from partinr.shapes import Bool, Float32, Float64, Int64, Shaped
from partinr.signals.array import default_range, signal_of
from partinr.signals.axes import Axis
from partinr.signals.frames import raster
from partinr.signals.signal import Signal, Sites

# Axes whose extents differ by more than this factor are not of one unit: the grid has as many samples along
# each.
_ASPECT = 16
# Coordinates that are so near to whole steps, in steps, lie on a grid; of which at least so much is there.
_NEAR, _THERE = 1e-3, 0.25


@dataclass(frozen=True, eq=False)
class Samples:
    """Values at coordinates of 1 to 3 axes, anywhere; NumPy arrays once they are checked.

    Attributes:
        coords: shape (points, dims), or (points,) for one axis; finite.
        values: shape (points, channels), or (points,); points of which one is NaN are left out.
        weights: of the points' squared errors, 0 or more; None: all count the same.
        names: of the axes; None: x, y, z.
        held_out: share of the points that is not fitted, chosen by a hash of their numbers, so that the error
            at them says how good the function is between points. Points that fill at least a quarter of a
            regular grid, once each, are a signal on that grid instead, and nothing is kept back.

    Raises:
        InputError: shapes that do not fit, coordinates or values that are not finite, no points, or a share
            that is not 0 to 0.5.

    Example:
        >>> import numpy as np, partinr
        >>> places = np.random.default_rng(0).random((2000, 2))
        >>> result = partinr.fit(partinr.Samples(places, places.sum(axis=1)), goal=partinr.Steps(50))
        >>> result.held_out.psnr > 30
        True
    """

    coords: Any
    values: Any
    weights: Any = None
    names: Sequence[str] | None = None
    held_out: float = 0.05

    def __post_init__(self) -> None:
        coords, values = _numbers("coordinates", self.coords), _numbers("values", self.values)
        coords = coords[:, None] if coords.ndim == 1 else coords
        if coords.ndim != 2 or not 1 <= coords.shape[1] <= 3:
            raise InputError(f"coordinates must have the shape (points, 1 to 3 axes), got {coords.shape}")
        if values.ndim not in (1, 2) or len(values) != len(coords) or 0 in values.shape[1:]:
            raise InputError(
                f"values must have the shape ({len(coords)}, channels) of the coordinates, got {values.shape}"
            )
        bad = len(coords) - int(np.count_nonzero(np.isfinite(coords).all(axis=1)))
        if bad:
            raise InputError(f"coordinates must be finite, got {bad:,} points where they are not; drop them")
        if np.isinf(values).any():
            raise InputError(f"values must be finite, got {np.isinf(values).sum():,} infinite; replace them")
        if not 0 <= self.held_out <= 0.5:
            raise InputError(f"held_out must be a share from 0 to 0.5, got {self.held_out}")
        names = ("x", "y", "z")[: coords.shape[1]] if self.names is None else tuple(self.names)
        if len(names) != coords.shape[1]:
            raise InputError(f"there must be a name for each of {coords.shape[1]} axes, got {len(names)}")
        weights = None if self.weights is None else _numbers("weights", self.weights).astype(np.float64)
        if weights is not None and (
            weights.shape != (len(coords),) or not (np.isfinite(weights) & (weights >= 0)).all()
        ):
            raise InputError(f"weights must be {len(coords)} finite numbers that are not negative")
        there = ~np.isnan(values if values.ndim == 2 else values[:, None]).any(axis=1)
        if weights is not None:
            there &= weights > 0
        if not there.any():
            raise InputError(
                f"expected points with values, got {len(coords)} and none; there is nothing to fit"
            )
        given = {"coords": coords[there], "values": values[there], "names": names}
        given["weights"] = None if weights is None else weights[there]
        for name, array in given.items():
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        """Number of points."""
        return len(self.coords)


def _numbers(what: str, given: Any) -> Shaped[ndarray, "..."]:
    found = np.asarray(given)
    if found.dtype.kind not in "buif":
        raise InputError(f"{what} must be numbers, got {found.dtype}")
    if what == "coordinates":
        return found.astype(np.float64)
    narrow = found.dtype.itemsize < 4 or found.dtype == np.float32
    return found.astype(np.float32 if narrow else np.float64)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Scattered(Signal):
    """Points, and the means of those around each sample of a grid over them.

    Attributes:
        points: global coordinates on the grid.
        exact: their values.
        counting: weights of their squared errors, 1 in the mean; None: 1 for all.
        held_points, held_values: those that are kept back.
    """

    points: Float32[ndarray, "points dims"]
    exact: Shaped[ndarray, "points channels"]
    counting: Float32[ndarray, "points"] | None
    held_points: Float32[ndarray, "held dims"]
    held_values: Shaped[ndarray, "held channels"]

    @property
    def scattered(self) -> bool:
        """See `Signal.scattered`."""
        return True

    @property
    def fitted(self) -> int:
        """See `Signal.fitted`."""
        return len(self.points) + self.missing

    def places(self) -> Int64[ndarray, "points dims"]:
        """See `Signal.places`: of the samples nearest to the points."""
        return _nearest((self.points.astype(np.float64) + 1) / 2, self.shape)

    def sites(self) -> Sites:
        """See `Signal.sites`: the points, and samples of the grid that no point is near to."""
        low, high = self.spec.value_range
        own = ((self.exact.astype(np.float64) - low) / (high - low)).astype(np.float32)
        weights = np.ones(len(own), np.float32) if self.counting is None else self.counting
        if self.mask is None:
            return Sites(self.points, own, self.counting, None)
        empty = ~self.mask.reshape(-1)
        coords = np.concatenate([self.points, raster(self.shape)[empty]])
        values = np.concatenate([own, self.normalised().reshape(-1, self.channels)[empty]])
        factor = np.float32(len(coords) / len(own))
        importance = np.concatenate([weights * factor, np.zeros(self.missing, np.float32)])
        return Sites(coords, values, importance, importance > 0)


def scattered(samples: Samples) -> Signal:
    """A signal from samples: on the grid that they are of, or a `Scattered` one.

    The grid of scattered samples has about as many samples as there are points, from the least to the
    greatest coordinate along each axis; a function is rendered there if no size is given.
    """
    found = _on_grid(samples)
    if found is not None:
        return found
    kept = _kept_back(samples)
    coords, values = samples.coords, samples.values.reshape(len(samples), -1)
    low, high = coords.min(axis=0), coords.max(axis=0)
    extent = high - low
    if not np.isfinite(extent).all():
        raise InputError("coordinates must span a range that a double can hold; scale them")
    shape = _shape(extent, len(samples))
    share = (coords - low) / np.where(extent > 0, extent, 1)
    axes = tuple(
        Axis(name, "", span / (n - 1) if n > 1 else 1.0, origin)
        for name, span, n, origin in zip(samples.names or (), extent, shape, low, strict=True)
    )
    cells = np.ravel_multi_index(tuple(_nearest(share[~kept], shape).T), shape)
    counting = None if samples.weights is None else samples.weights[~kept] / samples.weights[~kept].mean()
    factors = np.ones(len(cells)) if counting is None else counting
    counts = np.bincount(cells, factors, math.prod(shape)).reshape(*shape, 1)
    sums = [np.bincount(cells, factors * channel, counts.size) for channel in values[~kept].T]
    means = np.stack(sums, axis=-1).reshape(*shape, -1) / np.where(counts > 0, counts, 1)
    span = default_range(values)
    grid = signal_of(
        np.clip(means, *span).astype(values.dtype),
        channel_axis=True,
        value_range=span,
        mask=counts[..., 0] > 0,
    )
    spec = replace(grid.spec, axes=axes, channel_axis=samples.values.ndim == 2)
    places = (2 * share - 1).astype(np.float32)
    places[:, [n == 1 for n in shape]] = 0
    return Scattered(
        grid.values,
        spec,
        mask=grid.mask,
        points=places[~kept],
        exact=values[~kept],
        counting=None if counting is None else counting.astype(np.float32),
        held_points=places[kept],
        held_values=values[kept],
    )


def _on_grid(samples: Samples) -> Signal | None:
    """The signal on a regular grid whose samples, but for some, these are; None if there is no such grid."""
    places, axes = [], []
    for name, along in zip(samples.names or (), samples.coords.T, strict=True):
        known = np.unique(along)
        spacing = float(np.diff(known).min()) if len(known) > 1 else 1.0
        steps = (along - known[0]) / spacing
        if steps.max() >= len(samples) / _THERE or np.abs(steps - np.rint(steps)).max() > _NEAR:
            return None
        # From end to end, the step is known best.
        most = round(steps.max())
        spacing = (float(known[-1]) - float(known[0])) / most if most else 1.0
        places.append(np.rint(steps).astype(np.int64))
        axes.append(Axis(name, "", spacing, float(known[0])))
    shape = tuple(int(place.max()) + 1 for place in places)
    if math.prod(shape) > len(samples) / _THERE:
        return None
    cells = np.ravel_multi_index(tuple(places), shape)
    mask = np.bincount(cells, minlength=math.prod(shape)) == 1
    if np.count_nonzero(mask) < len(samples):
        return None
    values = samples.values.reshape(len(samples), -1)
    whole = np.zeros((len(mask), values.shape[1]), values.dtype)
    whole[cells] = values
    found = signal_of(
        whole.reshape(*shape, -1),
        channel_axis=True,
        value_range=default_range(values),
        mask=mask.reshape(shape),
    )
    spec = replace(found.spec, axes=tuple(axes), channel_axis=samples.values.ndim == 2)
    if samples.weights is None:
        return replace(found, spec=spec)
    weights = np.zeros(len(mask), np.float32)
    weights[cells] = samples.weights / samples.weights.max()
    return replace(found, spec=spec, weights=weights.reshape(shape))


def _kept_back(samples: Samples) -> Bool[ndarray, "points"]:
    """Which points are not fitted; never all."""
    key = splitmix64(np.arange(len(samples), dtype=np.uint64))
    kept: Bool[ndarray, "points"] = key < np.uint64(samples.held_out * 2.0**64)
    return kept & ~kept.all()


def _shape(extent: Float64[ndarray, "dims"], points: int) -> tuple[int, ...]:
    """Samples of a grid over such extents, about as many as there are points; one along an axis without
    extent."""
    wide = extent > 0
    if not wide.any():
        return (1,) * len(extent)
    sides = np.where(wide, extent, 1.0) / extent[wide].max()
    if sides.min() < 1 / _ASPECT:
        sides = np.ones(len(extent))
    spacing = (sides[wide].prod() / points) ** (1 / wide.sum())
    return tuple(max(2, round(side / spacing)) if w else 1 for side, w in zip(sides, wide, strict=True))


def _nearest(share: Float64[ndarray, "points dims"], shape: tuple[int, ...]) -> Int64[ndarray, "points dims"]:
    """Indices of the samples nearest to places from 0 to 1 along each axis."""
    last = np.asarray(shape) - 1
    indices: Int64[ndarray, "points dims"] = np.clip(np.rint(share * last), 0, last).astype(np.int64)
    return indices
