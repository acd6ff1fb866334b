"""Addresses, such as s3://bucket/name, which fsspec opens: what they are, and what goes wrong there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from partinr.errors import InputError, need

# Those of fsspec's that are likely; `file.h5:/path` is no address.
_SCHEMES = (
    *("s3", "s3a", "gs", "gcs", "http", "https", "abfs", "abfss", "az", "adl", "hf"),
    *("ftp", "sftp", "ssh", "hdfs", "webhdfs", "memory", "file"),
)
# Statuses of web servers.
_NOT_THERE, _REFUSED = (404, 410), (401, 403)
_ADDRESS = re.compile(rf"^({'|'.join(_SCHEMES)}):/+", re.IGNORECASE)


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an address such as s3://bucket/name, which fsspec opens."""
    return _ADDRESS.match(os.fspath(path)) is not None


def address(path: str | os.PathLike[str]) -> str:
    """An address as it was before it was taken for a path, which loses strokes."""
    return _ADDRESS.sub(lambda found: found[1] + "://" + "/" * (found[1] == "file"), os.fspath(path))


class Forbidden(InputError):
    """Something at an address may not be read; object stores say so of what is not there, too."""


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Surrounds the reading of an address: every library of object stores has errors of its own.

    Raises:
        FileNotFoundError: nothing is there.
        Forbidden: it may not be read.
        InputError: it cannot be read.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # Of web servers that cannot be reached fsspec says that nothing is there.
        cause = error.__cause__
        own = cause if cause is not None and type(cause).__module__.startswith("aiohttp") else error
        status = getattr(own, "status", None)
        if isinstance(error, FileNotFoundError) and (own is error or status in _NOT_THERE):
            raise
        refused = isinstance(own, PermissionError) or status in _REFUSED
        kind = Forbidden if refused else InputError
        raise kind(f"cannot read {url}: {brief_error(own)}") from None


def brief_error(error: BaseException) -> str:
    """An error of another library in a few words."""
    text = " ".join(str(error).split())
    return f"{text:.200}" if text else type(error).__name__


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        InputError: fsspec or what it needs for such addresses is not there.
    """
    need("fsspec", f"opening {url}", "remote")
    import fsspec

    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except ImportError as error:
        ours = url.startswith(("http", "s3"))  # others have packages of their own, which fsspec names
        remedy = '; run: pip install "partinr[remote]"' if ours else ""
        raise InputError(f"cannot open {url}: {error}{remedy}") from error
    except Exception as error:
        raise InputError(f"cannot open {url}: {brief_error(error)}") from error
    return found[0], found[1].rstrip("/")


@contextmanager
def on_this_machine(path: str | os.PathLike[str], suffix: str = "") -> Iterator[Path]:
    """A file that is read as a whole: itself, or, of one at an address, a copy that is removed at the end.

    Args:
        path: where it is.
        suffix: what the name of one at an address must end in, so that nothing else is fetched.

    Raises:
        InputError: there is none that can be read; errors of those who read it name the address.
    """
    if not is_address(path):
        yield Path(path)
        return
    url = address(path)
    files, root = filesystem(url)
    with TemporaryDirectory(prefix="partinr-") as folder:
        copy = Path(folder) / (url.split("?")[0].rstrip("/").rpartition("/")[2] or "file")
        if not copy.name.lower().endswith(suffix):
            raise InputError(f"{url}: expected the address of a file that ends in {suffix}, or of a store")
        try:
            with reaching(url):
                files.get_file(root, str(copy))
            if not copy.is_file():  # a folder
                raise FileNotFoundError
        except FileNotFoundError:
            raise InputError(f"cannot read {url}: no such file; check the name") from None
        except OSError as error:
            raise InputError(f"cannot read {url}: {error.strerror}") from error
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), url)) from error
