"""How much the borders between regions show when a signal is enlarged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.between.lattice import Along
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import at_samples, values_between
from partinr.shapes import Bool, Float32, Float64, Int
from partinr.signals import frames

# Points at which the function is looked at between one sample and the next.
_FINE = 4
# Curvature that nobody sees, in value ranges over a sample squared: flat parts are no seams.
_INVISIBLE = 1e-3
# Points that are held at once, and lines or planes at least: what is around them is computed, too. Of long
# axes of large signals, lines with about so many points are looked at, evenly spread.
_BLOCK, _FEW, _ENOUGH = 1 << 20, (32, 4), 1 << 22


def seam(model: Piecewise, labels: Int[ndarray, "*shape"] | None = None) -> float | None:
    """How much rougher the function is where regions meet than elsewhere; about 1 if nothing shows.

    Along every line of samples of every axis, the function is looked at at four points a sample, as in an
    enlargement by four. The roughness of a gap between two neighbouring samples is the mean absolute second
    difference at the points from the one sample to the other, ends included: a jump, a bend and a ridge all
    raise it. It is compared with the mean absolute second derivative of the Catmull-Rom cubic through the
    function's values at the four samples around, which knows no regions: so edges of the picture, which
    partitions may follow, count on both sides. The figure is the ratio of the sums of both over the gaps
    between samples of different regions, divided by the same over the gaps within regions; axes add up.

    Args:
        model: any fit; it is looked at at its samples and between them, without the signal. Of signals
            of many millions of samples, some parts are.
        labels: of other regions whose borders are to be looked at, such as tiles; None for the model's own.

    Returns:
        The figure; None where no gap lies between regions or none within one. Gaps at the signal's border,
        which have no four samples around, do not count.

    Raises:
        InputError: the labels have another shape than the signal.

    Example:
        >>> import numpy as np, partinr
        >>> wave = np.sin(np.arange(400) / 9).reshape(20, 20)
        >>> recipes = [partinr.FAST.changed(steps=200, blend=b, between="none") for b in (True, False)]
        >>> fits = [partinr.fit(wave, partinr.Grid(4, 4), recipe=recipe).model for recipe in recipes]
        >>> seam(fits[0]) < seam(fits[1])
        True

    Source of the cubic: Keys, "Cubic convolution interpolation for digital image processing", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981, equation 15.
    """
    labels = model.partition.label_map if labels is None else labels
    if labels.shape != model.signal.shape:
        raise InputError(f"labels must have the shape of the signal {model.signal.shape}, got {labels.shape}")
    shown, awaited = 0.0, 0.0  # roughness at borders, and what it would be if they were like the rest
    for axis, length in enumerate(model.signal.shape):
        if length < 4:
            continue
        rough, expected = np.zeros(2), np.zeros(2)  # within regions, between them
        for values, border in _lines(model, axis, labels):
            second = np.abs(np.diff(values, 2, axis=1)) * _FINE**2
            total = np.pad(second.cumsum(axis=1), ((0, 0), (1, 0), (0, 0)))
            start = _FINE * np.arange(1, length - 2) - 1  # the second difference at the gap's first sample
            of_gap = (total[:, start + _FINE + 1] - total[:, start]) / (_FINE + 1)
            samples = values[:, ::_FINE]
            before, first, last, after = (samples[:, k : length - 3 + k] for k in range(4))
            at_first = 2 * before - 5 * first + 4 * last - after
            at_last = -before + 4 * first - 5 * last + 2 * after
            parts = [abs(at_first * (1 - k / _FINE) + at_last * k / _FINE) for k in range(_FINE + 1)]
            cubic = sum(parts) / (_FINE + 1)
            for between, chosen in enumerate((~border[:, 1:-1], border[:, 1:-1])):
                rough[between] += (of_gap[chosen] + _INVISIBLE).sum()
                expected[between] += (cubic[chosen] + _INVISIBLE).sum()
        if expected.all():
            shown += rough[1]
            awaited += expected[1] * rough[0] / expected[0]
    return float(shown / awaited) if awaited else None


def unblended(model: Piecewise) -> Piecewise:
    """The same networks, each alone in its own region: what a model would be without blending."""
    signal = replace(model.signal, between="none")
    alone = replace(model.structure, signal=signal, blend=False, overlap=0)
    # The frames stay those that the networks were trained in, margins included.
    vars(alone)["affine"] = model.structure.affine
    return Piecewise(alone, model.parameters)


def _lines(
    model: Piecewise, axis: int, labels: Int[ndarray, "*shape"]
) -> Iterator[tuple[Float64[ndarray, "lines points channels"], Bool[ndarray, "lines gaps"]]]:
    """Values along lines of samples, and which of the gaps between samples lie between two regions."""
    shape = model.signal.shape
    length = shape[axis]
    if model.signal.between != "none":
        yield from _lines_between(model, axis, labels)
        return
    fine: Float32[ndarray, "points"] = np.empty((length - 1) * _FINE + 1, np.float32)
    for k in range(_FINE):
        position = np.arange(length if k == 0 else length - 1) + k / _FINE
        fine[k::_FINE] = frames.axis(length) if k == 0 else position * (2 / (length - 1)) - 1
    across = [frames.axis(n) for a, n in enumerate(shape) if a != axis]
    points = frames.lattice(across) if across else np.empty((1, 0), np.float32)
    labels = np.moveaxis(labels, axis, -1).reshape(-1, length)
    few = max(1, _BLOCK // (len(fine) * model.signal.channels))
    for first in _spread(len(points), few, len(fine)):
        some = points[first : first + few]
        coords = np.insert(np.repeat(some, len(fine), axis=0), axis, np.tile(fine, len(some)), axis=1)
        values = model(coords).astype(np.float64)
        mine = labels[first : first + few]
        yield values.reshape(len(some), len(fine), -1), mine[:, 1:] != mine[:, :-1]


def _spread(count: int, few: int, points: int) -> range:
    """Where parts of a few lines each begin, which have enough points together."""
    parts = -(-count // few)
    return range(0, count, few * max(1, parts * few * points // _ENOUGH))


def _lines_between(
    model: Piecewise, axis: int, labels: Int[ndarray, "*shape"]
) -> Iterator[tuple[Float64[ndarray, "lines points channels"], Bool[ndarray, "lines gaps"]]]:
    """The same for a function that is not its networks' between the samples."""
    shape, length = model.signal.shape, model.signal.shape[axis]
    points = (length - 1) * _FINE + 1
    along = [Along(n, n, 0, n) for n in shape]
    # The middles of these are the samples, and the points between.
    half = 0.5 / _FINE
    along[axis] = Along(length, points, 0.5 - half, length - 0.5 + half)
    others = [a for a in range(len(shape)) if a != axis]
    count = shape[others[0]] if others else 1
    each = points * math.prod(shape[a] for a in others[1:])
    few = max(_FEW[len(others) > 1], _BLOCK // each)
    for first in _spread(count, few, each):
        part, across = list(along), labels
        if others:
            last = min(first + few, count)
            part[others[0]] = along[others[0]].part(first, last)
            across = labels.take(range(first, last), axis=others[0])
        samples, learned = partial(at_samples, model), model.signal.between == "learned"
        values = np.concatenate(list(values_between(samples, part, learned=learned, point=True)))
        lines = np.moveaxis(values, axis, -2).reshape(-1, points, model.signal.channels)
        mine = np.moveaxis(across, axis, -1).reshape(-1, length)
        yield lines.astype(np.float64), mine[:, 1:] != mine[:, :-1]
