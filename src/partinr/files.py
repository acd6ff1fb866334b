"""Writing files so that a failure at any moment leaves the old file as it was."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from partinr.errors import InputError

# Failures of a disk: full, over a quota or a limit, broken.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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
        file = temporary.open("xb+")
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise InputError(
                f"cannot write {path}: the folder {target.parent} is not writable; choose another folder"
            ) from None
        raise
    try:
        with file:
            yield file
            _to_disk(file)
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except OSError as error:
        # Writing does not say to which file; which disk is full matters.
        if error.filename is None and error.errno in _DISK:
            error.filename = os.fspath(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


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
    try:
        target = Path(os.path.realpath(path))
        folder = target.parent
        if not folder.exists():
            raise InputError(f"cannot write {path}: the folder {folder} does not exist; make it first")
        if not folder.is_dir():
            raise InputError(f"cannot write {path}: {folder} is not a folder")
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            mode = None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        # ValueError: a NUL character; OSError: a name that is too long, a loop of links, ...
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot write {path!s:.200}: {reason}; choose another name") from None
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise InputError(f"cannot write {path}: it is a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"cannot write {path}: it is not a regular file; name a file")
        if not os.access(target, os.W_OK):
            raise InputError(f"cannot write {path}: the file is write-protected; choose another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {path}: the folder {folder} is not writable; choose another folder")
    return target


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    if os.name != "posix":
        return
    # The file is in place and whole; a file system that cannot sync folders is no reason to fail.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
