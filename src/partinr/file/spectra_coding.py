"""Spectra as bytes. `docs/format.md`, "Coded cosines", states them.

The native kernel writes and reads them, and `spectra_decoding.py` reads them without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.file.numbers import read_number, written_number
from partinr.file.spectra_layout import slice_count
from partinr.model import kernel
from partinr.model.spectra import MIXING_UNIT, Sides, Spectra
from partinr.shapes import Int32, Int64, UInt8

_SMALLEST_SIDE, _LARGEST_SIDE = 2, 1024
# Parameters are finite: integers are below 2^28, channels at most 2^20, and their weights at most 2.
_LARGEST_STEP = 2.0**64
_MOST_CHANNELS = 1 << 20


@lru_cache(maxsize=1)
def write_spectra(spectra: Spectra) -> bytes:
    """The payload of a file.

    Raises:
        InputError: the kernel is missing, or the step is too small for an integer to be coded.
    """
    lacking = kernel.why_missing()
    if lacking is not None:
        raise InputError(f"compact files of cosines are written by the native kernel alone: {lacking}")
    from partinr import _native

    try:
        slices = _native.encode_spectra(
            spectra.splits,
            spectra.integers,
            shape=spectra.shape,
            channels=spectra.channels,
            root=spectra.sides.root,
            least=spectra.sides.least,
            threads=usable_cores(),
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    mixing = np.rint(spectra.mixing.astype(np.float64) * MIXING_UNIT).astype("<i2")
    mixed = not np.array_equal(spectra.mixing, np.eye(spectra.channels, dtype=np.float32))
    return b"".join(
        (
            np.float32(spectra.step).astype("<f4").tobytes(),
            written_number(spectra.sides.root),
            written_number(spectra.sides.least),
            bytes([mixed]),
            mixing.tobytes() if mixed else b"",
            *(written_number(len(part)) for part in slices[:-1]),
            *slices,
        )
    )


def read_spectra(payload: bytes, shape: tuple[int, ...], channels: int) -> Spectra:
    """The inverse of `write_spectra`.

    Args:
        payload: the bytes.
        shape: of the signal; its samples are allocated.
        channels: of the signal.

    Raises:
        InputError: these are no such bytes.
    """
    if channels > _MOST_CHANNELS:
        raise InputError(f"coded cosines have at most {_MOST_CHANNELS} channels, got {channels}")
    if len(payload) < 5:
        raise InputError("damaged: the coded cosines are cut short")
    step = float(np.frombuffer(payload, "<f4", 1)[0])
    if not 0 < step <= _LARGEST_STEP:
        raise InputError("damaged: the step must be positive, and no more than 2^64")
    root, at = read_number(payload, 4)
    least, at = read_number(payload, at)
    if not _SMALLEST_SIDE <= least <= root <= _LARGEST_SIDE:
        raise InputError(
            f"damaged: sides must be {_SMALLEST_SIDE} to {_LARGEST_SIDE} samples, got {root} and {least}"
        )
    mixed, at = read_number(payload, at)
    mixing = np.eye(channels, dtype=np.float32)
    if mixed:
        size = 2 * channels * channels
        if mixed > 1 or at + size > len(payload):
            raise InputError("damaged: the channels' mixing is cut short")
        weights = np.frombuffer(payload, "<i2", channels * channels, at).reshape(channels, channels)
        mixing, at = (weights.astype(np.float32) / np.float32(MIXING_UNIT)), at + size
    sides = Sides(root, least)
    slices, at = _slices(payload, at, slice_count(shape, sides))
    splits, boxes, integers = _decoded(slices, shape, channels, sides)
    return Spectra(shape, sides, splits, boxes, integers, step, mixing)


def _slices(payload: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    if count > len(payload):
        raise InputError("damaged: the coded cosines are cut short")
    lengths = []
    for _ in range(count - 1):
        length, at = read_number(payload, at)
        lengths.append(length)
    lengths.append(len(payload) - at - sum(lengths))
    if lengths[-1] < 0:
        raise InputError("damaged: the coded cosines are cut short")
    slices = []
    for length in lengths:
        slices.append(payload[at : at + length])
        at += length
    return slices, at


def _decoded(
    slices: Sequence[bytes], shape: tuple[int, ...], channels: int, sides: Sides
) -> tuple[UInt8[ndarray, "_"], Int64[ndarray, "regions 2 dims"], Int32[ndarray, "_"]]:
    if kernel.why_missing() is not None:
        from partinr.file.spectra_decoding import decoded

        return decoded(slices, shape, channels, sides)
    from partinr import _native

    try:
        return _native.decode_spectra(
            list(slices),
            shape=shape,
            channels=channels,
            root=sides.root,
            least=sides.least,
            threads=usable_cores(),
        )
    except ValueError as error:
        raise InputError(f"damaged: {error}") from error
    except MemoryError as error:
        raise InputError(f"{channels} channels of {shape} samples need more memory than there is") from error
