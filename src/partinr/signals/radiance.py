"""Signals from pictures of floating-point numbers: portable float maps, and Radiance's RGBE."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.shapes import Float32, Shaped
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding
from partinr.signals.signal import Signal

# Kind, columns, rows and scale, and one white space before the values.
_PFM_HEADER = re.compile(rb"(P[Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([+-]?[\d.]+(?:[eE][+-]?\d+)?)(?:\r\n|\s)")
_PFM_HEADER_BYTES = 1 << 10
_PFM_CHANNELS = {b"PF": 3, b"Pf": 1}

# Lines of text up to an empty one, and then the resolution.
_HDR_HEADER = re.compile(rb"#\?.*?\n\r?\n([^\n]{1,100})\n", re.DOTALL)
_HDR_RESOLUTION = re.compile(rb"-Y\s+(\d{1,9})\s+\+X\s+(\d{1,9})\s*")
_HEADER_BYTES = 1 << 16


def read_pfm(
    path: Path, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = MAX_PIXELS
) -> Signal:
    """A signal from a portable float map, grey or RGB; the values are not multiplied by its scale.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what `default_range` says.
        max_pixels: greatest number of pixels; None for no limit.

    Raises:
        InputError: a damaged or truncated file, one above the limit, or NaN or infinity in it.

    Source: Debevec, "PFM Portable FloatMap Image Format", and the page pfm of Netpbm's manual: rows from
    bottom to top, and little-endian numbers where the scale is negative.
    """
    with decoding(path, "a portable float map"):
        with path.open("rb") as file:
            header = _PFM_HEADER.match(file.read(_PFM_HEADER_BYTES))
        if header is None or float(header[4]) == 0:
            raise ValueError("expected PF or Pf, columns, rows and a scale")
        columns, rows, channels = int(header[2]), int(header[3]), _PFM_CHANNELS[header[1]]
        check_pixels(path, (rows, columns), max_pixels)
        expected, found = 4 * rows * columns * channels, path.stat().st_size - header.end()
        if found < expected:
            raise ValueError(f"truncated: {expected} bytes of values expected, got {found}")
        order = "<" if float(header[4]) < 0 else ">"
        values: Float32[ndarray, "rows columns channels"] = np.fromfile(
            path, f"{order}f4", rows * columns * channels, offset=header.end()
        ).reshape(rows, columns, channels)[::-1]
    return _picture(values.astype(np.float32), "PFM", value_range)


def read_hdr(
    path: Path, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = MAX_PIXELS
) -> Signal:
    """A signal from a Radiance picture (.hdr): RGB in single precision, mantissas times 2^(exponent - 136).

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what `default_range` says.
        max_pixels: greatest number of pixels, checked before decoding; None for no limit.

    Raises:
        InputError: a damaged or truncated file, one above the limit, XYZ colours, or rows that do not go from
            top to bottom and left to right.

    Source: Ward, "Real Pixels", Graphics Gems II, 1991; as most programs do, without half a
    unit of the mantissa.
    """
    with decoding(path, "a Radiance picture"):
        with path.open("rb") as file:
            header = _HDR_HEADER.match(file.read(_HEADER_BYTES))
        resolution = None if header is None else _HDR_RESOLUTION.fullmatch(header[1])
        if header is None or resolution is None:
            got = "none" if header is None else header[1].decode("ascii", "replace")
            raise ValueError(f"expected a header that ends in -Y ROWS +X COLUMNS, got {got}")
        if b"FORMAT=32-bit_rle_rgbe" not in header[0]:
            raise ValueError("expected colours in the format 32-bit_rle_rgbe")
        rows, columns = int(resolution[1]), int(resolution[2])
        check_pixels(path, (rows, columns), max_pixels)
        from imagecodecs import rgbe_decode

        values = np.asarray(rgbe_decode(path.read_bytes(), header=True), np.float32)
        if values.shape != (rows, columns, 3):
            raise ValueError(f"expected {rows} rows of {columns} pixels, got {values.shape}")
    return _picture(values, "HDR", value_range)


def _picture(
    values: Shaped[ndarray, "rows columns channels"], name: str, value_range: tuple[float, float] | None
) -> Signal:
    colour = values.shape[-1] > 1
    return signal_of(
        values if colour else values[..., 0],
        channel_axis=colour,
        value_range=value_range,
        kind="image",
        metadata={"format": name},
    )
