"""Where the files of a store are: in a folder, in a zip file, or under a prefix of an object store or a web
server."""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from partinr.errors import InputError
from partinr.files import atomic_write, check_folder, make_folder
from partinr.tiles.addresses import address, brief_error, filesystem, is_address, reaching
from partinr.tiles.ranges import Ranges


class Place(ABC):
    """Files by their names, in which folders are separated by strokes."""

    name: str

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """All bytes of a file; None if it is not there.

        Raises:
            InputError: it cannot be read.
        """

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            InputError: the place cannot be written to.
            OSError: the disk is full.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @property
    def path(self) -> Path | None:
        """The folder, of those on this machine."""
        return None


class Within(Place):
    """A folder of another place.

    Args:
        place: the other one.
        folder: its name there.
    """

    def __init__(self, place: Place, folder: str) -> None:
        self.name, self._place, self._folder = f"{place.name}/{folder}", place, folder

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        return self._place.read(f"{self._folder}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`."""
        self._place.write(f"{self._folder}/{name}", data)

    def remove(self, name: str) -> None:
        """See `Place.remove`."""
        self._place.remove(f"{self._folder}/{name}")


class Folder(Place):
    """A folder of this machine, or of one that its file system reaches."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            return (self._path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot read {self._path / name}: {error.strerror}") from error

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`; the bytes are on the disk when it returns."""
        target = self._path / name
        if not target.parent.is_dir():
            make_folder(target.parent)
        with atomic_write(target) as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """See `Place.remove`."""
        (self._path / name).unlink(missing_ok=True)

    @property
    def path(self) -> Path | None:
        """See `Place.path`."""
        return self._path


class Archive(Place):
    """A zip file, of this machine or at an address of which ranges of bytes can be read."""

    def __init__(self, name: str, file: Any) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{name}: is no zip file that can be read ({error}); copy it again") from error
        # A folder in a zip file is as good as its files.
        names = self._zip.namelist()
        found = [one for one in names if one.rpartition("/")[2] == "manifest.json"]
        self._prefix = min(found, key=len)[: -len("manifest.json")] if found else ""

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            return self._zip.read(self._prefix + name)
        except KeyError:
            return None
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{self.name}: {name} cannot be read ({error}); copy the file again") from error

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`: zip files are read only."""
        del data
        raise InputError(f"cannot write {name} into {self.name}, which is read only; fit into a folder")

    def remove(self, name: str) -> None:
        """See `write`."""
        self.write(name, b"")


class Remote(Place):
    """A prefix at an address, by fsspec; a query, as web servers know it, goes with every file."""

    def __init__(self, url: str) -> None:
        self.name = url
        self._files, root = filesystem(url)
        self._root, mark, query = root.partition("?") if url.startswith("http") else (root, "", "")
        self._root, self._query = self._root.rstrip("/"), mark + query

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            with reaching(f"{self.name}/{name}"):
                data: bytes = self._files.cat_file(self._at(name))
                return data
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """See `Place.write`; object stores write whole objects."""
        with _writing(f"{self.name}/{name}"):
            self._files.pipe_file(self._at(name), data)

    def remove(self, name: str) -> None:
        """See `Place.remove`."""
        with _writing(f"{self.name}/{name}"):
            try:
                self._files.rm_file(self._at(name))
            except FileNotFoundError:
                return

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}{self._query}"


@contextmanager
def _writing(url: str) -> Iterator[None]:
    """Surrounds the writing of an address; see `reaching`."""
    try:
        yield
    except Exception as error:
        raise InputError(f"cannot write {url}: {brief_error(error)}") from None


def opened_place(path: str | os.PathLike[str]) -> Place:
    """The place at a path or an address, to read from; a zip file is known by its first bytes, at an address
    by its name, which ends in .zip or .zip.inrs.

    Raises:
        InputError: there is nothing, or something else.
    """
    if is_address(path):
        url = address(path)
        if not url.split("?")[0].lower().endswith((".zip", ".zip.inrs")):
            return Remote(url)
        try:
            return Archive(url, Ranges(url))
        except FileNotFoundError:
            raise InputError(f"cannot read {url}: no such file; check the name") from None
    local = Path(path)
    if local.is_dir():
        return Folder(local)
    try:
        with local.open("rb") as file:
            start = file.read(4)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {local!s:.200}: {reason}") from error
    if start != b"PK\x03\x04":
        raise InputError(f"{local}: expected a store of tiles, a folder or a zip file, got another file")
    return Archive(str(local), local)


def made_place(path: str | os.PathLike[str]) -> Place:
    """The place at a path or an address, to write to; a folder is made.

    Raises:
        InputError: it cannot be, or something else is there.
    """
    if is_address(path):
        return Remote(address(path))
    check_folder(path)
    return Folder(make_folder(path))
