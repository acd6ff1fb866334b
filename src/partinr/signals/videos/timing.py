"""When frames are shown: at an even rate, some of them for longer, or at times of their own."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Float64, Int64
from partinr.signals.axes import MOST_SOURCE, Axis
from partinr.signals.signal import SignalSpec

USUAL_RATE = 25.0
"""Frames a second of what has no time."""

DENOMINATOR = 1001
"""Greatest denominator of a rate: that of 30000/1001."""

# Frames that a grid may have for each that is there, and beyond that.
_MOST_REPEATED, _SPARE = 4, 256
# Of a second, what a number may lack.
_NEARLY = 1e-9


@dataclass(frozen=True)
class Timing:
    """When the frames of a signal are shown.

    Attributes:
        axis: of the frames.
        repeats: samples of the signal that each frame becomes.
        source: what the axis does not say.
    """

    axis: Axis
    repeats: Int64[ndarray, "frames"]
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def even(self) -> bool:
        """Whether there is a rate."""
        return not self.source

    def every(self, step: int) -> Timing:
        """When one of so many samples is shown, the first of them included."""
        if self.even:
            return replace(self, axis=replace(self.axis, spacing=self.axis.spacing * step))
        places = self.source["coordinates"]["t"]
        return replace(self, source={"coordinates": {"t": {**places, "values": places["values"][::step]}}})


def timing(times: Sequence[float], end: float | None, tick: float, rates: Sequence[float] = ()) -> Timing:
    """The rate at which frames are shown, where there is one but for the rounding of their times.

    A frame that is shown for several of the rate's intervals, as animations and screen recordings have them
    where nothing moves, becomes as many samples.

    Args:
        times: of the frames, in seconds, ascending.
        end: of the last frame; None: unknown.
        tick: in seconds, of which times are whole multiples.
        rates: that the file says, which are tried first.

    Raises:
        InputError: the times do not ascend, or are too many to be kept one by one.
    """
    exact = np.asarray(times, np.float64)
    if (np.diff(exact) <= 0).any():
        raise InputError("the times of the frames do not ascend; encode the video again")
    for rate in rates:
        if (found := _on_grid(exact, None, 1 / rate, tick)) is not None:
            return Timing(Axis("t", "s", 1 / rate, float(exact[0])), found)
    if len(exact) == 1:
        length = 1 / USUAL_RATE if end is None or end <= exact[0] else end - exact[0]
        return Timing(Axis("t", "s", float(length), float(exact[0])), np.ones(1, np.int64))
    ends = exact if end is None else np.append(exact, end)
    shortest, total = float(np.diff(ends).min()), float(ends[-1] - ends[0])
    least = max(len(ends) - 1, math.ceil(total / (shortest + tick) - _NEARLY))
    most = min(_MOST_REPEATED * len(exact) + _SPARE, math.floor(total / max(shortest - tick, tick / 2)))
    for steps in range(least, most + 1):
        if (found := _on_grid(exact, end, total / steps, tick)) is not None:
            return Timing(Axis("t", "s", total / steps, float(exact[0])), found)
    places = {"values": [round(time, 6) for time in exact.tolist()], "unit": "s"}
    source = {"coordinates": {"t": places}}
    if len(json.dumps(source)) > MOST_SOURCE // 2:
        raise InputError(
            f"the frame rate varies, and {len(exact):,} frames have too many times to be kept one by one; "
            "take a part with --start and --stop, or fewer frames with --every N"
        )
    return Timing(Axis("t"), np.ones(len(exact), np.int64), source)


def _on_grid(
    times: Float64[ndarray, "frames"], end: float | None, spacing: float, tick: float
) -> Int64[ndarray, "frames"] | None:
    """How many intervals each frame is shown for; None if times are off by more than they are rounded."""
    ends = times if end is None else np.append(times, end)
    steps = np.rint((ends - ends[0]) / spacing)
    off = ends - ends[0] - steps * spacing
    counts = np.diff(steps).astype(np.int64)
    if np.ptp(off) > tick + _NEARLY or (counts < 1).any():
        return None
    counts = counts if end is not None else np.append(counts, 1)
    return counts if counts.sum() <= _MOST_REPEATED * len(times) + _SPARE else None


def frame_times(spec: SignalSpec, shape: tuple[int, ...]) -> tuple[Float64[ndarray, "frames"], float]:
    """When the frames of a rendering of a shape are shown, from 0, and when the last one ends, in seconds.

    What has no time is shown at 25 frames a second.
    """
    axis = None if spec.axes is None else spec.resampled(shape).axes
    n = shape[0]
    if axis is not None and axis[0].unit == "s" and axis[0].spacing > 0:
        return np.arange(n) * axis[0].spacing, n * axis[0].spacing
    told = spec.source.get("coordinates")
    known = told.get("t") if isinstance(told, dict) else None
    values = known.get("values") if isinstance(known, dict) else None
    if axis is not None and axis[0].name == "t" and isinstance(values, list) and len(values) > 1:
        ends = np.asarray([*values, 2 * values[-1] - values[-2]], np.float64)
        # A frame's area begins where it is shown.
        at = axis[0].origin + axis[0].spacing * (np.arange(n + 1) - 0.5) + 0.5
        found = np.interp(at, np.arange(len(ends)), ends)
        if (np.diff(found) > 0).all():
            return found[:-1] - found[0], float(found[-1] - found[0])
    return np.arange(n) / USUAL_RATE, n / USUAL_RATE


def at_fps(
    spec: SignalSpec, rate: float, crop: tuple[tuple[float, float], ...] | None = None
) -> tuple[int, tuple[tuple[float, float], ...]]:
    """How a video is rendered at another rate: its frames, and the part that they cover.

    Raises:
        InputError: it has no even time, or the rate is no positive number or leaves no frame.
    """
    part = tuple((0.0, float(n)) for n in spec.shape) if crop is None else crop
    axis = None if spec.axes is None else spec.axes[0]
    if spec.dims != 3 or axis is None or axis.unit != "s" or axis.spacing <= 0:
        raise InputError(
            "frames a second are for videos of an even rate, got a signal without one; give a size"
        )
    if not 0 < rate < math.inf:
        raise InputError(f"the rate must be a positive number of frames a second, got {rate:g}")
    start, stop = part[0]
    frames = math.floor((stop - start) * axis.spacing * rate + 1e-6)
    if frames < 1:
        raise InputError(
            f"{(stop - start) * axis.spacing:g} seconds have no frame at {rate:g} a second; take a higher "
            "rate"
        )
    return frames, ((start, min(stop, start + frames / (rate * axis.spacing))), *part[1:])


def aspect_of(spec: SignalSpec, shape: tuple[int, ...]) -> Fraction:
    """Width of a rendering's pixels over their height."""
    axes = spec.resampled(shape).axes
    if axes is None or (axes[1].unit, axes[1].spacing > 0) != (axes[2].unit, axes[2].spacing > 0):
        return Fraction(1)
    return Fraction(axes[2].spacing / axes[1].spacing).limit_denominator(DENOMINATOR)
