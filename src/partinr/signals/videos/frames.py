"""What readers of videos and animations share: frames that are collected, and the signal that they become."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.array import signal_of
from partinr.signals.axes import Axis
from partinr.signals.decoding import check_pixels
from partinr.signals.signal import Signal
from partinr.signals.videos.timing import Timing

NOTES = "notes"
"""In a signal's metadata: what people should know of how a file was read, a list of texts."""

Frame = Shaped[ndarray, "..."]
"""(rows, columns), or with channels last."""


class Frames:
    """Frames of one size, in an array that grows if there are more than were expected.

    Args:
        path: the file.
        expected: how many there may be; only room is made for them.
        max_pixels: of all together, checked before any is kept; None for no limit.
    """

    def __init__(self, path: Path, expected: int, max_pixels: int | None) -> None:
        self._path, self._room, self._most = path, max(1, expected), max_pixels
        self._values: Shaped[ndarray, "..."] | None = None
        self.count = 0

    def add(self, frame: Frame, file: Path | None = None) -> None:
        """One more; of a file of its own, if there is one.

        Raises:
            InputError: of another size or type, or above the limit.
        """
        values = self._values
        if values is None:
            check_pixels(self._path, (self._room, *frame.shape[:2]), self._most, "video")
            values = np.empty((self._room, *frame.shape), frame.dtype)
        if frame.shape != values.shape[1:] or frame.dtype != values.dtype:
            other = (
                "take a part with --start and --stop, or encode it again" if file is None else "leave it out"
            )
            raise InputError(
                f"{file or self._path}: all frames must have one size, type and number of channels, got "
                f"{_extent(frame)} after {_extent(values[0])}; {other}"
            )
        if self.count == len(values):
            check_pixels(self._path, (self.count + 1, *frame.shape[:2]), self._most, "video")
            more = np.empty((math.ceil(len(values) / 2), *frame.shape), frame.dtype)
            values = np.concatenate([values, more])
        values[self.count] = frame
        self._values = values
        self.count += 1

    @property
    def values(self) -> Shaped[ndarray, "..."]:
        """All of them."""
        assert self._values is not None
        return self._values[: self.count]


def video_signal(
    path: Path,
    values: Shaped[ndarray, "..."],
    timing: Timing,
    *,
    aspect: float = 1.0,
    every: int = 1,
    value_range: tuple[float, float] | None,
    max_pixels: int | None,
    source: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Signal:
    """The signal of frames that are shown at these times.

    Args:
        path: the file.
        values: of the frames.
        timing: when they are shown.
        aspect: width of a pixel over its height.
        every: of the samples that they make, one of so many is taken.
        value_range: lowest and highest possible value.
        max_pixels: greatest number of samples.
        source: what the file says that must be written back.
        notes: what people should know.

    Raises:
        InputError: frames that are shown for longer make too many samples, or as for `signal_of`.
    """
    samples, told = int(timing.repeats.sum()), [*notes]
    if samples > len(values):
        told.append(
            f"{len(values)} frames are {samples} at an even rate: some are shown for several of its intervals"
        )
    if samples > len(values) or every > 1:
        chosen = np.repeat(np.arange(len(values)), timing.repeats)[::every]
        check_pixels(path, (len(chosen), *values.shape[1:3]), max_pixels, "video")
        values, timing = values[chosen], timing.every(every)
    if not timing.even:
        told.append("the frame rate varies; the function is over frames, whose times are kept")
    if aspect != 1:
        told.append(f"pixels are {aspect:.4g} times as wide as high, which is kept")
    signal = signal_of(
        values,
        channel_axis=values.ndim == 4,
        value_range=value_range,
        kind="video",
        metadata={NOTES: told},
        axes=(timing.axis, Axis("y"), Axis("x", "", aspect)),
        source={**source, **timing.source},
    )
    return replace(signal, metadata={**signal.metadata, "format": source.get("format")})


def one_frame(
    values: Frame,
    *,
    value_range: tuple[float, float] | None,
    metadata: dict[str, Any],
) -> Signal:
    """One frame alone, as a picture."""
    return signal_of(
        values, channel_axis=values.ndim == 3, value_range=value_range, kind="image", metadata=metadata
    )


def _extent(frame: Frame) -> str:
    channels = frame.shape[2] if frame.ndim == 3 else 1
    return f"{frame.shape[1]} x {frame.shape[0]} pixels of {channels} channel(s) of {frame.dtype}"
