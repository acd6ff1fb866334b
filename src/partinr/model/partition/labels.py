"""Regions from a label map that the user brings."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from partinr.errors import InputError
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.shapes import Int32, Shaped
from partinr.signals.decoding import decoding, oriented
from partinr.signals.signal import Signal
from partinr.signals.tiff import read_tiff

_NPY_MAGIC = b"\x93NUMPY"
# Little and big endian, classic and BigTIFF.
_TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
# A value of the tag PhotometricInterpretation, and the number of Orientation (TIFF 6.0, section 8).
_PALETTE, _ORIENTATION = 3, 274
# Pictures without loss that Pillow reads.
_PICTURES = ("PNG", "GIF", "BMP", "PPM")
# Pillow's modes whose pixels are integers of one channel; of a palette image, the indices.
_INTEGER_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, init=False, eq=False)
class Labels(Rule):
    """The regions of a label map: any integers, negative too, renumbered 0..R-1 in ascending order.

    Samples of equal label are one region, connected or not. A file is read when the partition is made.

    Attributes:
        source: a PNG, TIFF, GIF, BMP or PGM file of one channel (grey, 1-bit, or palette, of which the
            indices count; whole floating-point numbers in TIFF), a NumPy .npy file of integers, or an array
            in memory, which is copied.

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
                raise InputError(
                    "labels needs a file, got none; write labels:FILE with a PNG, TIFF or .npy file"
                )
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
        raise InputError(
            f"{path}: cannot be read ({reason}); name a PNG, TIFF or .npy file of labels"
        ) from None
    if head == _NPY_MAGIC:
        return _read_npy(path, shape)
    if head.startswith(_TIFF_MAGIC):
        return _read_tiff(path, shape)
    return _read_picture(path, shape)


def _read_npy(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "..."]:
    with decoding(path, "a NumPy array"):
        mapped = np.lib.format.open_memmap(path, mode="r")
        _require_integers(mapped, f"{path}: labels")
        _require_shape(mapped.shape, shape, f"{path}: labels")
        return np.array(mapped)


def _read_tiff(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "..."]:
    """The values of a TIFF, or the indices of one with a palette; pages are planes, as in a signal."""
    from tifffile import TiffFile

    with decoding(path, "a TIFF image"), TiffFile(path) as tiff:
        series = tiff.series[0]
        palette = int(series.keyframe.photometric) == _PALETTE
        _require_samples(series.shape, shape, f"{path}: labels")
    # Refuses what is damaged, too.
    signal = read_tiff(path, max_pixels=None)
    if not palette:
        _require_shape(signal.shape, shape, f"{path}: labels")
        return _whole(signal.values.reshape(shape), f"{path}: labels")
    with decoding(path, "a TIFF image"), TiffFile(path) as tiff:
        orientation = int(tiff.series[0].keyframe.tags.valueof(_ORIENTATION, 1))
        indices = oriented(tiff.series[0].asarray(), orientation, -2)
    _require_shape(indices.shape, shape, f"{path}: labels")
    return indices


def _read_picture(path: Path, shape: tuple[int, ...]) -> Shaped[ndarray, "rows columns"]:
    from PIL import Image, UnidentifiedImageError

    with decoding(path, "a label map"):
        try:
            image = Image.open(path, formats=_PICTURES)
        except UnidentifiedImageError:
            raise InputError(
                f"{path}: labels must be a PNG, TIFF, GIF, BMP or PGM image or a NumPy .npy array, got "
                "something else; convert them to one of these"
            ) from None
        with image:
            if image.mode not in _INTEGER_MODES:
                raise InputError(
                    f"{path}: labels must be an image of one channel, got mode {image.mode}; "
                    "save them as grey of 8 or 16 bits, or as a .npy array"
                )
            _require_samples((image.height, image.width), shape, f"{path}: labels")
            image.load()
            # As a picture is turned that is read for a signal.
            labels = oriented(np.array(image), image.getexif().get(_ORIENTATION))
            _require_shape(labels.shape, shape, f"{path}: labels")
            return labels


def _whole(labels: Shaped[ndarray, "*shape"], what: str) -> Shaped[ndarray, "*shape"]:
    """Integers as they are, and whole floating-point numbers."""
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise InputError(f"{what} must be integers, got fractions; give each sample the number of its region")
    return labels


def _require_integers(labels: Shaped[ndarray, "..."], what: str) -> None:
    if labels.dtype.kind not in "bui":
        raise InputError(f"{what} must be integers, got {labels.dtype}; convert them with labels.astype(int)")


def _require_samples(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
    """Refuse a label map of another size before it is decoded; its axes may still be turned."""
    if math.prod(shape) != math.prod(expected):
        _require_shape(shape, expected, what)


def _require_shape(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
    if shape != expected:
        raise InputError(
            f"{what} must have shape {expected} like the signal, got {shape}; give each sample one label"
        )
