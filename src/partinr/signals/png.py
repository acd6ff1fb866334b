"""A PNG encoder that takes a picture in slabs of rows and keeps one of them in memory.

It writes 16-bit grey, grey with alpha, RGB and RGB with alpha, of which Pillow writes the first alone.

Source: Portable Network Graphics (PNG) Specification (Third Edition), W3C, 2025; sections 5, 9 and 11.2.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable

import numpy as np
from numpy import ndarray

from partinr.shapes import Int, Shaped, UInt8

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type by number of channels."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COMPRESSION = 6
# Rows filtered at a time: enough bytes to keep NumPy's overhead small, few enough to stay in the cache.
_CHUNK_BYTES = 1 << 18


def write_png(
    write: Callable[[bytes], object],
    slabs: Iterable[Shaped[ndarray, "_ columns channels"]],
    shape: tuple[int, int, int],
) -> None:
    """Write a picture.

    Args:
        write: takes the bytes of the file, in order.
        slabs: uint8 or uint16 values, consecutive rows, together all of them.
        shape: (rows, columns, channels).
    """
    rows, columns, channels = shape
    compressor = zlib.compressobj(_COMPRESSION)
    write(_SIGNATURE)
    above: UInt8[ndarray, " row_bytes"] | None = None
    for slab in slabs:
        if above is None:
            header = (columns, rows, 8 * slab.dtype.itemsize, COLOUR_TYPES[channels], 0, 0, 0)
            _write_chunk(write, b"IHDR", struct.pack(">IIBBBBB", *header))
            above = np.zeros(columns * channels * slab.dtype.itemsize, np.uint8)
        step = max(1, _CHUNK_BYTES // above.size)
        for first in range(0, len(slab), step):
            part = slab[first : first + step]
            data = np.ascontiguousarray(part, part.dtype.newbyteorder(">")).view(np.uint8)
            data = data.reshape(len(part), -1)
            filtered = _filtered(data, above, channels * slab.dtype.itemsize)
            _write_data(write, compressor.compress(filtered.data))
            above = data[-1]
    _write_data(write, compressor.flush())
    _write_chunk(write, b"IEND", b"")


def _filtered(
    rows: UInt8[ndarray, "rows row_bytes"], above: UInt8[ndarray, " row_bytes"], pixel: int
) -> UInt8[ndarray, "rows row_bytes+1"]:
    """Rows in front of each of which stands its filter, the one whose residuals have the least sum.

    Source: section 9.2 for the filters, 12.7 for the choice.
    """
    up = np.concatenate([above[None], rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel:] = rows[:, :-pixel]
    corner[:, pixel:] = up[:, :-pixel]
    candidates = [
        rows,
        rows - left,
        rows - up,
        rows - ((left.astype(np.uint16) + up) >> 1).astype(np.uint8),
        rows - _paeth(left, up, corner),
    ]
    sums = np.stack([np.minimum(c, -c).sum(axis=1, dtype=np.int64) for c in candidates])
    best = sums.argmin(axis=0)
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = best
    for i, candidate in enumerate(candidates):
        chosen = best == i
        filtered[chosen, 1:] = candidate[chosen]
    return filtered


def _paeth(
    left: UInt8[ndarray, "*shape"], up: UInt8[ndarray, "*shape"], corner: UInt8[ndarray, "*shape"]
) -> UInt8[ndarray, "*shape"]:
    """Of the three neighbours, the one nearest to left + up - corner; ties in this order."""
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    by_left: Int[ndarray, "*shape"] = np.abs(b - c)
    by_up: Int[ndarray, "*shape"] = np.abs(a - c)
    by_corner: Int[ndarray, "*shape"] = np.abs(a + b - 2 * c)
    nearest = np.where(by_up <= by_corner, up, corner)
    return np.where((by_left <= by_up) & (by_left <= by_corner), left, nearest)


def _write_data(write: Callable[[bytes], object], data: bytes) -> None:
    if data:
        _write_chunk(write, b"IDAT", data)


def _write_chunk(write: Callable[[bytes], object], kind: bytes, data: bytes) -> None:
    write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
