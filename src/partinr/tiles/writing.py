"""Writing a store: every tile whole before the journal names it, so that a run that is killed can go on."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from partinr.errors import InputError
from partinr.tiles.layout import Layout
from partinr.tiles.place import Place, made_place
from partinr.tiles.store import (
    JOURNAL,
    MANIFEST,
    Manifest,
    Record,
    digest,
    manifest_at,
    records_at,
    tile_name,
)
from partinr.tiles.tasks import Done

RUNNING = "running"
"""Object that says which run writes into a prefix; a folder is locked instead."""

# Seconds between journals of a prefix, whose objects can only be written anew.
_OFTEN = 5.0


class Writing:
    """A store that a fit writes into, alone.

    Args:
        path: folder or address of the store.
        resume: whether to go on with what is there.

    Attributes:
        place: where its files are.
        manifest: what is there of a manifest; None in a new store.
        records: what is done of each tile, in the order of the rounds.

    Raises:
        InputError: something is there and it is not to go on, or something else, or another run writes there.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool) -> None:
        _check_name(path)
        self.place = made_place(path)
        self._journal = _journal_of(self.place)
        self.manifest: Manifest | None = None
        self.records: dict[int, list[Record]] = {}
        try:
            self._look(resume)
        except BaseException:
            self.close()
            raise

    def _look(self, resume: bool) -> None:
        place, folder = self.place, self.place.path
        if place.read(MANIFEST) is None:
            others = [] if folder is None else [one.name for one in folder.iterdir() if not _is_rest(one)]
            if set(others) - {"tiles", JOURNAL}:
                raise InputError(
                    f"cannot write {place.name}: the folder has other things in it ({min(others)}, ...); "
                    "choose another name"
                )
            return
        if not resume:
            raise InputError(
                f"{place.name}: there is a store already; go on with it by --resume, remove it, or choose "
                "another name"
            )
        self.manifest = manifest_at(place)
        if folder is not None:
            for rest in filter(_is_rest, folder.rglob(".partinr-*.tmp")):
                rest.unlink(missing_ok=True)
        if self.manifest.tiles is None:
            for record in records_at(place, self.manifest):
                self._take(record)
            self._check_files(self.manifest.layout)
            self._journal.begin([record for own in self.records.values() for record in own])
        else:
            place.remove(JOURNAL)
            place.remove(RUNNING)

    def _take(self, record: Record) -> None:
        own = self.records.setdefault(record.number, [])
        if any(record.round == one.round and record != one for one in own):
            raise InputError(
                f"{self.place.name}: two runs have written tile {record.number} of round {record.round} "
                "differently; remove the store and fit again"
            )
        if record not in own:
            own.append(record)
            own.sort(key=lambda one: one.round)

    def _check_files(self, layout: Layout) -> None:
        """Forget of tiles whose files are not the last that the journal names what it says of that."""
        for number, own in list(self.records.items()):
            payload = self.place.read(tile_name(layout.index(number)))
            if payload is None or digest(payload) != own[-1].tile.sha256:
                del own[-1]
                if not own:
                    del self.records[number]

    def begin(self, manifest: Manifest) -> None:
        """Write the manifest of a new store."""
        self.manifest = replace(manifest, tiles=None)
        self._journal.begin([])
        self.place.write(MANIFEST, self.manifest.text().encode())

    def add(self, done: Done) -> None:
        """Write a tile, and then name it in the journal.

        Raises:
            OSError: the disk is full; what was done before stays.
        """
        assert self.manifest is not None
        if done.payload:
            name = tile_name(self.manifest.layout.index(done.record.number))
            self.place.write(name, done.payload)
        self._journal.add(done.record)
        self._take(done.record)

    def finish(self, step: float) -> Manifest:
        """Write the whole manifest, and remove the journal."""
        assert self.manifest is not None
        tiles = tuple(self.records[number][-1].tile for number in range(self.manifest.layout.count))
        self.manifest = replace(self.manifest, step=step, tiles=tiles)
        self.place.write(MANIFEST, self.manifest.text().encode())
        self.close()
        self.place.remove(JOURNAL)
        self.place.remove(RUNNING)
        return self.manifest

    def close(self) -> None:
        """Leave the store to others; a folder into which nothing was written goes."""
        self._journal.close()
        if self.manifest is None and self.place.path is not None:
            with contextlib.suppress(OSError):
                self.place.path.rmdir()


class _FolderJournal:
    """A file that grows by a line for each tile, in a folder that is locked."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._place, self._path = place, folder / JOURNAL
        self._file: BinaryIO | None = None
        self._lock = _locked(folder)

    def begin(self, records: list[Record]) -> None:
        """Write a journal of these lines, to which others will be added."""
        self._place.write(JOURNAL, b"".join(record.line() for record in records))
        self._file = self._path.open("ab")

    def add(self, record: Record) -> None:
        """Add a line, which is on the disk when this returns."""
        assert self._file is not None
        self._file.write(record.line())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Give the folder back."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                # What a full disk did not take has been told.
                self._file.close()
        if self._lock is not None:
            os.close(self._lock)
        self._file = self._lock = None


class _RemoteJournal:
    """An object that is written anew every few seconds, and another that says who does."""

    def __init__(self, place: Place) -> None:
        self._place, self._token = place, secrets.token_hex(8).encode()
        self._lines: list[bytes] = []
        self._written, self._begun = 0.0, False

    def begin(self, records: list[Record]) -> None:
        """See `_FolderJournal.begin`."""
        self._lines = [record.line() for record in records]
        self._place.write(RUNNING, self._token)
        self._begun = True
        self._write()

    def add(self, record: Record) -> None:
        """Add a line, which is written within some seconds, or as the run ends."""
        self._lines.append(record.line())
        if time.monotonic() - self._written > _OFTEN:
            self._write()

    def _write(self) -> None:
        if self._place.read(RUNNING) not in (None, self._token):
            self._begun = False
            raise InputError(f"{self._place.name}: another run writes into the store, which goes on there")
        self._place.write(JOURNAL, b"".join(self._lines))
        self._written = time.monotonic()

    def close(self) -> None:
        """Write what is left."""
        if self._begun:
            self._begun = False
            self._write()


def _journal_of(place: Place) -> _FolderJournal | _RemoteJournal:
    folder = place.path
    return _RemoteJournal(place) if folder is None else _FolderJournal(place, folder)


def _locked(folder: Path) -> int | None:
    """A folder, locked until its number is closed or the process ends; None where there are no such locks.

    Raises:
        InputError: another run has locked it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise InputError(
            f"{folder}: another run writes into the store; wait for it, or choose another name"
        ) from None
    except OSError:
        # A file system without locks is no reason to fail.
        os.close(number)
        return None
    return number


def _check_name(path: str | os.PathLike[str]) -> None:
    if os.fspath(path).lower().endswith(".zip"):
        raise InputError(
            f"a store is written into a folder, got {path}; pack it afterwards, as with: zip -0 -r"
        )


def _is_rest(path: Path) -> bool:
    """Whether a file is what a killed run was writing."""
    return path.name.startswith(".partinr-") and path.name.endswith(".tmp")
