"""Signals from arrays: in memory, or in NumPy's .npy and .npz files."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from partinr.errors import InputError
from partinr.shapes import Bool, Shaped
from partinr.signals.axes import JSON, Axis
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, quiet
from partinr.signals.missing import mask_of, there_of, with_filling
from partinr.signals.pillow import is_picture, picture_values
from partinr.signals.signal import Kind, Signal, SignalSpec, require_finite
from partinr.signals.told import MOST_TOLD, heard, integer_range, with_told

TOLD_MEMBER = "signal.json"
"""Member of a .npz file that says what `told` says."""

MAX_CHANNELS_GUESSED = 4
"""A last axis of at most this many entries is taken for channels where nothing else is said."""

# Beyond it not every integer is a double, and the value range and quantisation are computed in doubles.
_EXACT_INTEGERS = 2**53


def from_array(
    values: Any,
    *,
    channels_last: bool | None = None,
    value_range: tuple[float, float] | None = None,
    kind: Kind | None = None,
    mask: Any = None,
    axes: Sequence[Axis] | None = None,
) -> Signal:
    """A signal from an array or a picture in memory; the values are copied.

    Args:
        values: array of shape (*shape) or (*shape, channels) with the axes (plane, row, column, channels), of
            which planes, rows and channels may lack: a NumPy array, a tensor on any device, or nested lists.
            Integers, booleans or floating-point numbers. Or a picture of Pillow's of any mode, which becomes
            what `read` makes of its file, as far as Pillow keeps it: of palettes the colours, and so on.
            Samples are missing where a channel is NaN, or masked in one of NumPy's masked arrays.
        channels_last: whether the last axis holds the channels. None: it does in an array of four axes, and
            in one of three axes whose last has 1 to 4 entries; otherwise there is one channel.
        value_range: lowest and highest possible value, in the array's units. None: what `default_range` says.
        kind: "image" if the channels mean grey, grey and alpha, RGB, or RGB and alpha; "sound" if the only
            axis but that of the channels is time. None: "image" for pictures of Pillow's, "array" for all
            else.
        mask: array of the shape (*shape): true or not 0 where a sample is there. None: all are that are not
            missing by what the values say.
        axes: where the samples lie along each axis, without channels: `[Axis("t", "s", 1 / 44100)]`.

    Raises:
        InputError: too many or too few axes, an empty array, infinity, nothing but missing samples, a mask of
            another shape, a data type that holds no numbers, or values outside the value range.

    Example:
        >>> import numpy as np
        >>> import partinr
        >>> signal = partinr.from_array(np.linspace(0, 2, 50, dtype=np.float32))
        >>> signal.shape, signal.channels, signal.spec.value_range
        ((50,), 1, (0.0, 2.0))
    """
    metadata: dict[str, Any] = {}
    if is_picture(values):
        picture, metadata = picture_values(values)
        array, channel_axis, kind = np.array(picture, order="C"), picture.ndim == 3, kind or "image"
    else:
        array = np.array(_to_numpy(values), order="C")
        if kind == "sound" and channels_last is None:
            channels_last = array.ndim == 2
        channel_axis = has_channel_axis(array.shape, channels_last)
    there: Bool[ndarray, "*shape"] | None = None
    if mask is not None:
        there = there_of(mask, array.shape[:-1] if channel_axis else array.shape)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        hidden = np.ma.getmaskarray(values)
        own: Bool[ndarray, "*shape"] = np.logical_not(hidden.any(axis=-1) if channel_axis else hidden)
        there = own if there is None else own & there
    return signal_of(
        array,
        channel_axis=channel_axis,
        value_range=value_range,
        kind=kind or "array",
        metadata=metadata,
        mask=there,
        axes=axes,
    )


def read_npy(
    path: Path, *, channels_last: bool | None = None, value_range: tuple[float, float] | None = None
) -> Signal:
    """A signal from a .npy file; objects in it are never unpickled.

    Args:
        path: the file.
        channels_last: as for `from_array`.
        value_range: as for `from_array`.

    Raises:
        InputError: the file is damaged or truncated, or for one of the reasons of `from_array`.
    """
    with path.open("rb") as file, quiet():
        values = _load(file, path.stat().st_size)
    return signal_of(
        values, channel_axis=has_channel_axis(values.shape, channels_last), value_range=value_range
    )


def read_npz(
    path: Path,
    *,
    channels_last: bool | None = None,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Signal:
    """A signal from a .npz file that holds one array; objects in it are never unpickled.

    Args:
        path: the file.
        channels_last: as for `from_array`.
        value_range: as for `from_array`.
        max_pixels: greatest number of values of a compressed array, checked before it is unpacked; None for
            no limit.

    Raises:
        InputError: the file is damaged, holds no array or several, or one above the limit, or for one of the
            reasons of `from_array`.
    """
    with decoding(path, "a NumPy .npz file"), zipfile.ZipFile(path) as archive:
        member = _only_array(archive)
        with archive.open(member) as file:
            shape, _ = npy_header(file)
        if member.compress_type != zipfile.ZIP_STORED:
            check_pixels(path, shape, max_pixels)
        with archive.open(member) as file:
            values = _load(file, member.file_size)
            # The checksum is compared at the end.
            file.read(1)
        told = _told(archive)
    if told is not None and channels_last is None and isinstance(told.get("channel_axis"), bool):
        channels_last = told["channel_axis"]
    if told is not None and value_range is None:
        value_range = integer_range(told, values.dtype)
    channel_axis = has_channel_axis(values.shape, channels_last)
    signal = signal_of(values, channel_axis=channel_axis, value_range=value_range)
    return signal if told is None else with_told(signal, told)


def signal_of(
    values: Shaped[ndarray, "..."],
    *,
    channel_axis: bool,
    value_range: tuple[float, float] | None = None,
    kind: Kind = "array",
    metadata: dict[str, Any] | None = None,
    mask: Bool[ndarray, "*shape"] | None = None,
    axes: Sequence[Axis] | None = None,
    source: Mapping[str, JSON] | None = None,
) -> Signal:
    """A signal that takes over an array, without a copy where the array is already native and contiguous.

    Args:
        values: shape (*shape, channels) if `channel_axis`, else (*shape); nobody else may write to it.
        channel_axis: whether the last axis holds the channels.
        value_range: lowest and highest possible value; None: what `default_range` says.
        kind: which writers suit it.
        metadata: what else is known of the source.
        mask: which samples are there, of those that are not NaN; None: all of these.
        axes: where the samples lie.
        source: what the file says that must be written back.

    Raises:
        InputError: as for `from_array`.
    """
    dtype = values.dtype
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(
            f"signal values must be integers, booleans or floating-point numbers of up to 64 bits, "
            f"got {dtype}; convert them first"
        )
    values = np.ascontiguousarray(values, dtype.newbyteorder("="))
    shape = values.shape[:-1] if channel_axis else values.shape
    channels = values.shape[-1] if channel_axis else 1
    if values.size == 0:
        raise InputError(f"a signal needs at least one sample, got an array of shape {values.shape}")
    values = values.reshape(*shape, channels)
    mask = mask_of(values, mask)
    known = values if mask is None else values[mask]
    require_finite(known)
    usual = sound_range if kind == "sound" else default_range
    span = usual(known) if value_range is None else _checked_range(known, value_range)
    where = None if axes is None else tuple(axes)
    spec = SignalSpec(kind, shape, channels, values.dtype.name, span, channel_axis, where, source or {})
    if mask is not None:
        values = with_filling(values, mask, spec)
    values.flags.writeable = False
    return Signal(values, spec, {} if metadata is None else metadata, mask)


def default_range(values: Shaped[ndarray, "..."]) -> tuple[float, float]:
    """The value range of an array of which nothing is known but its values.

    Integers of 8 and 16 bits and booleans: all that the type can hold. Wider integers and floating-point
    numbers: lowest and highest value; constant data gets (value, value + 1).

    Args:
        values: finite numbers, at least one.

    Raises:
        InputError: the range or an integer in it is not representable in double precision.
    """
    dtype = values.dtype
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind in "ui" and dtype.itemsize <= 2:
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    low, high = values.min().item(), values.max().item()
    if dtype.kind in "ui":
        _require_exact(low, high)
    low, high = float(low), float(high)
    if low == high:
        high = low + 1 if low + 1 > low else math.nextafter(low, math.inf)
        if dtype.kind in "ui" and high > np.iinfo(dtype).max:
            low, high = low - 1, low
        elif math.isinf(high):
            low, high = math.nextafter(low, -math.inf), low
    if not math.isfinite(high - low):
        raise InputError(
            f"signal values must span a range that a double can hold, got {low}..{high}; scale them"
        )
    return low, high


def sound_range(values: Shaped[ndarray, "..."]) -> tuple[float, float]:
    """The value range of a sound: all that its type can hold; for floating-point numbers -1..1, or as far as
    they go where that is further.

    Args:
        values: finite numbers, at least one.

    Raises:
        InputError: as for `default_range`.
    """
    if values.dtype.kind != "f":
        wide = values.dtype.kind in "ui" and values.dtype.itemsize == 4
        info = np.iinfo(values.dtype) if wide else None
        return default_range(values) if info is None else (float(info.min), float(info.max))
    most = max(1.0, float(np.abs(values).max()))
    return _checked_range(values, (-most, most))


def _checked_range(values: Shaped[ndarray, "..."], value_range: tuple[float, float]) -> tuple[float, float]:
    """The caller's value range, if it is one and holds the values."""
    low, high = float(value_range[0]), float(value_range[1])
    given = f"({low:g}, {high:g})"
    if not (math.isfinite(high - low) and low < high):
        raise InputError(f"value_range must be (low, high) with low < high and finite, got {given}")
    dtype, least, most = values.dtype, values.min().item(), values.max().item()
    if dtype.kind == "f":
        # In the data's own precision: 0.1 as a limit must hold the single-precision number nearest to 0.1.
        with np.errstate(over="ignore"):
            inside = dtype.type(low) <= least and most <= dtype.type(high)
    else:
        inside = low <= least and most <= high
        info = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if low < info[0] or high > info[1]:
            raise InputError(
                f"value_range must be within what {dtype} holds, {info[0]}..{info[1]}, got {given}"
            )
        _require_exact(min(low, least), max(high, most))
    if not inside:
        raise InputError(
            f"signal values must lie in value_range {given}, got {least:g}..{most:g}; widen it or clip them"
        )
    return low, high


