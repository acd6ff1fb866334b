"""Plain WAV: whole numbers of 8 to 32 bits and floating-point numbers, without any other library."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Int32, Shaped, UInt8
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.sound import (
    Part,
    check_frames,
    chosen_part,
    has_24_bits,
    has_rate,
    rate_of,
    read_sound,
    sound_signal,
    truncated,
)

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# What follows the coding's number in the GUID of an extensible format.
_GUID = bytes.fromhex("000000001000800000aa00389b71")
_TYPES = {(_PCM, 1): "u1", (_PCM, 2): "<i2", (_PCM, 4): "<i4", (_FLOAT, 4): "<f4", (_FLOAT, 8): "<f8"}
# A length that programs write who do not know it yet.
_UNKNOWN = 0xFFFFFFFF
_MOST_CHUNKS = 1 << 12
# Bytes a sample of each data type.
_STORED = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "float16": 4, "float32": 4, "float64": 8}


class _Header(NamedTuple):
    """What a WAV file says of its data: the coding, as the format numbers it, channels, samples a second,
    bytes a sample, the mask of loudspeakers, and where the data begin and how many bytes they have."""

    coding: int
    channels: int
    rate: int
    width: int
    mask: int | None
    first: int
    length: int


def read_wav(
    path: Path,
    *,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    part: Part = (None, None),
) -> Signal:
    """A signal from a WAV file; those of other codings are read by `read_sound`.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: see `sound_signal`.
        max_pixels: greatest number of samples; None for no limit.
        part: in seconds.

    Raises:
        InputError: the file is damaged or truncated, has no samples, or more than the limit.

    Source: Microsoft, "Multiple channel audio data and WAVE files", 2007; IBM, Microsoft, "Multimedia
    Programming Interface and Data Specifications 1.0", 1991.
    """
    with path.open("rb") as file:
        header = _header(path) if file.read(4) == b"RIFF" else None
    # Others begin with large or big-endian numbers.
    if header is None or header.coding not in (_PCM, _FLOAT):
        return read_sound(path, value_range=value_range, max_pixels=max_pixels, part=part)
    frame = header.width * header.channels
    if (header.coding, header.width) not in _TYPES and (header.coding, header.width) != (_PCM, 3):
        raise _damaged(path, f"{8 * header.width} bits a sample of coding {header.coding}")
    if header.length % frame:
        raise _damaged(path, f"{header.length} bytes of data are no whole number of samples of {frame} bytes")
    frames = header.length // frame
    found = (path.stat().st_size - header.first) // frame
    first, last = chosen_part(part, header.rate, frames) if frames else (0, 0)
    if last > found:
        raise truncated(path, f"{frames:,} samples", f"{found:,}")
    check_frames(path, last - first, header.channels, max_pixels)
    kind = _TYPES.get((header.coding, header.width), "u1")
    count = (last - first) * frame // np.dtype(kind).itemsize
    raw = np.fromfile(path, kind, count, offset=header.first + first * frame)
    values = _from_24_bits(raw) if header.width == 3 else raw
    subtype = {1: "PCM_U8", 3: "PCM_24"}.get(header.width, f"PCM_{8 * header.width}")
    if header.coding == _FLOAT:
        subtype = "FLOAT" if header.width == 4 else "DOUBLE"
    return sound_signal(
        values.reshape(-1, header.channels),
        header.rate,
        bits=24 if header.width == 3 else None,
        first=first,
        value_range=value_range,
        source={
            "format": "WAV",
            "subtype": subtype,
            **({} if not header.mask else {"channel_mask": header.mask}),
        },
    )


def write_wav(
    file: BinaryIO | io.BufferedIOBase,
    slabs: Iterable[Shaped[ndarray, "_ channels"]],
    shape: tuple[int, ...],
    spec: SignalSpec,
) -> None:
    """WAV of 8, 16, 24 or 32 bits, or floating-point numbers, by data type and value range."""
    dtype, channels, deep = np.dtype(spec.dtype), spec.channels, has_24_bits(spec)
    width = 3 if deep else _STORED[dtype.name]
    rate, frame = round(rate_of(spec.resampled(shape)) or 0), width * channels
    length, coding = shape[0] * frame, _FLOAT if dtype.kind == "f" else _PCM
    mask = spec.source.get("channel_mask", 0)
    known = isinstance(mask, int) and 0 < mask < 1 << 32
    extended = known or (coding == _PCM and (channels > 2 or width > 2))
    told = struct.pack(
        "<HHIIHH", _EXTENSIBLE if extended else coding, channels, rate, rate * frame, frame, 8 * width
    )
    if extended:
        told += struct.pack("<HHIH", 22, 8 * width, mask if known else 0, coding) + _GUID
    elif coding == _FLOAT:
        told += struct.pack("<H", 0)
    # Other codings than whole numbers have to say how many samples there are.
    fact = struct.pack("<4sII", b"fact", 4, shape[0]) if coding == _FLOAT else b""
    head = struct.pack("<4sI", b"fmt ", len(told)) + told + fact + struct.pack("<4sI", b"data", length)
    file.write(struct.pack("<4sI4s", b"RIFF", 4 + len(head) + length + length % 2, b"WAVE") + head)
    for slab in slabs:
        file.write(_stored(slab, deep))
    file.write(b"\0" * (length % 2))


def wav_holds(shape: tuple[int, ...], spec: SignalSpec) -> bool:
    """Whether WAV holds such a sound: it has a rate, and fits into the 32 bits of lengths."""
    size = shape[0] * spec.channels * _STORED.get(spec.dtype, 8)
    return has_rate(shape, spec, 2**31 - 1) and spec.channels < 2**13 and size < 2**32 - 2**10


def _header(path: Path) -> _Header:
    """The chunks of a RIFF file up to its data."""
    told, size = None, path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        for _ in range(_MOST_CHUNKS):
            start = file.read(8)
            if len(start) < 8:
                break
            name, length = struct.unpack("<4sI", start)
            if name == b"fmt ":
                told = _format(path, file.read(min(length, 64)))
                file.seek(length + length % 2 - min(length, 64), 1)
            elif name == b"data":
                if told is None:
                    raise _damaged(path, "data before the format")
                coding, channels, rate, width, mask = told
                if length == _UNKNOWN:
                    length = (size - file.tell()) // (width * channels) * width * channels
                return _Header(coding, channels, rate, width, mask, file.tell(), length)
            else:
                file.seek(length + length % 2, 1)
    raise _damaged(path, "no data" if told else "no format")


def _format(path: Path, told: bytes) -> tuple[int, int, int, int, int | None]:
    if len(told) < 16:
        raise _damaged(path, f"a format of {len(told)} bytes")
    coding, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", told)
    mask = None
    if coding == _EXTENSIBLE and len(told) >= 40:
        mask, coding = struct.unpack_from("<IH", told, 20)
        if told[26:40] != _GUID:
            coding = _EXTENSIBLE
    if (
        channels == 0
        or rate == 0
        or (coding in (_PCM, _FLOAT) and (frame == 0 or frame % channels or bits == 0))
    ):
        raise _damaged(
            path, f"{channels} channels at {rate} samples a second in {frame} bytes of {bits} bits"
        )
    return coding, channels, rate, frame // channels or 1, mask


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: cannot be decoded as a WAV sound ({what}); the file is damaged or of another kind"
    )


def _from_24_bits(stored: UInt8[ndarray, "_"]) -> Int32[ndarray, "_"]:
    wide = np.zeros((len(stored) // 3, 4), np.uint8)
    wide[:, 1:] = stored.reshape(-1, 3)
    values: Int32[ndarray, "_"] = wide.view("<i4")[:, 0] >> 8
    return values


def _stored(slab: Shaped[ndarray, "_ channels"], deep: bool) -> bytes:
    """The bytes of samples."""
    if deep:
        wide = np.ascontiguousarray(slab, "<i4").reshape(-1, 1).view(np.uint8)
        return wide[:, :3].tobytes()
    if slab.dtype == np.int8:
        return (slab.astype(np.int16) + 128).astype(np.uint8).tobytes()
    if slab.dtype == np.float16:
        slab = slab.astype(np.float32)
    return np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).tobytes()
