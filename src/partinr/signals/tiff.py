"""Signals from TIFF files of any depth, pages as the planes of a stack."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped, UInt16
from partinr.signals.array import signal_of
from partinr.signals.axes import Axis
from partinr.signals.decoding import MAX_PIXELS, check_pixels, decoding, oriented
from partinr.signals.photometric import Meaning, colour_values, meaning_of
from partinr.signals.signal import Signal
from partinr.signals.tiff_places import own_words, places
from partinr.signals.told import integer_range, with_told
from partinr.signals.videos.animation import ask
from partinr.signals.videos.clip import WHOLE, Clip
from partinr.signals.volumes.scan import present

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries


class Axes(NamedTuple):
    """Positions of the axes of a series that become the signal's."""

    names: str
    """Letters of all axes of the series, those of length 1 included."""
    shape: tuple[int, ...]
    """Their lengths."""
    space: list[int]
    """Plane, row and column, those that there are."""
    channels: int | None


# Layouts of files whose further series are pictures of their own, not labels or overviews of the first.
_OF_EQUALS = ("generic", "shaped", "ome")


def read_tiff(
    path: Path,
    *,
    value_range: tuple[float, float] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    clip: Clip = WHOLE,
) -> Signal:
    """A signal from a TIFF file: a page, or pages of one size and type as the planes of a stack.

    Grey and RGB data keep their numbers in the smallest data type that holds them, and further samples become
    further channels; alpha becomes straight, grey becomes brighter with its value, 1-bit images become 0 and
    255, other colour spaces RGB.

    Args:
        path: the file.
        value_range: lowest and highest possible value; None: what the bits of a sample hold where those are
            fewer than the data type's (0..4095 for 12), else what `default_range` says.
        max_pixels: greatest number of pixels, all planes together, checked before decoding; None for no
            limit.
        clip: which page; pages have no times.

    Raises:
        InputError: a damaged or truncated file, one above the limit, more axes than (plane, row, column,
            channel), a compression, colour space or type of sample that is not read, or pages of several
            sizes of which none was named.
    """
    from tifffile import TiffFile

    with decoding(path, "a TIFF image"), TiffFile(path) as tiff:
        series, axes, _, meaning, palettes, page = headers(path, tiff, max_pixels, clip=clip)
        values = in_colour(_samples(series, axes, meaning), axes, meaning, palettes)
        if len(axes.space) >= 2:
            values = oriented(values, meaning.orientation, len(axes.space) - 2)
        metadata: dict[str, Any] = {"format": "TIFF"}
        if len(tiff.pages) > 1:
            metadata["frames"] = len(tiff.pages)
        told = Told(own_words(series.keyframe), *places(tiff, len(axes.space)), meaning.value_range)
        if clip.picture is not None:
            # What partinr wrote there is of the stack.
            told = told._replace(words=None, axes=told.axes and told.axes[-2:])
        if page is not None:
            values = _plane(values, len(axes.space), page)
    return told.signal(values, value_range, metadata)


class Told(NamedTuple):
    """What a file says beside its samples.

    Attributes:
        words: what partinr told when it wrote the file; None of others.
        axes, source: where others say that samples lie, and what else.
        value_range: what the bits of a sample hold, where those are fewer than the data type's.
    """

    words: dict[str, Any] | None
    axes: tuple[Axis, ...] | None
    source: dict[str, Any]
    value_range: tuple[float, float] | None

    def signal(
        self,
        values: Shaped[ndarray, "..."],
        value_range: tuple[float, float] | None,
        metadata: dict[str, Any],
    ) -> Signal:
        """The signal of values with an axis of channels."""
        words = self.words
        channel_axis = values.shape[-1] > 1 or bool(words and words.get("channel_axis") is True)
        if words and value_range is None:
            value_range = integer_range(words, values.dtype)
        signal = signal_of(
            values if channel_axis else values[..., 0],
            channel_axis=channel_axis,
            value_range=value_range or self.value_range,
            kind="image",
            metadata=metadata,
            mask=present(values, self.source.get("fill")),
        )
        if words is not None:
            return with_told(signal, words)
        return replace(signal, spec=replace(signal.spec, axes=self.axes, source=self.source))


class Headers(NamedTuple):
    """What a TIFF file says before its samples are decoded.

    Attributes:
        series: the pages that are read.
        axes: what its axes are.
        pages: those pages with all their tags.
        meaning: of the samples of all pages.
        palettes: their palettes; None if they have none.
        plane: that is wanted alone, of a stack behind one page; None: all.
    """

    series: TiffPageSeries
    axes: Axes
    pages: list[TiffPage]
    meaning: Meaning
    palettes: UInt16[ndarray, "#planes 3 entries"] | None
    plane: int | None = None


def headers(
    path: Path, tiff: TiffFile, max_pixels: int | None, *, local: bool = True, clip: Clip = WHOLE
) -> Headers:
    """What an open file says, all of which must be there.

    Args:
        path: the file, for error messages.
        tiff: the same, open.
        max_pixels: see `read_tiff`.
        local: whether the system can open it.
        clip: which page.

    Raises:
        InputError: see `read_tiff`.
    """
    if local:
        _check_chain(path)
    series, plane = _chosen(path, tiff, clip)
    axes = _axes(path, tiff, series)
    check_pixels(path, tuple(axes.shape[i] for i in axes.space), max_pixels)
    _check_whole(path, tiff, series)
    _require_decoder(series.keyframe)
    pages = _own_pages(series)
    return Headers(series, axes, pages, _common_meaning(pages), _palettes(pages, axes), plane)


