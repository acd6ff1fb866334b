"""Writing TIFF: pictures and stacks, without compression, in strips."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.signal import SignalSpec
from partinr.signals.tiff_places import description, tags

Slabs = Iterable[Shaped[ndarray, "_ *rest channels"]]
"""Consecutive parts of a signal along its first axis, together all of it."""

# TIFF 6.0 asks for strips of about 8 KB; readers of today like larger ones, and fewer of them.
_STRIP_BYTES = 1 << 18

# Offsets of classic TIFF have 32 bits; some room is left for what is not pixels.
_CLASSIC_TIFF = 2**32 - 2**25


def write_tiff(file: BinaryIO, slabs: Slabs, shape: tuple[int, ...], spec: SignalSpec) -> None:
    """Without compression; the planes of a stack are pages, and samples have the bits of the value range."""
    from tifffile import TiffWriter

    channels, dtype, bits = spec.channels, np.dtype(spec.dtype), _fewer_bits(spec)
    colours = 3 if channels in (3, 4) else 1
    alpha = channels == 4 or (channels == 2 and spec.kind == "image")
    row_samples = shape[-1] * channels
    row_bytes = row_samples * dtype.itemsize
    strip_rows = min(shape[-2], max(1, _STRIP_BYTES // row_bytes))
    options: dict[str, Any] = {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "planarconfig": "contig" if channels > 1 else None,
        "extrasamples": ["unassalpha" if alpha else "unspecified"] * (channels - colours),
        "rowsperstrip": strip_rows,
        "bitspersample": bits,
        "metadata": None,
        **tags(spec),
    }

    def strips(part: Slabs) -> Iterator[bytes]:
        """A page; all that tifffile is to do is to put it into the file."""
        if bits is None:
            return _strips(part, strip_rows)
        rows = _strips((_within(slab, bits) for slab in part), strip_rows)
        return (_packed(np.frombuffer(strip, dtype), row_samples, bits) for strip in rows)

    options |= {"shape": (*shape[-2:], channels) if channels > 1 else shape[-2:], "dtype": dtype}
    with TiffWriter(file, bigtiff=math.prod(shape[:-1]) * row_bytes > _CLASSIC_TIFF) as tiff:
        # What tifffile itself calls a stack, so that one page is read as one.
        one_plane = (1, *options["shape"]) if len(shape) == 3 and shape[0] == 1 else None
        options["description"] = description(spec, one_plane)
        if len(shape) == 2:
            tiff.write(strips(slabs), **options)
            return
        for slab in slabs:
            for plane in slab:
                tiff.write(strips([plane]), **options)
                options["description"] = None


def _fewer_bits(spec: SignalSpec) -> int | None:
    """Bits a sample in TIFF where the value range is that of fewer than the type's, 0..2^bits-1; or None.

    One bit is left out, as it is read as 0 and 255.
    """
    dtype, (low, high) = np.dtype(spec.dtype), spec.value_range
    fewest = {"uint8": 2, "uint16": 9, "uint32": 17}.get(dtype.name)
    bits = int(high + 1).bit_length() - 1
    if fewest is None or not fewest <= bits < 8 * dtype.itemsize or (low, high) != (0, 2**bits - 1):
        return None
    return bits


def _within(slab: Shaped[ndarray, "..."], bits: int) -> Shaped[ndarray, "..."]:
    """The slab, unless bits would be lost."""
    if slab.max(initial=0) >> bits:
        raise InputError(
            f"values to write must be at most {2**bits - 1} like the value range, got {slab.max()}; "
            "see SignalSpec.quantise"
        )
    return slab


def _packed(samples: Shaped[ndarray, " _"], row_samples: int, bits: int) -> bytes:
    """Samples of `bits` bits one after another, each row filled up to whole bytes."""
    rows = samples.reshape(-1, row_samples, 1)
    digits = (rows >> np.arange(bits, dtype=rows.dtype)[::-1]) & rows.dtype.type(1)
    return np.packbits(digits.astype(np.uint8).reshape(len(rows), -1), axis=1).tobytes()


def _strips(slabs: Slabs, strip_rows: int) -> Iterator[bytes]:
    """The bytes of a picture in strips of `strip_rows` rows; the last strip has what is left."""
    held: list[bytes] = []
    wanted = strip_rows
    for slab in slabs:
        first = 0
        while first < len(slab):
            piece = slab[first : first + wanted]
            held.append(piece.tobytes())
            first += len(piece)
            wanted -= len(piece)
            if wanted == 0:
                yield b"".join(held)
                held, wanted = [], strip_rows
    if held:
        yield b"".join(held)
