"""Arrays whose axes have names and coordinates, as HDF5, NetCDF and Zarr have them.

What a spec keeps of such an array: an `Axis` for each axis of samples, evenly spaced coordinates as spacing
and origin, others as `coordinates` in the source; the axis of channels as `channels`; the order of the
file's axes as `order`; the name, the attributes, and scale and offset of the variable. An affine is written
as an attribute of sixteen numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.array import has_channel_axis
from partinr.signals.axes import Axis
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.geometry import affine_of, described, spacings
from partinr.signals.volumes.scan import Wish, scaling, scan_signal

CHANNEL_NAMES = (
    *(
        "band",
        "bands",
        "channel",
        "channels",
        "c",
        "wavelength",
        "wavelengths",
        "wl",
        "component",
        "components",
    ),
    *("rgb", "rgba", "spectral", "spectrum", "polarization", "feature", "features"),
)
"""Names of axes that hold channels, in small letters."""

# Attributes with a place of their own, and those that say how something is stored.
_SCALE, _OFFSET, _FILL, _UNITS, _AFFINE = "scale_factor", "add_offset", "_FillValue", "units", "affine"
_STORAGE = (
    *(_SCALE, _OFFSET, _FILL, _UNITS, _AFFINE, "missing_value"),
    *("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "coordinates"),
    *(
        "_Netcdf4Dimid",
        "_Netcdf4Coordinates",
        "_NCProperties",
        "_nc3_strict",
        "_ARRAY_DIMENSIONS",
        "DIMENSION_LABELS",
    ),
)
# Characters of an attribute that is kept.
_LONG = 1000
# Coordinates may be off even ones by so many units of their type's precision.
_OFF = 4


@dataclass(frozen=True)
class Coordinate:
    """Where the samples of an axis lie.

    Attributes:
        values: one number or text for each sample.
        unit: of numbers; may be empty.
    """

    values: Shaped[ndarray, " _"]
    unit: str = ""


@dataclass(frozen=True)
class Named:
    """An array that has not been read yet.

    Attributes:
        place: file and path in it, for error messages.
        shape: samples along each axis, in the order of the file.
        dtype: of the stored values.
        load: the values at an index, a slice or number for each axis.
        names: of the axes; empty where they have none.
        coordinates: of axes, by their names.
        attributes: what else is said of the values.
        name: of the variable.
    """

    place: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[tuple[Any, ...]], Any]
    names: tuple[str, ...] = ()
    coordinates: Mapping[str, Coordinate] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Selected:
    """What of an array with names becomes a signal, before it is read.

    Attributes:
        array: the array.
        space: which of its axes are the signal's.
        channel: which holds the channels, if any does.
        index: for each axis that is neither, the one place that is taken.
        axes: where the samples lie; None where nothing is known.
        source: what must be written back.
    """

    array: Named
    space: tuple[int, ...]
    channel: int | None
    index: Mapping[int, int]
    axes: list[Axis] | None
    source: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis of the signal."""
        return tuple(self.array.shape[i] for i in self.space)

    def values(self, window: Sequence[slice]) -> Shaped[ndarray, "..."]:
        """Stored values of a window, its axes in the signal's order, those of channels last if there are any.

        Args:
            window: for each axis of the signal.
        """
        dims = len(self.array.shape)
        wanted: list[slice | int] = [self.index.get(i, slice(None)) for i in range(dims)]
        for i, part in zip(self.space, window, strict=True):
            wanted[i] = part
        values = np.asarray(self.array.load(tuple(wanted)))
        left = [i for i in range(dims) if i not in self.index]
        order = (*self.space, *(() if self.channel is None else (self.channel,)))
        return values.transpose([left.index(i) for i in order])


def selected(array: Named, wish: Wish, file_format: str) -> Selected:
    """What of an array becomes a signal: one volume of those along its first axis, if there are four.

    Axes named like a spectrum's or a picture's channels hold channels, wherever they stand; without names,
    as for `from_array`.

    Raises:
        InputError: too many axes or values, several volumes of which none was named, or coordinates that do
            not fit.
    """
    dims = len(array.shape)
    if array.dtype.kind not in "buif":
        raise InputError(f"{array.place}: expected an array of numbers, got {array.dtype}")
    channel = _channel(array, wish)
    space = [i for i in range(dims) if i != channel]
    if not 1 <= len(space) <= 4:
        raise InputError(
            f"{array.place}: a signal has 1 to 3 axes beside channels, got {len(space)} ({_sizes(array)}); "
            "save a part of it"
        )
    several = space.pop(0) if len(space) == 4 else None
    wish.check(array.place, [n for i, n in enumerate(array.shape) if i != several], array.dtype.itemsize)
    chosen = wish.chosen(array.place, 1 if several is None else array.shape[several])
    left = [i for i in range(dims) if i != several]

    uneven: dict[str, Any] = {}
    axes = [_axis(array, i, uneven) for i in space] if array.names else None
    attributes = array.attributes
    geometry: dict[str, Any] = {}
    if _AFFINE in attributes and len(space) == 3:
        affine = np.resize(np.asarray(plain(attributes[_AFFINE]), np.float64), (3, 4))
        placed, geometry = described(affine)
        axes = [Axis(a.name, a.unit or "mm", p.spacing) for a, p in zip(axes or placed, placed, strict=True)]
    fill = attributes.get(_FILL, attributes.get("missing_value"))
    source = {
        "format": file_format,
        **geometry,
        "name": array.name,
        "order": [array.names[i] for i in left] if array.names else [],
        "at": {} if several is None or not array.names else _at(array, several, chosen),
        "coordinates": uneven,
        "channels": {} if channel is None or not array.names else _told(array, channel),
        "slope": plain(attributes.get(_SCALE, 1.0)),
        "intercept": plain(attributes.get(_OFFSET, 0.0)),
        "value_unit": plain(attributes.get(_UNITS)),
        "fill": plain(fill),
        "attributes": _kept(attributes),
    }
    return Selected(array, tuple(space), channel, {} if several is None else {several: chosen}, axes, source)


