"""Signals from TIFF files of any depth, pages as the planes of a stack."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from partinr.errors import InputError
from partinr.signals.array import signal_of
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.image import image_values
from partinr.signals.opencv import decode_pages
from partinr.signals.signal import Signal

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

# Values of the tags PhotometricInterpretation and ExtraSamples, and the number of the tag Orientation
# (TIFF 6.0, section 8).
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_PREMULTIPLIED = 1
_ORIENTATION = 274


class _Axes(NamedTuple):
    """Positions of the axes of a series that become the signal's."""

    shape: tuple[int, ...]
    """Length of every axis of the series."""
    space: list[int]
    """Plane, row and column, those that there are."""
    channels: int | None


def read_tiff(
    path: Path, *, value_range: tuple[float, float] | None = None, max_pixels: int | None = MAX_PIXELS
) -> Signal:
    """A signal from a TIFF file: a page, or pages of one size and type as the planes of a stack.

    Grey and RGB data of 8 to 64 bits keep their data type and further samples become further channels; alpha
    becomes straight, grey becomes brighter with its value, 1-bit images become 0 and 255, other colour spaces
    RGB of 8 bits. Of several series of pages of different size, the first is read.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what `default_range` says.
        max_pixels: greatest number of pixels, all planes together, checked before decoding; None for no
            limit.

    Raises:
        InputError: a damaged or truncated file, one above the limit, more axes than (plane, row, column,
            channel), or a compression that needs another library.
    """
    from tifffile import TiffFile

    with decoding(path, "a TIFF image"), TiffFile(path) as tiff:
        _check_chain(path)
        series = tiff.series[0]
        axes = _axes(path, series)
        check_pixels(path, tuple(axes.shape[i] for i in axes.space), max_pixels)
        page = series.keyframe
        _check_whole(path, tiff, series)
        if _tifffile_decodes(page):
            values = _by_tifffile(series, axes)
            channel_axis = axes.channels is not None
        else:
            frames = _by_others(path, series, axes, len(tiff.pages))
            values = frames[0] if len(axes.space) == 2 else np.stack(frames)
            channel_axis = frames[0].ndim == 3
        metadata: dict[str, Any] = {"format": "TIFF"}
        if len(tiff.pages) > 1:
            metadata["frames"] = len(tiff.pages)
    return signal_of(
        values, channel_axis=channel_axis, value_range=value_range, kind="image", metadata=metadata
    )


def _axes(path: Path, series: TiffPageSeries) -> _Axes:
    """Which axes of a series are planes, rows, columns and channels; all others have length 1."""
    names, shape, page = series.get_axes(False), series.get_shape(False), series.keyframe
    if series.kind == "shaped" and "C" not in names:
        # tifffile guesses these names from the lengths, misled by lengths of 1; the page knows its own.
        for end in (page.axes, page.axes + "S"):
            before = len(shape) - len(end)
            if before >= 0 and shape[before:] == (*page.shape, 1)[: len(end)]:
                names = "Q" * before + end
                break
    channels = [i for i, name in enumerate(names) if name in "SC" and shape[i] > 1]
    planes = [i for i, name in enumerate(names) if name not in "SCYX" and shape[i] != 1]
    if series.kind == "shaped" and not planes:
        # The file says itself that it holds a stack, if only of one plane.
        planes = [i for i, name in enumerate(names) if name not in "SCYX"][:1]
    if len(planes) > 1 or len(channels) > 1:
        raise InputError(
            f"{path}: a signal has the axes (plane, row, column, channel), got {names} of shape {shape}; "
            "save a part of it"
        )
    space = planes + [names.index(name) for name in "YX" if name in names]
    return _Axes(tuple(shape), space, channels[0] if channels else None)


