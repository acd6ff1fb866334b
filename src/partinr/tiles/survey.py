"""A first look: the one step at which all tiles together will have the quality or the size that is asked for.

Equal steps cost about equally many bits for what they gain, so tiles that are hard get more bits by
themselves. The step is that of a compact fit of a sample of the signal: roots of trees of boxes, spread
evenly over the whole, one under the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from partinr.fitting.goals.compact import Compact
from partinr.fitting.settings import digest
from partinr.fitting.spectral import COARSEST, FINEST
from partinr.model.spectra import Sides, mixing_for
from partinr.shapes import Float32
from partinr.signals.signal import Signal, normalised
from partinr.tiles.source import Source, Span, Window, window_of

# Samples that are looked at: all of few, a share of more, and at most so many, of three channels.
_LEAST, _SHARE, _MOST, _CHANNELS = 1 << 18, 1 / 32, 1 << 22, 3


class Survey(NamedTuple):
    """What a first look found.

    Attributes:
        step: of the coefficients of all tiles, in normalised values.
        mixing: of their channels, see `Spectra`: one for all, so that tiles join as parts of one function.
        samples: looked at.
        digest: checksum of their values.
    """

    step: float
    mixing: Float32[ndarray, "channels channels"]
    samples: int
    digest: str


def surveyed(source: Source[Any], span: Span, goal: Compact) -> Survey:
    """Look at some of a signal.

    Args:
        source: the signal.
        span: its value range.
        goal: for the whole.

    Raises:
        InputError: the source cannot be read.
    """
    signal = _sample(source, span)
    if signal is None:
        return Survey(_guess(goal), np.eye(source.spec.channels, dtype=np.float32), 0, "")
    sample = signal.spec.samples
    most = goal.most_bytes(source.spec.samples)
    own = goal if most is None else Compact(size=max(1, most * sample // source.spec.samples))
    mixing = _mixing(signal, _block(source.spec.shape))
    spectra = own.solved(signal, None, lambda _: False, mixing).spectra
    assert spectra is not None
    return Survey(spectra.step, mixing, sample, digest(signal.values))


def _mixing(signal: Signal, block: tuple[int, ...]) -> Float32[ndarray, "channels channels"]:
    """Of the channels, from some of the windows."""
    windows = signal.values.reshape(-1, *block, signal.channels)
    some = windows[:: max(1, signal.spec.samples // _LEAST)]
    return mixing_for(normalised(some, signal.spec.value_range), apart=1)


def _guess(goal: Compact) -> float:
    """A step where there is nothing to look at."""
    step = 0.1 if goal.psnr is None else math.sqrt(12) * 10 ** (-goal.psnr / 20)
    return float(np.float32(min(max(step, FINEST), COARSEST)))


def windows(shape: tuple[int, ...], channels: int) -> Iterator[Window]:
    """Roots spread over a signal, always the same: each in a stretch of its own of all of them in raster
    order, at a random place there."""
    block = _block(shape)
    grid = tuple(n // side for n, side in zip(shape, block, strict=True))
    blocks, size = math.prod(grid), math.prod(block)
    most = min(_MOST, _MOST * _CHANNELS // channels)
    wanted = min(most, max(_LEAST, round(_SHARE * math.prod(shape)))) // size
    count = min(blocks, max(1, wanted))
    places = np.random.default_rng(0).random(count)
    for stretch, place in enumerate(places.tolist()):
        number = math.floor((stretch + place) * blocks / count)
        index = np.unravel_index(min(number, blocks - 1), grid)
        yield window_of([int(i) * side for i, side in zip(index, block, strict=True)], block)


def _block(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Samples of a window along each axis."""
    return tuple(min(Sides.usual(len(shape)).root, n) for n in shape)


def _sample(source: Source[Any], span: Span) -> Signal | None:
    """The windows one under the other; None where no sample is there."""
    found = [source.signal(window, span) for window in windows(source.spec.shape, source.spec.channels)]
    there = [signal for signal in found if signal is not None]
    if not there:
        return None
    values = np.concatenate([signal.values for signal in there])
    mask = None
    if any(signal.mask is not None for signal in there):
        mask = np.concatenate(
            [np.ones(signal.shape, bool) if signal.mask is None else signal.mask for signal in there]
        )
    return Signal(values, there[0].spec.resampled(values.shape[:-1]), {}, mask)
