"""Parts of TIFF files: the strips and tiles that a window touches are decoded, and no others.

Source: TIFF 6.0, sections 3 (strips) and 15 (tiles): segments are counted along a row, row by row, and plane
by plane where samples are stored apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.tiff import Headers, in_colour

if TYPE_CHECKING:
    from tifffile import TiffPage, TiffPageSeries

# Bytes of a segment that is decoded for a window.
_LARGEST = 1 << 28
_JPEG = (6, 7, 34892, 33007)

ReadAhead = Callable[[Sequence[tuple[int, int]]], None]
"""Is told what will be read: where each part of the file begins, and how many bytes it has."""


def window_of_tiff(
    headers: Headers, window: tuple[slice, ...], ahead: ReadAhead | None = None
) -> Shaped[ndarray, "..."]:
    """A signal's values in a window, of the axes of the signal: as `read_tiff` would have them there.

    Args:
        headers: of an open file, whose orientation is the usual one.
        window: for each axis of the signal.
        ahead: is told what will be read of each page, before it is.

    Raises:
        InputError: pages that are no pictures.
    """
    series, axes = headers.series, headers.axes
    names, shape, lead = axes.names, axes.shape, _leading(series, axes.shape)
    across = dict(zip(axes.space, window, strict=True))
    picked = [range(*across[i].indices(shape[i])) if i in across else range(shape[i]) for i in range(lead)]
    rows, columns = (
        across[names.index(name)].indices(n)[:2] if name in names else (0, 1)
        for name, n in (("Y", series.keyframe.imagelength), ("X", series.keyframe.imagewidth))
    )
    found = [
        _part_of_page(
            series, int(np.ravel_multi_index(place, shape[:lead])) if lead else 0, rows, columns, ahead
        )
        for place in product(*picked)
    ]
    values = np.stack(found).reshape(*map(len, picked), *found[0].shape)
    # Behind the pages' axes stand rows, columns and samples.
    order = [i if i < lead else lead + ("YX".index(names[i])) for i in axes.space]
    if axes.channels is not None and axes.channels < lead:
        order.append(axes.channels)
    dropped = [i for i in range(lead) if i not in order]
    samples = values.transpose([*order, lead + 2, *dropped])
    samples = samples.reshape(samples.shape[: len(order) + 1])
    return in_colour(samples, axes, headers.meaning, headers.palettes)


def _leading(series: TiffPageSeries, shape: tuple[int, ...]) -> int:
    """How many of a series' axes are those of its pages."""
    page = series.keyframe
    for lead in range(len(shape) + 1):
        if math.prod(shape[:lead]) == len(series.pages) and math.prod(shape[lead:]) == page.size:
            return lead
    raise InputError("pages of this stack cannot be read in parts; save it as OME-TIFF")


def _part_of_page(
    series: TiffPageSeries,
    number: int,
    rows: tuple[int, int],
    columns: tuple[int, int],
    ahead: ReadAhead | None,
) -> Shaped[ndarray, "rows columns samples"]:
    """Rows and columns of a page, the samples of a pixel last."""
    page: Any = series.pages[number]
    key: Any = series.keyframe
    if key.imagedepth != 1:
        raise InputError("pages of several planes cannot be read in parts; save a page for each plane")
    separate, contiguous = key.shaped[0], key.shaped[-1]
    shape = (separate, rows[1] - rows[0], columns[1] - columns[0], contiguous)
    start = series.dataoffset if page is None else page.dataoffsets[0] if page.is_final else None
    if start is not None and not key.is_tiled:
        if page is None:
            # One block, with a page for the first plane only.
            start += number * key.nbytes
        return _rows_in_place(series, start, shape, rows, columns, ahead)
    high, wide = _sides(key)
    if high * wide * contiguous * key.dtype.itemsize > _LARGEST:
        raise InputError(
            f"its samples are compressed in strips of {high:,} rows, too many to read in parts; save it in "
            "tiles, as with: tiffcp -t -w 256 -l 256 IN.tif OUT.tif"
        )
    found = np.full(shape, key.nodata, key.dtype)
    for data, index in _segments(page, key, rows, columns, ahead):
        tables = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
        segment, (s, _, h, w, _), _ = key.decode(
            data, index, _fullsize=False, **(tables if key.compression in _JPEG else {})
        )
        if segment is None:
            continue
        pixels = segment[0]
        top, left = max(rows[0], h), max(columns[0], w)
        bottom, right = min(rows[1], h + pixels.shape[0]), min(columns[1], w + pixels.shape[1])
        if top < bottom and left < right:
            found[s, top - rows[0] : bottom - rows[0], left - columns[0] : right - columns[0]] = pixels[
                top - h : bottom - h, left - w : right - w
            ]
    return np.moveaxis(found, 0, -2).reshape(*shape[1:3], -1)


def _rows_in_place(
    series: TiffPageSeries,
    start: int,
    shape: tuple[int, ...],
    rows: tuple[int, int],
    columns: tuple[int, int],
    ahead: ReadAhead | None,
) -> Shaped[ndarray, "rows columns samples"]:
    """The same of a page whose samples lie one after another, as they are."""
    key: Any = series.keyframe
    tiff: Any = series.parent
    file, dtype = tiff.filehandle, np.dtype(tiff.byteorder + key.dtype.char)
    pixel = shape[3] * dtype.itemsize
    whole = columns == (0, key.imagewidth)
    # What lies in one piece: all rows, or a part of each.
    pieces = [(s, slice(None)) for s in range(shape[0])] if whole else list(np.ndindex(shape[:2]))
    length = (shape[1] if whole else 1) * shape[2] * pixel
    parts = []
    for s, row in pieces:
        line = s * key.imagelength + rows[0] + (0 if whole else row)
        parts.append((start + (line * key.imagewidth + columns[0]) * pixel, length))
    if ahead is not None:
        ahead(parts)
    found = np.empty(shape, key.dtype)
    for (s, row), (offset, _) in zip(pieces, parts, strict=True):
        file.seek(offset)
        found[s, row] = np.frombuffer(file.read(length), dtype).reshape(found[s, row].shape)
    return np.moveaxis(found, 0, -2).reshape(*shape[1:3], -1)


def _sides(key: TiffPage) -> tuple[int, int]:
    """Rows and columns of a segment."""
    if key.is_tiled:
        return key.tilelength, key.tilewidth
    return min(key.rowsperstrip, key.imagelength), key.imagewidth


def _segments(
    page: TiffPage, key: TiffPage, rows: tuple[int, int], columns: tuple[int, int], ahead: ReadAhead | None
) -> Iterator[tuple[bytes | None, int]]:
    """Bytes and numbers of the segments that a window touches, in the order of the file's plan."""
    high, wide = _sides(key)
    down, across = -(-key.imagelength // high), -(-key.imagewidth // wide)
    file = page.parent.filehandle
    touched = [
        (s * down + r) * across + c
        for s in range(key.shaped[0])
        for r in range(rows[0] // high, -(-rows[1] // high))
        for c in range(columns[0] // wide, -(-columns[1] // wide))
    ]
    if ahead is not None:
        ahead([(page.dataoffsets[index], page.databytecounts[index]) for index in touched])
    for index in touched:
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count:
            yield None, index
            continue
        file.seek(offset)
        yield file.read(count), index
