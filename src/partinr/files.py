"""Writing files so that a failure at any moment leaves the old file as it was."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from partinr.errors import InputError

_KINDS = {
    stat.S_IFDIR: "it is a folder; name a file in it",
    stat.S_IFIFO: "it is a pipe, and a file takes its place only when it is whole; name a file",
    stat.S_IFCHR: "it is a device, not a regular file; name a file",
}
# Programs that look at every new file, such as virus scanners, hold it for a moment.
_PATIENCE = 1.0


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an exception.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed. Whatever
    interrupts the block (a full disk, Ctrl-C), the temporary file is removed and an old file stays intact;
    the exception goes on. A symbolic link is followed: its target is replaced, not the link.

    Args:
        path: the file to write.

    Yields:
        the temporary file, readable, writable and seekable.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the path is a folder, something else
            that is not a file, or a write-protected file.
        OSError: the disk is full, or another failure of the machine.
    """
    target = check_writable(path)
    # Independent of the target's name, which may already have the greatest length that a name can have.
    temporary = target.with_name(f".partinr-{secrets.token_hex(8)}.tmp")
    try:
        with _created(temporary, path) as file:
            yield file
            _to_disk(file)
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        _patiently(lambda: temporary.replace(target), path)
    except OSError as error:
        # Writing does not say to which file, and nobody knows the temporary one.
        if error.filename in (None, os.fspath(temporary)):
            error.filename, error.filename2 = os.fspath(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str], marks: Sequence[str]) -> Iterator[Path]:
    """An empty folder that takes the place of `path` when the block ends without an exception.

    Otherwise it is removed, and an old folder stays intact. An old folder is replaced only if it is empty or
    has one of `marks` in it, files that tell that such a folder was written before.

    Args:
        path: the folder to write.
        marks: names of files.

    Yields:
        the temporary folder.

    Raises:
        InputError: see `check_replaceable`.
        OSError: as for `atomic_write`.
    """
    target = check_replaceable(path, marks)
    temporary, old = (target.with_name(f".partinr-{secrets.token_hex(8)}.tmp") for _ in range(2))
    try:
        temporary.mkdir()
        yield temporary
        if target.exists():
            _patiently(lambda: target.rename(old), path)
        _patiently(lambda: temporary.rename(target), path)
    except OSError as error:
        if error.filename in (None, os.fspath(temporary)):
            error.filename, error.filename2 = os.fspath(path), None
        raise
    finally:
        for left in (temporary, old):
            if left.exists() and (left is temporary or target.exists()):
                shutil.rmtree(left)
    _sync_folder(target.parent)


def check_replaceable(path: str | os.PathLike[str], marks: Sequence[str]) -> Path:
    """Find out before long work whether a folder can be written, or replaced, without touching it.

    Returns:
        the path with symbolic links followed.

    Raises:
        InputError: a file is in its place, or a folder that has other things in it, or it cannot be made.
    """
    mode = _mode(path, path)
    if mode is None or not stat.S_ISDIR(mode):
        if mode is not None:
            raise InputError(f"cannot write the folder {path}: a file is in its place; choose another name")
        return check_writable(path)
    target = _followed(path)
    if any(target.iterdir()) and not any((target / mark).exists() for mark in marks):
        raise InputError(
            f"cannot write {path}: the folder has other things in it, which would be lost; choose another "
            "name"
        )
    _check_open(target.parent, path)
    return target


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files none of which takes its place before all of them are on the disk.

    Args:
        files: what goes into each path.

    Raises:
        InputError: see `atomic_write`.
        OSError: likewise; then no file was replaced.
    """
    with contextlib.ExitStack() as stack:
        for path, data in files.items():
            file = stack.enter_context(atomic_write(path))
            file.write(data)
            _to_disk(file)


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Find out before long work whether a file can be written, without touching it.

    Returns:
        the path with symbolic links followed.

    Raises:
        InputError: as for `atomic_write`, as far as it can be known without writing.
    """
    _check_name(path)
    mode = _mode(path, path)
    if mode is not None and not stat.S_ISREG(mode):
        # Before links are followed: what stands for an open pipe (/dev/stdout) seems to be a link.
        kind = _KINDS.get(stat.S_IFMT(mode), "it is not a regular file; name a file")
        raise InputError(f"cannot write {path}: {kind}")
    target = _followed(path)
    folder = _mode(target.parent, path)
    if folder is None:
        raise InputError(f"cannot write {path}: the folder {target.parent} does not exist; make it first")
    if not stat.S_ISDIR(folder):
        raise InputError(f"cannot write {path}: {target.parent} is not a folder")
    if mode is not None and not os.access(target, os.W_OK):
        raise InputError(f"cannot write {path}: the file is write-protected; choose another name")
    _check_open(target.parent, path)
    return target


