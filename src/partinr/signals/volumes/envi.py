"""ENVI: a text header (.hdr) and beside it a file of numbers, as hyperspectral cameras write them.

Lines and samples are the signal's axes, bands its channels. A header is a few lines, which are read and
written here.

Source: NV5 Geospatial, "ENVI Header Files"; "map info" has the place of a corner and the size of a pixel.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.files import atomic_write
from partinr.shapes import Shaped
from partinr.signals.axes import Axis
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.scan import Wish, scan_signal

MAGIC = b"ENVI"

_TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
DTYPES = tuple(np.dtype(code).name for code in _TYPES.values())
"""NumPy's names of the types that it holds."""

_DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip")
# Axes of the file, from the slowest, for each interleave: 0 line, 1 sample, 2 band.
_ORDERS = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
_PAIR = re.compile(r"^\s*([^=\n{}]+?)\s*=\s*(\{[^{}]*\}|[^\n]*)", re.MULTILINE)
_LONGEST = 1 << 22
# Fields that follow from the signal, and those that have a place of their own.
_OWN = (
    *("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order", "file type"),
    *(
        "wavelength",
        "wavelength units",
        "band names",
        "data ignore value",
        "map info",
        "reflectance scale factor",
    ),
)
_DATA = ".img"


def read_envi(path: Path, wish: Wish) -> Signal:
    """A signal from an ENVI header and the data beside it.

    Raises:
        InputError: a header that says too little, no data or truncated ones, or a cube above the limit.
    """
    with decoding(path, "an ENVI header"):
        text = path.read_bytes()[:_LONGEST].decode("utf-8", "replace")
        fields = {key.strip().lower(): value.strip() for key, value in _PAIR.findall(text)}
        missing = [key for key in ("samples", "lines", "bands", "data type") if key not in fields]
        if missing:
            raise InputError(f"{path}: the header of an ENVI file needs {', '.join(missing)}; save it again")
        code, interleave = int(fields["data type"]), fields.get("interleave", "bsq").lower()
        if code not in _TYPES or interleave not in _ORDERS:
            raise InputError(
                f"{path}: expected real numbers as bsq, bil or bip, got data type {code} as {interleave:.20}"
            )
        if int(fields.get("file compression", "0")):
            raise InputError(f"{path}: its data are compressed; save it without compression")
        shape = tuple(int(fields[key]) for key in ("lines", "samples", "bands"))
        dtype = np.dtype(("<" if int(fields.get("byte order", "0")) == 0 else ">") + _TYPES[code])
        wish.check(path, shape, dtype.itemsize)
        wish.chosen(path, 1)
        data, offset = _data_file(path), int(fields.get("header offset", "0"))
        wanted, found = int(np.prod(shape)) * dtype.itemsize, data.stat().st_size - offset
        if found < wanted or offset < 0:
            raise InputError(f"{data}: truncated: {wanted:,} bytes of samples expected, got {found:,}")
        order = _ORDERS[interleave]
        stored = np.fromfile(data, dtype, int(np.prod(shape)), offset=offset)
        values = stored.reshape([shape[i] for i in order]).transpose(np.argsort(order))
        axes, place = _placed(fields.get("map info"))
    single = shape[2] == 1 and not {"wavelength", "band names"} & fields.keys()
    scale = _number(fields.get("reflectance scale factor"))
    return scan_signal(
        values[..., 0] if single else values,
        wish,
        channel_axis=not single,
        axes=axes,
        source={
            "format": "ENVI",
            "channels": _bands(path, fields, shape[2]),
            "slope": 1 / scale if scale else 1.0,
            "fill": _number(fields.get("data ignore value")),
            "envi": {
                **place,
                "interleave": interleave,
                **{key: value for key, value in fields.items() if key not in _OWN},
            },
        },
    )


class _Pair(NamedTuple):
    """The two files that are written."""

    header: BinaryIO
    data: BinaryIO


@contextlib.contextmanager
def written_pair(path: str | os.PathLike[str]) -> Iterator[_Pair]:
    """A header and the data beside it, which take their places when the block ends without an exception.

    Raises:
        InputError: as for `atomic_write`.
    """
    with atomic_write(path) as header, atomic_write(data_beside(path)) as data:
        yield _Pair(header, data)


def data_beside(path: str | os.PathLike[str]) -> Path:
    """The file of numbers that is written beside a header."""
    return Path(path).with_suffix(_DATA)


