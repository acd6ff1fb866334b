"""Pyramids: a picture or a volume with smaller ones of it, in tiles, which viewers of large pictures open.

OME-TIFF (a BigTIFF of tiles, the smaller pictures in its SubIFDs) and OME-Zarr. Each smaller one has means
over 2 samples along each axis. Whatever the size, a few rows are in memory at once.

Source: OME-TIFF specification 6, https://ome-model.readthedocs.io/en/stable/ome-tiff/; OME-NGFF 0.5,
https://ngff.openmicroscopy.org/0.5/.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import need
from partinr.shapes import Shaped
from partinr.signals.signal import SignalSpec

# Sides of tiles, and the longest axis of the smallest picture.
_TILE, _CHUNK, _SMALLEST = 256, {2: 512, 3: 64}, 512
# Units of axes by the names that OME has for them.
_UNITS = {"nm": "nanometer", "µm": "micrometer", "um": "micrometer", "mm": "millimeter", "m": "meter"}

Bands = Iterator[Shaped[ndarray, "_ *rest channels"]]


def write_ome_tiff(
    file: BinaryIO, slabs: Iterable[Shaped[ndarray, "..."]], shape: tuple[int, ...], spec: SignalSpec
) -> None:
    """Write a picture; the smaller ones wait beside the file for their turn, a third of its size."""
    from tifffile import TiffWriter

    sizes, dtype = level_shapes(shape), np.dtype(spec.dtype)
    options: dict[str, Any] = {
        "dtype": dtype,
        "tile": (_TILE, _TILE),
        "compression": "adobe_deflate",
        "predictor": True,
        "photometric": "rgb" if spec.channels >= 3 else "minisblack",
        "extrasamples": ["unassalpha"] if spec.channels == 4 else None,
    }
    whole: dict[str, Any] = {"axes": "YX" if spec.channels == 1 else "YXS"}
    for axis in spec.axes or ():
        if axis.unit in _UNITS and axis.name in ("x", "y"):
            letter = axis.name.upper()
            unit = axis.unit.replace("um", "µm")
            whole |= {f"PhysicalSize{letter}": abs(axis.spacing), f"PhysicalSize{letter}Unit": unit}

    def extent(size: tuple[int, ...]) -> tuple[int, ...]:
        return size if spec.channels == 1 else (*size, spec.channels)

    beside = Path(file.name).parent if isinstance(file.name, str) else None
    with (
        TemporaryDirectory(dir=beside, prefix=".partinr-") as folder,
        TiffWriter(file, bigtiff=True, ome=True) as tiff,
    ):
        waiting = [
            np.memmap(Path(folder) / str(k), dtype, "w+", shape=(*size, spec.channels))
            for k, size in enumerate(sizes[1:])
        ]
        bands = _halving(_bands(slabs, _TILE), waiting[0] if waiting else None)
        tiff.write(_tiles(bands), shape=extent(shape), subifds=len(waiting), metadata=whole, **options)
        for k, level in enumerate(waiting):
            following = waiting[k + 1] if k + 1 < len(waiting) else None
            bands = _halving(_rows(level, _TILE), following)
            tiff.write(_tiles(bands), shape=extent(sizes[k + 1]), subfiletype=1, metadata=None, **options)


def write_ome_zarr(
    folder: Path, slabs: Iterable[Shaped[ndarray, "..."]], shape: tuple[int, ...], spec: SignalSpec
) -> None:
    """Write a group of Zarr 3 into an empty folder: channels first, as viewers want them.

    Raises:
        InputError: zarr is not there.
    """
    need("zarr", "writing OME-Zarr", "volumes")
    import zarr

    group = zarr.create_group(store=str(folder))
    names = ("z", "y", "x")[-len(shape) :]
    side = _CHUNK[len(shape)]
    # Channels come first.
    first = (spec.channels,) if spec.channel_axis else ()
    levels: list[Any] = []
    for k, size in enumerate(level_shapes(shape)):
        chunks = (*first, *(min(n, side) for n in size))
        labels = [*(["c"] if first else []), *names]
        made = group.create_array(
            str(k), shape=(*first, *size), chunks=chunks, dtype=spec.dtype, dimension_names=labels
        )
        levels.append(made)
    _fill(levels[0], _bands(slabs, side))
    for before, level in itertools.pairwise(levels):
        _fill(level, map(halved, _stored(before, 2 * side)))
    group.attrs["ome"] = _multiscales(len(levels), names, spec)


def _multiscales(count: int, names: Sequence[str], spec: SignalSpec) -> Any:
    """What OME-Zarr says of a pyramid of so many pictures."""
    several = spec.channel_axis
    steps = [abs(axis.spacing) for axis in spec.axes or ()] or [1.0] * len(names)
    units = [_UNITS.get(axis.unit) for axis in spec.axes or ()] or [None] * len(names)
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if several else []
    for name, unit in zip(names, units, strict=True):
        axes.append({"name": name, "type": "space", **({"unit": unit} if unit else {})})
    datasets = []
    for k in range(count):
        scale = [*([1.0] if several else []), *(step * 2.0**k for step in steps)]
        # The first sample's middle moves as samples grow.
        shift = [*([0.0] if several else []), *(step * (2.0**k - 1) / 2 for step in steps)]
        changes = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": str(k), "coordinateTransformations": changes})
    scales = [{"name": "partinr", "axes": axes, "datasets": datasets}]
    return {"version": "0.5", "multiscales": scales}


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes of a picture and its smaller ones, each half as long, rounded up."""
    found = [shape]
    while max(found[-1]) > _SMALLEST:
        found.append(tuple(-(-n // 2) for n in found[-1]))
    return found


def halved(values: Shaped[ndarray, "*shape channels"]) -> Shaped[ndarray, "*half channels"]:
    """Means over 2 samples along each axis but that of the channels; over one at an odd end."""
    odd = [(0, n % 2) for n in values.shape[:-1]]
    found: Any = np.pad(values, [*odd, (0, 0)], mode="edge").astype(np.float64)
    for axis in range(values.ndim - 1):
        even, other = (np.take(found, range(k, found.shape[axis], 2), axis) for k in (0, 1))
        found = (even + other) / 2
    means: Shaped[ndarray, "*half channels"] = found if values.dtype.kind == "f" else np.rint(found)
    return means.astype(values.dtype)


def _bands(slabs: Iterable[Shaped[ndarray, "..."]], rows: int) -> Bands:
    """Slabs of so many rows each, the last one of what is left."""
    held: list[Any] = []
    have = 0
    for slab in slabs:
        held.append(slab)
        have += len(slab)
        if have >= rows:
            joined = np.concatenate(held)
            for first in range(0, have - rows + 1, rows):
                yield joined[first : first + rows]
            held = [joined[have - have % rows :]]
            have %= rows
    if have:
        yield np.concatenate(held)


def _rows(level: Any, rows: int) -> Bands:
    for first in range(0, len(level), rows):
        yield np.asarray(level[first : first + rows])


def _halving(bands: Bands, level: Any) -> Bands:
    """The bands, and their halves in the next level."""
    first = 0
    for band in bands:
        if level is not None:
            half = halved(band)
            level[first : first + len(half)] = half
            first += len(half)
        yield band


def _tiles(bands: Bands) -> Iterator[Shaped[ndarray, "..."]]:
    """Tiles in raster order, filled up by what is at their ends."""
    for band in bands:
        values = band[..., 0] if band.shape[-1] == 1 else band
        for first in range(0, band.shape[1], _TILE):
            part = values[:, first : first + _TILE]
            short: Sequence[tuple[int, int]] = [(0, _TILE - n) for n in part.shape[:2]]
            yield np.pad(part, [*short, *[(0, 0)] * (part.ndim - 2)], mode="edge")


def _stored(array: Any, rows: int) -> Bands:
    """Bands of what is in an array of Zarr, channels last."""
    channels = array.metadata.dimension_names[0] == "c"
    for first in range(0, array.shape[int(channels)], rows):
        part = slice(first, first + rows)
        yield np.moveaxis(array[:, part], 0, -1) if channels else array[part][..., None]


def _fill(array: Any, bands: Bands) -> None:
    channels, first = array.metadata.dimension_names[0] == "c", 0
    for band in bands:
        part = slice(first, first + len(band))
        if channels:
            array[:, part] = np.moveaxis(band, -1, 0)
        else:
            array[part] = band[..., 0]
        first += len(band)