def _require_exact(low: float, high: float) -> None:
    """Refuse integers that a double may not hold."""
    if max(-low, high) > _EXACT_INTEGERS:
        raise InputError(
            f"signal values must be within ±2^53 to be exact in double precision, got {low}..{high}; "
            "subtract an offset or convert them to float64"
        )


def has_channel_axis(shape: tuple[int, ...], channels_last: bool | None) -> bool:
    """Whether the last axis of an array of this shape holds the channels.

    Raises:
        InputError: it has too few axes for that, or too many.
    """
    axes = len(shape)
    if channels_last is None:
        channels_last = axes == 4 or (axes == 3 and 1 <= shape[-1] <= MAX_CHANNELS_GUESSED)
    dims = axes - channels_last
    if not 1 <= dims <= 3:
        beside = " beside the channels" if channels_last else ""
        raise InputError(
            f"a signal has 1 to 3 axes{beside}, got {dims} (array of shape {shape}); "
            + ("choose a slice of it" if dims > 3 else "pass an array with an axis of samples")
            + (", or say that the last axis is channels" if axes == 4 else "")
        )
    return channels_last


def _to_numpy(values: Any) -> ArrayLike:
    """Values that NumPy can take, from tensors of any kind as well, without importing their library."""
    kind = type(values).__name__
    try:
        return np.asarray(_plain(values) if hasattr(values, "numpy") else values)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # NotImplementedError is one, too
        reason = " ".join(str(error).split())
        raise InputError(
            f"signal values must be convertible to a NumPy array, got {kind} ({reason})"
        ) from error