def check_folder(path: str | os.PathLike[str], *names: str) -> Path:
    """Find out before long work whether files can be written to a folder that is made if it is missing.

    Args:
        path: the folder.
        names: of the files.

    Returns:
        the path with symbolic links followed.

    Raises:
        InputError: something else is in its place or in the way there, or it cannot be made or written to.
    """
    mode, missing = _mode(path, path), []
    target = wanted = _followed(path)
    while mode is None and (mode := _mode(target, path)) is None:
        missing.append(target.name)
        target = target.parent
    if not stat.S_ISDIR(mode):
        place = f"{target} is a file" if missing else "a file is in its place"
        raise InputError(f"cannot make the folder {path}: {place}; choose another name")
    for name in missing:
        # The system looks at the length of a name in a folder that is there, and only then.
        _mode(target / name, path)
    _check_open(target, path)
    for name in () if missing else names:
        check_writable(Path(path) / name)
    return wanted


def make_folder(path: str | os.PathLike[str], *names: str) -> Path:
    """Make a folder to write to, if it is missing; see `check_folder`.

    Raises:
        InputError: as there.
    """
    target = check_folder(path, *names)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror}; choose another place") from None
    return target


def folder_above(path: str | os.PathLike[str]) -> Path:
    """The folder that is there already, of those that something is or will be in."""
    return next(folder for folder in Path(path).resolve().parents if folder.is_dir())


def _check_name(path: str | os.PathLike[str]) -> None:
    """Refuse names that Windows takes for something else, without a word."""
    wrong = reserved(Path(path).name) if sys.platform == "win32" else None
    if wrong is not None:
        raise InputError(f"cannot write {path}: {wrong}; choose another name")


def reserved(name: str) -> str | None:
    """Why Windows cannot have a file of this name; None if it can.

    A colon would write to a stream that no folder shows, a device would swallow everything, and dots and
    spaces at the end are dropped ("Naming Files, Paths, and Namespaces", Microsoft).
    """
    # NUL, COM1 and their like with any suffix; digits may be superscripts.
    device = name.split(".")[0].split(":")[0].rstrip(" ").upper()
    port = device[:3] in ("COM", "LPT") and len(device) == 4 and device[3] in "123456789\u00b9\u00b2\u00b3"
    if port or device in ("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"):
        return f"Windows has a device of the name {device}"
    odd = next((c for c in name if c in '<>:"|?*' or ord(c) < 32), None)
    if odd is not None:
        return f"Windows has no names with {odd!r}"
    if name.endswith((".", " ")) and name.strip("."):
        return "Windows drops dots and spaces at the end of a name"
    return None


def _patiently(move: Callable[[], object], path: str | os.PathLike[str]) -> None:
    """Rename. Windows refuses that while another program has the file open: wait for it a moment.

    Raises:
        InputError: it stays open.
        OSError: anything else that is wrong.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            move()
            return
        except PermissionError:
            if sys.platform != "win32":
                raise
            if time.monotonic() > until:
                raise InputError(
                    f"cannot write {path}: another program has it open; close it there, or choose another "
                    "name"
                ) from None
            time.sleep(0.02)


def _mode(place: str | os.PathLike[str], path: str | os.PathLike[str]) -> int | None:
    """What is in a place, links followed; None if nothing is. Errors are about `path`."""
    try:
        return Path(place).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        # What it would be in tells more.
        return None
    except (OSError, ValueError) as error:
        # ValueError: a NUL character; OSError: a name that is too long, a loop of links, ...
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot write {os.fspath(path)!s:.200}: {reason}; choose another name") from None


def _followed(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.realpath(path))
    except OSError as error:
        raise InputError(f"cannot write {path}: there is no working folder ({error.strerror})") from None


def _check_open(folder: Path, path: str | os.PathLike[str]) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _closed(folder, path)


def _closed(folder: Path, path: str | os.PathLike[str]) -> InputError:
    return InputError(f"cannot write {path}: the folder {folder} is not writable; choose another folder")


def _created(temporary: Path, path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return temporary.open("xb+")
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise _closed(temporary.parent, path) from None
        raise


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    _sync(file.fileno())


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # There fsync leaves it to the disk when to write; some file systems know nothing better.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    if sys.platform == "win32":  # which keeps a journal of renames
        return
    # The file is in place and whole; a file system that cannot sync folders is no reason to fail.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
