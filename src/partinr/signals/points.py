"""Points from files: tables of text or Parquet, and clouds of laser points."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Float64
from partinr.signals.decoding import check_pixels, decoding
from partinr.signals.scattered import Samples

# What tables say where there is nothing.
_NOTHING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
_DELIMITERS = ",;\t|"


def read_points(
    path: Path, coords: Sequence[str], values: Sequence[str], max_points: int | None = None
) -> Samples:
    """Scattered samples from a file of points.

    Tables of text with a line for each point (.csv, .tsv, .txt; separated by commas, semicolons, tabs or
    blanks), Parquet (.parquet, by pyarrow), and laser points (.las, .laz, by laspy). Empty fields and NA are
    missing values.

    Args:
        path: the file; its suffix says what it is.
        coords: names of the columns that are coordinates, 1 to 3, or their numbers from 1 on.
        values: of those that are values.
        max_points: greatest number of points of a binary file, checked before it is read; None: no limit.

    Raises:
        InputError: the file cannot be read, has no such columns, or they hold no numbers; or for one of the
            reasons of `Samples`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: points are read from {', '.join(READERS)}; save them as one of these")
    if not 1 <= len(coords) <= 3 or not values:
        raise InputError("points need 1 to 3 columns of coordinates and one of values; name them")
    wanted = [*coords, *values]
    names, columns = reader(path, wanted, max_points)
    try:
        return Samples(
            np.stack(columns[: len(coords)], axis=1),
            columns[-1] if len(values) == 1 else np.stack(columns[len(coords) :], axis=1),
            names=names[: len(coords)],
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _chosen(path: Path, known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Places of the columns that are wanted, by name or else by number."""
    found = []
    for name in wanted:
        if name in known:
            found.append(known.index(name))
        elif name.isdecimal() and 1 <= int(name) <= len(known):
            found.append(int(name) - 1)
        else:
            raise InputError(f"{path}: expected a column {name!r:.60}, got {', '.join(known):.200}")
    return found


_Found = tuple[list[str], list["Float64[ndarray, 'points']"]]


def _text(path: Path, wanted: Sequence[str], max_points: int | None) -> _Found:  # noqa: ARG001
    with decoding(path, "a table of text"), path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        if not first.strip():
            raise InputError(f"{path}: expected a table, got an empty line at its beginning")
        counts = {mark: first.count(mark) for mark in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=counts.__getitem__) if any(counts.values()) else None
        fields = _fields(first, delimiter)
        has_names = not all(_is_number(field) for field in fields)
        names = fields if has_names else [str(i + 1) for i in range(len(fields))]
        places = _chosen(path, names, wanted)
        if not has_names:
            file.seek(0)
        start = file.tell()
        try:
            # Fast, where every field is a number.
            table = np.loadtxt(
                file, np.float64, delimiter=delimiter, usecols=places, ndmin=2, encoding="utf-8"
            )
        except ValueError:
            file.seek(start)
            table = _slowly(path, file, delimiter, places, names, 1 + has_names)
    if len(table) == 0:
        raise InputError(f"{path}: expected a line for each point, got none")
    return [names[i] for i in places], list(table.T)


def _slowly(
    path: Path, file: Any, delimiter: str | None, places: list[int], names: list[str], line: int
) -> Float64[ndarray, "points columns"]:
    """Rows in which fields may be empty or quoted."""
    rows = []
    for number, text in enumerate(file, line):
        if not text.strip():
            continue
        fields = _fields(text, delimiter)
        row = []
        for i in places:
            field = fields[i].strip() if i < len(fields) else ""
            if field.lower() in _NOTHING:
                row.append(np.nan)
                continue
            if not _is_number(field):
                raise InputError(
                    f"{path}: expected a number in line {number}, column {names[i]!r:.60}, got {field!r:.60}"
                )
            row.append(float(field))
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(places))


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(path: Path, wanted: Sequence[str], max_points: int | None) -> _Found:
    need("pyarrow", "reading Parquet", "points")
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    with decoding(path, "a Parquet file"):
        file = parquet.ParquetFile(path)
        check_pixels(path, (file.metadata.num_rows,), max_points)
        names = list(file.schema_arrow.names)
        places = _chosen(path, names, wanted)
        table = file.read([names[i] for i in places])
        for i in places:
            kind = table.schema.field(names[i]).type
            if not (
                arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_decimal(kind)
            ):
                raise InputError(f"{path}: column {names[i]!r:.60} must hold numbers, got {kind}")
        columns = [table[names[i]].cast("float64").to_numpy() for i in places]
    return [names[i] for i in places], columns


def _las(path: Path, wanted: Sequence[str], max_points: int | None) -> _Found:
    need("laspy", "reading laser points", "points")
    import laspy

    with decoding(path, "a LAS file"), laspy.open(path) as file:
        check_pixels(path, (file.header.point_count,), max_points)
        own = [name for name in file.header.point_format.dimension_names if name not in ("X", "Y", "Z")]
        names = ["x", "y", "z", *own]
        places = _chosen(path, names, wanted)
        points = file.read()
    return [names[i] for i in places], [np.asarray(points[names[i]], np.float64) for i in places]


READERS: dict[str, Callable[[Path, Sequence[str], int | None], _Found]] = {
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".parquet": _parquet,
    ".las": _las,
    ".laz": _las,
}
"""Readers of points, by suffix."""
