"""NetCDF: the older formats read by SciPy, files written by h5netcdf.

Source: Unidata, "NetCDF Classic Format"; "NetCDF Climate and Forecast (CF) Metadata Conventions", 1.11,
section 8.1 (packed data) and 2.5 (fill values).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Shaped
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.located import Location, chosen
from partinr.signals.volumes.named import Coordinate, Named, layout, named_signal, plain
from partinr.signals.volumes.scan import Wish

MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
"""The classic formats; NetCDF-4 is HDF5."""

_WIDE = b"CDF\x05"


def read_netcdf(place: Location, wish: Wish) -> Signal:
    """A signal from a variable of a NetCDF file of one of the classic formats.

    Raises:
        InputError: as for `read_hdf5`.
    """
    from scipy.io import netcdf_file

    with place.file.open("rb") as head:
        if head.read(len(_WIDE)) == _WIDE:
            raise InputError(
                f"{place.file}: NetCDF of the format CDF-5 is not read; convert it: nccopy -k nc4"
            )
    with (
        decoding(place.file, "a NetCDF file"),
        netcdf_file(place.file, "r", mmap=True, maskandscale=False) as file,
    ):
        variables: dict[str, Any] = dict(file.variables)
        bounds = {plain(v._attributes.get("bounds")) for v in variables.values()}
        arrays = {
            name: v.shape
            for name, v in variables.items()
            if v.shape and v.data.dtype.kind in "iuf" and v.dimensions != (name,) and name not in bounds
        }
        if place.inside in variables and variables[place.inside].shape:
            arrays[place.inside] = variables[place.inside].shape
        name = chosen(place, arrays, "a NetCDF file")
        variable = variables[name]
        coordinates = {
            dimension: Coordinate(
                np.array(variables[dimension].data),
                str(plain(variables[dimension]._attributes.get("units")) or ""),
            )
            for dimension in variable.dimensions
            if dimension in variables and len(variables[dimension].shape) == 1
        }
        data = variable.data
        array = Named(
            f"{place.file}:/{name}",
            tuple(variable.shape),
            data.dtype,
            # A copy: the file is mapped into memory, and closed.
            lambda index: np.array(data[index]),
            tuple(variable.dimensions),
            coordinates,
            dict(variable._attributes),
            name,
        )
        try:
            return named_signal(array, wish, "NetCDF")
        finally:
            del variables, variable, data, array


def write_netcdf(
    file: BinaryIO,
    slabs: Iterable[Shaped[ndarray, "..."]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """Write a NetCDF-4 file of one variable, with the coordinates of its axes.

    Raises:
        InputError: h5netcdf is not there, or the source says what cannot be written.
    """
    need("h5netcdf", "writing NetCDF", "volumes")
    import h5netcdf
    import h5py

    plan = layout(shape, spec)
    lengths = (*shape, spec.channels)
    with h5netcdf.File(file, "w") as root:
        root.dimensions = {name: lengths[i] for name, i in zip(plan.names, plan.order, strict=True)}
        for name, coordinate in plan.coordinates.items():
            values = coordinate.values
            kind = h5py.string_dtype() if values.dtype.kind == "O" else values.dtype
            made = root.create_variable(name, (name,), kind, data=values)
            if coordinate.unit:
                made.attrs["units"] = coordinate.unit
        attributes = dict(plan.attributes)
        fill = attributes.pop("_FillValue", None)
        variable = root.create_variable(
            plan.variable,
            plan.names,
            np.dtype(spec.dtype),
            fillvalue=fill,
            compression="gzip",
            compression_opts=4,
        )
        try:
            for name, value in attributes.items():
                variable.attrs[name] = value
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the source's attribute {name} cannot be written ({error}); remove it"
            ) from error
        plan.fill(variable, slabs, spec)
