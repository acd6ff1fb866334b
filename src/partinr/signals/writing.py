"""Writing signals: one table says which format holds what."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO, get_args

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.files import atomic_write
from partinr.shapes import Shaped
from partinr.signals.array import TOLD_MEMBER
from partinr.signals.png import write_png
from partinr.signals.pyramid import write_ome_tiff, write_ome_zarr
from partinr.signals.signal import Kind, SignalSpec
from partinr.signals.sound import flac_holds, write_flac
from partinr.signals.tiff_writing import Slabs, write_tiff
from partinr.signals.told import told
from partinr.signals.videos.animation import animation, animation_holds
from partinr.signals.videos.writing import (
    MKV,
    MOV,
    MP4,
    WEBM,
    film,
    film_holds,
    frames_folder,
    is_pattern,
    numbered,
)
from partinr.signals.volumes import envi
from partinr.signals.volumes.netcdf import write_netcdf
from partinr.signals.volumes.nifti import write_nifti, write_zipped_nifti
from partinr.signals.volumes.zarr import replaced_zarr, write_zarr
from partinr.signals.wav import wav_holds, write_wav

Writer = Callable[[Any, Slabs, tuple[int, ...], SignalSpec], None]
"""Writes slabs of a signal of a shape and a spec to what its format's `place` yields, mostly a binary "
"file."""


def write(path: str | os.PathLike[str], values: Shaped[ndarray, "*shape channels"], spec: SignalSpec) -> None:
    """Write a signal in the format that the suffix of the path names, or leave everything as it was.

    Args:
        path: the file; .wav, .flac, .png, .tif, .tiff, .npy, .npz, .nii, .nii.gz, .zarr, .nc, .hdr (ENVI),
            .pfm, .jpg, .jpeg, .webp, .bmp, .ppm, .pgm; of videos .mp4, .webm, .mov, .mkv, .gif, .webp, .apng,
            or a pattern for a picture of each frame, frames/%04d.png.
        values: values in the source's units and data type, as `spec.quantise` gives them. The lengths of the
            axes may differ from the spec's: a rendering at another size is written with the signal's spec.
        spec: the description of the signal.

    Raises:
        InputError: an unknown suffix, a format that cannot hold the data, values that are not of the spec's
            data type and number of axes and channels, or a path that cannot be written.
        OSError: the disk is full.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> signal = partinr.from_array(np.zeros((20, 30, 3), np.uint8), kind="image")
        >>> path = os.path.join(tempfile.mkdtemp(), "black.png")
        >>> partinr.write(path, signal.values, signal.spec)
        >>> partinr.read(path).shape
        (20, 30)
    """
    write_slabs(path, [values], values.shape[:-1], spec)


