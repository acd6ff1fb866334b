"""NIfTI-1 and NIfTI-2, plain or compressed, and Analyze's pairs of files: by nibabel.

The signal's axes are (plane, row, column), nibabel's (i, j, k) from behind, so that samples lie in memory as
they do in the file. Integers are kept as they are stored; slope and intercept stand in the source.

Source: NIfTI-1.1, nifti1.h, and NIfTI-2, nifti2.h, nifti.nimh.nih.gov.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Shaped
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.volumes.geometry import affine_of, described, spacings
from partinr.signals.volumes.scan import Wish, scaling, scan_signal

MAGIC = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
"""The length of the header, 348 or 540, in either order of bytes."""

# What else the header says, by its fields; written back as it was.
_NUMBERS = (
    *("qform_code", "sform_code", "cal_min", "cal_max", "intent_code", "intent_p1", "intent_p2", "intent_p3"),
    *("slice_code", "slice_start", "slice_end", "slice_duration", "toffset", "dim_info"),
)
_TEXTS = ("descrip", "aux_file", "intent_name")
# Codes of xyzt_units for lengths.
_UNITS = {"unknown": "", "meter": "m", "mm": "mm", "micron": "um"}
_TIMES = ("sec", "msec", "usec")
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_RGBA = np.dtype([*_RGB.descr, ("A", "u1")])
# Code of an affine to the coordinates of some other scan.
_ALIGNED = 2
# Share of an affine's greatest number that quaternions in single precision may miss.
_CLOSE = 1e-5


def is_zipped_nifti(path: Path) -> bool:
    """Whether a file compressed by gzip holds a NIfTI."""
    try:
        with gzip.open(path) as file:
            return file.read(4) in MAGIC
    except (OSError, EOFError):
        return False


def read_nifti(path: Path, wish: Wish) -> Signal:
    """A signal from a NIfTI file: one volume, with vectors or colours as channels.

    Raises:
        InputError: nibabel is not there; a damaged or truncated file; one above the limit; several volumes
            of which none was named; a singular affine.
    """
    need("nibabel", "reading NIfTI", "volumes")
    import nibabel

    with decoding(path, "a NIfTI file"):
        image: Any = nibabel.load(path)
        stored = image.dataobj
        dtype = np.dtype(stored.dtype)
        shape = tuple(int(n) for n in stored.shape) + (1,) * (3 - len(stored.shape))
        wish.check(path, (*shape[:3], *shape[4:]), dtype.itemsize)
        _check_whole(path, stored, dtype)
        count = math.prod(shape[3:4])
        chosen = wish.chosen(path, count)
        if len(shape) > 5 and math.prod(shape[5:]) > 1:
            raise InputError(f"{path}: has {len(shape)} axes, of shape {shape}; save one volume of it")
        part: tuple[Any, ...] = (slice(None),) * 3 if len(shape) == 3 else (slice(None),) * 3 + (chosen,)
        if len(stored.shape) < 3:
            part = part[: len(stored.shape)]
        values = _unscaled(stored, part)
        colours = dtype.fields is not None
        if colours:
            values = _as_channels(path, values)
        values = values.reshape(*shape[:3], *((values.shape[-1],) if colours else shape[4:5]))
        source = _source(image, colours)
        axes, geometry = described(image.affine, source.pop("unit"))
        channel_axis = values.ndim == 4
        values = np.moveaxis(values, (0, 1, 2), (2, 1, 0))
    return scan_signal(
        values,
        wish,
        channel_axis=channel_axis,
        axes=axes,
        source={"format": "NIfTI", **geometry, **source},
    )


def write_nifti(
    file: BinaryIO,
    slabs: Iterable[Shaped[ndarray, "_ rows columns channels"]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """Write a volume; one of a channel plane by plane.

    Args:
        file: as for all writers.
        slabs: consecutive planes.
        shape: of the whole.
        spec: of what is written; its source has the affine, slope and intercept.

    Raises:
        InputError: nibabel is not there, or the source has an affine that is none.
    """
    _put(file.write, slabs, shape, spec)


def write_zipped_nifti(
    file: BinaryIO,
    slabs: Iterable[Shaped[ndarray, "_ rows columns channels"]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """As `write_nifti`, compressed; the same values give the same bytes."""
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
        _put(zipped.write, slabs, shape, spec)


def _put(
    put: Callable[[Any], object],
    slabs: Iterable[Shaped[ndarray, "_ rows columns channels"]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """Give all bytes of a file to a function, one after another."""
    put(_header(shape, spec))
    if spec.channels == 1 or _coloured(spec):
        for slab in slabs:
            put(np.ascontiguousarray(slab).data)
        return
    whole = np.concatenate(list(slabs))
    for channel in range(spec.channels):
        put(np.ascontiguousarray(whole[..., channel]).data)


def _check_whole(path: Path, stored: Any, dtype: np.dtype[Any]) -> None:
    """Refuse a file without compression that is shorter than its header claims, by its size alone."""
    name = Path(stored.file_like)
    if name.suffix.lower() in (".gz", ".bz2", ".zst"):
        return
    end = int(stored.offset) + math.prod(stored.shape) * dtype.itemsize
    size = name.stat().st_size
    if size < end:
        raise InputError(f"{path}: truncated: the samples reach to byte {end:,}, the file has {size:,}")


def _unscaled(stored: Any, part: tuple[Any, ...]) -> Shaped[ndarray, "..."]:
    """Samples as they are stored; of several volumes only the one asked for is read."""
    from nibabel.fileslice import fileslice
    from nibabel.openers import ImageOpener

    with ImageOpener(stored.file_like) as file:
        values: Shaped[ndarray, "..."] = fileslice(
            file, part, stored.shape, stored.dtype, stored.offset, order=stored.order
        )
    return values


def _as_channels(path: Path, values: Shaped[ndarray, "..."]) -> Shaped[ndarray, "... channels"]:
    """Colours as a last axis."""
    if values.dtype not in (_RGB, _RGBA):
        raise InputError(f"{path}: expected numbers or colours of 8 bits, got {values.dtype}; convert them")
    packed = np.ascontiguousarray(values)
    return packed.view(np.uint8).reshape(*values.shape, len(values.dtype.names or ()))


def _source(image: Any, colours: bool) -> dict[str, Any]:
    """Slope, intercept, unit, and fields of the header that are not empty."""
    header, stored = image.header, image.dataobj
    names = header.keys()
    kept: dict[str, Any] = {}
    for name in _NUMBERS:
        if name in names and np.isfinite(number := header[name].item()) and number != 0:
            kept[name] = number
    for name in _TEXTS:
        if name in names and (text := bytes(header[name].item()).rstrip(b"\0")):
            kept[name] = text.decode("latin-1")
    length, time = header.get_xyzt_units() if "xyzt_units" in names else ("mm", "unknown")
    if time in _TIMES:
        kept["time_unit"] = time
    if colours:
        kept["colours"] = True
    return {
        "slope": float(stored.slope),
        "intercept": float(stored.inter),
        "unit": _UNITS[length],
        "nifti": kept,
    }


def _coloured(spec: SignalSpec) -> bool:
    """Whether channels are colours: as they were in the file, or of a picture."""
    kept = spec.source.get("nifti")
    told = isinstance(kept, dict) and kept.get("colours") is True
    return spec.dtype == "uint8" and spec.channels in (3, 4) and (told or spec.kind in ("image", "video"))


def _header(shape: tuple[int, ...], spec: SignalSpec) -> bytes:
    """The header, and the four bytes behind it that say that there is no extension."""
    need("nibabel", "writing NIfTI", "volumes")
    import nibabel

    planes = (1, 1, *shape)[-3:]
    large = max(planes) > np.iinfo(np.int16).max or spec.channels > np.iinfo(np.int16).max
    kind: Any = nibabel.Nifti2Header if large else nibabel.Nifti1Header
    header: Any = kind()
    coloured = _coloured(spec)
    header.set_data_dtype((_RGB if spec.channels == 3 else _RGBA) if coloured else spec.dtype)
    vectors = (1, spec.channels) if spec.channels > 1 and not coloured else ()
    header.set_data_shape((*planes[::-1], *vectors))
    affine = affine_of(spec)
    header.set_zooms((*spacings(affine[:3]), *(1.0 for _ in vectors)))
    _place(header, affine, _kept(spec))
    for name, value in _kept(spec).items():
        if name in (*_NUMBERS, *_TEXTS) and not name.endswith("form_code"):
            try:
                header[name] = value.encode("latin-1") if isinstance(value, str) else value
            except (TypeError, ValueError, OverflowError, UnicodeError):
                raise InputError(
                    f"the source's nifti field {name} cannot be {value!r:.80}; remove it"
                ) from None
    if vectors:
        header["intent_code"] = 1007
    unit = "" if spec.axes is None else spec.axes[-1].unit
    length = next((name for name, short in _UNITS.items() if short == unit), "unknown")
    time = _kept(spec).get("time_unit")
    header.set_xyzt_units(length, time if time in _TIMES else "unknown")
    header["scl_slope"], header["scl_inter"] = scaling(spec)
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    return bytes(header.binaryblock) + bytes(4)


def _kept(spec: SignalSpec) -> dict[str, Any]:
    kept = spec.source.get("nifti")
    return kept if isinstance(kept, dict) else {}


def _place(header: Any, affine: Any, kept: dict[str, Any]) -> None:
    """State the affine in those of its two forms that the file had, or in the other if they cannot."""
    codes = {name: kept.get(name, 0) for name in ("qform_code", "sform_code")}
    if any(code not in range(6) for code in codes.values()):
        raise InputError(f"the source's codes of forms must be 0 to 5, got {codes}")
    if codes["qform_code"] or not codes["sform_code"]:
        header.set_qform(affine, codes["qform_code"], strip_shears=True)
    if codes["sform_code"]:
        header.set_sform(affine, codes["sform_code"])
    reach = np.abs(affine).max()
    if not np.allclose(header.get_best_affine(), affine, rtol=0, atol=_CLOSE * reach):
        header.set_sform(affine, _ALIGNED)
