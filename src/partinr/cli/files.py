"""Which files a command may write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from partinr.errors import InputError
from partinr.files import check_writable


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None]) -> None:
    """Find out, before anything is computed, whether the outputs can be written.

    Args:
        outputs: files to write, by the option that names each.
        inputs: files that are read.

    Raises:
        InputError: an output cannot be written, or is an input or another output.
    """
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        target = check_writable(path)
        for source in inputs:
            if source is not None and _same(target, source):
                raise InputError(f"{option} {path} would overwrite the input {source}; choose another name")
        other = taken.setdefault(os.path.normcase(target), option)
        if other != option:
            raise InputError(f"{option} and {other} name the same file {path}; choose another name for one")


def check_picture(option: str, path: Path | None) -> None:
    """Find out whether a picture in colour can be written in the format that a path names.

    Raises:
        InputError: the suffix is unknown, or names a format for other data.
    """
    from partinr.signals import SignalSpec, writable_format

    if path is not None:
        try:
            writable_format(path, (1, 1), SignalSpec("image", (1, 1), 3, "uint8", (0.0, 255.0), True))
        except InputError as error:
            raise InputError(f"{option}: {error}") from None


def _same(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except (OSError, ValueError):
        return False
