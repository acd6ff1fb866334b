"""Which files are read in parts, and how: TIFF, NumPy's arrays, HDF5 and Zarr, here or at an address."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Shaped
from partinr.signals import Signal, as_signal
from partinr.signals.array import has_channel_axis, npy_header
from partinr.signals.decoding import decoding
from partinr.signals.reading import read
from partinr.signals.signal import SignalSpec
from partinr.signals.tiff import Headers, Told, headers
from partinr.signals.tiff_places import own_words, places
from partinr.signals.tiff_window import ReadAhead, window_of_tiff
from partinr.signals.volumes.dataarray import named_dataarray
from partinr.signals.volumes.hdf5 import MAGIC as HDF5_MAGIC
from partinr.signals.volumes.hdf5 import format_of, named_hdf5
from partinr.signals.volumes.located import Location, located
from partinr.signals.volumes.named import Selected, selected
from partinr.signals.volumes.scan import Wish, scaling, worth_telling
from partinr.signals.volumes.zarr import MARKS, is_zarr, named_zarr
from partinr.tiles.addresses import (
    address,
    brief_error,
    filesystem,
    is_address,
    on_this_machine,
    reaching,
)
from partinr.tiles.picture import PictureSource, picture_in_parts
from partinr.tiles.ranges import Ranges
from partinr.tiles.source import (
    ArraySource,
    SignalSource,
    Source,
    SourceChanged,
    Span,
    Window,
    plain_spec,
    ranged_by_type,
)

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_NUMPY = b"\x93NUMPY"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff")
# What a file's time of change is called, by the file systems of fsspec that have one.
_CHANGED = (
    *("ETag", "etag", "mtime", "LastModified", "Last-Modified", "last_modified", "Content-MD5"),
    *("updated", "modified", "created"),
)


def opened_source(
    signal: Any,
    *,
    channels_last: bool | None = None,
    value_range: Span | None = None,
    volume: int | None = None,
    scratch: Path | None = None,
) -> Source[Any]:
    """A signal that is read in parts.

    Args:
        signal: the path or the address of a file: TIFF (tiled or in strips, BigTIFF, OME-TIFF, COG, SVS),
            NumPy's .npy, HDF5 and NetCDF-4 (`file.h5:/path`), Zarr and OME-Zarr (a folder, a zip file, an
            address); other files are read as a whole. An array with shape, dtype and slicing, such as
            NumPy's, Dask's, h5py's and Zarr's; a variable of xarray's; a `Signal`.
        channels_last: as for `from_array`.
        value_range: lowest and highest possible value; None: as `read` has it, for which all values are
            looked at where the type does not say it.
        volume: which volume of a file of several.
        scratch: folder on whose disk pixels of a large PNG or JPEG are while it is open; None for that of
            temporary files.

    Raises:
        InputError: it cannot be opened, or is no signal.
    """
    wish = Wish(value_range, None, volume, channels_last)
    if isinstance(signal, Source):
        return signal
    if isinstance(signal, Signal):
        return SignalSource("the signal", signal)
    if isinstance(signal, str | os.PathLike):
        return _opened_file(signal, wish, scratch)
    if type(signal).__module__.startswith("xarray."):
        return XarraySource(signal, wish)
    if isinstance(signal, np.ma.MaskedArray) or not all(hasattr(signal, a) for a in ("shape", "dtype")):
        return SignalSource("the signal", as_signal(signal))
    if type(signal).__module__.startswith("torch"):
        return SignalSource("the signal", as_signal(signal))
    return ArraySource(signal, channels_last, value_range)


def read_in_parts(
    path: str | os.PathLike[str], *, channels_last: bool | None = None, volume: int | None = None
) -> Source[Any] | None:
    """A file that can be read in parts; None of one that cannot.

    Raises:
        InputError: it cannot be read.
    """
    return _parts_of(_file(path), Wish(None, None, volume, channels_last))


def _file(path: str | os.PathLike[str]) -> File:
    if not is_address(path):
        return File.local(path)
    url, _, inside = address(path).rpartition(":/")
    if inside.startswith("/"):  # behind the scheme
        return File(Location(Path(address(path)), None), address(path))
    return File(Location(Path(url), inside.strip("/")), url)


def _parts_of(file: File, wish: Wish, scratch: Path | None = None) -> Source[Any] | None:
    if file.is_zarr():
        return ZarrSource(file, wish)
    head = file.head()
    if head.startswith(_TIFF):
        return TiffSource(file, wish.value_range)
    if head.startswith(_NUMPY) and file.url is None:
        return NumpySource(file, wish)
    if head.startswith(_PICTURES) and file.url is None:
        spec = picture_in_parts(file.place.file, wish.value_range)
        return None if spec is None else PictureSource(file.place.file, spec, file.identity(), scratch)
    return Hdf5Source(file, wish) if head.startswith(HDF5_MAGIC) else None


def _opened_file(path: str | os.PathLike[str], wish: Wish, scratch: Path | None) -> Source[Any]:
    file = _file(path)
    found = _parts_of(file, wish, scratch)
    if found is not None:
        return found
    with on_this_machine(path) as here:
        identity = file.identity() if file.url is not None or here.exists() else {}
        whole = read(here, channels_last=wish.channels_last, value_range=wish.value_range, volume=wish.volume)
    return SignalSource(str(file), whole, identity)


class File:
    """A file or folder on this machine, or at an address.

    Attributes:
        place: where it is, and which array in it is meant.
        url: its address; None on this machine.
    """

    def __init__(self, place: Location, url: str | None) -> None:
        self.place, self.url = place, url

    @classmethod
    def local(cls, path: str | os.PathLike[str]) -> File:
        """A file on this machine."""
        place = located(Path(path))
        return cls(Location(place.file.absolute(), place.inside), None)

    def __str__(self) -> str:
        return self.url or str(self.place.file)

    @property
    def name(self) -> str:
        """Its name, without folders."""
        return str(self).rstrip("/").rpartition("/")[2]

    def is_zarr(self) -> bool:
        """Whether it is Zarr; at an address, by its name."""
        if self.url is None:
            return is_zarr(self.place.file)
        bare = self.url.rstrip("/").lower().removesuffix(".zip")
        return bare.endswith(".zarr") or ".zarr/" in bare

    def head(self) -> bytes:
        """Its first bytes.

        Raises:
            InputError: there is none that can be read.
        """
        try:
            with self.opened() as file:
                found: bytes = file.read(8)
                return found
        except InputError:
            raise
        except (OSError, ValueError):
            if self.url is None:
                # `read` says what is wrong with it.
                return b""
            raise InputError(f"cannot read {self}: no such file; check the name") from None

    def opened(self) -> Any:
        """It, open to read bytes."""
        if self.url is None:
            return self.place.file.open("rb")
        return Ranges(self.url)

    def store(self) -> Any:
        """A store of Zarr in it."""
        from zarr.storage import FsspecStore, LocalStore, ZipStore

        if self.url is not None:
            if self.url.lower().endswith(".zip"):
                raise InputError(f"{self}: of Zarr at an address, folders are read; copy it to this machine")
            filesystem(self.url)  # what is missing for it is said
            return FsspecStore.from_url(self.url, read_only=True)
        folder = self.place.file.is_dir()
        return LocalStore(self.place.file, read_only=True) if folder else ZipStore(self.place.file, mode="r")

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`; a folder is known by what describes it."""
        try:
            if self.url is None:
                path = self.place.file
                marks = [path] if path.is_file() else sorted(path.glob("*.json")) + sorted(path.glob(".z*"))
                seen = [one.stat() for one in marks] or [path.stat()]
                return {
                    "name": self.name,
                    "bytes": sum(one.st_size for one in seen),
                    "changed": max(one.st_mtime_ns for one in seen),
                }
            files, root = filesystem(self.url)
            files.invalidate_cache(root)
            with reaching(self.url):
                if self.is_zarr():
                    return {"name": self.name, "metadata": _metadata(files, root)}
                info = files.info(root)
        except (FileNotFoundError, InputError) as error:
            raise self.gone(error) from None
        except OSError as error:
            raise SourceChanged(f"{self}: cannot be read any more ({brief_error(error)})") from error
        changed = next((str(info[key]) for key in _CHANGED if info.get(key)), "")
        return {"name": self.name, "bytes": info.get("size") or 0, "changed": changed}

    def gone(self, error: Exception) -> InputError:
        """What to say where it was read before."""
        if isinstance(error, FileNotFoundError):
            return SourceChanged(f"{self}: is no longer there; put it back and go on with --resume")
        return SourceChanged(f"{error}; go on with --resume once it can be read")


