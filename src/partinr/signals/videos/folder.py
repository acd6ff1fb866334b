"""Frames of a video in a folder, a picture each, in the order of the numbers in their names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from partinr.errors import InputError
from partinr.signals.axes import Axis
from partinr.signals.signal import Signal
from partinr.signals.videos.clip import Clip
from partinr.signals.videos.frames import Frames, one_frame, video_signal
from partinr.signals.videos.timing import USUAL_RATE, Timing
from partinr.signals.volumes.dicom import is_dicom
from partinr.signals.weighting import masked

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".avif")
"""Of pictures that are frames."""

# Files that are looked at for slices of a scan, beside which there may be pictures.
_MOST_FILES = 50_000
_NUMBERS = re.compile("([0-9]+)")


def is_frames(folder: Path) -> bool:
    """Whether there are pictures in a folder, and no slice of a scan in it or below."""
    if not any(file.suffix.lower() in SUFFIXES for file in _visible(folder)):
        return False
    return not any(file.is_file() and is_dicom(file) for file in islice(folder.rglob("*"), _MOST_FILES))


def read_frames(
    folder: Path,
    clip: Clip,
    read_picture: Callable[[Path], Signal],
    *,
    value_range: tuple[float, float] | None,
    max_pixels: int | None,
) -> Signal:
    """The pictures in a folder as a video.

    Args:
        folder: it holds frames of one kind and size, and else only what is hidden.
        clip: which of them, and how many there are a second; 25 where that is not said.
        read_picture: reads one, of `max_pixels` at most.
        value_range: lowest and highest possible value.
        max_pixels: greatest number of pixels of all frames, checked when the size of the first is known.

    Raises:
        InputError: other files, a gap between numbers, frames of several sizes or types, pages, no frame in
            the part, or more pixels than the limit.
    """
    files = _in_order(folder)
    if clip.fps is not None and not 0 < clip.fps < math.inf:
        raise InputError(f"{folder}: --fps must be a positive number of frames a second, got {clip.fps:g}")
    rate = clip.fps or USUAL_RATE
    if clip.picture is None:
        times = [number / rate for number in range(len(files))]
        inside = [n for n, time in enumerate(times) if not clip.before(time) and not clip.after(time)]
        chosen = inside[:: clip.step]
    else:
        chosen = [n for n in (clip.picture,) if 0 <= n < len(files)]
    if not chosen:
        raise clip.nothing(folder, len(files), len(files) / rate)
    frames, read = Frames(folder, len(chosen), max_pixels), []
    for number in chosen:
        one = read_picture(files[number])
        if one.spec.dims != 2:
            raise InputError(f"{files[number]}: a frame is one picture, got one of several; leave it out")
        frames.add(one.values if one.spec.channel_axis else one.values[..., 0], files[number])
        read.append((one.spec, one.mask))
    values, ranges = frames.values, [spec.value_range for spec, _ in read]
    if value_range is None and values.dtype.kind != "f":
        value_range = (min(low for low, _ in ranges), max(high for _, high in ranges))
    if clip.picture is not None:
        signal = one_frame(values[0], value_range=value_range, metadata={"frames": len(files)})
    else:
        said = f"frames of a folder have no rate of their own; {USUAL_RATE:g} a second, --fps N says another"
        axis = Axis("t", "s", clip.step / rate, chosen[0] / rate)
        signal = video_signal(
            folder,
            values,
            Timing(axis, np.ones(len(values), np.int64)),
            value_range=value_range,
            max_pixels=max_pixels,
            source={"format": "frames"},
            notes=[said] if clip.fps is None else [],
        )
    if all(mask is None for _, mask in read):
        return signal
    there = [np.ones(values.shape[1:3], bool) if mask is None else mask for _, mask in read]
    return masked(signal, np.stack(there) if clip.picture is None else there[0])


def _visible(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not file.name.startswith(".")]


def _in_order(folder: Path) -> list[Path]:
    """The frames of a folder: frame2 before frame10."""
    files = sorted(_visible(folder), key=lambda file: ([_key(part) for part in _parts(file)], file.name))
    others = [file.name for file in files if file.suffix.lower() not in SUFFIXES or not file.is_file()]
    if others:
        raise InputError(
            f"{folder}: a folder of frames holds pictures alone, got {len(others)} other thing(s), such as "
            f"{others[0]!r}; move what is no frame elsewhere"
        )
    kinds = sorted({file.suffix.lower() for file in files})
    if len(kinds) > 1:
        raise InputError(
            f"{folder}: frames must be files of one kind, got {', '.join(kinds)}; leave some out"
        )
    _check_numbers(folder, files)
    return files


def _parts(file: Path) -> list[str]:
    """A name without its suffix: texts, and the numbers between them."""
    return _NUMBERS.split(file.stem)


def _key(part: str) -> tuple[bool, int, str]:
    return (False, int(part), "") if part.isdecimal() else (True, 0, part)


def _check_numbers(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a gap between names that differ by one number alone, and a number that is there twice."""
    names = [_parts(file) for file in files]
    differing = {
        i for one in names for i, part in enumerate(one) if len(one) != len(names[0]) or part != names[0][i]
    }
    if len(differing) != 1 or not (at := differing.pop()) % 2:
        return
    steps = [int(after[at]) - int(before[at]) for before, after in pairwise(names)]
    usual = min(steps)
    for (before, after), step in zip(pairwise(files), steps, strict=True):
        if step == 0:
            raise InputError(f"{folder}: {before.name} and {after.name} have one number; leave one out")
        if step != usual:
            raise InputError(
                f"{folder}: frames are missing between {before.name} and {after.name}, where others follow "
                f"each other by {usual}; add them, or number the frames anew"
            )