def in_colour(
    samples: Shaped[ndarray, "..."],
    axes: Axes,
    meaning: Meaning,
    palettes: UInt16[ndarray, "#planes 3 entries"] | None,
) -> Shaped[ndarray, "..."]:
    """Stored samples as a signal's values; see `colour_values`."""
    values = colour_values(samples, meaning, palettes)
    if values.ndim == len(axes.space) + 2:
        # Each page is a channel.
        if values.shape[-1] > 1:
            raise InputError("pages as channels must be grey, got colours; save a part of it")
        values = values[..., 0]
    return values


def _chosen(path: Path, tiff: TiffFile, clip: Clip) -> tuple[TiffPageSeries, int | None]:
    """The series of pages to read, and the plane of it if one is wanted alone.

    Raises:
        InputError: there are pictures of several sizes and none was named, or there is no such page, or times
            were named.
    """
    from tifffile import TiffPageSeries

    if clip.asked:
        raise InputError(f"{path}: pages have no times; leave out start, stop and every")
    series, count = tiff.series[0], len(tiff.pages)
    if clip.picture is None:
        others = [s for s in tiff.series[1:] if not (s.keyframe.is_reduced or s.keyframe.is_mask)]
        if others and series.kind in _OF_EQUALS:
            raise ask(path, count, "pages of several sizes")
        return series, None
    if count == 1:
        # Some programs write all planes of a stack behind one page.
        return series, clip.picture
    if not 0 <= clip.picture < count:
        raise clip.nothing(path, count, 0.0)
    own = tiff.pages[clip.picture].aspage()
    return TiffPageSeries([own], own.shape, own.dtype, own.axes), None


def _plane(values: Shaped[ndarray, "..."], dims: int, page: int) -> Shaped[ndarray, "..."]:
    """One plane of a stack, or of a page of its own the only one."""
    planes: Shaped[ndarray, "..."] = values if dims == 3 else values[None]
    if not 0 <= page < len(planes):
        raise InputError(f"--picture must be 0 to {len(planes) - 1}, got {page}")
    plane: Shaped[ndarray, "..."] = planes[page]
    return plane


def _own_pages(series: TiffPageSeries) -> list[TiffPage]:
    """The pages of a series with all their tags; tifffile reads only those of the first at first."""
    from tifffile import TiffPage

    found: list[TiffPage] = [series.keyframe]
    for page in series.pages:
        if isinstance(page, TiffPage):
            found.append(page)
        elif page is not None and not page.is_virtual:
            found.append(page.aspage())
    return found[1:] or found


def _named(tiff: TiffFile, series: Any) -> tuple[str, tuple[int, ...]]:
    """Names and lengths of all axes of a series, those of length 1 included."""
    if hasattr(series, "get_axes"):
        return series.get_axes(False), series.get_shape(False)
    of_file: Any = tiff.series
    # Since autumn 2026.
    for own, whole in zip(of_file, of_file(squeeze=False), strict=True):
        if own is series:
            return whole.axes, whole.shape
    return series.axes, series.shape


def _axes(path: Path, tiff: TiffFile, series: TiffPageSeries) -> Axes:
    """Which axes of a series are planes, rows, columns and channels; all others have length 1."""
    names, shape = _named(tiff, series)
    page = series.keyframe
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
    return Axes(names, tuple(shape), space, channels[0] if channels else None)


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


def _require_decoder(page: TiffPage) -> None:
    """Refuse a compression or predictor that tifffile has no decoder for."""
    from tifffile import TIFF

    for what, decoders, key in (
        ("compression", TIFF.DECOMPRESSORS, page.compression),
        ("predictor", TIFF.UNPREDICTORS, page.predictor),
    ):
        try:
            decoders[key]
        except KeyError:
            name = getattr(key, "name", key)
            raise InputError(f"the {what} {name} of TIFF is not read; save it with LZW or none") from None


def _common_meaning(pages: list[TiffPage]) -> Meaning:
    """What the samples of all pages of a stack mean."""
    first = meaning_of(pages[0])
    for number, page in enumerate(pages[1:], 2):
        other = meaning_of(page)
        if other != first:
            name = next(n for n, a, b in zip(Meaning._fields, first, other, strict=True) if a != b)
            raise InputError(
                f"pages of a stack must have one {name}, got {getattr(first, name)} in page 1 and "
                f"{getattr(other, name)} in page {number}; save them alike"
            )
    return first


def _palettes(pages: list[TiffPage], axes: Axes) -> UInt16[ndarray, "#planes 3 entries"] | None:
    """The palette of all pages, or one for each plane; None if the pages have none."""
    palettes = [np.asarray(page.colormap, np.uint16) for page in pages if page.colormap is not None]
    if all(np.array_equal(palettes[0], other) for other in palettes[1:]):
        return palettes[0][None] if palettes else None
    if len(axes.space) != 3 or len(pages) != axes.shape[axes.space[0]]:
        raise InputError("pages of different palettes must be the planes of a stack; save them as RGB")
    return np.stack(palettes)


def _samples(series: TiffPageSeries, axes: Axes, meaning: Meaning) -> Shaped[ndarray, "*shape samples"]:
    """The series as it is stored, with its axes in a signal's order and the samples of a pixel last."""
    kept = axes.space + ([] if axes.channels is None else [axes.channels])
    dropped = [i for i in range(len(axes.shape)) if i not in kept]
    values = series.asarray().reshape(axes.shape).transpose(kept + dropped)
    values = values.reshape([axes.shape[i] for i in kept])
    return values[..., None] if meaning.samples == 1 or axes.channels is None else values