def _metadata(files: Any, root: str) -> str:
    """Checksum of what describes Zarr at an address, of version 3 or 2.

    Raises:
        FileNotFoundError: there is none.
    """
    found = []
    for name in MARKS:
        with suppress(FileNotFoundError):
            found.append(files.cat_file(f"{root}/{name}"))
            if name == MARKS[0]:
                break
    if not found:
        raise FileNotFoundError
    return hashlib.sha256(b"".join(found)).hexdigest()[:16]


class _FileSource(Source[Any]):
    """A source that is a file."""

    def __init__(self, file: File, spec: SignalSpec, ranged: bool) -> None:
        super().__init__(str(file), spec, ranged)
        self.file = file

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return self.file.identity()


class NumpySource(_FileSource):
    """A .npy file, of which a window at a time is mapped into memory."""

    def __init__(self, file: File, wish: Wish) -> None:
        with file.opened() as opened:
            shape, dtype = npy_header(opened)
            expected = opened.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if file.identity()["bytes"] < expected:
            raise InputError(f"{file}: truncated: {shape} values of {dtype} take {expected:,} bytes")
        channel_axis = has_channel_axis(shape, wish.channels_last)
        spec = plain_spec(shape, dtype, channel_axis, wish.value_range)
        super().__init__(file, spec, ranged_by_type(dtype, wish.value_range))

    def _open(self) -> Any:
        return None

    def _values(self, window: Window) -> Shaped[ndarray, "..."]:
        # Mapped anew, so that what has been read does not count as this process' memory for good.
        with _vanishing(self.file):
            return np.array(np.load(self.file.place.file, mmap_mode="r", allow_pickle=False)[window])


