"""Cosines over the boxes of a tree, fitted: which boxes, and how fine their coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.model import kernel
from partinr.model.spectra import Sides, Spectra, mixing_for, unmixing
from partinr.shapes import Float32, Int32, Int64, UInt8
from partinr.signals.signal import Signal, normalised

# What a bit may cost, in squared steps: from rate-distortion theory (6 ln 2 / 36 at high rates), confirmed on
# Kodak 1-12.
LAMBDA = 0.12
# A step is first looked for on so many roots, spread over the signal.
_SAMPLED = 48
# Normalised values that are held at once, and of signals of more those that their mixing is found from.
_HELD, _LOOKED_AT, _PIECES = 1 << 25, 1 << 22, 16
# Steps between these, in normalised values, are tried.
FINEST, COARSEST = 2.0**-22, 8.0


@dataclass(frozen=True, eq=False)
class Cut:
    """A signal cut into boxes at one step.

    Attributes:
        step: of the coefficients, in normalised values.
        splits, boxes, integers: see `Spectra`.
        coefficients: before they were rounded, in normalised values.
        error: mean squared error at the samples, weighted, in normalised values.
        bits: that coding is expected to take.
        weights: of the boxes' squared errors, 1 if all count the same.
    """

    step: float
    splits: UInt8[ndarray, "_"]
    boxes: Int64[ndarray, "regions 2 dims"]
    coefficients: Float32[ndarray, "_"]
    integers: Int32[ndarray, "_"]
    error: float
    bits: float
    weights: Float32[ndarray, "regions"]


class Cutter:
    """Cuts one signal.

    Args:
        signal: what is fitted.
        threads: of the CPU; None for all.
        mixing: of the channels, see `Spectra`; None for what suits the signal.

    Raises:
        InputError: the native kernel is missing.
    """

    def __init__(
        self,
        signal: Signal,
        threads: int | None,
        mixing: Float32[ndarray, "channels channels"] | None = None,
    ) -> None:
        lacking = kernel.why_missing()
        if lacking is not None:
            raise InputError(f"fits of cosines over boxes need the native kernel: {lacking}")
        self._shape, self.channels = signal.shape, signal.channels
        self._threads = threads or usable_cores()
        self.sides = Sides.usual(signal.spec.dims)
        self._signal = signal
        self._weights: Float32[ndarray, "samples"] | None = None
        if signal.weights is not None:
            counting = signal.weights.mean(where=True if signal.mask is None else signal.mask)
            self._weights = (signal.weights / counting).reshape(-1)
        counts = [-(-n // self.sides.root) for n in self._shape]
        self.roots = math.prod(counts)
        self._slabs = _slabs(self._shape, self.channels, counts)
        self._held: tuple[_Slab, Float32[ndarray, "samples channels"]] | None = None
        self._mixing = self._own_mixing() if mixing is None else mixing
        self._unmixing = unmixing(self._mixing)

    def _normalised(self, first: int, last: int) -> Float32[ndarray, "*shape channels"]:
        """Normalised values of some samples along the first axis."""
        return normalised(self._signal.values[first:last], self._signal.spec.value_range)

    def _values(self, slab: _Slab) -> Float32[ndarray, "samples channels"]:
        if self._held is None or self._held[0] is not slab:
            self._held = None  # before the next takes as much memory
            self._held = (slab, self._normalised(slab.first, slab.last).reshape(-1, self.channels))
        return self._held[1]

    def _own_mixing(self) -> Float32[ndarray, "channels channels"]:
        """From all values, or from some parts of those that are not held at once."""
        if len(self._slabs) == 1:
            return mixing_for(self._values(self._slabs[0]).reshape(*self._shape, self.channels))
        length = max(2, _LOOKED_AT // (_PIECES * math.prod(self._shape[1:])))
        places = (i * (self._shape[0] - length) // (_PIECES - 1) for i in range(_PIECES))
        return mixing_for(np.stack([self._normalised(at, at + length) for at in places]), apart=1)

    def release(self) -> None:
        """Give back the memory of normalised values; they are computed again if they are needed."""
        self._held = None

    def cut(self, step: float, roots: Sequence[int] | None = None) -> Cut:
        """The tree and the integers that suit a step, of some roots or of all.

        Where samples are missing, what is cut is their smooth filling: to replace it by what the function
        has there, again and again, took 1 to 3 % off the bytes of half of a photograph, for twice the time.
        """
        step = float(np.float32(step))
        chosen = np.arange(self.roots) if roots is None else np.asarray(roots)
        parts = [(slab, chosen[(chosen >= slab.roots[0]) & (chosen < slab.roots[1])]) for slab in self._slabs]
        found = [self._cut(step, slab, own.tolist()) for slab, own in parts if len(own)]
        return found[0] if len(found) == 1 else _together(found, step)

    def _cut(self, step: float, slab: _Slab, roots: list[int]) -> Cut:
        from partinr import _native

        splits, boxes, coefficients, integers, distortion, bits, weights = _native.search_spectra(
            self._values(slab),
            shape=self._shape,
            mixing=self._unmixing,
            step=step,
            lambda_=LAMBDA,
            root=self.sides.root,
            least=self.sides.least,
            roots=roots,
            weights=self._weights,
            threads=self._threads,
            first=slab.first * math.prod(self._shape[1:]),
        )
        error = distortion * step * step / len(coefficients)
        return Cut(step, splits, boxes, coefficients, integers, error, bits, weights)

    def again(self, cut: Cut, step: float) -> Cut:
        """The same boxes with another step, in the same memory: the given cut holds no longer."""
        from partinr import _native

        step = float(np.float32(step))
        distortion, bits = _native.choose_spectra(
            cut.boxes,
            cut.coefficients,
            shape=self._shape,
            channels=self.channels,
            step=step,
            lambda_=LAMBDA,
            weights=cut.weights,
            threads=self._threads,
            out=cut.integers,
        )
        error = distortion * step * step / len(cut.integers)
        return replace(cut, step=step, error=error, bits=bits)

    def first_step(self, found: Callable[[Cut], float], wanted: float, begin: float) -> float:
        """The step at which a few roots have about what is wanted.

        Args:
            found: a number that grows with the step or falls with it, of a cut of some roots.
            wanted: that number for those roots, as a share of all: see `share`.
            begin: first guess.
        """
        some = self._some()
        return steered(lambda step: found(self.cut(step, some)), wanted, begin, near=0.03, most=5)[0]

    @property
    def share(self) -> float:
        """Of the signal's roots, those that `first_step` looks at."""
        return len(self._some()) / self.roots

    def _some(self) -> list[int]:
        order = np.random.default_rng(0).permutation(self.roots)
        return sorted(order[: max(_SAMPLED, self.roots // 32)].tolist())

    def spectra(self, cut: Cut) -> Spectra:
        """What a file holds of a cut of all roots."""
        return Spectra(self._shape, self.sides, cut.splits, cut.boxes, cut.integers, cut.step, self._mixing)


class _Slab(NamedTuple):
    """Samples along the first axis, first and one past the last, and the roots that they hold."""

    first: int
    last: int
    roots: tuple[int, int]


def _slabs(shape: tuple[int, ...], channels: int, counts: list[int]) -> list[_Slab]:
    """The signal in parts of whole roots whose normalised values are held at once; small signals whole."""
    length, rows, in_row = shape[0], counts[0], math.prod(counts[1:])
    many = max(1, rows * _HELD // (math.prod(shape) * channels))
    return [
        _Slab(first * length // rows, last * length // rows, (first * in_row, last * in_row))
        for first in range(0, rows, many)
        for last in [min(first + many, rows)]
    ]


def _together(cuts: list[Cut], step: float) -> Cut:
    """Cuts of roots that follow each other, as one. They are given up one after another: all of them twice
    may be more than there is memory for."""
    sizes = [len(cut.integers) for cut in cuts]
    splits, boxes, weights = (
        np.concatenate([getattr(cut, name) for cut in cuts]) for name in ("splits", "boxes", "weights")
    )
    error = sum(cut.error * size for cut, size in zip(cuts, sizes, strict=True)) / sum(sizes)
    bits = sum(cut.bits for cut in cuts)
    coefficients, integers = np.empty(sum(sizes), np.float32), np.empty(sum(sizes), np.int32)
    at = 0
    while cuts:
        cut = cuts.pop(0)
        coefficients[at : at + len(cut.integers)] = cut.coefficients
        integers[at : at + len(cut.integers)] = cut.integers
        at += len(cut.integers)
    return Cut(step, splits, boxes, coefficients, integers, error, bits, weights)


def steered(
    found: Callable[[float], float],
    wanted: float,
    begin: float,
    near: float,
    most: int,
    known: float | None = None,
) -> tuple[float, float]:
    """A step at which a number that is about a power of the step has a wanted value, by secants.

    Args:
        found: the number at a step; positive.
        wanted: its value.
        begin: first guess.
        near: share by which it may miss.
        most: steps that are tried.
        known: the number at the first guess, if it is known.

    Returns:
        The step, and the number there.
    """
    step, tried, slope = begin, [], 1.5
    best = (begin, math.inf)
    for look in range(most):
        step = min(max(step, FINEST), COARSEST)
        value = known if known is not None and look == 0 else found(step)
        tried.append((math.log(step), math.log(max(value, 1e-300))))
        if abs(tried[-1][1] - math.log(wanted)) < abs(math.log(max(best[1], 1e-300)) - math.log(wanted)):
            best = (step, value)
        if abs(tried[-1][1] - math.log(wanted)) < near:
            break
        if len(tried) > 1 and abs(tried[-1][0] - tried[-2][0]) > 1e-6:
            measured = (tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0])
            if measured * slope > 0:
                slope = math.copysign(min(max(abs(measured), 0.4), 3.0), slope)
        step = math.exp(tried[-1][0] + (math.log(wanted) - tried[-1][1]) / slope)
    return best