def write_slabs(path: str | os.PathLike[str], slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """Write a signal as `write` does, in parts, so that it need not fit into memory.

    PNG, TIFF, .npy and .npz keep one part in memory at a time, the other formats collect them.

    Args:
        path: the file.
        slabs: arrays of shape (n, *shape[1:], channels), consecutive along the first axis. They are asked for
            after the format and the path have been checked.
        shape: samples along each axis of the whole.
        spec: the description of the signal; its own shape may differ.

    Raises:
        InputError: as for `write`, or the parts together are not of this shape.
        OSError: the disk is full.
    """
    file_format = writable_format(path, shape, spec)
    with file_format.place(path) as place:
        file_format.writer(place, _checked(slabs, shape, spec), shape, spec)


def writable_format(path: str | os.PathLike[str], shape: tuple[int, ...], spec: SignalSpec) -> Format:
    """The format that the suffix of a path names, if it can hold such a signal; writes nothing.

    Raises:
        InputError: an unknown suffix or a format that cannot hold the data.
    """
    name = Path(path).name.lower()
    suffix = Path(name).suffix
    if min(shape) < 1:
        raise InputError(f"cannot write {path}: a signal needs at least one sample, got shape {shape}")
    if is_pattern(name) and len(shape) == 3:
        writable_format(numbered(name, 1), shape[1:], still_of(shape, spec))
        return FRAMES
    able = [f for f in FORMATS if f.holds(shape, spec)]
    choices = ", ".join(f.suffixes[0] for f in able if spec.kind in f.suits)
    ends = {s for f in FORMATS for s in f.suffixes if name.endswith(s) and name != s}
    own = [f for f in FORMATS if max(ends, key=len, default="") in f.suffixes]
    # Some suffixes are those of pictures and of animations.
    named = next((f for f in own if f in able), own[0] if own else None)
    if named is None:
        known = ", ".join(s for f in FORMATS for s in f.suffixes)
        raise InputError(
            f"cannot write {path}: the suffix must be one of {known}, got {suffix!r}; use {choices}"
        )
    if named not in able:
        size = " x ".join(map(str, shape))
        got = f"{spec.dtype} {spec.kind} of {size} samples and {spec.channels} channel(s)"
        raise InputError(f"cannot write {path}: {named.name} holds {named.limits}, got {got}; use {choices}")
    return named


def holds_fractions(path: str | os.PathLike[str]) -> bool:
    """Whether the format that the suffix of a path names holds floating-point numbers, or is not known."""
    suffix = Path(path).suffix.lower()
    named = next((f for f in FORMATS if suffix in f.suffixes), None)
    return named is None or "float32" in named.dtypes


def written_size(path: str | os.PathLike[str]) -> int:
    """Bytes of what `write` wrote to a path: all that is in a folder, and the data beside a header."""
    place = Path(path).parent if is_pattern(Path(path)) else Path(path)
    if place.is_dir():
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    beside = envi.data_beside(place) if place.suffix.lower() == ".hdr" else place
    return sum(file.stat().st_size for file in {place, beside})


def still_of(shape: tuple[int, ...], spec: SignalSpec) -> SignalSpec:
    """What describes one frame of a video, or one plane of a stack."""
    axes = spec.resampled(shape).axes
    return replace(spec, kind="image", shape=shape[1:], axes=axes and axes[1:], source={}, between="none")


def _write_frames(pattern: Path, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """Each frame into a file of its own, numbered from 1, as FFmpeg does."""
    number, still = 0, still_of(shape, spec)
    for slab in slabs:
        for frame in slab:
            number += 1
            path = pattern.with_name(numbered(pattern.name, number))
            file_format = writable_format(path, shape[1:], still)
            with path.open("xb") as file:
                file_format.writer(file, [frame], shape[1:], still)


@dataclass(frozen=True)
class Format:
    """A file format, what it holds without loss of a value or channel, and how it is written.

    Attributes:
        name: as people call it.
        suffixes: lower case, with the dot; the first is proposed in error messages.
        limits: what it holds, for error messages.
        dtypes: NumPy names of the data types that it holds.
        dims: numbers of axes that it holds, without channels.
        channels: numbers of channels that it holds; None for any.
        writer: writes it.
        longest: greatest length of an axis.
        suits: kinds of signals for which it is proposed.
        place: what takes the place of a path once it is whole: a file, a folder, or a pair of files.
        also: what else must be so of a shape and a spec.
    """

    name: str
    suffixes: tuple[str, ...]
    limits: str
    dtypes: tuple[str, ...]
    dims: tuple[int, ...]
    channels: tuple[int, ...] | None
    writer: Writer
    longest: int = 2**31 - 1
    suits: tuple[Kind, ...] = get_args(Kind)
    place: Callable[[Any], AbstractContextManager[Any]] = atomic_write
    also: Callable[[tuple[int, ...], SignalSpec], bool] = lambda shape, spec: True  # noqa: ARG005

    def holds(self, shape: tuple[int, ...], spec: SignalSpec) -> bool:
        """Whether it holds a signal of this shape and spec."""
        # In a picture two channels are grey and alpha; elsewhere they may be anything.
        pair = spec.channels == 2 and spec.kind not in ("image", "video")
        return (
            spec.dtype in self.dtypes
            and len(shape) in self.dims
            and max(shape) <= self.longest
            and (self.channels is None or (spec.channels in self.channels and not pair))
            and self.also(shape, spec)
        )


def _checked(slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> Iterator[Shaped[ndarray, "..."]]:
    """The slabs, each checked as it passes."""
    expected = (*shape, spec.channels)
    samples = 0
    for slab in slabs:
        if slab.dtype != spec.dtype:
            raise InputError(
                f"values to write must be of type {spec.dtype}, got {slab.dtype}; see SignalSpec.quantise"
            )
        if len(shape) != spec.dims or slab.shape[1:] != expected[1:]:
            raise InputError(
                f"values to write must have {spec.dims} axes and {spec.channels} channels like the signal, "
                f"{expected} in all, got a part of shape {slab.shape}"
            )
        samples += len(slab)
        yield slab
    if samples != shape[0]:
        raise InputError(f"values to write must have {shape[0]} samples along the first axis, got {samples}")


def _write_npy(
    file: BinaryIO | IO[bytes] | io.BufferedIOBase, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec
) -> None:
    from numpy.lib import format as npy

    whole = (*shape, spec.channels) if spec.channel_axis else shape
    descr = npy.dtype_to_descr(np.dtype(spec.dtype))
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": whole})
    for slab in slabs:
        file.write(np.ascontiguousarray(slab).data)


def _write_npz(file: BinaryIO, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """One array, named "values", and what it does not say; the time in the archive is always the same."""
    member = zipfile.ZipInfo("values.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    words = told(spec)
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(member, "w", force_zip64=True) as array:
            _write_npy(array, slabs, shape, spec)
        if words:
            archive.writestr(zipfile.ZipInfo(TOLD_MEMBER), json.dumps(words))


def _write_pfm(file: BinaryIO, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """Rows from bottom to top, little-endian, as the negative scale says."""
    kind = "PF" if spec.channels == 3 else "Pf"
    file.write(f"{kind}\n{shape[1]} {shape[0]}\n-1.0\n".encode())
    file.write(np.concatenate(list(slabs))[::-1].astype("<f4").tobytes())


def _write_png(file: BinaryIO, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    write_png(file.write, slabs, (shape[0], shape[1], spec.channels))


def _by_pillow(name: str, **options: object) -> Writer:
    """A writer of pictures of 8 bits; `options` are Pillow's for this format."""

    def write_picture(file: BinaryIO, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
        from PIL import Image

        values = np.concatenate(list(slabs)).reshape(*shape, spec.channels)
        encoded = io.BytesIO()
        # Pillow hides from the encoder's caller why a write to a real file failed, a full disk for one.
        Image.fromarray(values[..., 0] if spec.channels == 1 else values).save(encoded, name, **options)
        file.write(encoded.getbuffer())

    return write_picture


def _eight_bits(
    name: str, suffixes: tuple[str, ...], channels: tuple[int, ...], writer: Writer, longest: int = 2**31 - 1
) -> Format:
    """A format of pictures of 8 bits."""
    limits = f"8-bit pictures of {' or '.join(map(str, channels))} channel{'' if channels == (1,) else 's'}"
    bound = "" if longest == Format.longest else f" and up to {longest:,} pixels a side"
    return Format(name, suffixes, limits + bound, ("uint8",), (2,), channels, writer, longest)


_INTEGERS = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
_SOUND = ("uint8", "int8", "int16", "int32")
_FLOATS = ("float16", "float32", "float64")
_ARRAYS = ("arrays of numbers", ("bool", "uint64", "int64", *_INTEGERS, *_FLOATS), (1, 2, 3), None)
_SCANS = (
    "volumes of numbers but halves and booleans",
    (*_INTEGERS, "int64", "uint64", "float32", "float64"),
    (3,),
    None,
)
_FOR_SCANS: tuple[Kind, ...] = ("volume",)
_NAMED = ("arrays of numbers but halves and booleans", _SCANS[1], (1, 2, 3), None)
_DEEP = "8 or 16-bit pictures of 1 to 4 channels (two: grey and alpha)"
_STACKS = "pictures and stacks of up to 32-bit integers or 64-bit floating-point numbers"
_REAL = "32-bit floating-point pictures of 1 or 3 channels"

_PYRAMIDS = ("pictures of 1, 3 or 4 channels, and smaller ones of them", _INTEGERS + _FLOATS, (2,), (1, 3, 4))
_LEVELS = ("pictures and volumes, and smaller ones of them", _SCANS[1], (2, 3), None)
_FILMS: tuple[Kind, ...] = ("video",)
_FILM = ("videos of 8 or 10 bits and 1 or 3 channels", ("uint8", "uint16"), (3,), (1, 3))
_WEBM = ("videos of 8 bits and 1 or 3 channels, of square pixels", ("uint8",), (3,), (1, 3))
_LOSSLESS_FILM = (
    "videos of 8 to 16 bits and 1, 3 or 4 channels, of square pixels",
    ("uint8", "uint16"),
    (3,),
    (1, 3, 4),
)
_LONGEST_FILM = 16_384


def _animated(
    name: str, suffixes: tuple[str, ...], channels: tuple[int, ...], rate: int, **options: object
) -> Format:
    """A format of animated pictures of 8 bits, of so many frames a second at most."""
    limits = (
        f"videos of 8 bits and {' or '.join(map(str, channels))} channels, of square pixels and at most "
        f"{rate} frames a second"
    )
    writer, also = animation(name, **options), animation_holds(name)
    return Format(
        f"animated {name}", suffixes, limits, ("uint8",), (3,), channels, writer, 16_383, _FILMS, also=also
    )


_WAV = ("sounds of 8 to 32 bits or floating-point numbers below 4 GiB", (*_SOUND, *_FLOATS), (1,), None)
_FLAC = ("sounds of 8 to 24 bits and up to 8 channels", _SOUND, (1,), None)

FORMATS = (
    Format("WAV", (".wav",), *_WAV, write_wav, also=wav_holds),
    Format("FLAC", (".flac",), *_FLAC, write_flac, also=flac_holds),
    Format("PNG", (".png",), _DEEP, ("uint8", "uint16"), (2,), (1, 2, 3, 4), _write_png),
    Format("OME-TIFF", (".ome.tif", ".ome.tiff"), *_PYRAMIDS, write_ome_tiff, suits=()),
    Format("OME-Zarr", (".ome.zarr",), *_LEVELS, write_ome_zarr, suits=(), place=replaced_zarr),
    Format("TIFF", (".tif", ".tiff"), _STACKS, _INTEGERS + _FLOATS, (2, 3), None, write_tiff),
    Format("NumPy", (".npy",), *_ARRAYS, _write_npy),
    _eight_bits("JPEG", (".jpg", ".jpeg"), (1, 3), _by_pillow("JPEG", quality=95, subsampling=0), 65_500),
    _eight_bits("WebP", (".webp",), (3, 4), _by_pillow("WEBP", lossless=True, exact=True), 16_383),
    _eight_bits("BMP", (".bmp",), (1, 3), _by_pillow("BMP")),
    _eight_bits("PPM", (".ppm",), (3,), _by_pillow("PPM")),
    _eight_bits("PGM", (".pgm",), (1,), _by_pillow("PPM")),
    Format("PFM", (".pfm",), _REAL, ("float32",), (2,), (1, 3), _write_pfm),
    Format("NumPy archive", (".npz",), *_ARRAYS, _write_npz),
    Format("NIfTI", (".nii",), *_SCANS, write_nifti, suits=_FOR_SCANS),
    Format("compressed NIfTI", (".nii.gz",), *_SCANS, write_zipped_nifti, suits=_FOR_SCANS),
    Format("Zarr", (".zarr",), *_ARRAYS, write_zarr, suits=_FOR_SCANS, place=replaced_zarr),
    Format("NetCDF", (".nc",), *_NAMED, write_netcdf, suits=_FOR_SCANS),
    Format("MP4", (".mp4",), *_FILM, film(MP4), _LONGEST_FILM, _FILMS, also=film_holds(MP4)),
    Format("WebM", (".webm",), *_WEBM, film(WEBM), _LONGEST_FILM, _FILMS, also=film_holds(WEBM)),
    Format("MOV", (".mov",), *_FILM, film(MOV), _LONGEST_FILM, _FILMS, also=film_holds(MOV)),
    Format("Matroska", (".mkv",), *_LOSSLESS_FILM, film(MKV), 65_535, _FILMS, also=film_holds(MKV)),
    _animated("GIF", (".gif",), (1, 3), 50, optimize=True),
    _animated("WEBP", (".webp",), (3,), 1000, lossless=True),
    _animated("PNG", (".apng",), (1, 3, 4), 1000),
    Format(
        "ENVI",
        (".hdr",),
        "arrays of lines, samples and bands",
        envi.DTYPES,
        (2,),
        None,
        envi.write_envi,
        suits=(),
        place=envi.written_pair,
    ),
)
"""Every format that `write` writes; a new one is one line here."""

FRAMES = Format(
    "frames", (), "stacks of pictures", (), (3,), None, _write_frames, suits=(), place=frames_folder
)
"""Frames that a pattern names, each a picture: frames/%04d.png."""
