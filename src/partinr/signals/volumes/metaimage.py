"""MetaImage (.mha, or .mhd with its data beside it).

A text of lines "Key = value", the last of which says where the data are. It is read here without a library:
those that know it weigh fifty megabytes.

Source: ITK, MetaIO, "MetaImage Reference".
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float64, Shaped
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal
from partinr.signals.volumes.geometry import described, flipped
from partinr.signals.volumes.scan import Wish, scan_signal

MAGIC = (b"ObjectType", b"NDims", b"Comment =")

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Bytes of the text, and of a line of it.
_LONGEST = 1 << 20


def read_metaimage(path: Path, wish: Wish) -> Signal:
    """A signal from a MetaImage of 1 to 4 axes; of four, one volume.

    Raises:
        InputError: a damaged or truncated file, one above the limit, data in a list of files, or a singular
            transformation.
    """
    with decoding(path, "a MetaImage"):
        fields, end = _header(path)
        dims = int(fields["NDims"])
        sizes = [int(word) for word in fields["DimSize"].split()]
        if not 1 <= dims <= 4 or len(sizes) != dims or min(sizes) < 0:
            raise InputError(
                f"{path}: expected 1 to 4 axes, got NDims {dims} and DimSize {fields['DimSize']:.80}"
            )
        channels = int(fields.get("ElementNumberOfChannels", 1))
        kind = fields["ElementType"].upper().removesuffix("_ARRAY")
        if kind not in _TYPES:
            raise InputError(f"{path}: the type {kind:.40} of MetaImage is not read; save it as MET_FLOAT")
        order = (
            ">" if _true(fields, "ElementByteOrderMSB") or _true(fields, "BinaryDataByteOrderMSB") else "<"
        )
        dtype = np.dtype(order + _TYPES[kind])
        count = sizes[3] if dims == 4 else 1
        wish.check(path, (*sizes[:3], channels), dtype.itemsize)
        chosen = wish.chosen(path, count)
        values = _data(path, fields, end, dtype, (*sizes[::-1], channels))
        if dims == 4:
            values = values[chosen]
        if channels == 1:
            values = values[..., 0]
        affine = _affine(fields, dims)
        unit = fields.get("DistanceUnits", "mm")
        axes, geometry = described(affine, "" if unit == "?" else unit, min(dims, 3))
    return scan_signal(
        values,
        wish,
        channel_axis=channels > 1,
        axes=axes,
        source={
            "format": "MetaImage",
            **geometry,
            "slope": _number(fields, "ElementToIntensityFunctionSlope", 1.0),
            "intercept": _number(fields, "ElementToIntensityFunctionOffset", 0.0),
            "modality": fields.get("Modality", "").removeprefix("MET_MOD_"),
        },
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    """What the lines say, and where they end."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while "ElementDataFile" not in fields:
            line = file.readline(_LONGEST)
            key, equals, value = line.decode("latin-1").partition("=")
            if not equals or file.tell() > _LONGEST:
                raise InputError(
                    f"{path}: expected lines of Key = value up to ElementDataFile, got {line!r:.80}"
                )
            fields[key.strip()] = value.strip()
        missing = [key for key in ("NDims", "DimSize", "ElementType") if key not in fields]
        if missing:
            raise InputError(f"{path}: the header of a MetaImage needs {', '.join(missing)}; save it again")
        return fields, file.tell()


def _data(
    path: Path, fields: dict[str, str], end: int, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Shaped[ndarray, "..."]:
    """The elements, in the file or in the one that it names."""
    name = fields["ElementDataFile"]
    if name.upper() == "LIST" or "%" in name:
        raise InputError(f"{path}: its data are in several files ({name:.60}); save it to one file")
    place = path if name.upper() == "LOCAL" else path.parent / name
    if not place.is_file():
        raise InputError(f"{path}: its data should be in {place}, which is not there; copy that file, too")
    wanted = math.prod(shape) * dtype.itemsize
    start = end if place == path else max(0, int(fields.get("HeaderSize", 0)))
    if int(fields.get("HeaderSize", 0)) == -1:
        start = place.stat().st_size - wanted
    if not _true(fields, "BinaryData", default=True):
        raise InputError(f"{path}: its data are text; save it as binary data")
    if _true(fields, "CompressedData"):
        with place.open("rb") as file:
            file.seek(start)
            # Not more than is claimed, whatever the stream would become.
            payload = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(file.read(), wanted)
    else:
        found = place.stat().st_size - max(start, 0)
        if start < 0 or found < wanted:
            raise InputError(f"{path}: truncated: {wanted:,} bytes of samples expected, got {found:,}")
        return np.fromfile(place, dtype, math.prod(shape), offset=start).reshape(shape)
    if len(payload) < wanted:
        raise InputError(f"{path}: truncated: {wanted:,} bytes of samples expected, got {len(payload):,}")
    return np.frombuffer(payload, dtype).reshape(shape)


def _affine(fields: dict[str, str], dims: int) -> Float64[ndarray, "3 4"]:
    """From (column, row, plane, 1) to the right, front and up; ITK's world is to the left and the back."""
    matrix, spacing, origin = np.eye(dims), np.ones(dims), np.zeros(dims)
    for keys, target in (
        (("TransformMatrix", "Rotation", "Orientation"), matrix),
        (("ElementSpacing", "ElementSize"), spacing),
        (("Offset", "Position", "Origin"), origin),
    ):
        text = next((fields[key] for key in keys if key in fields), None)
        if text is not None:
            target[...] = np.array([float(word) for word in text.split()]).reshape(target.shape)
    used = min(dims, 3)
    affine = np.eye(3, 4)
    # Rows of the matrix are the directions of the file's axes.
    affine[:used, :used] = matrix[:used, :used].T * spacing[:used]
    affine[:used, 3] = origin[:used]
    return flipped(affine)


def _true(fields: dict[str, str], key: str, *, default: bool = False) -> bool:
    return fields[key].lower() in ("true", "1", "t") if key in fields else default


def _number(fields: dict[str, str], key: str, default: float) -> float:
    number = float(fields.get(key, default))
    if not math.isfinite(number):
        raise InputError(f"{key} must be a finite number, got {number}")
    return number
