"""Cosines over the boxes of a tree, fitted: which boxes, and how fine their coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.errors import InputError
from partinr.model import kernel
from partinr.model.spectra import Sides, Spectra, mixing_for, unmixing
from partinr.shapes import Float32, Int32, Int64, UInt8
from partinr.signals.signal import Signal

# What a bit may cost, in squared steps: from rate-distortion theory (6 ln 2 / 36 at high rates), confirmed on
# Kodak 1-12.
LAMBDA = 0.12
# A step is first looked for on so many roots, spread over the signal.
_SAMPLED = 48
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
        self._values: Float32[ndarray, "samples channels"] | None = self._normalised()
        shaped = self._values.reshape(*self._shape, self.channels)
        self._mixing = mixing_for(shaped) if mixing is None else mixing
        self._unmixing = unmixing(self._mixing)
        self.roots = math.prod(-(-n // self.sides.root) for n in self._shape)

    def _normalised(self) -> Float32[ndarray, "samples channels"]:
        return self._signal.normalised().reshape(-1, self.channels)

    def release(self) -> None:
        """Give back the memory of normalised values; they are computed again if they are needed."""
        self._values = None

    def cut(self, step: float, roots: Sequence[int] | None = None) -> Cut:
        """The tree and the integers that suit a step, of some roots or of all.

        Where samples are missing, what is cut is their smooth filling: to replace it by what the function
        has there, again and again, took 1 to 3 % off the bytes of half of a photograph, for twice the time.
        """
        from partinr import _native

        if self._values is None:
            self._values = self._normalised()
        step = float(np.float32(step))
        splits, boxes, coefficients, integers, distortion, bits, weights = _native.search_spectra(
            self._values,
            shape=self._shape,
            mixing=self._unmixing,
            step=step,
            lambda_=LAMBDA,
            root=self.sides.root,
            least=self.sides.least,
            roots=range(self.roots) if roots is None else roots,
            weights=self._weights,
            threads=self._threads,
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
