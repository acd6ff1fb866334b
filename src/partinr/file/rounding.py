"""How finely parameters are rounded, so that a file loses no more than it may, and every bit counts the same.

The squared error that rounding makes grows with the square of the step. What a step costs is measured: noise is added
to the weights or the biases of one layer, and the function evaluated. Steps for which every parameter adds the same
error have the same slope everywhere: no bit would gain more elsewhere.

Source: Shoham, Gersho, "Efficient bit allocation for an arbitrary set of quantizers", IEEE Transactions on
Acoustics, Speech and Signal Processing 36(9), 1988.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.coded_parameters import (
    MOST_EXPONENT,
    Gains,
    Part,
    Place,
    Settings,
    assembled,
    gains_of,
    places,
    quarter_powers,
    spread_over,
    write,
)
from partinr.file.range_coder import LIMIT
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import sample_blocks
from partinr.model.structure import Structure
from partinr.signals.signal import Signal

# Noise that tells what rounding costs, beside the deviation of what it is added to.
_NOISE = 0.03
# A mean is stored in steps of half the deviation about it, which takes about so many bits.
_MEAN_STEP, _MEAN_BITS = 0.5, 6
# Mean squared errors below this are not told apart: 100 dB.
_NOTHING = 1e-10
# The loss is looked for until it is so near to what is allowed, or so often.
_NEAR, _LOOKS = 0.93, 8


@dataclass(frozen=True, eq=False)
class Rounded:
    """A function whose parameters are whole multiples of steps.

    Attributes:
        payload: the parameters as a file has them.
        model: the function that is read back from it.
        loss: dB by which its mean squared error is worse, before rounding and clipping of values; below 0 where it
            is better.
    """

    payload: bytes
    model: Piecewise
    loss: float


def rounded(model: Piecewise, signal: Signal, loss: float = 0.05) -> Rounded:
    """Round and code the parameters of a function.

    Args:
        model: of finite parameters.
        signal: what was fitted.
        loss: dB that it may lose.

    Raises:
        InputError: the loss is not positive, the signal has another shape, or the parameters are so large or so
            uneven that they cannot be rounded for such a loss.

    Example:
        >>> import numpy as np, partinr
        >>> result = partinr.fit(np.eye(32), goal=partinr.Steps(20))
        >>> found = rounded(result.model, result.signal, loss=0.1)
        >>> found.loss <= 0.1 and len(found.payload) < 2 * result.params
        True
    """
    if not 0 < loss < math.inf:
        raise InputError(f"the loss must be a positive number of dB, got {loss}")
    if signal.spec.array_shape != model.signal.array_shape:
        raise InputError(
            f"the signal must have the shape {model.signal.array_shape} of the model, "
            f"got {signal.spec.array_shape}"
        )
    return _Search(model, signal).within(loss)


@dataclass(eq=False)
class _Open:
    """A part that is to be rounded.

    Attributes:
        place: where it belongs.
        own: (regions, entries) parameters.
        cost: squared error that one of them makes for a step of 1 and a gain of 0, on average over the gains that it
            was measured with, whose mean of 2^-gain is `loudness`; None before that.
    """

    place: Place
    own: Float64[ndarray, "regions entries"]
    cost: float | None = None
    loudness: float = 1.0
    means: Float64[ndarray, "entries"] | None = field(init=False)
    deviation: float = field(init=False)

    def __post_init__(self) -> None:
        regions, entries = self.own.shape
        centre = self.own.mean(axis=0)
        deviation, alone = float(np.sqrt(np.mean(self.own**2))), float(np.sqrt(np.mean((self.own - centre) ** 2)))
        saved = regions * math.log2(max(deviation, 1e-30) / max(alone, 1e-30)) if deviation > 0 else 0.0
        common = regions > 1 and saved > _MEAN_BITS
        self.means, self.deviation = (centre, alone) if common else (None, deviation)

    def rounded(self, gains: Gains, allowed: float) -> Part:
        """In steps for which each parameter makes this squared error."""
        entries = self.own.shape[1]
        loud = np.exp2(-spread_over(gains, entries))
        assert self.cost is not None
        cost = max(self.cost * float(loud.mean()) / self.loudness, 1e-300)
        step = _exponent(math.sqrt(allowed / cost))
        # Coarser than all there is, nothing is left; finer, integers would be too large.
        largest = float(np.abs(self.own).max(initial=0))
        step = min(step, _exponent(4 * largest, up=True) + 2 * int(gains.max()))
        finest = float((np.abs(self.own) / np.sqrt(loud)).max(initial=0)) * 2 / (LIMIT - 2)
        step = max(min(step, MOST_EXPONENT), _exponent(finest, up=True), -MOST_EXPONENT)
        mean, means, centre = None, np.zeros(0, np.int32), np.zeros(entries)
        if self.means is not None and self.deviation > 0:
            wanted = max(_MEAN_STEP * self.deviation, float(np.abs(self.means).max()) * 2 / LIMIT)
            mean = _exponent(wanted, up=True)
            unit = float(quarter_powers(np.array(mean)))
            means = np.rint(self.means / unit).astype(np.int32)
            centre = means * unit
        steps = quarter_powers(step - 2 * spread_over(gains, entries))
        integers = np.rint((self.own - centre) / steps)
        size = self.deviation / float(quarter_powers(np.array(step)))
        spread = round(2 * math.log2(max(size, 1e-30))) + 8
        settings = Settings(step, int(np.clip(spread, -MOST_EXPONENT, MOST_EXPONENT)), mean)
        return Part(settings, means, integers.astype(np.int32))


def _exponent(size: float, up: bool = False) -> int:
    """Of the power of 2^(1/4) that is nearest, or not below."""
    wanted = 4 * math.log2(min(max(size, 2.0**-99), 2.0**99))
    return math.ceil(wanted) if up else round(wanted)


class _Search:
    """Roundings of one function."""

    def __init__(self, model: Piecewise, signal: Signal) -> None:
        self._model, self._structure = model, model.structure
        self._truth = signal.normalised().reshape(-1, signal.channels)
        self._values = self._evaluated(model.parameters)
        self._error = max(self._squares(self._truth), _NOTHING * self._truth.size)
        self._open = [
            [_Open(place, _entries(model.parameters[group], place)) for place in places(self._structure, group)]
            for group in range(len(model.networks))
        ]
        counts = self._structure.partition.counts
        self._samples = [counts[members].astype(np.int64) for members in self._structure.members]

    def within(self, loss: float) -> Rounded:
        """The fewest bits for this loss."""
        allowed = self._error * (10 ** (loss / 10) - 1)
        each, best, below, above = allowed / self._structure.params, None, 0.0, math.inf
        for _ in range(_LOOKS):
            parts = self._rounded(each)
            parameters = assembled(self._structure, parts)
            found = self._squares(self._truth, parameters) - self._error
            if found <= allowed and each > below:
                best, below = (parts, parameters, found), each
                if found >= _NEAR * allowed:
                    break
            elif found > allowed:
                above = min(above, each)
            each = self._next(each, found / allowed, below, above)
        if best is None:
            raise InputError(f"the parameters cannot be rounded for a loss of {loss:g} dB; store them as float32")
        parts, parameters, found = best
        lost = 10 * math.log10(max(1 + found / self._error, 1e-30))
        return Rounded(write(self._structure, parts), Piecewise(self._structure, parameters), lost)

    @staticmethod
    def _next(each: float, ratio: float, below: float, above: float) -> float:
        """What each parameter may add next, as the error is nearly proportional to it."""
        wanted = each * min(max(0.97 / max(ratio, 1e-9), 1 / 64), 16.0)
        if above < math.inf and below > 0 and not below < wanted < above:
            wanted = math.sqrt(below * above)
        return wanted

    def _rounded(self, each: float) -> list[list[Part]]:
        """All parts in steps for which each parameter adds this squared error."""
        done: list[list[Part]] = [[] for _ in self._open]
        for depth in range(max(len(own) for own in self._open)):
            here = [group for group, own in enumerate(self._open) if depth < len(own)]
            gains = {group: self._gains(group, done[group], depth) for group in here}
            if any(self._open[group][depth].cost is None for group in here):
                self._measure(depth, gains)
            for group in here:
                done[group].append(self._open[group][depth].rounded(gains[group], each))
        return done

    def _gains(self, group: int, done: list[Part], depth: int) -> Gains:
        place = self._open[group][depth].place
        # Weights and biases alternate: the weights that read this layer are the latest but one or two.
        before = depth - 3 if place.biases else depth - 2
        return gains_of(place, self._samples[group], done[before].integers if before >= 0 else None)

    def _measure(self, depth: int, gains: dict[int, Gains]) -> None:
        """What rounding the parts at this depth costs: by noise on all of them, group by group."""
        random = np.random.Generator(np.random.Philox(depth))
        changed, sizes = list(self._model.parameters), {}
        for group, own in gains.items():
            part = self._open[group][depth]
            loud = np.exp2(-spread_over(own, part.own.shape[1]))
            part.loudness = float(loud.mean())
            sizes[group] = max(_NOISE * part.deviation, 1e-9) * math.sqrt(12 / part.loudness)
            noise = (random.random(part.own.shape) - 0.5) * sizes[group] * np.sqrt(loud)
            changed[group] = _replaced(changed[group], part.place, part.own + noise)
        errors = self._squares_of_groups(self._evaluated(tuple(changed)))
        for group in gains:
            part = self._open[group][depth]
            part.cost = max(float(errors[group]), 1e-300) / (part.own.size * sizes[group] ** 2)

    def _evaluated(self, parameters: tuple[Parameters, ...]) -> Float32[ndarray, "samples channels"]:
        model = Piecewise(self._structure, parameters)
        return np.concatenate([block.reshape(-1, model.signal.channels) for block in sample_blocks(model)])

    def _squares(
        self, truth: Float32[ndarray, "samples channels"], parameters: tuple[Parameters, ...] | None = None
    ) -> float:
        values = self._values if parameters is None else self._evaluated(parameters)
        return float(np.square(values - truth, dtype=np.float64).sum())

    def _squares_of_groups(self, values: Float32[ndarray, "samples channels"]) -> Float64[ndarray, "groups"]:
        squares = np.square(values - self._values, dtype=np.float64).sum(axis=1)
        if len(self._open) == 1:
            return squares.sum(keepdims=True)
        return np.bincount(self._group_of_samples(), squares, len(self._open))

    def _group_of_samples(self) -> Int64[ndarray, "samples"]:
        return self._structure.group_of[self._structure.partition.label_map.reshape(-1)]


def _entries(parameters: Parameters, place: Place) -> Float64[ndarray, "regions entries"]:
    array = (parameters.biases if place.biases else parameters.weights)[place.layer]
    return array.reshape(len(array), -1).astype(np.float64)


def _replaced(parameters: Parameters, place: Place, own: Float64[ndarray, "regions entries"]) -> Parameters:
    changed = Parameters(list(parameters.weights), list(parameters.biases))
    to = changed.biases if place.biases else changed.weights
    to[place.layer] = own.reshape(len(own), *place.shape).astype(np.float32)
    return changed
