"""How hard each cell of a signal is: the energy that the largest cosine coefficients of the cell leave.

A network of P parameters reproduces a cell about as well as some half of P coefficients do, more of them in
small cells (`allocation.worth`). Those take a fraction of a second, and tell how wide a network must be
before one is trained.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from partinr.model.partition.auto import Auto
from partinr.shapes import Float32, Float64, Int64
from partinr.signals.signal import Signal

# Samples of a cell on the finest level: 16 x 16 pixels.
_FINEST = 256
# Coefficients are counted in two bins an octave of energy, from 2^-48 to 2^16 of the value range squared.
_BINS, _LOWEST, _SHIFT = 128, 2 * (127 - 48), 22
# Channels are decorrelated up to this many.
_MOST_CHANNELS = 64
# Samples that are transformed at once.
_CHUNK = 1 << 18
# Axes of more samples are transformed by way of Fourier's.
_LONG = 256

Edges = list[Int64[ndarray, "_"]]


@dataclass(frozen=True, eq=False)
class Level:
    """Cells of about one size, which tile the signal.

    Attributes:
        edges: along each axis, the samples at which cells start, and the end.
        counts: coefficients of each cell in each bin of energy, the largest energies first.
        energies: their summed energy, normalised values squared.
    """

    edges: Edges
    counts: Float64[ndarray, "cells bins"]
    energies: Float64[ndarray, "cells bins"]

    @property
    def divisions(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(len(edge) - 1 for edge in self.edges)

    @property
    def boxes(self) -> Int64[ndarray, "cells 2 dims"]:
        """First sample and one past the last of each cell, in raster order."""
        corners = [np.meshgrid(*[e[part] for e in self.edges], indexing="ij") for part in _STARTS_AND_STOPS]
        return np.stack([np.stack([a.ravel() for a in corner], axis=1) for corner in corners], axis=1)

    def left(self, kept: Float64[ndarray, "cells choices"]) -> Float64[ndarray, "cells choices"]:
        """Energy of all but so many of the largest coefficients of each cell; between bins, in proportion."""
        counted = np.cumsum(self.counts, axis=1)
        beyond = np.cumsum(self.energies[:, ::-1], axis=1)[:, ::-1]
        rows = np.arange(len(counted))
        left = np.empty(kept.shape)
        for choice, wanted in enumerate(kept.T):
            at = np.minimum((counted < wanted[:, None]).sum(axis=1), _BINS - 1)
            inside = wanted - (counted[rows, at] - self.counts[rows, at])
            share = np.clip(inside / np.maximum(self.counts[rows, at], 1), 0, 1)
            left[:, choice] = np.maximum(beyond[rows, at] - share * self.energies[rows, at], 0)
        return left


_STARTS_AND_STOPS = (slice(None, -1), slice(1, None))


def levels(signal: Signal) -> Iterator[Level]:
    """Levels from cells of some 16 x 16 pixels to the whole signal, each merging pairs along every axis."""
    values = _decorrelated(signal)
    divisions = Auto(_FINEST).grid(signal.shape).divisions
    edges = [-(-np.arange(k + 1) * n // k) for k, n in zip(divisions, signal.shape, strict=True)]
    while True:
        yield _level(values, edges)
        if all(len(edge) == 2 for edge in edges):
            return
        edges = [np.append(edge[:-1][::2], edge[-1]) for edge in edges]


def _decorrelated(signal: Signal) -> Float32[ndarray, "*shape channels"]:
    """Normalised values in the axes of their principal components across channels."""
    values = signal.normalised()
    if not 1 < signal.channels <= _MOST_CHANNELS:
        return values
    flat = values.reshape(-1, signal.channels)
    centred = flat[:: max(1, len(flat) // _CHUNK)].astype(np.float64)
    centred -= centred.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1].astype(np.float32)
    return (flat @ axes).reshape(values.shape)


def _level(values: Float32[ndarray, "*shape channels"], edges: Edges) -> Level:
    """Transform all cells between these edges, those of one shape together."""
    cells = np.arange(math.prod(len(e) - 1 for e in edges)).reshape([len(e) - 1 for e in edges])
    counts = np.zeros((cells.size, _BINS))
    energies = np.zeros_like(counts)
    for members in itertools.product(*[_by_length(edge) for edge in edges]):
        rows, *others = members
        layer = math.prod(len(m) for m in others) * math.prod(
            _length(e, m) for e, m in zip(edges, members, strict=True)
        )
        step = max(1, _CHUNK // layer)
        for first in range(0, len(rows), step):
            block = [rows[first : first + step], *others]
            which = cells[np.ix_(*block)].ravel()
            energy = _energies(values, edges, block)
            place = (np.maximum(energy.view(np.int32) >> _SHIFT, _LOWEST) - _LOWEST).clip(max=_BINS - 1)
            place = (_BINS - 1 - place) + _BINS * np.arange(len(which), dtype=np.int32)[:, None]
            size = len(which) * _BINS
            counts[which] = np.bincount(place.ravel(), minlength=size).reshape(-1, _BINS)
            energies[which] = np.bincount(place.ravel(), energy.ravel(), size).reshape(-1, _BINS)
    return Level(edges, counts, energies)


def _by_length(edge: Int64[ndarray, "_"]) -> list[Int64[ndarray, "_"]]:
    """Cells along one axis, those of one length together."""
    lengths = np.diff(edge)
    return [np.flatnonzero(lengths == length) for length in np.unique(lengths)]


def _length(edge: Int64[ndarray, "_"], members: Int64[ndarray, "_"]) -> int:
    return int(edge[members[0] + 1] - edge[members[0]])


def _energies(
    values: Float32[ndarray, "*shape channels"], edges: Edges, members: list[Int64[ndarray, "_"]]
) -> Float32[ndarray, "cells coefficients"]:
    """Squared cosine coefficients of cells of one shape, all channels together."""
    index, shape = [], []
    for edge, cells in zip(edges, members, strict=True):
        length = _length(edge, cells)
        index.append((edge[cells][:, None] + np.arange(length)).ravel())
        shape += [len(cells), length]
    block = values[np.ix_(*index)].reshape(*shape, values.shape[-1])
    for a in range(len(edges)):
        block = _transformed(block, 2 * a + 1)
    dims = len(edges)
    block = block.transpose(*range(0, 2 * dims, 2), *range(1, 2 * dims, 2), 2 * dims)
    squares: Float32[ndarray, "cells coefficients"] = np.square(block)
    return squares.reshape(math.prod(len(m) for m in members), -1)


def _transformed(block: Float32[ndarray, "..."], axis: int) -> Float32[ndarray, "..."]:
    """The cosine transform along an axis; a long one has no room for a matrix."""
    length = block.shape[axis]
    if length > _LONG:
        from scipy.fft import dct

        fast: Float32[ndarray, "..."] = dct(block, axis=axis, norm="ortho")
        return fast
    return np.moveaxis(np.tensordot(block, cosines(length), axes=(axis, 1)), -1, axis)


def cosines(n: int) -> Float32[ndarray, "n n"]:
    """The orthonormal discrete cosine transform (type II) as a matrix: coefficients = matrix @ samples."""
    at = np.pi * np.arange(n)[:, None] * (np.arange(n) + 0.5) / n
    matrix = np.sqrt(2 / n) * np.cos(at)
    matrix[0] = np.sqrt(1 / n)
    single: Float32[ndarray, "n n"] = matrix.astype(np.float32)
    return single
