"""Sounds in pages: spectrograms of original, fit and error, and all three to be played."""

from __future__ import annotations

import io

import numpy as np
from numpy import ndarray

from partinr.report import page
from partinr.report.pictures import RGB, Picture, error_rgb, error_stops
from partinr.report.reconstructions import missing
from partinr.shapes import Float32, Float64, Shaped
from partinr.signals.signal import Signal, SignalSpec
from partinr.signals.sound import rate_of
from partinr.signals.wav import write_wav

# Samples of a window, and the most windows and frequencies that are drawn.
_WINDOW, _COLUMNS, _ROWS = 1024, 1000, 256
# Decibels below the loudest of the original that are black.
_DEPTH = 100.0
# Bytes of a sound in a page, at most: 20 seconds of one channel, or so.
_MOST_BYTES = 2_000_000


def sound_sections(signal: Signal, values: Shaped[ndarray, "samples channels"]) -> list[page.Section]:
    """What a page has to show and to play of a sound; nothing of one whose rate is not known.

    Args:
        signal: what was fitted.
        values: what the fit renders, in the signal's units.
    """
    rate = rate_of(signal.spec)
    if rate is None:
        return []
    original, fit = (_waves(one, signal.spec) for one in (signal.values, values))
    error = fit - original
    if signal.mask is not None:
        original[~signal.mask], error[~signal.mask] = 0, 0
    told = [page.paragraph(text) for text in [missing(signal, "silence")] if text]
    return [
        page.Section("To be heard", [*_players(original, fit, error, rate), *told]),
        page.Section("Spectrograms", _spectrograms(original, fit, error, rate)),
    ]


def player(values: Shaped[ndarray, "*shape channels"], spec: SignalSpec, most_bytes: int) -> list[page.Html]:
    """A sound to be played, its beginning where it is longer; nothing of one whose rate is not known."""
    rate = rate_of(spec)
    if rate is None:
        return []
    played = min(len(values), most_bytes // (2 * values.shape[1]))
    part = f"The first {played / rate:.1f} of {len(values) / rate:.1f} seconds."
    note = "" if played == len(values) else part
    return [page.players([("", wav(_waves(values[:played], spec), rate), note)])]


def _waves(
    values: Shaped[ndarray, "samples channels"], spec: SignalSpec
) -> Float32[ndarray, "samples channels"]:
    """Values as -1..1 over the value range."""
    low, high = spec.value_range
    waves: Float32[ndarray, "samples channels"] = (
        (values.astype(np.float64) - (low + high) / 2) * (2 / (high - low))
    ).astype(np.float32)
    return waves


def _players(
    original: Float32[ndarray, "samples channels"],
    fit: Float32[ndarray, "samples channels"],
    error: Float32[ndarray, "samples channels"],
    rate: float,
) -> list[page.Html]:
    samples, channels = original.shape
    played = min(samples, _MOST_BYTES // (2 * channels))
    loudest = float(np.abs(error[:played]).max())
    louder = max(1.0, float(np.abs(original[:played]).max()) / loudest) if loudest > 0 else 1.0
    sounds = [
        ("Original", original, ""),
        ("Fit", fit, ""),
        (
            "Error",
            error * np.float32(louder),
            f"Reconstruction less original, made {louder:.3g} times louder.",
        ),
    ]
    players = page.players(
        [(label, wav(waves[:played], rate), note) for label, waves, note in sounds],
    )
    if played == samples:
        return [players]
    return [page.paragraph(f"The first {played / rate:.1f} of {samples / rate:.1f} seconds."), players]


def wav(waves: Float32[ndarray, "samples channels"], rate: float) -> bytes:
    """A WAV file of 16 bits, of values -1..1; beyond, they are clipped."""
    from partinr.signals.axes import Axis

    pcm: Shaped[ndarray, "samples channels"] = np.rint(np.clip(waves, -1, 1) * 32767).astype(np.int16)
    axes = (Axis("t", "s", 1 / rate),)
    spec = SignalSpec("sound", pcm.shape[:1], pcm.shape[1], "int16", (-32768.0, 32767.0), True, axes)
    file = io.BytesIO()
    write_wav(file, [pcm], spec.shape, spec)
    return file.getvalue()


def _spectrograms(
    original: Float32[ndarray, "samples channels"],
    fit: Float32[ndarray, "samples channels"],
    error: Float32[ndarray, "samples channels"],
    rate: float,
) -> list[page.Html]:
    powers = [spectrogram(waves.mean(axis=1)) for waves in (original, fit, error)]
    top = float(powers[0].max())
    pictures = [
        Picture(label, _coloured(power, top))
        for label, power in zip(("Original", "Fit", "Error"), powers, strict=True)
    ]
    text = (
        f"Time from left to right, 0 to {len(original) / rate:.3g} seconds; frequency upwards, 0 to "
        f"{rate / 2000:.4g} kHz. The mean of the channels, in windows of {min(_WINDOW, len(original)):,} "
        "samples."
    )
    scale = page.colour_bar(error_stops(), f"-{_DEPTH:.0f} dB", "0 dB", "below the original's loudest")
    return [page.paragraph(text), page.gallery(pictures, large=True), scale]


def spectrogram(wave: Float32[ndarray, "samples"]) -> Float64[ndarray, "frequencies windows"]:
    """Power in dB of each frequency, the lowest first, in windows of Hann's that cover a wave; at most so
    many of each as a picture shows, where several become one by their mean power."""
    window = min(_WINDOW, len(wave))
    starts = np.arange(0, max(1, len(wave) - window + 1), max(1, window // 4))
    shape = np.hanning(window + 2)[1:-1]
    group = -(-len(starts) // _COLUMNS)
    columns = []
    for first in range(0, len(starts), group):
        pieces = np.stack([wave[at : at + window] for at in starts[first : first + group]])
        power = np.abs(np.fft.rfft(pieces * shape, axis=1)) ** 2
        columns.append(power.mean(axis=0) / shape.sum() ** 2)
    found = np.stack(columns, axis=1)
    rows = -(-len(found) // _ROWS)
    edges = np.arange(0, len(found), rows)
    found = np.add.reduceat(found, edges, axis=0) / np.diff(np.append(edges, len(found)))[:, None]
    return 10 * np.log10(np.maximum(found, 1e-30))


def _coloured(power: Float64[ndarray, "frequencies windows"], top: float) -> RGB:
    level = np.clip((power - top) / _DEPTH + 1, 0, 1).astype(np.float32)
    # Few windows are made wide, so that a picture has a picture's shape.
    wide = max(1, _COLUMNS // 2 // level.shape[1])
    return error_rgb(level[::-1].repeat(wide, axis=1), 1.0)
