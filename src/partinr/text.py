"""Text for files and other programs, names of files included.

On POSIX such names are bytes. Those that are no text stand in a `str` as lone surrogates, which neither UTF-8
nor JSON can hold.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def utf8(text: str) -> bytes:
    """Text in UTF-8, bytes that are no text as escapes such as \\udcff."""
    return text.encode("utf-8", "backslashreplace")


def legible(text: str) -> str:
    """Text that UTF-8 can hold, with the escapes of `utf8`."""
    return utf8(text).decode()


def csv_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV below the names of their columns; None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def jsonable(value: Any, odd: Callable[[float], object] | None = None) -> Any:
    """A value in JSON's types, every text `legible`.

    Args:
        value: mappings, lists and tuples of JSON's types and of paths, which become text.
        odd: what becomes of floating-point numbers; those that JSON lacks stay as they are if it is missing.
    """
    if isinstance(value, Mapping):
        return {jsonable(key, odd): jsonable(item, odd) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, odd) for item in value]
    if isinstance(value, float) and odd is not None:
        return odd(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return legible(value) if isinstance(value, str) else value
