"""Regions from a label map that the user brings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int32, Shaped
from numpy import ndarray
from numpy.typing import ArrayLike

from partinr.errors import InputError
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal

_NPY_MAGIC = b"\x93NUMPY"
# Pillow's modes whose pixels are integers of one channel; of a palette image, the indices.
_INTEGER_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, init=False, eq=False)
class Labels(Rule):
    """The regions of a label map: any integers, negative too, renumbered 0..R-1 in ascending order.

    Samples of equal label are one region, connected or not. A file is read when the partition is made.

    Attributes:
        source: a PNG file of one channel (grey, 1-bit, or palette, of which the indices count), a NumPy .npy
            file of integers, or an array in memory, which is copied.

    Raises:
        InputError: an array in memory is not of integers, or the name of a file is empty.

    Example:
        >>> Labels("regions.png").word
        'labels:regions.png'
    """

    source: Path | ndarray

    name: ClassVar[str] = "labels"

    def __init__(self, source: str | os.PathLike[str] | ArrayLike) -> None:
        kept: Path | ndarray
        if isinstance(source, str | os.PathLike):
            if not os.fspath(source):
                raise InputError("labels needs a file, got none; write labels:FILE with a PNG or a .npy file")
            kept = Path(source)
        else:
            try:
                kept = np.array(source)
            except (TypeError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise InputError(f"labels must be an array of integers, got none ({reason})") from error
            _require_integers(kept, "labels")
            kept.flags.writeable = False
        object.__setattr__(self, "source", kept)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Labels):
            return NotImplemented
        if isinstance(self.source, Path) or isinstance(other.source, Path):
            return type(self.source) is type(other.source) and bool(np.all(self.source == other.source))
        return np.array_equal(self.source, other.source)

    def __hash__(self) -> int:
        return hash(self.source if isinstance(self.source, Path) else self.source.astype(np.int64).tobytes())

    @classmethod
    def from_word(cls, argument: str) -> Labels:
        """See `Rule.from_word`; the argument is the name of a file."""
        return cls(argument)

    @property
    def word(self) -> str:
        """See `Rule.word`; of an array in memory, "labels" alone."""
        return f"{self.name}:{self.source}" if isinstance(self.source, Path) else self.name

    def partition(self, signal: Signal) -> Partition:
        """The partition that the labels describe.

        Raises:
            InputError: the label map has another shape than the signal, or the file does not exist, is
                damaged or holds no labels.
        """
        if isinstance(self.source, Path):
            labels = _read(self.source, signal.shape)
        else:
            labels = self.source
            _require_shape(labels.shape, signal.shape, "labels")
        return Partition.from_labels(_renumbered(labels), self.word)


def _renumbered(labels: Shaped[ndarray, "*shape"]) -> Int32[ndarray, "*shape"]:
    _, inverse = np.unique(labels, return_inverse=True)
    return inverse.reshape(labels.shape).astype(np.int32)


def _read(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "..."]:
    """The label map of a file, its shape compared with the signal's before the labels are decoded."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_NPY_MAGIC))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read ({reason}); name a PNG or .npy file of labels") from None
    if head == _NPY_MAGIC:
        return _read_npy(path, shape)
    return _read_png(path, shape)


def _read_npy(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "..."]:
    with decoding(path, "a NumPy array"):
        mapped = np.lib.format.open_memmap(path, mode="r")
        _require_integers(mapped, f"{path}: labels")
        _require_shape(mapped.shape, shape, f"{path}: labels")
        return np.array(mapped)


def _read_png(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "rows columns"]:
    from PIL import Image, UnidentifiedImageError

    with decoding(path, "a PNG image"):
        try:
            image = Image.open(path, formats=("PNG",))
        except UnidentifiedImageError:
            raise InputError(
                f"{path}: labels must be a PNG image or a NumPy .npy array, got something else; "
                "convert them to one of these"
            ) from None
        with image:
            if image.mode not in _INTEGER_MODES:
                raise InputError(
                    f"{path}: labels must be an image of one channel, got mode {image.mode}; "
                    "save them as grey of 8 or 16 bits, or as a .npy array"
                )
            _require_shape((image.height, image.width), shape, f"{path}: labels")
            image.load()
            return np.array(image)


def _require_integers(labels: Shaped[ndarray, "..."], what: str) -> None:
    if labels.dtype.kind not in "bui":
        raise InputError(f"{what} must be integers, got {labels.dtype}; convert them with labels.astype(int)")


def _require_shape(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
    if shape != expected:
        raise InputError(
            f"{what} must have shape {expected} like the signal, got {shape}; give each sample one label"
        )
