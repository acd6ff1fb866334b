"""The signal-to-noise ratio, which people name of sounds where they name the PSNR of pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Shaped
from partinr.signals.metrics import psnr
from partinr.signals.signal import Signal

# Samples whose squares are summed at once.
_PIECE = 1 << 18


def snr(reference: Shaped[ndarray, "*shape channels"], test: Shaped[ndarray, "*shape channels"]) -> float:
    """Signal-to-noise ratio in dB: 10 log10(power of the reference / power of the error).

    The reference's power is about the mean of each channel, so that neither a constant offset nor what a type
    without signs takes for silence counts as sound.

    Args:
        reference: the true values, channels last.
        test: the values to judge, same shape.

    Returns:
        Infinite where both are equal, minus infinite where the reference is constant and they are not.

    Raises:
        InputError: the shapes differ, or there are no values.

    Example:
        >>> import numpy as np
        >>> sound = np.array([[1.0], [-1.0], [1.0], [-1.0]])
        >>> round(snr(sound, 0.99 * sound), 2)
        40.0
    """
    against_one = psnr(reference, test, 1.0)
    if math.isinf(against_one):
        return against_one
    power = _power(reference)
    return -math.inf if power == 0 else against_one + 10 * math.log10(power)


def psnr_for_snr(signal: Signal, snr: float) -> float:
    """The PSNR in dB that a signal has at an SNR, to be named as a goal.

    Args:
        signal: what is to be fitted.
        snr: in dB, see `snr`.

    Raises:
        InputError: the signal is constant and has no SNR, or the PSNR would not be positive.

    Example:
        >>> import numpy as np, partinr
        >>> tone = partinr.from_array(np.sin(np.arange(4000) / 9), value_range=(-1, 1))
        >>> goal = partinr.Compact(psnr=partinr.psnr_for_snr(tone, 40))
        >>> result = partinr.fit(tone, goal=goal)
        >>> partinr.snr(tone.values, partinr.render(result.model)[:, None]) >= 40
        True
    """
    above = _above(signal)
    if above is None:
        raise InputError("a signal that is constant has no SNR; name a PSNR")
    if not 0 < snr + above < math.inf:
        raise InputError(f"an SNR of this signal must be above {-above:.2f} dB and finite, got {snr:g}")
    return snr + above


def snr_at(signal: Signal, psnr: float) -> float | None:
    """The SNR in dB of what has a PSNR; None of a signal that is constant."""
    above = _above(signal)
    return None if above is None else psnr - above


def _above(signal: Signal) -> float | None:
    """Decibels by which PSNR is above SNR, of the samples that are there."""
    low, high = signal.spec.value_range
    there = signal.values if signal.mask is None else signal.values[signal.mask]
    power = _power(there, high - low)
    return None if power == 0 else -10 * math.log10(power)


def _power(values: Shaped[ndarray, "*shape channels"], peak: float = 1.0) -> float:
    """Mean square about the mean of each channel, in units of the peak."""
    flat = values.reshape(-1, values.shape[-1])
    if not (flat != flat[0]).any():
        return 0.0
    pieces = [flat[i : i + _PIECE] for i in range(0, len(flat), _PIECE)]
    mean = sum(piece.sum(axis=0, dtype=np.float64) for piece in pieces) / len(flat)
    return float(sum((((piece - mean) / peak) ** 2).sum() for piece in pieces)) / flat.size