class TiffSource(_FileSource):
    """A TIFF file, of which the strips or tiles in a window are decoded."""

    _ahead: ReadAhead | None = None

    def __init__(self, file: File, value_range: Span | None) -> None:
        self.file, self._handle = file, None
        found = self.handle
        shut = self._shut
        series, axes = found.series, found.axes
        if found.meaning.orientation not in (0, 1):
            raise InputError(
                f"{file}: is turned (orientation {found.meaning.orientation}), and such files are read as a "
                "whole; save it upright"
            )
        shape = tuple(axes.shape[i] for i in axes.space)
        with _reading(file, "a TIFF image"):
            corner = window_of_tiff(found, tuple(slice(0, 1) for _ in shape))
            corner = corner.reshape(*(1 for _ in shape), -1)
            tiff = series.parent
            told = Told(own_words(series.keyframe), *places(tiff, len(shape)), found.meaning.value_range)
        # What is said of the whole does not depend on which values are there.
        source = {name: value for name, value in told.source.items() if name != "fill"}
        known = np.zeros_like(corner)
        one = told._replace(source=source).signal(known, value_range or told.value_range, {})
        dtype = np.dtype(one.spec.dtype)
        ranged = ranged_by_type(dtype, value_range) or one.spec.value_range != (0.0, 1.0)
        spec = replace(one.spec, shape=shape, source={**one.spec.source, **told.source})
        super().__init__(file, spec, ranged)
        self._handle, self._shut = found, shut

    def __getstate__(self) -> dict[str, Any]:
        """See `Source`."""
        return {**super().__getstate__(), "_ahead": None}

    def _open(self) -> Headers:
        from tifffile import TiffFile

        with _vanishing(self.file), _reading(self.file, "a TIFF image"):
            local = self.file.url is None
            opened: Any = self.file.place.file if local else self.file.opened()
            self._ahead = None if local else opened.read_ahead
            tiff = TiffFile(opened)
            self._shut = tiff.close
            return headers(self.file.place.file, tiff, None, local=local)

    def _values(self, window: Window) -> Shaped[ndarray, "..."]:
        found = self.handle
        with _reading(self.file, "a TIFF image"):
            return window_of_tiff(found, window, self._ahead)


