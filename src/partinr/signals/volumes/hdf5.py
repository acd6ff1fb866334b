"""Arrays in HDF5 files, NetCDF-4 among them, by h5py.

Names and coordinates of axes are those of their dimension scales, which is what NetCDF-4 has, too.

Source: The HDF Group, "HDF5 Dimension Scale Specification"; Unidata, "NetCDF-4 file format".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partinr.errors import need
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal
from partinr.signals.volumes.located import Location, chosen
from partinr.signals.volumes.named import Coordinate, Named, named_signal, plain
from partinr.signals.volumes.scan import Wish

MAGIC = b"\x89HDF\r\n\x1a\n"

# What NetCDF calls a dimension that has no coordinates.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"


def read_hdf5(place: Location, wish: Wish) -> Signal:
    """A signal from an array in an HDF5 or NetCDF-4 file.

    Raises:
        InputError: h5py is not there; a damaged or truncated file; no such array, or several and none was
            named; one above the limit; one that has too many axes.
    """
    need("h5py", "reading HDF5 and NetCDF-4", "volumes")
    import h5py

    with decoding(place.file, "an HDF5 file"), h5py.File(place.file, "r") as file:
        return named_signal(named_hdf5(place, file), wish, format_of(file))


def format_of(file: Any) -> str:
    """What an open file is."""
    return "NetCDF" if "_NCProperties" in file.attrs else "HDF5"


def named_hdf5(place: Location, file: Any) -> Named:
    """The array of an open file that is meant.

    Raises:
        InputError: there is no such array, or there are several and none was named.
    """
    import h5py

    arrays: dict[str, Any] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape and item.dtype.kind in "buif" and not item.is_scale:
            arrays[name.strip("/")] = item

    file.visititems(collect)
    for name in {plain(array.attrs.get("bounds")) for array in arrays.values()} - {None}:
        arrays.pop(name, None)
    if place.inside is not None and isinstance(file.get(place.inside or "/"), h5py.Dataset):
        # Scales are arrays, too, if they are asked for.
        item = file[place.inside]
        if item.shape and item.dtype.kind in "buif":
            arrays[place.inside] = item
    name = chosen(place, {name: array.shape for name, array in arrays.items()}, "an HDF5 file")
    return _named(place.file, name, arrays[name])


def _named(file: Path, path: str, array: Any) -> Named:
    """What is known of a data set."""
    names, coordinates = [], {}
    for i, dimension in enumerate(array.dims):
        scale = dimension[0] if len(dimension) else None
        name = dimension.label or (scale.name.rpartition("/")[2] if scale is not None else "")
        names.append(str(name))
        told = b"" if scale is None else scale.attrs.get("NAME", b"")
        bare = (told if isinstance(told, bytes) else str(told).encode()).startswith(_NO_VARIABLE)
        if name and scale is not None and not bare and scale.shape == (array.shape[i],):
            values = scale.asstr()[()] if scale.dtype.kind == "O" else scale[()]
            coordinates[names[-1]] = Coordinate(values, str(plain(scale.attrs.get("units")) or ""))
    if any(names):
        names = [name or f"axis{i}" for i, name in enumerate(names)]
    return Named(
        f"{file}:/{path}",
        tuple(array.shape),
        array.dtype,
        lambda index: array[index],
        tuple(names) if any(names) else (),
        coordinates,
        dict(array.attrs),
        path.rpartition("/")[2],
    )
