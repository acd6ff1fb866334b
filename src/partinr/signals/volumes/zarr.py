"""Zarr: an array, or one of a group, in a folder or a zip file, of either version; by zarr-python.

Source: Zarr core specification 3.0 and 2; xarray, "Zarr Encoding Specification" (names of axes in version
2); OME-NGFF 0.4 and 0.5 (spacing of microscopes' images).
"""

from __future__ import annotations

import base64
import os
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.files import atomic_folder
from partinr.shapes import Shaped
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.located import Location, chosen
from partinr.signals.volumes.named import Coordinate, Named, layout, named_signal, plain
from partinr.signals.volumes.scan import Wish

MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
"""Files of which a folder of Zarr has one."""

# Samples of a chunk along each axis, about.
_CHUNK = 64


def is_zarr(path: Path) -> bool:
    """Whether a folder or a zip file is Zarr."""
    if path.is_dir():
        return any((path / mark).is_file() for mark in MARKS)
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name in MARKS for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_zarr(place: Location, wish: Wish) -> Signal:
    """A signal from a Zarr array.

    Raises:
        InputError: zarr is not there; damaged metadata or chunks; no such array, or several and none was
            named; one above the limit; one that has too many axes.
    """
    need("zarr", "reading Zarr", "volumes")
    with decoding(place.file, "Zarr"), _store(place.file) as store:
        return named_signal(named_zarr(place, store), wish, "Zarr")


def named_zarr(place: Location, store: Any) -> Named:
    """The array of an open store that is meant; of a pyramid of OME-NGFF the largest, if none is named.

    Raises:
        InputError: there is no such array, or there are several and none was named.
    """
    import zarr

    root = zarr.open(store, mode="r")
    if isinstance(root, zarr.Array):
        if place.inside:
            raise InputError(
                f"{place.file}: is one array itself, without /{place.inside}; leave the path out"
            )
        return _named(place.file, "", root, None)
    wanted = place.inside or _base(dict(root.attrs))
    # What is named need not be looked for: of web servers nobody knows what they have.
    item = root.get(wanted) if wanted else None
    if _has_numbers(item):
        above = wanted.rpartition("/")[0]
        return _named(place.file, wanted, item, root[above] if above else root)
    members: dict[str, Any] = dict(root.members(max_depth=None))
    readable = {
        path: item.shape
        for path, item in members.items()
        if _has_numbers(item) and (path == place.inside or not _is_coordinate(path, item))
    }
    path = chosen(place, readable, "Zarr")
    parent = path.rpartition("/")[0]
    return _named(place.file, path, members[path], members[parent] if parent else root)


def _has_numbers(item: Any) -> bool:
    """Whether something in a store is an array that a signal can be."""
    import zarr

    return isinstance(item, zarr.Array) and bool(item.shape) and item.dtype.kind in "buif"


def _base(attributes: Mapping[str, Any]) -> str:
    """The path of the largest picture of a pyramid; empty if there is none."""
    scales = attributes.get("ome", attributes).get("multiscales")
    try:
        return str(scales[0]["datasets"][0]["path"])
    except (TypeError, KeyError, IndexError):
        return ""


@contextmanager
def _store(path: Path) -> Iterator[Any]:
    from zarr.storage import LocalStore, ZipStore

    store: Any = LocalStore(path, read_only=True) if path.is_dir() else ZipStore(path, mode="r")
    try:
        yield store
    finally:
        store.close()


def _named(file: Path, path: str, array: Any, group: Any) -> Named:
    """What is known of an array, from itself and its group."""
    attributes = dict(array.attrs)
    fill = _fill(array, attributes.pop("_FillValue", None))
    attributes |= {} if fill is None else {"_FillValue": fill}
    names = _names(array)
    coordinates = {}
    own = attributes.pop("coordinates", None)
    for name, values in (own if isinstance(own, dict) else {}).items():
        if isinstance(values, dict) and isinstance(values.get("values"), list):
            coordinates[name] = Coordinate(np.array(values["values"]), str(values.get("unit", "")))
    if group is not None:
        for name, n in zip(names, array.shape, strict=False):
            sibling = group.get(name)
            if name not in coordinates and sibling is not None and getattr(sibling, "shape", None) == (n,):
                unit = plain(dict(sibling.attrs).get("units")) or ""
                coordinates[name] = Coordinate(np.asarray(sibling[...]), str(unit))
        if not names:
            names, coordinates = _microscope(dict(group.attrs), path.rpartition("/")[2], array.shape)
    return Named(
        f"{file}:/{path}" if path else str(file),
        tuple(array.shape),
        np.dtype(array.dtype),
        lambda index: array[index],
        names,
        coordinates,
        attributes,
        path.rpartition("/")[2],
    )