def write_envi(
    files: _Pair,
    slabs: Iterable[Shaped[ndarray, "_ samples bands"]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """Write lines and samples with bands: as the file had them, or band after sample after line."""
    kept = spec.source.get("envi")
    kept = kept if isinstance(kept, dict) else {}
    interleave = kept.get("interleave") if kept.get("interleave") in _ORDERS else "bip"
    if interleave == "bsq":
        whole = np.concatenate(list(slabs))
        slabs = [whole.transpose(2, 0, 1)]
    elif interleave == "bil":
        slabs = (slab.transpose(0, 2, 1) for slab in slabs)
    for slab in slabs:
        files.data.write(np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).data)
    code = next(code for code, kind in _TYPES.items() if np.dtype(kind).name == spec.dtype)
    fields: dict[str, object] = {
        "samples": shape[1],
        "lines": shape[0],
        "bands": spec.channels,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": code,
        "interleave": interleave,
        "byte order": 0,
    }
    fields |= _told_bands(spec)
    fill, slope = spec.source.get("fill"), spec.source.get("slope", 1.0)
    if isinstance(fill, int | float):
        fields["data ignore value"] = f"{fill:.17g}"
    if isinstance(slope, int | float) and slope not in (0, 1):
        fields["reflectance scale factor"] = f"{1 / slope:.12g}"
    if (place := _map_info(kept, spec)) is not None:
        fields["map info"] = place
    fields |= {
        k: v for k, v in kept.items() if k not in (*_OWN, "map") and isinstance(v, str) and "\n" not in k
    }
    lines = [MAGIC.decode(), *(f"{key} = {value}" for key, value in fields.items())]
    files.header.write(("\n".join(lines) + "\n").encode())


def _data_file(header: Path) -> Path:
    """The file of numbers beside a header: `x.hdr` has `x`, `x.img` and others, `x.img.hdr` has `x.img`."""
    stem = header.with_suffix("")
    names = [stem.with_name(stem.name + suffix) for suffix in _DATA_SUFFIXES]
    names += [stem.with_name(stem.name + suffix.upper()) for suffix in _DATA_SUFFIXES]
    found = next((name for name in names if name != header and name.is_file()), None)
    if found is None:
        raise InputError(f"{header}: no data beside the header: expected {stem}, {stem}.img, .dat or .raw")
    return found


def _listed(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.strip("{} \n\r\t").split(",")]


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and np.isfinite(number) else None


def _bands(path: Path, fields: dict[str, str], count: int) -> dict[str, Any]:
    """Wavelengths, or else names, of the bands."""
    told: dict[str, Any] = {}
    if "wavelength" in fields:
        values = [float(word) for word in _listed(fields["wavelength"])]
        told = {"name": "wavelength", "values": values, "unit": fields.get("wavelength units", "")}
    if "band names" in fields:
        names = _listed(fields["band names"])
        told = {**told, "names": names} if told else {"name": "band", "values": names}
    for key in ("values", "names"):
        if key in told and len(told[key]) != count:
            raise InputError(f"{path}: {count} bands need as many {told['name']}s, got {len(told[key])}")
    return told


def _told_bands(spec: SignalSpec) -> dict[str, object]:
    told = spec.source.get("channels")
    if not isinstance(told, dict):
        return {}
    fields: dict[str, object] = {}
    values, names = told.get("values"), told.get("names")
    for listed in (values, names):
        if not isinstance(listed, list) or len(listed) != spec.channels:
            continue
        if all(isinstance(v, int | float) for v in listed):
            fields["wavelength"] = "{" + ", ".join(repr(v) for v in listed) + "}"
            if isinstance(told.get("unit"), str) and told["unit"]:
                fields["wavelength units"] = told["unit"]
        else:
            fields["band names"] = "{" + ", ".join(str(v).replace(",", ";") for v in listed) + "}"
    return fields


def _placed(text: str | None) -> tuple[list[Axis] | None, dict[str, Any]]:
    """Axes of a map: the middle of the first pixel, and the sizes of pixels; rows go from north to south."""
    if text is None:
        return None, {}
    words = _listed(text)
    numbers = [_number(word) for word in words[1:7]]
    if len(numbers) < 6 or None in numbers:
        return None, {"map": words}
    column, row, x, y, dx, dy = (n for n in numbers if n is not None)
    unit = next((w.partition("=")[2].strip() for w in words if w.lower().startswith("units")), "")
    axes = [
        Axis("y", unit, -dy, y + (row - 1) * dy - dy / 2),
        Axis("x", unit, dx, x - (column - 1) * dx + dx / 2),
    ]
    return axes, {"map": words}


def _map_info(kept: dict[str, Any], spec: SignalSpec) -> str | None:
    """The field for where the signal lies now."""
    words = kept.get("map")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    if spec.axes is not None and len(words) >= 7:
        down, across = spec.axes[-2:]
        corner = (across.origin - across.spacing / 2, down.origin - down.spacing / 2)
        numbers = (1, 1, *corner, across.spacing, -down.spacing)
        words = [words[0], *(f"{n:.12g}" for n in numbers), *words[7:]]
    return "{" + ", ".join(words) + "}"
