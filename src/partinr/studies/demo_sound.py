"""The demonstration of sounds: a melody is made, fitted, saved, and rendered at two rates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from partinr.file.inr import Saved, load, save
from partinr.files import make_folder
from partinr.fitting.fit import FitResult, fit
from partinr.fitting.loop import Watch
from partinr.model.rendering import render
from partinr.report.fit_report import write_report
from partinr.signals.array import from_array
from partinr.signals.axes import Axis
from partinr.signals.signal import Signal
from partinr.signals.sound import at_rate
from partinr.signals.writing import write
from partinr.studies.telling import Report, telling

_RATE = 44_100
# Semitones above 220 Hz, a third of a second each; the first bars of Beethoven's "Ode to Joy".
_NOTES = (7, 7, 8, 10, 10, 8, 7, 5, 3, 3, 5, 7, 7, 5, 5)
_LENGTH = 1 / 3
_HARMONICS = 12
_FITTED = 0.6


@dataclass(frozen=True, eq=False)
class SoundDemo:
    """What the demonstration wrote and measured.

    Attributes:
        made: the melody.
        inr: it, fitted.
        rendered: what that file renders.
        lower: the same at half the rate.
        report: the page that plays them.
        fit: that of the melody.
        saved: about the file.
    """

    made: Path
    inr: Path
    rendered: Path
    lower: Path
    report: Path
    fit: FitResult
    saved: Saved


def run_sound(folder: Path, callback: Report | None = None, *, seconds: float | None = None) -> SoundDemo:
    """Make a melody, fit it to 40 dB SNR, save it, and render it at its own and at half its rate.

    Args:
        folder: where the files go; made if missing.
        callback: told about progress.
        seconds: of the melody that are taken; None for all.

    Raises:
        InputError: the folder cannot be made or written to.
        KeyboardInterrupt: the callback returned True; files that are there by then are whole.
        OSError: the disk is full.
    """
    names = ("melody.wav", "melody.inr", "fit.wav", "half-rate.wav", "report.html")
    made, inr, rendered, lower, report = (folder / name for name in names)
    make_folder(folder, *names)
    tell = telling(callback)
    signal = melody(seconds)
    write(made, signal.values, signal.spec)
    fitted = fit(signal, watch=Watch(lambda so_far: tell("fitting the melody", _FITTED * so_far.fraction)))
    tell("saving and rendering", _FITTED)
    saved = save(fitted.model, inr, store="auto", signal=signal)
    model = load(inr)
    write(rendered, render(model)[:, None], signal.spec)
    size, part = at_rate(signal.spec, _RATE / 2)
    write(lower, render(model, size=(size,), crop=part)[:, None], signal.spec.resampled((size,), part))
    tell("writing the page", 0.9)
    write_report(report, fitted, saved)
    tell("done", 1.0)
    return SoundDemo(made, inr, rendered, lower, report, fitted, saved)


def melody(seconds: float | None = None) -> Signal:
    """A melody of plucked strings in 16 bits at 44.1 kHz, or its first seconds."""
    each = round(_LENGTH * _RATE)
    wave = np.zeros(each * (len(_NOTES) + 2))
    for i, note in enumerate(_NOTES):
        rest = wave[i * each :]
        t = np.arange(len(rest)) / _RATE
        for h in range(1, _HARMONICS + 1):
            pitch = 220 * 2 ** (note / 12) * h * (1 + 2e-4 * h * h) ** 0.5
            rest += np.sin(2 * np.pi * pitch * t + h * h) * np.exp(-(2 + h) * t) / h**1.2
    wave = wave[: None if seconds is None else round(seconds * _RATE)]
    pcm = np.rint(wave * (0.7 * 32767 / np.abs(wave).max())).astype(np.int16)
    return from_array(pcm, kind="sound", axes=[Axis("t", "s", 1 / _RATE)])
