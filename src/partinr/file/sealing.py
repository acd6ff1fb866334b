"""Sealed files: safetensors with a JSON header of ours and a checksum, of which nothing is believed.

What every .inr file shares, whatever it holds; `docs/format.md` states it byte by byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from partinr.errors import InputError
from partinr.file.compact import MAGIC, is_compact
from partinr.file.json_text import as_json, parse_json
from partinr.files import atomic_write
from partinr.shapes import Shaped

FORMAT_VERSION = 1

KEY = "partinr"
"""Name of the header in the safetensors metadata."""

UNSEALED = "0" * 64
"""Stands in the header in the checksum's place while the checksum is computed."""

FileKind = Literal["fit", "start"]
"""What a file holds. A header that does not say is that of a fit."""

Tensors = dict[str, Shaped[ndarray, "..."]]

_LARGEST_HEADER = 1 << 22
_ADVICE = {
    "fit": "it is a fit; expected a learned start, which `partinr meta train` writes",
    "start": "it is a learned start, not a fit; `partinr fit --init` and `partinr meta eval` take it",
}

Opened = TypeVar("Opened")


class Sealed(NamedTuple):
    """A file whose checksum is right, and of which nothing else is known to be.

    Attributes:
        fields: our header.
        entries: what safetensors' own header says of each tensor.
        payload: all bytes of the file.
    """

    fields: dict[str, Any]
    entries: dict[str, Any]
    payload: bytes

    def tensors(self) -> Tensors:
        """All tensors, by name; check their types and shapes first.

        Raises:
            InputError: they do not fit together.
        """
        try:
            return load_tensors(self.payload)
        except SafetensorError as error:
            raise InputError(f"damaged: its tensors do not fit together ({brief(str(error))})") from error


def write_sealed(path: str | Path, tensors: Tensors, fields: Mapping[str, Any]) -> int:
    """Write a file, replacing an old one only once everything is on disk; returns its size in bytes.

    Args:
        path: the file.
        tensors: what it holds.
        fields: the header but for format and checksum; numbers that are not finite become null.

    Raises:
        InputError: the file cannot be written, or the header is too long or not made of JSON types.
        OSError: the disk is full.
    """
    header = {"format": FORMAT_VERSION, "sha256": UNSEALED, **fields}
    payload = _sealed(save_tensors(tensors, {KEY: as_json(header)}))
    if int.from_bytes(payload[:8], "little") > _LARGEST_HEADER:
        raise InputError(f"the header must have at most {_LARGEST_HEADER:,} bytes; shorten the summary")
    with atomic_write(path) as file:
        file.write(payload)
    return len(payload)


def read_sealed(path: str | Path, kind: FileKind, interpret: Callable[[Sealed], Opened]) -> Opened:
    """What `interpret` makes of a file of one kind; its errors name the file.

    Nothing in the file is executed, and no more than the header is read until it is certain that the file is
    ours.

    Raises:
        InputError: the file is missing, foreign, damaged, of another kind, or of a newer version; or
            `interpret` says so.
    """
    with _naming(path):
        if kind != "fit" and starts_compact(path):
            raise InputError(_ADVICE["fit"])
        sealed = _opened(Path(path))
        found = _kind(sealed.fields)
        if found != kind:
            raise InputError(_ADVICE[found])
        return interpret(sealed)


def kind_of(path: str | Path) -> FileKind:
    """What a file holds; see `read_sealed` for what is checked. A compact file holds a fit."""
    with _naming(path):
        if starts_compact(path):
            return "fit"
        return _kind(_opened(Path(path)).fields)


def starts_compact(path: str | Path) -> bool:
    """Whether a file begins as compact ones do.

    Raises:
        InputError: it is no file, or cannot be read.
    """
    with _naming(path):
        _size(Path(path))
        with Path(path).open("rb") as file:
            return is_compact(file.read(len(MAGIC)))


def read_compact(path: str | Path, interpret: Callable[[bytes], Opened]) -> Opened:
    """What `interpret` makes of all bytes of a compact file; its errors name the file."""
    with _naming(path):
        return interpret(Path(path).read_bytes())