def _names(array: Any) -> tuple[str, ...]:
    """Names of the axes, as either version has them."""
    found = getattr(array.metadata, "dimension_names", None) or dict(array.attrs).get("_ARRAY_DIMENSIONS")
    if not isinstance(found, list | tuple) or len(found) != len(array.shape):
        return ()
    return tuple(str(name) if name else f"axis{i}" for i, name in enumerate(found))


def _fill(array: Any, told: Any) -> Any:
    """The value that stands for missing ones: xarray writes floating-point ones as eight bytes in base 64.

    In version 2 it is the array's own, where axes have names; 0 is what arrays have that nothing was said of.
    """
    if told is None and array.metadata.zarr_format == 2 and "_ARRAY_DIMENSIONS" in dict(array.attrs):
        return plain(array.fill_value) or None
    if isinstance(told, str):
        number = struct.unpack("<d", base64.b64decode(told, validate=True))[0]
        return number if np.isfinite(number) else None
    return told


def _is_coordinate(path: str, array: Any) -> bool:
    return _names(array) == (path.rpartition("/")[2],)


def _microscope(
    attributes: Mapping[str, Any], name: str, shape: tuple[int, ...]
) -> tuple[tuple[str, ...], dict[str, Coordinate]]:
    """Names and places of the axes of an image of OME-NGFF; none of other groups."""
    scales = attributes.get("ome", attributes).get("multiscales")
    if not isinstance(scales, list) or not scales:
        return (), {}
    axes = scales[0].get("axes", [])
    data = next((one for one in scales[0].get("datasets", []) if one.get("path") == name), None)
    if data is None or len(axes) != len(shape):
        return (), {}
    steps, firsts = np.ones(len(shape)), np.zeros(len(shape))
    for change in (
        *data.get("coordinateTransformations", ()),
        *scales[0].get("coordinateTransformations", ()),
    ):
        if change.get("type") == "scale":
            steps, firsts = steps * change["scale"], firsts * change["scale"]
        elif change.get("type") == "translation":
            firsts = firsts + change["translation"]
    names = tuple(str(axis["name"]) for axis in axes)
    places = {
        axis["name"]: Coordinate(first + step * np.arange(n), str(axis.get("unit", "")))
        for axis, step, first, n in zip(axes, steps, firsts, shape, strict=True)
        if axis.get("type") != "channel"
    }
    return names, places


def replaced_zarr(path: str | os.PathLike[str]) -> AbstractContextManager[Path]:
    """A folder to write to, which takes the place of the Zarr that is there; see `atomic_folder`."""
    return atomic_folder(path, MARKS)


def write_zarr(
    folder: Path, slabs: Iterable[Shaped[ndarray, "..."]], shape: tuple[int, ...], spec: SignalSpec
) -> None:
    """Write a group of version 3 into an empty folder: an array, and the coordinates of its axes beside it.

    xarray reads it. Coordinates that are texts, for which Zarr has no stable type, stand in an attribute.

    Raises:
        InputError: zarr is not there, or the source says what cannot be written.
    """
    need("zarr", "writing Zarr", "volumes")
    import zarr

    plan = layout(shape, spec)
    lengths = (*shape, spec.channels)
    group = zarr.create_group(store=str(folder))
    texts = {
        name: {"values": c.values.tolist()}
        for name, c in plan.coordinates.items()
        if c.values.dtype == object
    }
    for name, c in plan.coordinates.items():
        if name not in texts:
            made = group.create_array(
                name, shape=c.values.shape, dtype=c.values.dtype, dimension_names=[name]
            )
            made[...] = c.values
            made.attrs.update({"units": c.unit} if c.unit else {})
    attributes = {name: plain(value) for name, value in plan.attributes.items()}
    if isinstance(attributes.get("_FillValue"), float):
        attributes["_FillValue"] = base64.b64encode(struct.pack("<d", attributes["_FillValue"])).decode()
    array: Any = group.create_array(
        plan.variable,
        shape=tuple(lengths[i] for i in plan.order),
        chunks=tuple(min(lengths[i], _CHUNK) for i in plan.order),
        dtype=spec.dtype,
        dimension_names=plan.names,
        attributes=attributes | ({"coordinates": texts} if texts else {}),
    )
    plan.fill(array, slabs, spec)
