"""Sounds: what their values and their time mean, and the files that soundfile reads and writes.

Plain WAV is read and written without it, by `wav.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, loaded
from partinr.shapes import Shaped
from partinr.signals.array import signal_of
from partinr.signals.axes import Axis
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding
from partinr.signals.signal import Signal, SignalSpec

Part = tuple[float | None, float | None]
"""First and last second of a part of a sound; None for its beginning and end."""

# Bits of each of libsndfile's subtypes that hold whole numbers. The others become single precision, DOUBLE
# double.
_BITS = {
    **{"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "DPCM_8": 8, "DPCM_16": 16},
    **{"ALAC_16": 16, "ALAC_20": 24, "ALAC_24": 24, "ALAC_32": 32, "DWVW_16": 16, "DWVW_24": 24},
    **dict.fromkeys(("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "VOX_ADPCM", "DWVW_12"), 16),
    **dict.fromkeys(("G721_32", "G723_24", "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"), 16),
}
# Samples of a frame of MP3, by which headers may miss.
_PADDING = 1152
_BLOCK = 1 << 16
# Of a sample, what rounding may lack.
_NEARLY = 1e-6
_FLAC_CHANNELS, _FLAC_RATE = 8, 655_350
_FLAC_BITS = {"int8": "PCM_S8", "uint8": "PCM_S8", "int16": "PCM_16", "int32": "PCM_24"}
# A flag of a page of Ogg, bytes of its head before the lengths of its pieces, and the most that it has.
_LAST_OGG_PAGE, _OGG_HEAD, _PAGE_BYTES = 4, 27, 1 << 16
# Bytes that say how long other files are.
_HEAD_BYTES = 28
_UNKNOWN = 0xFFFFFFFF
_MOST_CHUNKS = 1 << 12


def sound_signal(
    values: Shaped[ndarray, "samples channels"],
    rate: float,
    *,
    bits: int | None = None,
    first: int = 0,
    value_range: tuple[float, float] | None = None,
    source: Mapping[str, Any] | None = None,
) -> Signal:
    """A sound from its values, which nobody else may write to.

    Args:
        values: whole or floating-point numbers.
        rate: samples a second.
        bits: of whole numbers where they are fewer than those of the data type.
        first: place of the first sample in its file.
        value_range: lowest and highest possible value; None: what the bits hold, and -1..1 for
            floating-point numbers, or as far as they go where that is further.
        source: what the file says beside that.

    Raises:
        InputError: as for `signal_of`, or there are no samples.
    """
    if len(values) == 0:
        raise InputError("a sound needs at least one sample, got none; the file may be unfinished")
    if bits is not None and value_range is None:
        value_range = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    mono = values.shape[1] == 1
    return signal_of(
        values[:, 0] if mono else values,
        channel_axis=not mono,
        value_range=value_range,
        kind="sound",
        axes=(Axis("t", "s", 1 / rate, first / rate),),
        source=source,
    )


def chosen_part(part: Part, rate: float, frames: int) -> tuple[int, int]:
    """First sample and one past the last of a part of a sound of so many.

    Raises:
        InputError: there is no such part.
    """
    start, stop = part
    first = 0 if start is None else round(start * rate)
    last = frames if stop is None else round(stop * rate)
    if not (0 <= first < last <= frames):
        raise InputError(
            f"expected a part of 0 to {frames / rate:g} seconds that is not empty, got "
            f"{start or 0:g} to {frames / rate if stop is None else stop:g}; change start and stop"
        )
    return first, last


def rate_of(spec: SignalSpec) -> float | None:
    """Samples a second; None for what has no time in seconds along its first axis."""
    axis = None if spec.axes is None else spec.axes[0]
    return None if axis is None or axis.unit != "s" or axis.spacing <= 0 else 1 / axis.spacing


def at_rate(
    spec: SignalSpec, rate: float, crop: tuple[tuple[float, float], ...] | None = None
) -> tuple[int, tuple[tuple[float, float]]]:
    """How a sound is rendered at another rate: the samples, and the part that they cover.

    Exactly so many samples a second; where the part is no whole number of them, the rest at its end is left
    out.

    Args:
        spec: the sound.
        rate: samples a second.
        crop: the part to render, in its own samples; None for all.

    Raises:
        InputError: it has no time, or the rate is no positive number or leaves no sample.
    """
    own, (start, stop) = rate_of(spec), (0.0, float(spec.shape[0])) if crop is None else crop[0]
    if own is None or spec.kind != "sound":
        raise InputError(f"a rate is for sounds, got a signal of the kind {spec.kind}; give a size")
    if not 0 < rate < math.inf:
        raise InputError(f"the rate must be a positive number of samples a second, got {rate:g}")
    samples = math.floor((stop - start) * (rate / own) + _NEARLY)
    if samples < 1:
        raise InputError(
            f"{(stop - start) / own:g} seconds have no sample at {rate:g} a second; take a higher rate"
        )
    return samples, ((start, min(stop, start + samples * (own / rate))),)


def check_frames(path: Path, frames: int, channels: int, max_pixels: int | None) -> None:
    """Refuse a sound by the size that its header states, before it is decoded; of many channels every four
    count as a sample.

    Raises:
        InputError: it is above the limit.
    """
    check_pixels(path, (frames * -(-channels // 4),), max_pixels, "sound", "sample")


def read_sound(
    path: Path,
    *,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    part: Part = (None, None),
) -> Signal:
    """A signal from any file that libsndfile reads: FLAC, Ogg Vorbis, Opus, MP3, AIFF, odd WAV, ...

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: see `sound_signal`.
        max_pixels: greatest number of samples, checked before anything is decoded; None for no limit.
        part: in seconds.

    Raises:
        InputError: soundfile is missing, the file is damaged, truncated or of an unknown coding, has no
            samples, or more than the limit.
    """
    soundfile = _soundfile(f"{path}: this kind of sound is read")
    if part[1] is None:
        _check_whole(path)
    with decoding(path, "a sound"), soundfile.SoundFile(path) as file:
        if file.samplerate < 1 or file.channels < 1:
            raise ValueError(f"{file.channels} channels at {file.samplerate} samples a second")
        first, last = chosen_part(part, file.samplerate, file.frames) if file.frames else (0, 0)
        check_frames(path, last - first, file.channels, max_pixels)
        bits = _BITS.get(file.subtype)
        if bits is None:
            dtype = "float64" if file.subtype == "DOUBLE" else "float32"
        else:
            dtype = "int16" if bits <= 16 else "int32"
        values = np.empty((last - first, file.channels), dtype)
        if first:
            file.seek(first)
        found = 0
        while found < len(values) and (got := len(file.read(out=values[found : found + _BLOCK]))):
            found += got
        padding = _PADDING if file.subtype.startswith("MPEG") else 0
        if found < len(values) - padding:
            raise truncated(path, f"{len(values):,} samples", f"{found:,}")
        rate, source = file.samplerate, {"format": file.format, "subtype": file.subtype}
    values = values[:found]
    if bits is not None:
        spare = 8 * values.itemsize - bits
        values >>= spare
        if bits <= 8:
            values = values.astype(np.int8)
    return sound_signal(values, rate, bits=bits, first=first, value_range=value_range, source=source)


def truncated(path: Path, expected: str, found: str) -> InputError:
    """What is wrong with a file that has less than it says."""
    return InputError(
        f"{path}: truncated: expected {expected}, got {found}; get the file again, or read what is there "
        "with a stop (--stop SECONDS)"
    )


def write_flac(
    file: BinaryIO, slabs: Iterable[Shaped[ndarray, "_ channels"]], shape: tuple[int, ...], spec: SignalSpec
) -> None:
    """FLAC of 8, 16 or 24 bits.

    Raises:
        InputError: soundfile is missing.
    """
    soundfile = _soundfile("FLAC is written")
    options = {"format": "FLAC", "subtype": _FLAC_BITS[spec.dtype]}
    rate = round(rate_of(spec.resampled(shape)) or 0)
    with soundfile.SoundFile(file, "w", rate, spec.channels, **options) as out:
        for slab in slabs:
            whole = slab.astype(np.int16) - 128 if slab.dtype == np.uint8 else slab
            spare = {"int8": 8, "uint8": 8, "int32": 8}.get(slab.dtype.name, 0)
            out.write(np.left_shift(whole.astype(np.int32 if slab.dtype == np.int32 else np.int16), spare))


def flac_holds(shape: tuple[int, ...], spec: SignalSpec) -> bool:
    """Whether FLAC holds such a sound: 24 bits at most, and rates that its header has."""
    fits = spec.dtype != "int32" or has_24_bits(spec)
    return has_rate(shape, spec, _FLAC_RATE) and spec.channels <= _FLAC_CHANNELS and fits


def has_rate(shape: tuple[int, ...], spec: SignalSpec, most: int) -> bool:
    """Whether it is a sound of 1 to so many samples a second, where it is rendered with this shape."""
    rate = rate_of(spec.resampled(shape)) if spec.kind == "sound" and spec.dims == len(shape) else None
    return rate is not None and 1 <= round(rate) <= most


def has_24_bits(spec: SignalSpec) -> bool:
    """Whether its whole numbers are integers of 32 bits of which 24 are used."""
    low, high = spec.value_range
    return spec.dtype == "int32" and low >= -(2**23) and high < 2**23


def _check_whole(path: Path) -> None:
    """Refuse a file that ends before its container says, which libsndfile passes over in silence.

    Raises:
        InputError: it does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).ljust(_HEAD_BYTES, b"\0")
        caf = _caf_bytes(file) if head[:4] == b"caff" else 0
        file.seek(max(0, size - _PAGE_BYTES))
        tail = file.read()
    if head[:4] == b"OggS":
        page = tail[max(0, tail.rfind(b"OggS")) :].ljust(_OGG_HEAD, b"\0")
        pieces = page[_OGG_HEAD : _OGG_HEAD + page[_OGG_HEAD - 1]]
        if not page[5] & _LAST_OGG_PAGE or len(page) < _OGG_HEAD + len(pieces) + sum(pieces):
            raise truncated(path, "a last page", "none")
    expected = {
        b"RIFF": 8 + int.from_bytes(head[4:8], "little"),
        b"RIFX": 8 + int.from_bytes(head[4:8], "big"),
        b"FORM": 8 + int.from_bytes(head[4:8], "big"),
        b"RF64": 8 + int.from_bytes(head[20:28], "little"),
        b"riff": int.from_bytes(head[16:24], "little"),
        b".snd": int.from_bytes(head[4:8], "big") + int.from_bytes(head[8:12], "big"),
        b"caff": caf,
    }.get(head[:4], 0)
    # Programs that do not know the length yet write the greatest.
    if size < expected < _UNKNOWN:
        raise truncated(path, f"{expected:,} bytes", f"{size:,}")


def _caf_bytes(file: BinaryIO) -> int:
    """The end of the data of an Apple file, whose chunks are walked; 0 if it does not say."""
    file.seek(8)
    for _ in range(_MOST_CHUNKS):
        name, length = file.read(4), int.from_bytes(file.read(8), "big")
        if name == b"data" and length < _UNKNOWN:
            return file.tell() + length
        if not name or length >= _UNKNOWN:
            break
        file.seek(length, 1)
    return 0


def _soundfile(what: str) -> ModuleType:
    """The library.

    Raises:
        InputError: it is not there.
    """
    return loaded("soundfile", f"{what} by soundfile; pip install 'partinr[sound]', or take WAV")
