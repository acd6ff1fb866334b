"""Collections of signals: a folder, an LSUN database, or a list of paths."""

from __future__ import annotations

import codecs
import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.hashing import permute, splitmix64
from partinr.shapes import Int64
from partinr.signals import MAX_PIXELS, Signal, read

if TYPE_CHECKING:
    import lmdb

_DATABASE = "data.mdb"
_ARRAYS = (".npy", ".npz", ".tif", ".tiff", ".pfm", ".hdr")

# How text files begin that say their encoding; UTF-16 begins as UTF-32 does.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Collection(ABC):
    """Signals that are read when they are asked for.

    Its subclasses are what `open_collection` returns.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name(self, index: int) -> str:
        """What a signal is called, for messages and tables."""

    @abstractmethod
    def read(self, index: int) -> Signal:
        """One signal.

        Raises:
            InputError: it cannot be read.
        """


@dataclass(frozen=True)
class Files(Collection):
    """Files of any kind that `partinr.read` takes.

    Attributes:
        root: the folder that names are relative to.
        paths: the files.
        max_pixels: greatest number of pixels, checked before decoding; None for no limit.
    """

    root: Path
    paths: tuple[Path, ...]
    max_pixels: int | None = MAX_PIXELS

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """See `Collection.name`; the path from `root`."""
        path = self.paths[index]
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def read(self, index: int) -> Signal:
        """See `Collection.read`."""
        return read(self.paths[index], max_pixels=self.max_pixels)


@dataclass(frozen=True)
class Database(Collection):
    """An LMDB environment whose values are encoded images, as LSUN is published.

    Source: Yu, Seff, Zhang, Song, Funkhouser, Xiao, "LSUN: Construction of a Large-scale Image Dataset using
    Deep Learning with Humans in the Loop", arXiv 1506.03365, and its published tools.

    Attributes:
        path: the folder with `data.mdb`.
        keys: the images.
        max_pixels: greatest number of pixels, checked before decoding; None for no limit.
    """

    path: Path
    keys: tuple[bytes, ...]
    max_pixels: int | None = MAX_PIXELS

    def __len__(self) -> int:
        return len(self.keys)

    def name(self, index: int) -> str:
        """See `Collection.name`; the key."""
        return self.keys[index].decode("utf-8", "backslashreplace")

    def read(self, index: int) -> Signal:
        """See `Collection.read`."""
        with _environment(self.path).begin() as transaction:
            encoded = transaction.get(self.keys[index])
        if not encoded:
            raise InputError(f"{self.path}, key {self.name(index)}: nothing is stored under it")
        # By way of a file: the readers of deep images want one.
        with tempfile.TemporaryDirectory(prefix="partinr-") as folder:
            path = Path(folder) / "image"
            path.write_bytes(encoded)
            try:
                return read(path, max_pixels=self.max_pixels)
            except InputError as error:
                name = f"{self.path}, key {self.name(index)}"
                raise InputError(str(error).replace(str(path), name)) from error


@dataclass(frozen=True)
class Part(Collection):
    """Some of the signals of a collection."""

    whole: Collection
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """See `Collection.name`."""
        return self.whole.name(self.indices[index])

    def read(self, index: int) -> Signal:
        """See `Collection.read`."""
        return self.whole.read(self.indices[index])


def open_collection(path: str | os.PathLike[str], *, max_pixels: int | None = MAX_PIXELS) -> Collection:
    """A folder with images anywhere below it, an LSUN database (a folder with `data.mdb`), or a text file
    with one path a line, relative to the text file's folder, in UTF-8 or with a byte order mark.

    In a folder, names decide what counts as an image; hidden files do not.

    Args:
        path: the folder or file.
        max_pixels: greatest number of pixels of an image; None for no limit.

    Raises:
        InputError: there is no such thing, it has no images, it is no database, or the package lmdb is
            missing.

    Example:
        >>> import numpy as np, tempfile, partinr
        >>> folder = tempfile.mkdtemp()
        >>> np.save(folder + "/ramp.npy", np.linspace(0, 1, 50))
        >>> collection = partinr.open_collection(folder)
        >>> len(collection), collection.name(0), collection.read(0).shape
        (1, 'ramp.npy', (50,))
    """
    path = Path(path)
    try:
        if (path / _DATABASE).exists():
            return _database(path, max_pixels)
        if path.is_dir():
            return _folder(path, max_pixels)
        if path.is_file():
            return _list(path, max_pixels)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path!s:.200}: cannot be read ({error}); check the name") from None
    raise InputError(f"no such folder or file: {path!s:.200}; expected images, an LSUN database or a list")


def split(collection: Collection, held_out: int, seed: int) -> tuple[Collection, Collection]:
    """The collection without some signals, and these, drawn by the seed.

    Raises:
        InputError: nothing would be left to learn from.
    """
    if not 0 <= held_out < len(collection):
        raise InputError(
            f"of {len(collection)} signals at most {len(collection) - 1} can be held out, got {held_out}"
        )
    order = shuffled(len(collection), seed)
    chosen = set(order[:held_out].tolist())
    kept = tuple(i for i in range(len(collection)) if i not in chosen)
    return Part(collection, kept), Part(collection, tuple(sorted(chosen)))


def shuffled(count: int, seed: int) -> Int64[ndarray, "count"]:
    """The numbers 0..count-1 in the order that a seed names."""
    key = splitmix64(np.array([seed % (1 << 64)], np.uint64)).astype(np.uint32)
    index = np.arange(count, dtype=np.uint32)
    return permute(index, np.full(count, count, np.uint32), np.repeat(key, count)).astype(np.int64)


def _folder(path: Path, max_pixels: int | None) -> Collection:
    from PIL import Image

    known = Image.registered_extensions().items()
    suffixes = {suffix for suffix, format_ in known if format_ in Image.OPEN} | {*_ARRAYS}
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(folder) / name
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    if not found:
        raise InputError(f"{path}: no images in this folder or below it; name one that has some")
    return Files(path, tuple(sorted(found)), max_pixels)


def _list(path: Path, max_pixels: int | None) -> Collection:
    try:
        data = path.read_bytes()
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
        # Without a mark as the system decodes names of files, which need not be text.
        text = os.fsdecode(data) if encoding is None else data.decode(encoding)
        if "\0" in text:
            raise UnicodeError("no text, or UTF-16 without a byte order mark")
        lines = text.splitlines()
    except UnicodeError:
        raise InputError(
            f"{path}: expected a folder, an LSUN database or a text file of paths, got another file"
        ) from None
    paths = tuple(path.parent / line.strip() for line in lines if line.strip())
    if not paths:
        raise InputError(f"{path}: the list is empty; write one path a line")
    return Files(path.parent, paths, max_pixels)


def _database(path: Path, max_pixels: int | None) -> Collection:
    environment = _environment(path)
    import lmdb

    try:
        with environment.begin() as transaction, transaction.cursor() as cursor:
            keys = tuple(bytes(key) for key in cursor.iternext(keys=True, values=False))
    except lmdb.Error as error:
        raise InputError(f"{path}: damaged database ({error}); get it again") from None
    if not keys:
        raise InputError(f"{path}: the database is empty; get it again")
    return Database(path, keys, max_pixels)


@cache
def _environment(path: Path) -> lmdb.Environment:
    """The open database; LMDB allows a process to open each only once."""
    need("lmdb", f"the LMDB database {path}")
    import lmdb

    try:
        return lmdb.open(str(path), readonly=True, lock=False, readahead=False, max_readers=1)
    except lmdb.Error as error:
        raise InputError(f"{path}: not a database that LMDB can read ({error}); get it again") from None