def _check_chain(path: Path) -> None:
    """Refuse a file in which a page points to a next one beyond the end; tifffile would leave it out.

    Source: TIFF 6.0, section 2, and the BigTIFF design (page counts and offsets of 64 bits).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = 43 in head[2:4]
        count_format, offset_format, entry = (
            (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
        )
        (offset,) = struct.unpack_from(offset_format, head, 8 if big else 4)
        seen = set()
        while offset and offset not in seen:
            seen.add(offset)
            end = offset + struct.calcsize(count_format)
            if end <= size:
                file.seek(offset)
                (entries,) = struct.unpack(count_format, file.read(struct.calcsize(count_format)))
                end += entries * entry + struct.calcsize(offset_format)
            if end > size:
                raise InputError(f"{path}: truncated: page {len(seen)} begins at byte {offset} of {size}")
            file.seek(end - struct.calcsize(offset_format))
            (offset,) = struct.unpack(offset_format, file.read(struct.calcsize(offset_format)))


def _check_whole(path: Path, tiff: TiffFile, series: TiffPageSeries) -> None:
    """Refuse a series of which the file does not hold all data; tifffile would make zeros of the rest."""
    claimed = (tiff.imagej_metadata or {}).get("images", 1)
    if series.kind != "imagej" and claimed > len(tiff.pages):
        # tifffile has given up the stack and takes the first plane alone.
        raise InputError(f"{path}: truncated: the file should hold {claimed} planes; copy it again")
    if series.dataoffset is not None:
        # One block, as some programs write stacks: with a page for the first plane only.
        _check_end(path, series.dataoffset + series.nbytes, tiff)
        return
    for page in series.pages:
        if page is None:
            raise InputError(f"{path}: pages of the stack are missing; save it to one file")
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            # A stack may be spread over several files.
            _check_end(path, offset + count, page.parent)


def _check_end(path: Path, end: int, tiff: TiffFile) -> None:
    size = tiff.filehandle.size
    if end > size:
        raise InputError(f"{path}: truncated: the image data reach to byte {end}, the file has {size}")


def _tifffile_decodes(page: TiffPage) -> bool:
    """Whether tifffile alone reads the page to values that need no conversion of colour."""
    from tifffile import TIFF

    try:
        # Without the library that it takes its codecs from, tifffile has few of its own.
        TIFF.DECOMPRESSORS[page.compression]
        TIFF.UNPREDICTORS[page.predictor]
    except KeyError:
        return False
    grey_or_rgb = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    return grey_or_rgb and page.bitspersample in (1, 8, 16, 32, 64)


def _by_tifffile(series: TiffPageSeries, axes: _Axes) -> Shaped[ndarray, "*shape_channels"]:
    """The series' values as (*shape) or (*shape, channels)."""
    page = series.keyframe
    kept = axes.space + ([] if axes.channels is None else [axes.channels])
    dropped = [i for i in range(len(axes.shape)) if i not in kept]
    values = series.asarray().reshape(axes.shape).transpose(kept + dropped)
    values = values.reshape([axes.shape[i] for i in kept])
    if page.photometric == _WHITE_IS_ZERO and values.dtype.kind in "bu":
        values = ~values
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    colours = 3 if page.photometric == _RGB else 1
    if axes.channels is not None and [int(e) for e in page.extrasamples][:1] == [_PREMULTIPLIED]:
        values = _straight(values, colours)
    if len(axes.space) >= 2:
        orientation = page.tags.valueof(_ORIENTATION, 1)
        values = oriented(values, int(orientation), len(axes.space) - 2)
    return values


def _straight(values: Shaped[ndarray, "*shape channels"], colours: int) -> Shaped[ndarray, "*shape channels"]:
    """Values whose colours are no longer multiplied by the alpha that follows them."""
    whole = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    alpha = values[..., colours : colours + 1].astype(np.float64)
    colour = values[..., :colours] * (whole / np.where(alpha == 0, 1, alpha))
    if values.dtype.kind != "f":
        colour = np.clip(np.rint(colour), 0, whole)
    straight = np.array(values)
    straight[..., :colours] = np.where(alpha == 0, 0, colour)
    return straight


def _by_others(
    path: Path, series: TiffPageSeries, axes: _Axes, pages: int
) -> list[Shaped[ndarray, "rows columns *channels"]]:
    """The pages of a series through libraries that bring their own decompression."""
    page = series.keyframe
    indices = [p.index for p in series.pages if p is not None]
    planes = axes.shape[axes.space[0]] if len(axes.space) == 3 else 1
    if len(indices) == planes and all(isinstance(i, int) for i in indices):
        if page.bitspersample <= 8 or page.photometric not in (_BLACK_IS_ZERO, _RGB):
            return _by_pillow(path, indices)
        # OpenCV decodes all pages, and only those of this series were held against the pixel limit.
        frames = decode_pages(path) if indices == list(range(pages)) else []
        if frames and all(f.dtype == page.dtype and f.size == page.size for f in frames):
            return frames
    raise ValueError(f"the compression {_name(page.compression)} needs the library imagecodecs; install it")


def _name(compression: int) -> str:
    """The name of a compression that tifffile knows, or its number."""
    return str(getattr(compression, "name", compression))


def _by_pillow(path: Path, indices: list[int]) -> list[Shaped[ndarray, "rows columns *channels"]]:
    """Pages of 8 bits or less; Pillow turns them itself."""
    from PIL import Image

    frames = []
    with Image.open(path) as image:
        for index in indices:
            image.seek(index)
            frames.append(image_values(image))
    return frames
