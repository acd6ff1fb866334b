"""Arrays in files that hold several: which one is meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from partinr.errors import InputError

_SHOWN = 12


class Location(NamedTuple):
    """A file or folder, and a path of an array in it.

    Attributes:
        file: what the system knows.
        inside: the path behind the colon, without slashes at its ends; None where none was named.
    """

    file: Path
    inside: str | None


def located(path: Path) -> Location:
    """Split `file.h5:/path/to/array`; a file of the whole name goes first.

    Raises:
        InputError: the system cannot look at such a name.
    """
    text = str(path)
    try:
        if ":" not in text or path.exists():
            return Location(path, None)
        # From behind: a name, or the letter of a drive, may have a colon of its own.
        for at in (i for i in range(len(text) - 1, 0, -1) if text[i] == ":"):
            if Path(text[:at]).exists():
                return Location(Path(text[:at]), text[at + 1 :].replace(os.sep, "/").strip("/"))
    except (OSError, ValueError):
        # What is wrong with a name is said where it is opened.
        pass
    return Location(path, None)


def chosen(place: Location, arrays: Mapping[str, tuple[int, ...]], what: str) -> str:
    """The path of the array that is meant: the one named, or the only one.

    Args:
        place: where to look.
        arrays: shapes of those that can be read, by their paths without slashes at the ends.
        what: the kind of file, for error messages.

    Raises:
        InputError: it is not there, or none was named and there is not exactly one.
    """
    shown = [f"/{name} ({' x '.join(map(str, shape))})" for name, shape in sorted(arrays.items())]
    listed = ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} others" if len(shown) > _SHOWN else "")
    if place.inside is not None:
        if place.inside in arrays:
            return place.inside
        raise InputError(
            f"{place.file}: has no array /{place.inside:.100} of numbers; it has {listed or 'none'}"
        )
    if not arrays:
        raise InputError(f"{place.file}: expected {what} with an array of numbers, got none")
    if len(arrays) > 1:
        first = min(arrays)
        raise InputError(
            f"{place.file}: expected one array, got {len(arrays)}: {listed}; name one, as in "
            f"{place.file}:/{first}"
        )
    return next(iter(arrays))
