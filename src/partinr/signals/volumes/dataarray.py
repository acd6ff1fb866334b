"""Arrays of xarray's in memory, with the names and coordinates of their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Shaped
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.named import Coordinate, Named, layout, named_signal, plain
from partinr.signals.volumes.scan import Wish
from partinr.signals.weighting import masked


def is_dataarray(values: Any) -> bool:
    """Whether something is one of xarray's arrays, which are not imported to know it."""
    return type(values).__name__ == "DataArray" and type(values).__module__.startswith("xarray.")


def from_xarray(values: Any, *, value_range: tuple[float, float] | None = None, mask: Any = None) -> Signal:
    """The signal of one of xarray's arrays, as from a NetCDF file that holds it.

    `fit` takes such arrays as they are.

    Args:
        values: an `xarray.DataArray` of 1 to 3 axes, in any order, and one of channels ("channel", "band",
            "wavelength", "rgb", ...), if it has several. Samples that are NaN, or `_FillValue`, are missing.
        value_range: lowest and highest possible value; None: what `default_range` says.
        mask: array of the signal's shape without channels: true or not 0 where a sample is there.

    Raises:
        InputError: it is no such array, has other axes, or coordinates that do not fit; see `from_array`.

    Example:
        >>> import partinr, xarray
        >>> depth = xarray.DataArray([3.0, 4.0, 6.0], dims="t", coords={"t": [0.0, 0.5, 1.0]}, name="depth")
        >>> partinr.from_xarray(depth).spec.axes
        (Axis(name='t', unit='', spacing=0.5, origin=0.0),)
    """
    if not is_dataarray(values):
        raise InputError(f"expected an array of xarray's, got {type(values).__name__}; use from_array")
    place = f"the array {values.name}" if values.name is not None else "the array"
    signal = named_signal(named_dataarray(values, place), Wish(value_range=value_range), "xarray")
    return signal if mask is None else masked(signal, mask)


def named_dataarray(values: Any, place: str) -> Named:
    """What is known of one of xarray's arrays, whatever holds its values; none of them is loaded.

    Args:
        values: the array.
        place: what error messages call it.
    """
    coordinates = {
        str(name): Coordinate(np.asarray(place.values), str(plain(place.attrs.get("units")) or ""))
        for name, place in values.coords.items()
        if place.dims == (name,)
    }
    return Named(
        place,
        tuple(values.shape),
        np.dtype(values.dtype),
        lambda index: np.asarray(values[index].values),
        tuple(map(str, values.dims)),
        coordinates,
        {str(name): value for name, value in values.attrs.items()},
        "" if values.name is None else str(values.name),
    )


def to_xarray(values: Shaped[ndarray, "*array_shape"], spec: SignalSpec) -> Any:
    """One of xarray's arrays of a signal's values, or of a rendering of any size.

    Args:
        values: (*shape) or (*shape, channels), as `render` gives them and signals of this kind have them.
        spec: of the signal; of a rendering of another size, or of a part, `spec.resampled(size, crop)`.

    Returns:
        An `xarray.DataArray` with the names, the order of axes, coordinates, attributes and name that the
        signal came with, and `x`, `y`, `z`, `channel` where it came with none.

    Raises:
        InputError: xarray is not there, or the values have not the spec's axes.

    Example:
        >>> import numpy as np, partinr
        >>> axes = [partinr.Axis("lat", "deg", 2.0), partinr.Axis("lon")]
        >>> signal = partinr.from_array(np.eye(8), axes=axes)
        >>> model = partinr.fit(signal).model
        >>> array = partinr.to_xarray(partinr.render(model, scale=2), model.signal.resampled((16, 16)))
        >>> array.dims, array.lat.values[:3].tolist()
        (('lat', 'lon'), [-0.5, 0.5, 1.5])
    """
    need("xarray", "an array of xarray's")
    import xarray

    values = np.asarray(values)
    if values.ndim != len(spec.array_shape):
        raise InputError(
            f"the values must have as many axes as {spec.array_shape}, got the shape {values.shape}"
        )
    plan = layout(values.shape[: spec.dims], spec)
    return xarray.DataArray(
        values.transpose(plan.order),
        dims=plan.names,
        coords={
            name: (name, place.values, {"units": place.unit} if place.unit else {})
            for name, place in plan.coordinates.items()
        },
        attrs=dict(plan.attributes),
        name=spec.source.get("name") or None,
    )