def _kind(fields: dict[str, Any]) -> FileKind:
    found = fields.get("kind", "fit")
    if not isinstance(found, str) or found not in get_args(FileKind):
        raise InputError(f"kind must be one of {', '.join(get_args(FileKind))}, got {brief(found)}")
    return cast(FileKind, found)


@contextlib.contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Surrounds the reading of a file: errors name it."""
    try:
        yield
    except _Unreadable:
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


class _Unreadable(InputError):
    """The message already names the file."""


def _size(path: Path) -> int:
    """Bytes of a regular file: devices and pipes may never end."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise _Unreadable(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        # ValueError: the name has a NUL character.
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unreadable(f"cannot read {str(path)[:200]!r}: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        raise _Unreadable(f"expected an .inr file, got {path}, which is not a file")
    return status.st_size


def _opened(path: Path) -> Sealed:
    """Read no more than the header until it is certain that the file is ours."""
    size = _size(path)
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if length > min(size - 8, _LARGEST_HEADER):
            raise InputError("not an .inr file, or the beginning of one")
        text = file.read(length)
        try:
            entries = parse_json(text)
            fields = parse_json(entries.pop("__metadata__")[KEY])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError("not an .inr file: it has no partinr header") from error
        _check_version(fields)
        payload = b"".join((start, text, file.read()))
    _check_seal(payload, len(text), fields.get("sha256"))
    return Sealed(fields, entries, payload)


def _check_seal(payload: bytes, header: int, digest: object) -> None:
    """Make sure that the bytes are those that were written, all of them."""
    told = digest.encode("utf-8", "replace") if isinstance(digest, str) else b""
    at = payload.find(told, 8, 8 + header)
    if len(told) != len(UNSEALED) or at < 0:
        raise InputError("damaged: its checksum is not in its place")
    view = memoryview(payload)
    found = hashlib.sha256(view[:at])
    found.update(UNSEALED.encode())
    found.update(view[at + len(told) :])
    if found.hexdigest().encode() != told:
        raise InputError("damaged: its checksum does not match; get the file again")


def _sealed(payload: bytes) -> bytes:
    """The file with its checksum in the place of the 64 zeros."""
    digest = hashlib.sha256(payload).hexdigest().encode()
    at = payload.index(UNSEALED.encode())
    return b"".join((payload[:at], digest, payload[at + len(digest) :]))


def _check_version(fields: object) -> None:
    """Make sure that this version of the format can be read at all.

    Raises:
        InputError: the version is newer, or not a version.
    """
    version = fields.get("format") if isinstance(fields, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError(f"the header must have a format version of at least 1, got {brief(version)}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"format version {brief(version)} is newer than the {FORMAT_VERSION} that this partinr reads; "
            "upgrade partinr"
        )


class Stored(NamedTuple):
    """Type and shape that a file claims for a tensor."""

    dtype: str
    shape: tuple[int, ...]


def stored(name: str, entry: object) -> Stored:
    """An entry of safetensors' header, checked; an empty tensor could claim any shape, and is refused."""
    if isinstance(entry, dict):
        dtype, shape = entry.get("dtype"), entry.get("shape")
        whole = isinstance(shape, list) and all(isinstance(n, int) and n > 0 for n in shape)
        if isinstance(dtype, str) and isinstance(shape, list) and whole and shape:
            return Stored(dtype, tuple(shape))
    raise InputError(
        f"the tensor {brief(name)} must have a type and a shape without zeros, got {brief(entry)}"
    )


def expect(entries: Mapping[str, Stored], name: str, dtypes: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Make sure that a file claims to have a tensor of one of these types and of this shape.

    Raises:
        InputError: it does not.
    """
    if name not in entries:
        raise InputError(f"the tensor {name} is missing")
    found = entries[name]
    if found.dtype not in dtypes or found.shape != shape:
        raise InputError(
            f"the tensor {name} must be {' or '.join(dtypes)} of shape {shape}, "
            f"it is {brief(found.dtype)} of {brief(found.shape)}"
        )
