"""DICOM: a file, or a folder of the slices of a series; by pydicom.

Integers are kept as they are stored. Of what a file says, only what places and scales its samples is kept;
nothing about a patient is.

Source: DICOM PS3.3, C.7.6.2 (Image Plane), C.7.6.16 (Multi-frame Functional Groups), C.11.1 (Modality LUT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.shapes import Float64, Shaped
from partinr.signals.decoding import decoding
from partinr.signals.signal import Signal
from partinr.signals.volumes.dicom_pixels import check_readable, pixels
from partinr.signals.volumes.geometry import described, flipped
from partinr.signals.volumes.scan import Wish, scan_signal

MAGIC, MAGIC_AT = b"DICM", 128

# What all slices of a series must have in common.
_ALIKE = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation"),
    *("PhotometricInterpretation", "PixelSpacing", "ImageOrientationPatient"),
)
# What places a frame.
_PLACING = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing"),
    *("SpacingBetweenSlices", "SliceThickness", "GridFrameOffsetVector"),
)
# Distances between slices may differ by this share of the usual one.
_EVEN = 0.02
_COLOURS = 3
# In a folder and those in it.
_MOST_FILES = 50_000


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by what stands behind its preamble."""
    try:
        with path.open("rb") as file:
            file.seek(MAGIC_AT)
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_dicom(path: Path, wish: Wish) -> Signal:
    """A signal from a DICOM file, or from a folder that holds the files of one series.

    A slice has the axes (row, column), a series and a file of many frames (plane, row, column), where planes
    are sorted by their place along the normal of the slices. Files of the folder that hold no picture are
    left out.

    Raises:
        InputError: pydicom is not there; no pictures, those of several series, slices that are missing, lie
            twice or are not alike; a transfer syntax that is not read, or an encrypted file; one above the
            limit.
    """
    need("pydicom", "reading DICOM", "volumes")
    with decoding(path, "a DICOM series" if path.is_dir() else "a DICOM file"):
        slices = _series(path) if path.is_dir() else [_header(path)]
        for one in slices:
            check_readable(one)
        _check_alike(path, slices)
        frames = int(slices[0].get("NumberOfFrames", 1) or 1)
        if len(slices) > 1 and frames > 1:
            raise InputError(f"{path}: holds {len(slices)} files of {frames} frames each; name one of them")
        planes = max(frames, len(slices))
        size = (int(slices[0].Rows), int(slices[0].Columns))
        colours = (_COLOURS,) if slices[0].get("SamplesPerPixel", 1) > 1 else ()
        wish.check(path, (planes, *size, *colours), max(1, int(slices[0].BitsAllocated) // 8))
        if len(slices) > 1:
            slices = _sorted(path, slices, wish)
            stack = [pixels(one) for one in slices]
            scales = [_scale(one) for one in slices]
            values = np.stack(stack if len(set(scales)) == 1 else _rescaled(stack, scales))
            scale = scales[0] if len(set(scales)) == 1 else (1.0, 0.0)
        else:
            values, scale = pixels(slices[0]), _scale(slices[0])
        channel_axis = bool(colours) or slices[0].PhotometricInterpretation == "PALETTE COLOR"
        dims = values.ndim - channel_axis
        affine = _affine(slices, frames)
        axes, geometry = (None, {}) if affine is None else described(affine, "mm", dims)
    return scan_signal(
        values,
        wish,
        channel_axis=channel_axis,
        kind="image" if channel_axis and dims == 2 else None,
        axes=axes,
        source={
            "format": "DICOM",
            **geometry,
            "slope": scale[0],
            "intercept": scale[1],
            **_source(slices[0]),
        },
    )


def _header(path: Path) -> Any:
    """What a file says, its pixels left out."""
    from pydicom import dcmread

    header: Any = dcmread(path, stop_before_pixels=True)
    if "Rows" not in header:
        kind = header.get("Modality") or header.get("SOPClassUID", "nothing")
        raise InputError(f"{path}: expected a DICOM file with a picture, got one of {kind}")
    return header


def _series(folder: Path) -> list[Any]:
    """Headers of all pictures in a folder and those in it, of one series."""
    from pydicom import dcmread

    found = [path for _, path in zip(range(_MOST_FILES + 1), folder.rglob("*"), strict=False)]
    if len(found) > _MOST_FILES:
        raise InputError(f"{folder}: more than {_MOST_FILES:,} files; name the folder of one series")
    files = [path for path in sorted(found) if path.is_file() and is_dicom(path)]
    headers: list[Any] = [dcmread(path, stop_before_pixels=True) for path in files]
    pictures = [header for header in headers if "Rows" in header]
    if not pictures:
        of = f"{len(files)} DICOM files without pictures" if files else "neither"
        raise InputError(
            f"{folder}: expected a file, or a folder that is a DICOM series, frames of a video "
            f"(.png, .jpg, .tif) or Zarr, got a folder of {of}; name a file in it"
        )
    series: dict[str, list[Any]] = {}
    for header in pictures:
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(header)
    if len(series) > 1:
        told = "; ".join(
            f"{len(of)} of {' '.join(str(of[0].get(k, '')) for k in ('Modality', 'SeriesNumber')).strip()} "
            "as "
            f"{Path(of[0].filename).relative_to(folder)}"
            for of in series.values()
        )
        raise InputError(
            f"{folder}: expected one series, got {len(series)} ({told:.400}); put the files of one into a "
            "folder"
        )
    return pictures


def _check_alike(path: Path, slices: Sequence[Any]) -> None:
    for name in _ALIKE:
        first = slices[0].get(name)
        for other in slices[1:]:
            if not _same(other.get(name), first):
                raise InputError(
                    f"{path}: slices of a series must have one {name}, got {first} in "
                    f"{Path(slices[0].filename).name} and {other.get(name)} in "
                    f"{Path(other.filename).name}; leave "
                    "out what does not belong to it"
                )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str | None.__class__) or isinstance(b, str | None.__class__):
        return bool(a == b)
    return bool(np.shape(a) == np.shape(b) and np.allclose(np.float64(a), np.float64(b), atol=1e-4))


def _sorted(path: Path, slices: list[Any], wish: Wish) -> list[Any]:
    """The slices of one volume from the first to the last, none of which is missing."""
    if any(one.get("ImagePositionPatient") is None for one in slices):
        return _numbered(path, slices)
    normal = _normal(slices[0])
    places = np.array([float(np.dot(normal, _numbers(one.ImagePositionPatient))) for one in slices])
    order = sorted(range(len(slices)), key=lambda i: (places[i], _number(slices[i])))
    steps = np.diff(places[order])
    usual = float(steps[steps > 1e-3].min()) if (steps > 1e-3).any() else 0.0
    groups: list[list[int]] = [[order[0]]]
    for i, step in zip(order[1:], steps, strict=True):
        if step > max(_EVEN * usual, 1e-3):
            groups.append([])
        groups[-1].append(i)
    counts = {len(group) for group in groups}
    if len(counts) > 1:
        odd = next(group for group in groups if len(group) == max(counts))
        raise InputError(
            f"{path}: slices lie twice: {' and '.join(Path(slices[i].filename).name for i in odd[:2])} are "
            "at "
            f"{places[odd[0]]:g} mm; leave one out"
        )
    at = wish.chosen(path, counts.pop())
    chosen = [slices[group[at]] for group in groups]
    apart = np.diff([places[group[0]] for group in groups])
    wide = np.flatnonzero(np.abs(apart - usual) > _EVEN * usual)
    if wide.size:
        first, second = chosen[wide[0]], chosen[wide[0] + 1]
        raise InputError(
            f"{path}: slices are missing: {Path(first.filename).name} and {Path(second.filename).name} are "
            f"{apart[wide[0]]:g} mm apart, others {usual:g} mm; copy the whole series"
        )
    return chosen


def _numbered(path: Path, slices: list[Any]) -> list[Any]:
    """Slices that do not say where they lie, by their numbers."""
    chosen = sorted(slices, key=_number)
    numbers = [_number(one) for one in chosen]
    wrong = next((i for i, n in enumerate(numbers) if n != numbers[0] + i), None)
    if wrong is not None:
        raise InputError(
            f"{path}: slices are missing: the instance numbers {numbers[wrong - 1]} and {numbers[wrong]} "
            "follow each "
            "other; copy the whole series"
        )
    return chosen


def _number(one: Any) -> int:
    return int(one.get("InstanceNumber") or 0)


def _numbers(values: Any) -> Float64[ndarray, " _"]:
    return np.array([float(x) for x in values])


def _normal(one: Any) -> Float64[ndarray, "3"]:
    """The direction in which slices follow each other."""
    across = _numbers(one.get("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0))
    normal: Float64[ndarray, "3"] = np.cross(across[:3], across[3:])
    if not np.isclose(np.linalg.norm(normal), 1, atol=_EVEN):
        raise InputError(f"ImageOrientationPatient must be at right angles, got {across.tolist()}")
    return normal


def _affine(slices: Sequence[Any], frames: int) -> Float64[ndarray, "3 4"] | None:
    """From (column, row, plane, 1) to millimetres, right, front and up; None of pictures of unknown size."""
    first, last = (_placed(slices[0], i) for i in (0, frames - 1)) if frames > 1 else (slices[0], slices[-1])
    sides = first.get("PixelSpacing") or first.get("ImagerPixelSpacing")
    if not sides:
        return None
    down, along = _numbers(sides)
    across = _numbers(first.get("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0))
    origin = _numbers(first.get("ImagePositionPatient") or (0, 0, 0))
    end = _numbers(last.get("ImagePositionPatient") or origin)
    steps = max(frames, len(slices)) - 1
    offsets = first.get("GridFrameOffsetVector")
    if steps and not np.allclose(end, origin):
        between = (end - origin) / steps
    elif steps and offsets is not None and len(offsets) == steps + 1:
        # Of doses: the places of frames along the normal.
        apart = np.diff(_numbers(offsets))
        if not np.allclose(apart, apart[0], rtol=_EVEN):
            raise InputError("frames must lie at equal distances; save those that do")
        between = _normal(first) * apart[0]
    else:
        thick = first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1
        between = _normal(first) * abs(float(thick))
    return flipped(np.column_stack([across[:3] * along, across[3:] * down, between, origin]))


def _placed(header: Any, frame: int) -> Any:
    """What a file of many frames says of one of them, by the names that slices have for it."""
    from pydicom.dataset import Dataset

    placed: Any = Dataset()
    for name in _PLACING:
        if header.get(name) is not None:
            setattr(placed, name, header.get(name))
    groups = [header.get("SharedFunctionalGroupsSequence"), header.get("PerFrameFunctionalGroupsSequence")]
    for group in (g[min(frame, len(g) - 1)] for g in groups if g):
        for macro in ("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence"):
            for item in group.get(macro) or ():
                placed.update(item)
    return placed


def _scale(header: Any) -> tuple[float, float]:
    """Slope and intercept; a dose's unit, which is the same by another name."""
    holder: Any = header
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (header.get(groups) or ())[:1]:
            for item in group.get("PixelValueTransformationSequence") or ():
                holder = item
    slope = holder.get("RescaleSlope")
    slope = header.get("DoseGridScaling", 1) if slope is None else slope
    pair = float(slope), float(holder.get("RescaleIntercept") or 0)
    if not all(map(math.isfinite, pair)) or pair[0] == 0:
        raise InputError(f"rescale slope and intercept must be finite and the slope not 0, got {pair}")
    return pair


def _rescaled(
    stack: Sequence[Shaped[ndarray, "..."]], scales: Sequence[tuple[float, float]]
) -> list[Shaped[ndarray, "..."]]:
    """Slices of different slopes as what their values mean: PET scales each by itself."""
    pairs = zip(stack, scales, strict=True)
    return [
        (values * np.float64(slope) + intercept).astype(np.float32) for values, (slope, intercept) in pairs
    ]


def _source(header: Any) -> dict[str, Any]:
    """What else is to be written back."""
    told = {
        "value_unit": header.get("RescaleType") or header.get("Units") or header.get("DoseUnits"),
        "modality": header.get("Modality"),
        "photometric": header.get("PhotometricInterpretation"),
    }
    if told["value_unit"] is None and told["modality"] == "CT":
        told["value_unit"] = "HU"
    kept: dict[str, Any] = {name: str(value) for name, value in told.items() if value}
    padding = header.get("PixelPaddingValue")
    return kept if padding is None else {**kept, "fill": int(padding)}
