"""Which files a command may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from partinr.errors import InputError
from partinr.files import check_folder, check_replaceable, check_writable

SUFFIX = ".inr"
PICTURES = (
    *(".wav", ".flac"),
    *(".png", ".tif", ".tiff", ".npy", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".pfm", ".npz"),
    *(".nii", ".nii.gz", ".zarr", ".nc", ".hdr"),
    *(".mp4", ".webm", ".mov", ".mkv", ".gif", ".apng"),
    *(".ome.tif", ".ome.tiff", ".ome.zarr"),
)
"""Suffixes that `render` writes, and what writes .inr files does not."""


def inr_beside(source: Path) -> Path:
    """The .inr file of an input's name, beside it; with the name of the array, of a file of several."""
    from partinr.signals.volumes.located import located

    file, inside = located(source)
    stem = file.name.removesuffix(".gz").removesuffix(".nii") if file.name.endswith(".nii.gz") else file.stem
    array = f"-{inside.replace('/', '-')}" if inside else ""
    return file.parent / f"{stem}{array}{SUFFIX}"


def check_no_picture(output: Path) -> None:
    """Make sure that an .inr file does not replace a picture, as a mixed-up command line would.

    Raises:
        InputError: it would.
    """
    if output.name.lower().endswith(PICTURES):
        raise InputError(f"-o must be an {SUFFIX} file, got {output}; fit first, then render a picture")


def check_working_folder() -> None:
    """Make sure that the working folder is there; without it nothing works, not even loading torch.

    Raises:
        InputError: it has been deleted.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise InputError(
            f"the working folder {os.environ.get('PWD', '.')} cannot be used: {error.strerror}; "
            "change to a folder that exists"
        ) from None


def check_outputs(
    outputs: Mapping[str, Path | None],
    inputs: Iterable[Path | None],
    folders: Mapping[str, Path | None] | None = None,
) -> None:
    """Find out, before anything is computed, whether the outputs can be written.

    Args:
        outputs: files to write, by the option that names each.
        inputs: files that are read.
        folders: folders to write to, likewise.

    Raises:
        InputError: an output cannot be written, is an input or another output, or is where standard output
            or standard error goes.
    """
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        target = _check_place(path)
        if any(_is_stream(target, number) for number in (1, 2)):
            raise InputError(f"{option} {path} is where other output goes; choose another name")
        for source in inputs:
            if source is not None and _same(target, source):
                raise InputError(f"{option} {path} would overwrite the input {source}; choose another name")
        other = taken.setdefault(_spelling(target), option)
        if other != option:
            raise InputError(f"{option} and {other} name the same file {path}; choose another name for one")
    for option, path in (folders or {}).items():
        if path is None:
            continue
        place = check_folder(path)
        for above in (place, *place.parents):
            file = taken.get(_spelling(above))
            if file is not None:
                raise InputError(
                    f"{option} {path} needs a folder in the place of {file}; choose another name"
                )


def _spelling(path: Path) -> str:
    """A path as systems compare it: macOS and Windows keep capital letters, and do not look at them."""
    return str(path).casefold() if sys.platform in ("darwin", "win32") else str(path)


def _check_place(path: Path) -> Path:
    """A file that can be written, a folder of Zarr, or one of frames."""
    from partinr.signals.videos.writing import check_frames_folder, is_pattern

    if is_pattern(path):
        check_frames_folder(path)
        return path
    if path.suffix.lower() != ".zarr":
        return check_writable(path)
    from partinr.signals.volumes.zarr import MARKS

    return check_replaceable(path, MARKS)


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


def _is_stream(target: Path, number: int) -> bool:
    """Whether what is written to an open file, by its number, ends up there."""
    try:
        return os.path.samestat(target.stat(), os.fstat(number))
    except OSError:
        return False


def _same(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except (OSError, ValueError):
        return False