def named_signal(array: Named, wish: Wish, file_format: str) -> Signal:
    """The signal of an array; see `selected`."""
    found = selected(array, wish, file_format)
    values = found.values([slice(None)] * len(found.space))
    channel_axis = found.channel is not None
    signal = scan_signal(values, wish, channel_axis=channel_axis, axes=found.axes, source=found.source)
    scaling(signal.spec)
    return signal


@dataclass(frozen=True)
class Layout:
    """How a signal is to be written as an array with names.

    Attributes:
        names: of its axes, in the order of the file.
        order: which axis of (*shape, channels) each of them is.
        coordinates: of axes, by their names, where they have any.
        attributes: of the variable, by their usual names.
        variable: its name.
    """

    names: tuple[str, ...]
    order: tuple[int, ...]
    coordinates: Mapping[str, Coordinate]
    attributes: Mapping[str, Any]
    variable: str

    def fill(
        self, array: Any, slabs: Iterable[Shaped[ndarray, "_ *rest channels"]], spec: SignalSpec
    ) -> None:
        """Write a signal into an array of a file, slab by slab along the signal's first axis."""
        first = 0
        for slab in slabs:
            part = slab if spec.channel_axis else slab[..., 0]
            where = tuple(slice(first, first + len(slab)) if i == 0 else slice(None) for i in self.order)
            array[where] = part.transpose(self.order)
            first += len(slab)


def layout(shape: tuple[int, ...], spec: SignalSpec) -> Layout:
    """Names, coordinates and attributes of a signal of a shape, which its spec may have had another of.

    Raises:
        InputError: the source says what cannot be.
    """
    dims, source = len(shape), spec.source
    axes = spec.axes or tuple(Axis(name) for name in ("z", "y", "x")[-dims:])
    attributes = dict(_object(source, "attributes"))
    if _AFFINE in source:
        affine = affine_of(spec)
        attributes[_AFFINE] = affine.ravel().tolist()
        # A file has a grid of its own, whose first sample is its first.
        lengths = spacings(affine[:3])[dims - 1 :: -1]
        axes = tuple(Axis(a.name, a.unit, step) for a, step in zip(axes, lengths, strict=True))
    channels = _object(source, "channels")
    channel = _text(channels, "name") or "channel"
    names = [axis.name for axis in axes] + ([channel] if spec.channel_axis else [])
    if len(set(names)) < len(names):
        names = [f"{name}_{i}" for i, name in enumerate(names)]
    told = source.get("order")
    order = (
        [names.index(name) for name in told]
        if isinstance(told, list) and sorted(map(str, told)) == sorted(names)
        else list(range(len(names)))
    )
    coordinates = {}
    if spec.axes is not None:
        uneven = _object(source, "coordinates")
        for name, axis, n in zip(names, axes, shape, strict=False):
            if axis == Axis(axis.name) and name not in uneven:
                # Nothing but the order is known.
                continue
            coordinates[name] = _places(axis, n, uneven)
    own = channels.get("values")
    if spec.channel_axis and isinstance(own, list) and len(own) == spec.channels:
        coordinates[channel] = Coordinate(_as_array(own), _text(channels, "unit"))
    slope, intercept = scaling(spec)
    if (slope, intercept) != (1.0, 0.0):
        attributes |= {_SCALE: slope, _OFFSET: intercept}
    if unit := _text(source, "value_unit"):
        attributes[_UNITS] = unit
    fill = source.get("fill")
    if isinstance(fill, int | float) and not isinstance(fill, bool) and _holds(spec.dtype, fill):
        attributes[_FILL] = np.dtype(spec.dtype).type(fill)
    variable = _text(source, "name") or "values"
    return Layout(
        tuple(names[i] for i in order),
        tuple(order),
        coordinates,
        attributes,
        variable if variable not in names else f"{variable}_values",
    )


