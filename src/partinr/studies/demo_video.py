"""The demonstration of videos: things that move before a background that does not, fitted and rendered.

Once at twice the rate, once at half the size. The video is made here, so that what lies between its frames
is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.file.inr import Saved, load, save
from partinr.files import make_folder
from partinr.fitting.fit import FitResult, fit
from partinr.fitting.goals.compact import Compact
from partinr.fitting.loop import Watch
from partinr.model.rendering import render_blocks
from partinr.report.fit_report import write_report
from partinr.shapes import UInt8
from partinr.signals.array import from_array
from partinr.signals.axes import Axis
from partinr.signals.metrics import psnr
from partinr.signals.signal import Signal
from partinr.signals.videos.timing import at_fps
from partinr.signals.writing import write, write_slabs
from partinr.studies.telling import Report, telling

_RATE, _SECONDS = 25.0, 3.0
_ROWS, _COLUMNS = 144, 256
_FITTED = 0.6
_PSNR = 38.0


@dataclass(frozen=True, eq=False)
class VideoDemo:
    """What the demonstration wrote and measured.

    Attributes:
        made: the video, an animated WebP without loss.
        inr: it, fitted.
        faster: what that file renders at twice the rate, with frames between those of the video.
        small: the same at half the size, a GIF.
        report: the page with frames and a clip.
        fit: that of the video.
        saved: about the file.
        still: bytes of the first frame of the video alone, fitted to the same PSNR.
        between: PSNR in dB of the frames between those of the video, against what is there.
    """

    made: Path
    inr: Path
    faster: Path
    small: Path
    report: Path
    fit: FitResult
    saved: Saved
    still: int
    between: float


def run_video(folder: Path, callback: Report | None = None, *, seconds: float = _SECONDS) -> VideoDemo:
    """Make a video, fit it to 38 dB, save it, and render it at another rate and size.

    Args:
        folder: where the files go; made if missing.
        callback: told about progress.
        seconds: of the video.

    Raises:
        InputError: the folder cannot be made or written to.
        KeyboardInterrupt: the callback returned True; files that are there by then are whole.
        OSError: the disk is full.
    """
    names = ("film.webp", "film.inr", "twice-the-rate.webp", "small.gif", "report.html")
    made, inr, faster, small, report = (folder / name for name in names)
    make_folder(folder, *names)
    tell = telling(callback)
    tell("making the video", 0.0)
    signal = film(seconds)
    write(made, signal.values, signal.spec)
    goal = Compact(psnr=_PSNR)
    watch = Watch(lambda so_far: tell("fitting the video", _FITTED * so_far.fraction))
    fitted = fit(signal, goal=goal, watch=watch)
    saved = save(fitted.model, inr, store="auto", signal=signal)
    first = from_array(signal.values[0], kind="image")
    still = save(fit(first, goal=goal).model, folder / "first.inr", store="auto", signal=first)
    still.path.unlink()
    tell("rendering", _FITTED)
    model = load(inr)
    frames, part = at_fps(signal.spec, 2 * _RATE)
    size = (frames, _ROWS, _COLUMNS)
    values = np.concatenate(list(render_blocks(model, size, crop=part, point=True)))
    write(faster, values, signal.spec.resampled(size, part))
    half = (signal.shape[0], _ROWS // 2, _COLUMNS // 2)
    write_slabs(small, render_blocks(model, half), half, signal.spec.resampled(half))
    # Rendered frames lie a quarter of a frame before and behind those of the video.
    times = (np.arange(frames) + 0.5) / 2 - 0.5
    inside = slice(1, frames - 1)
    between = psnr(scene(times[inside]), values[inside], 255)
    tell("writing the page", 0.9)
    write_report(report, fitted, saved)
    tell("done", 1.0)
    return VideoDemo(made, inr, faster, small, report, fitted, saved, still.bytes, between)


def film(seconds: float = _SECONDS) -> Signal:
    """The video, of 25 frames a second."""
    values = scene(np.arange(round(seconds * _RATE), dtype=np.float64))
    return from_array(values, kind="video", axes=[Axis("t", "s", 1 / _RATE), Axis("y"), Axis("x")])


def scene(frames: ndarray) -> UInt8[ndarray, "frames rows columns 3"]:
    """What is there at some times, in frames: three balls that swing over a wall that does not move."""
    y, x = np.mgrid[:_ROWS, :_COLUMNS].astype(np.float64)
    bricks = (
        np.sin(y * 0.7) * 6 + np.sin(x * 0.21 + 2 * np.sin(y * 0.05)) * 10 + np.sin(x * 0.9 + y * 0.4) * 4
    )
    wall = np.stack(
        [120 + 40 * x / _COLUMNS + bricks, 110 + bricks, 90 + 40 * y / _ROWS + bricks / 2], axis=-1
    )
    found = np.empty((len(frames), _ROWS, _COLUMNS, 3), np.uint8)
    for place, t in enumerate(frames / _RATE):
        picture = wall.copy()
        for i, colour in enumerate(((230, 60, 50), (60, 190, 90), (70, 110, 240))):
            column = _COLUMNS * (0.5 + 0.36 * np.sin(1.1 * t + 2.1 * i))
            row = _ROWS * (0.3 + 0.2 * i) - 14 * np.abs(np.sin(3 * t + i))
            distance = np.hypot(x - column, y - row)
            inside = 1 / (1 + np.exp(np.clip((distance - 17) * 1.5, -60, 60)))
            light = np.clip(1.25 - 0.03 * np.hypot(x - column + 6, y - row + 6), 0.4, 1.25)
            picture += inside[..., None] * (light[..., None] * np.array(colour) - picture)
        found[place] = np.rint(np.clip(picture, 0, 255))
    return found