class _NamedSource(_FileSource):
    """An array with names."""

    scan = True
    what = "an array"

    def __init__(self, file: File, wish: Wish) -> None:
        self.file, self._wish, self._handle = file, wish, None
        found = self.handle
        shut = self._shut
        super().__init__(file, *named_spec(found, wish))
        self._handle, self._shut = found, shut

    def _values(self, window: Window) -> Shaped[ndarray, "..."]:
        found: Selected = self.handle
        with _reading(self.file, self.what):
            return found.values(window)


class Hdf5Source(_NamedSource):
    """An array in an HDF5 or NetCDF-4 file."""

    what = "an HDF5 file"

    def _open(self) -> Selected:
        need("h5py", "reading HDF5 and NetCDF-4", "volumes")
        import h5py

        with _vanishing(self.file), _reading(self.file, self.what):
            opened = h5py.File(self.file.place.file if self.file.url is None else self.file.opened(), "r")
            self._shut = opened.close
            return selected(named_hdf5(self.file.place, opened), self._wish, format_of(opened))


class ZarrSource(_NamedSource):
    """An array of Zarr."""

    what = "Zarr"

    def _open(self) -> Selected:
        need("zarr", "reading Zarr", "volumes")
        with _vanishing(self.file), _reading(self.file, self.what):
            store = self.file.store()
            self._shut = store.close
            return selected(named_zarr(self.file.place, store), self._wish, "Zarr")


class XarraySource(Source[Any]):
    """A variable of xarray's, whatever holds its values."""

    scan = True
    shared = False

    def __init__(self, array: Any, wish: Wish) -> None:
        if not hasattr(array, "dims") or not hasattr(array, "dtype"):
            names = ", ".join(map(str, getattr(array, "data_vars", ())))
            raise InputError(f"expected one variable of xarray's, got a data set; name one of: {names:.200}")
        named = named_dataarray(array, "the variable")
        self._selected = selected(named, wish, "xarray")
        super().__init__("the variable", *named_spec(self._selected, wish))

    def _open(self) -> Any:
        return self._selected

    def _values(self, window: Window) -> Shaped[ndarray, "..."]:
        return self._selected.values(window)

    def __getstate__(self) -> dict[str, Any]:
        """Others are sent what they need."""
        return {**super().__getstate__(), "_selected": None}


def named_spec(found: Selected, wish: Wish) -> tuple[SignalSpec, bool]:
    """What an array with names represents, and whether its value range is known."""
    dtype, channel = found.array.dtype, found.channel
    shape = found.shape if channel is None else (*found.shape, found.array.shape[channel])
    spec = replace(
        plain_spec(shape, dtype, channel is not None, wish.value_range),
        kind="volume" if len(found.shape) == 3 else "array",
        axes=None if found.axes is None else tuple(found.axes),
        source=worth_telling(found.source),
    )
    scaling(spec)
    return spec, ranged_by_type(dtype, wish.value_range, scan=True)


@contextmanager
def _reading(file: File, what: str) -> Iterator[None]:
    """Surrounds the decoding of a file; see `decoding`. Paths lose strokes of addresses, errors have them."""
    path = file.place.file
    if file.url is None:
        with decoding(path, what):
            yield
        return
    try:
        with decoding(path, what):
            try:
                with reaching(file.url):
                    yield
            except FileNotFoundError:
                raise InputError(f"cannot read {file}: no such file; check the name") from None
    except InputError as error:
        raise type(error)(str(error).replace(str(path), file.url)) from error


@contextmanager
def _vanishing(file: File) -> Iterator[None]:
    """Surrounds the opening of a file."""
    try:
        yield
    except FileNotFoundError:
        raise SourceChanged(f"{file}: is no longer there; put it back and go on with --resume") from None
    except PermissionError:
        raise InputError(f"{file}: the file may not be read; check its permissions") from None
    except InputError as error:
        if "No such file" in str(error):
            raise SourceChanged(f"{file}: is not there; check the name") from None
        raise