def plain(value: Any) -> Any:
    """A value of an attribute as JSON has it: numbers, texts, lists of them; None of anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, ndarray | np.generic):
        listed = value.tolist()
        return plain(listed[0] if isinstance(listed, list) and len(listed) == 1 else listed)
    if isinstance(value, list | tuple):
        found = [plain(one) for one in value]
        return None if None in found else found
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else None


def _channel(array: Named, wish: Wish) -> int | None:
    """Which axis holds the channels."""
    if wish.channels_last is not None:
        return len(array.shape) - 1 if wish.channels_last else None
    if array.names:
        return next((i for i, name in enumerate(array.names) if name.lower() in CHANNEL_NAMES), None)
    if len(array.shape) in (3, 4):
        return len(array.shape) - 1 if _few_last(array.shape) else None
    return len(array.shape) - 1 if len(array.shape) == 5 else None


def _few_last(shape: tuple[int, ...]) -> bool:
    """Whether the last axis has as few entries as channels have."""
    return has_channel_axis(shape[-3:], None)


def _sizes(array: Named) -> str:
    named = array.names or tuple("" for _ in array.shape)
    return " x ".join(f"{name} {n}".strip() for name, n in zip(named, array.shape, strict=True))


def _axis(array: Named, i: int, uneven: dict[str, Any]) -> Axis:
    """An axis; where its samples lie unevenly goes into `uneven`."""
    name, n = array.names[i][:64] or f"axis{i}", array.shape[i]
    found = array.coordinates.get(array.names[i])
    if found is None:
        return Axis(name)
    values = found.values
    if values.shape != (n,):
        raise InputError(f"{array.place}: {n} samples of {name} need as many coordinates, got {values.shape}")
    if values.dtype.kind not in "iuf":
        uneven[name] = {"values": [str(plain(v)) for v in values]}
        return Axis(name)
    places = values.astype(np.float64)
    if not np.isfinite(places).all():
        raise InputError(f"{array.place}: coordinates of {name} must be finite numbers; correct them")
    unit = found.unit[:64] if found.unit.isprintable() else ""
    if n == 1:
        return Axis(name, unit, 1.0, float(places[0]))
    step = (places[-1] - places[0]) / (n - 1)
    fine = np.finfo(values.dtype).eps if values.dtype.kind == "f" else np.finfo(np.float64).eps
    if (
        step == 0
        or np.abs(places - (places[0] + step * np.arange(n))).max() > _OFF * fine * np.abs(places).max()
    ):
        uneven[name] = {"values": plain(values), **({"unit": unit} if unit else {})}
        return Axis(name)
    return Axis(name, unit, float(step), float(places[0]))


def _places(axis: Axis, n: int, uneven: Mapping[str, Any]) -> Coordinate:
    """Coordinates of `n` samples of an axis; uneven ones are interpolated from the file's."""
    at = axis.origin + axis.spacing * np.arange(n)
    told = uneven.get(axis.name)
    if not isinstance(told, dict) or not isinstance(told.get("values"), list) or not told["values"]:
        return Coordinate(at, axis.unit)
    values = _as_array(told["values"])
    if values.dtype.kind not in "iuf":
        nearest = np.clip(np.rint(at), 0, len(values) - 1).astype(int)
        return Coordinate(values[nearest])
    exact = np.array_equal(at, np.arange(len(values)))
    moved = values if exact else np.interp(at, np.arange(len(values)), values.astype(np.float64))
    return Coordinate(moved, _text(told, "unit"))


def _told(array: Named, i: int) -> dict[str, Any]:
    """What is known of the channels' axis."""
    found = array.coordinates.get(array.names[i])
    told: dict[str, Any] = {"name": array.names[i]}
    if found is not None and found.values.shape == (array.shape[i],):
        numbers = found.values.dtype.kind in "iuf"
        told["values"] = found.values.tolist() if numbers else [str(plain(v)) for v in found.values]
        told |= {"unit": found.unit} if found.unit else {}
    return told


def _at(array: Named, i: int, chosen: int) -> dict[str, Any]:
    """Where along an axis the part lies that was read."""
    found = array.coordinates.get(array.names[i])
    return {array.names[i]: chosen if found is None else plain(found.values[chosen])}


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that are written back as they are."""
    kept = {str(name): plain(value) for name, value in attributes.items() if name not in _STORAGE}
    return {name: value for name, value in kept.items() if value is not None and len(str(value)) <= _LONG}


def _as_array(values: list[Any]) -> Shaped[ndarray, " _"]:
    """A list of JSON as numbers or texts.

    Raises:
        InputError: it is of neither.
    """
    if all(isinstance(v, str) for v in values):
        return np.array(values, object)
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return np.array(values)
    raise InputError("coordinates in a source must be numbers or texts; remove the others")


def _holds(dtype: str, fill: float) -> bool:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return True
    least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    return float(fill).is_integer() and least <= fill <= most


def _object(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = source.get(name)
    return found if isinstance(found, dict) else {}


def _text(source: Mapping[str, Any], name: str) -> str:
    found = source.get(name)
    return found if isinstance(found, str) else ""