def _plain(tensor: Any) -> Any:
    """A tensor's numbers as NumPy has them: dense, on the CPU, with signs and conjugates carried out.

    Types that NumPy lacks, bfloat16 and those of eight bits, become single precision, which holds all their
    numbers.
    """
    if type(tensor).__name__ == "MaskedTensor":
        raise InputError("signal values must be no masked tensor; give its data, and its mask as mask=")
    for step in ("detach", "cpu", "resolve_conj", "resolve_neg"):
        tensor = getattr(tensor, step, lambda tensor=tensor: tensor)()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if hasattr(tensor, "to_dense"):
        tensor = tensor.to_dense()
    small = getattr(tensor, "is_floating_point", bool)() and str(tensor.dtype).startswith(
        ("torch.bfloat16", "torch.float8")
    )
    return (tensor.float() if small else tensor).numpy()


def _only_array(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one array of a .npz file."""
    members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    names = [member.filename.removesuffix(".npy") for member in members]
    if not names:
        raise InputError("expected an array in the .npz file, got none; save one with numpy.savez")
    if len(names) > 1:
        raise InputError(
            f"expected one array in the .npz file, got {len(names)}: {', '.join(names):.200}; save one, "
            f"as with numpy.save('{names[0]}.npy', numpy.load(FILE)['{names[0]}'])"
        )
    return members[0]


def _told(archive: zipfile.ZipFile) -> dict[str, Any] | None:
    """What a .npz file that partinr wrote says beside its array; None of others."""
    if TOLD_MEMBER not in archive.namelist():
        return None
    with archive.open(TOLD_MEMBER) as file:
        return heard(file.read(MOST_TOLD + 1))


def _load(file: IO[bytes] | io.BufferedIOBase, size: int) -> Shaped[ndarray, "..."]:
    """The array of a .npy file of so many bytes, which are compared before anything is allocated."""
    from numpy.lib import format as npy

    shape, dtype = npy_header(file)
    expected = math.prod(shape) * dtype.itemsize
    found = size - file.tell()
    if found < expected:
        raise InputError(
            f"truncated: {shape} values of {dtype} take {expected} bytes after the header, got {found}"
        )
    file.seek(0)
    values: Shaped[ndarray, "..."] = npy.read_array(file, allow_pickle=False)
    return values


def npy_header(file: IO[bytes] | io.BufferedIOBase) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and data type of a .npy file, whose data come next."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format version {version[0]}.{version[1]}")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
    except Exception as error:
        # The header is a Python literal: a damaged one ends in SyntaxError, TokenError, TypeError, ...
        raise InputError("not a whole .npy file of numbers; save it with numpy.save") from error
    if dtype.hasobject:
        raise InputError("holds Python objects, which are never unpickled; save an array of numbers")
    return shape, dtype
