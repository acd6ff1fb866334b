"""Reading signals: one table says which reader takes which file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.array import from_array, read_npy, read_npz
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.image import read_image
from partinr.signals.radiance import read_hdr, read_pfm
from partinr.signals.scattered import Samples, scattered
from partinr.signals.signal import Signal
from partinr.signals.sound import Part, read_sound
from partinr.signals.tiff import read_tiff
from partinr.signals.videos.clip import WHOLE, Clip
from partinr.signals.videos.folder import is_frames, read_frames
from partinr.signals.videos.video import read_video
from partinr.signals.volumes import dicom, envi, hdf5, metaimage, netcdf, nifti, nrrd
from partinr.signals.volumes.dataarray import from_xarray, is_dataarray
from partinr.signals.volumes.dicom import read_dicom
from partinr.signals.volumes.envi import read_envi
from partinr.signals.volumes.hdf5 import read_hdf5
from partinr.signals.volumes.located import Location, located
from partinr.signals.volumes.metaimage import read_metaimage
from partinr.signals.volumes.netcdf import read_netcdf
from partinr.signals.volumes.nifti import is_zipped_nifti, read_nifti
from partinr.signals.volumes.nrrd import read_nrrd
from partinr.signals.volumes.scan import Wish
from partinr.signals.volumes.zarr import is_zarr, read_zarr
from partinr.signals.wav import read_wav
from partinr.signals.weighting import masked, weighted


def read(
    path: str | os.PathLike[str],
    *,
    channels_last: bool | None = None,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    volume: int | None = None,
    start: float | None = None,
    stop: float | None = None,
    every: int | None = None,
    picture: int | None = None,
    fps: float | None = None,
) -> Signal:
    """Read a signal from a file: a NumPy array, a TIFF, an image, a sound, a video, a scan, or a named array.

    .npy and .npz files of one array, TIFF, portable float maps (.pfm), Radiance pictures (.hdr), and every
    image that Pillow reads, animated ones as videos; WAV, and with the extra `sound` every sound that
    libsndfile reads; with the extra `video` every video that FFmpeg reads; NIfTI, DICOM, NRRD and MetaImage;
    arrays in HDF5, NetCDF and Zarr; ENVI.

    What a file is, is seen from its first bytes, not from its name.

    Args:
        path: the file; a folder of a DICOM series, of frames (PNG, JPEG, TIFF, ...) or of Zarr;
            `file.h5:/path` for an array in a file of several.
        channels_last: for NumPy's files, whether the last axis holds the channels; None: as `from_array`.
        value_range: lowest and highest possible value, in the file's units. None: for integers of 8 and 16
            bits all that the type can hold, for other data the lowest and the highest value; for sounds all
            that the bits can hold, and -1..1 for floating-point numbers.
        max_pixels: greatest number of pixels of an image or of all frames of a video, samples of a sound, or
            values of a scan or an array, checked before they are decoded; None for no limit.
        volume: which volume of a file of several, from 0; None: there is one.
        start: the second of a sound or a video at which to begin; None for its beginning.
        stop: the second at which to end; None for its end.
        every: of a video, one of so many frames; None: all.
        picture: one frame of a video or one page of several, from 0, as a picture; None: all of them, a video
            or a stack, which must be one.
        fps: of a folder of frames, how many there are a second; None: 25.

    Raises:
        InputError: the file does not exist, cannot be read, is empty, damaged, truncated, of another kind or
            above the limit, or its values are not finite numbers on 1 to 3 axes and channels.

    Example:
        >>> import os, tempfile, numpy as np, partinr
        >>> path = os.path.join(tempfile.mkdtemp(), "volume.npy")
        >>> np.save(path, np.zeros((5, 20, 30), np.uint16))
        >>> partinr.read(path).spec.value_range
        (0.0, 65535.0)
    """
    place = located(Path(path))
    path = place.file
    clip = Clip(start, stop, every, picture, fps)
    options = _Options(channels_last, value_range, max_pixels, volume, place.inside, (start, stop), clip)
    reader = _reader_of(path)
    if not reader.several and (volume is not None or place.inside is not None):
        what = f"--volume {volume}" if place.inside is None else f":/{place.inside}"
        raise InputError(f"{path}: is a file of one signal ({reader.name}), without parts; leave out {what}")
    if clip.timed and not reader.timed:
        raise InputError(
            f"{path}: start and stop are for sounds and videos, got a file of the kind '{reader.name}'; "
            "leave them out"
        )
    if (every, picture) != (None, None) and not reader.paged:
        raise InputError(
            f"{path}: every and picture are for videos and pages, got a file of the kind '{reader.name}'; "
            "leave them out"
        )
    if fps is not None and not reader.rated:
        raise InputError(
            f"{path}: fps is for folders of frames, got a file of the kind '{reader.name}'; leave it out"
        )
    try:
        return reader.read(path, options)
    except InputError as error:
        # What is wrong with values is found where their file is not known.
        if str(error).startswith((f"{path}: ", f"{path}{os.sep}")):
            raise
        raise InputError(f"{path}: {error}") from error


def as_signal(signal: Any, mask: Any = None, weights: Any = None) -> Signal:
    """The signal itself, that of the file at a path or of samples anywhere, or what `from_array` makes of an
    array or a tensor.

    Args:
        signal: what it is made of.
        mask: which of its samples are there; see `from_array`.
        weights: of its samples' squared errors, see `partinr.signals.weighting.weighted`.
    """
    if isinstance(signal, Samples):
        signal = scattered(signal)
    if isinstance(signal, str | PathLike | Signal):
        found = signal if isinstance(signal, Signal) else read(Path(signal))
        found = found if mask is None else masked(found, mask)
    elif is_dataarray(signal):
        found = from_xarray(signal, mask=mask)
    else:
        found = from_array(signal, mask=mask)
    return found if weights is None else weighted(found, weights)


def read_beside(path: Path, shape: tuple[int, ...], max_pixels: int | None) -> Shaped[ndarray, "*shape"]:
    """The numbers of a mask or of weights for a signal of this shape, from an image or an array; NaN stays.

    Of images with several channels, those of colour must agree.

    Raises:
        InputError: the file cannot be read, or says several numbers for a sample.
    """
    found = read(path, channels_last=False if len(shape) == 3 else None, max_pixels=max_pixels)
    values = found.values.astype(np.float64)
    if found.spec.kind == "image" and found.channels in (2, 4):
        values = values[..., :-1]
    if (values != values[..., :1]).any():
        raise InputError(
            f"{path}: expected one number for each sample, got colours; save a grey image or an array"
        )
    numbers: Shaped[ndarray, "*shape"] = values[..., 0]
    return numbers if found.mask is None else np.where(found.mask, numbers, np.nan)


@dataclass(frozen=True)
class _Options:
    """The options of `read`; each reader takes those that concern it."""

    channels_last: bool | None
    value_range: tuple[float, float] | None
    max_pixels: int | None
    volume: int | None = None
    inside: str | None = None
    part: Part = (None, None)
    clip: Clip = WHOLE

    def wish(self) -> Wish:
        """The same for readers of volumes."""
        return Wish(self.value_range, self.max_pixels, self.volume, self.channels_last)


@dataclass(frozen=True)
class Reader:
    """A reader of some kind of file.

    Attributes:
        name: the kind of file, as people call it.
        magic: how such files begin, one of these.
        read: reads one.
        at: where that stands.
        several: whether such a file may hold several signals.
        timed: whether a part of it can be read, in seconds.
        paged: whether it may have frames or pages.
        rated: whether its rate must be said.
    """

    name: str
    magic: tuple[bytes, ...]
    read: Callable[[Path, _Options], Signal]
    at: int = 0
    several: bool = False
    timed: bool = False
    paged: bool = False
    rated: bool = False


def _npy(path: Path, options: _Options) -> Signal:
    return read_npy(path, channels_last=options.channels_last, value_range=options.value_range)


def _zip(path: Path, options: _Options) -> Signal:
    if is_zarr(path):
        return _zarr(path, options)
    return read_npz(
        path,
        channels_last=options.channels_last,
        value_range=options.value_range,
        max_pixels=options.max_pixels,
    )


def _gzip(path: Path, options: _Options) -> Signal:
    if not is_zipped_nifti(path):
        raise InputError(f"{path}: is compressed by gzip and holds no NIfTI; decompress it first")
    return _nifti(path, options)


def _nifti(path: Path, options: _Options) -> Signal:
    return read_nifti(path, options.wish())


def _dicom(path: Path, options: _Options) -> Signal:
    return read_dicom(path, options.wish())


def _nrrd(path: Path, options: _Options) -> Signal:
    return read_nrrd(path, options.wish())


def _metaimage(path: Path, options: _Options) -> Signal:
    return read_metaimage(path, options.wish())


def _envi(path: Path, options: _Options) -> Signal:
    return read_envi(path, options.wish())


def _hdf5(path: Path, options: _Options) -> Signal:
    return read_hdf5(Location(path, options.inside), options.wish())


def _netcdf(path: Path, options: _Options) -> Signal:
    return read_netcdf(Location(path, options.inside), options.wish())


def _zarr(path: Path, options: _Options) -> Signal:
    return read_zarr(Location(path, options.inside), options.wish())


def _pfm(path: Path, options: _Options) -> Signal:
    return read_pfm(path, value_range=options.value_range, max_pixels=options.max_pixels)


def _hdr(path: Path, options: _Options) -> Signal:
    return read_hdr(path, value_range=options.value_range, max_pixels=options.max_pixels)


def _tiff(path: Path, options: _Options) -> Signal:
    return read_tiff(path, value_range=options.value_range, max_pixels=options.max_pixels, clip=options.clip)


def _image(path: Path, options: _Options) -> Signal:
    return read_image(path, value_range=options.value_range, max_pixels=options.max_pixels, clip=options.clip)


def _frames(path: Path, options: _Options) -> Signal:
    def read_picture(file: Path) -> Signal:
        return _reader_of(file).read(file, _Options(None, None, options.max_pixels))

    return read_frames(
        path,
        options.clip,
        read_picture,
        value_range=options.value_range,
        max_pixels=options.max_pixels,
    )


def _video(path: Path, options: _Options) -> Signal:
    return read_video(path, options.clip, value_range=options.value_range, max_pixels=options.max_pixels)


def _wav(path: Path, options: _Options) -> Signal:
    return read_wav(path, value_range=options.value_range, max_pixels=options.max_pixels, part=options.part)


def _sound(path: Path, options: _Options) -> Signal:
    return read_sound(path, value_range=options.value_range, max_pixels=options.max_pixels, part=options.part)


_PICTURES = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc")
_IN_TIME = {"timed": True, "paged": True}

READERS = (
    Reader("NumPy array", (b"\x93NUMPY",), _npy),
    Reader("NumPy archive or zipped Zarr", (b"PK\x03\x04", b"PK\x05\x06"), _zip, several=True),
    Reader("DICOM", (dicom.MAGIC,), _dicom, at=dicom.MAGIC_AT, several=True),
    Reader("NIfTI", nifti.MAGIC, _nifti, several=True),
    Reader("compressed NIfTI", (b"\x1f\x8b",), _gzip, several=True),
    Reader("NRRD", (nrrd.MAGIC,), _nrrd, several=True),
    Reader("MetaImage", metaimage.MAGIC, _metaimage, several=True),
    Reader("ENVI", (envi.MAGIC,), _envi),
    # MATLAB puts a text in front.
    Reader("HDF5", (hdf5.MAGIC, b"MATLAB 7.3 MAT-file"), _hdf5, several=True),
    Reader("NetCDF", netcdf.MAGIC, _netcdf, several=True),
    Reader("portable float map", (b"PF", b"Pf"), _pfm),
    Reader("Radiance picture", (b"#?",), _hdr),
    # Little and big endian, classic and BigTIFF.
    Reader("TIFF", (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), _tiff, paged=True),
    Reader("WAV sound", (b"WAVE",), _wav, at=8, timed=True),
    Reader("AIFF sound", (b"AIFF", b"AIFC"), _sound, at=8, timed=True),
    # The others are Sony's, Apple's and Sun's; MP3 has a tag, or begins with one of its frames.
    Reader("sound", (b"fLaC", b"OggS", b"riff", b"caff", b".snd"), _sound, timed=True),
    Reader(
        "MP3 sound",
        (b"ID3", *(bytes([0xFF, n]) for n in (0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB))),
        _sound,
        timed=True,
    ),
    Reader("AVIF or HEIF picture", tuple(b"ftyp" + brand for brand in _PICTURES), _image, **_IN_TIME, at=4),
    # What boxes MP4 and MOV begin with.
    Reader("video", (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), _video, **_IN_TIME, at=4),
    Reader("AVI video", (b"AVI ",), _video, **_IN_TIME, at=8),
    # Matroska and WebM, Flash, Windows Media, MPEG, raw frames.
    Reader(
        "video",
        (b"\x1aE\xdf\xa3", b"FLV\x01", b"0&\xb2u", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"YUV4MPEG2", b"DKIF"),
        _video,
        **_IN_TIME,
    ),
    Reader("image", (b"",), _image, **_IN_TIME),
)
"""Every reader, the first that a file's beginning fits is taken; a new one is one line here."""

ZARR = Reader("Zarr", (), _zarr, several=True)
FRAMES = Reader("folder of frames", (), _frames, **_IN_TIME, rated=True)
SERIES = Reader("DICOM series", (), _dicom, several=True)
"""Readers of folders, of which the last takes those that are none of the others."""

_HEAD = max(reader.at + len(magic) for reader in READERS for magic in reader.magic)


def _reader_of(path: Path) -> Reader:
    """The reader of a file or folder."""
    if _is_folder(path):
        return ZARR if is_zarr(path) else FRAMES if is_frames(path) else SERIES
    head = _first_bytes(path)
    return next(r for r in READERS if head[r.at :].startswith(r.magic))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        # What is wrong with a name is said where it is opened.
        return False


def _first_bytes(path: Path) -> bytes:
    """The beginning of a file that can be read and is not empty."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: expected a file, got a device, pipe or socket; save it to a file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name and the folder {Path.cwd()}") from None
    except PermissionError:
        raise InputError(f"{path}: the file may not be read; check its permissions") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path!s:.200}: cannot be read ({reason}); check the name") from None
    if not head:
        raise InputError(f"{path}: the file is empty (0 bytes); write it again")
    return head
