"""How finely parameters are rounded, so that a file loses no more than it may, and every bit counts the same.

The squared error that rounding makes grows with the square of the step. What a step costs is measured: noise
is added to the weights or the biases of one layer, and the function evaluated. Where every parameter adds the
same error, the slope is the same everywhere: no bit would gain more elsewhere.

Source: Shoham, Gersho, "Efficient bit allocation for an arbitrary set of quantizers", IEEE Transactions on
Acoustics, Speech and Signal Processing 36(9), 1988.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.engines.engine import Engine
from partinr.errors import InputError
from partinr.file.coded_parameters import (
    MOST_EXPONENT,
    Gains,
    Part,
    Place,
    Settings,
    assembled,
    differences,
    gains_of,
    places,
    quarter_power,
    quarter_powers,
    spread_over,
    write,
)
from partinr.file.range_coder import LIMIT
from partinr.file.retraining import Retraining
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.model.rendering import sample_blocks
from partinr.shapes import Float, Float32, Float64, Int32
from partinr.signals.signal import Signal

# Noise that tells what rounding costs, beside the deviation of what it is added to.
_NOISE = 0.03
# A mean is stored in steps of half the deviation about it, which takes about so many bits.
_MEAN_STEP, _MEAN_BITS = 0.5, 6
# Mean squared errors below this are not told apart: 100 dB.
_NOTHING = 1e-10
# The loss is looked for until it is so near to what is allowed, or so often; more often if it was always
# larger.
_NEAR, _LOOKS, _MOST_LOOKS = 0.9, 5, 12
# Less is aimed at than is allowed, and no guess is more than so many times the one before.
_AIM, _LEAP = 0.95, 16
# Guesses that go on to be too large are divided by this.
_HURRY = 3
# With retraining the error grows by so much of what rounding adds, from below 0: it gains such a share of
# the error in a fit to a PSNR.
_SLOPE, _GAIN = 0.7, 0.08
# If rounding so much finer than should do alone does not, it is the retraining that does harm.
_HARMFUL = 2


@dataclass(frozen=True, eq=False)
class Rounded:
    """A function whose parameters are whole multiples of steps.

    Attributes:
        payload: the parameters as a file has them.
        model: the function that is read back from it.
        loss: dB by which its mean squared error is worse, before values are rounded and clipped; below 0
            where it is better.
    """

    payload: bytes
    model: Piecewise
    loss: float


def rounded(model: Piecewise, signal: Signal, loss: float = 0.05, *, engine: Engine | None = None) -> Rounded:
    """Round and code the parameters of a function.

    Args:
        model: of finite parameters.
        signal: what was fitted.
        loss: dB that it may lose.
        engine: trains layers that are not rounded yet to make up for those that are: fewer bits, more time.
            None: nothing is trained.

    Raises:
        InputError: the loss is not positive, or the signal has another shape.
        RoundingError: the parameters are so large or so uneven that they cannot be rounded for such a loss.

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
    retraining = None if engine is None else Retraining(model, signal, engine)
    return _Search(model, signal, retraining).within(loss)


class RoundingError(InputError):
    """Parameters are so large or so uneven that they cannot be rounded for such a loss."""


class _Cost(NamedTuple):
    """What rounding a part costs.

    Attributes:
        squares: squared error that one parameter makes for a step of 1, on average over the gains that it was
            measured with.
        loudness: the mean of 2^-gain of those.
    """

    squares: float
    loudness: float


def _rounded_part(
    own: Float64[ndarray, "regions entries"], gains: Gains, cost: _Cost, allowed: float, last_layer: bool
) -> Part:
    """Parameters in steps for which each makes this squared error."""
    entries = own.shape[1]
    centre, deviation = _common(own)
    loud = np.exp2(-spread_over(gains, entries))
    squares = max(cost.squares * float(loud.mean()) / cost.loudness, 1e-300)
    step = _exponent(math.sqrt(allowed / squares))
    # Coarser than all there is, nothing is left; finer, integers would be too large.
    largest = float(np.abs(own).max(initial=0))
    step = min(step, _exponent(4 * largest, up=True) + 2 * int(gains.max()))
    finest = float((np.abs(own) / np.sqrt(loud)).max(initial=0)) * 2 / (LIMIT - 2)
    step = max(min(step, MOST_EXPONENT), _exponent(finest, up=True), -MOST_EXPONENT)
    mean, means = None, np.zeros(0, np.int32)
    taken: Float64[ndarray, "..."] = np.zeros(entries)
    if centre is not None:
        wanted = max(_MEAN_STEP * deviation, float(np.abs(centre).max()) * 2 / LIMIT)
        mean = _exponent(wanted, up=True)
        unit = quarter_power(mean)
        means = np.rint(centre / unit).astype(np.int32)
        taken = means * unit
    steps = quarter_powers(step - 2 * spread_over(gains, entries))
    integers = np.rint((own - taken) / steps).astype(np.int32)
    size = deviation / quarter_power(step)
    spread, chain = _spread(size), None
    if last_layer and gains.shape[1] > 1:
        spread, chain = _chained(integers, gains, spread)
    return Part(Settings(step, spread, mean, chain), means, integers)


def _common(own: Float64[ndarray, "regions entries"]) -> tuple[Float64[ndarray, "entries"] | None, float]:
    """What all regions have in common, where it pays to say it, and the deviation from it or from 0."""
    centre = own.mean(axis=0)
    deviation, alone = float(np.sqrt(np.mean(own**2))), float(np.sqrt(np.mean((own - centre) ** 2)))
    if len(own) > 1 and alone > 0 and len(own) * math.log2(deviation / alone) > _MEAN_BITS:
        return centre, alone
    return None, deviation


def _chained(
    integers: Int32[ndarray, "regions entries"], gains: Gains, spread: int
) -> tuple[int, int | None]:
    """Spreads of the first column and of the differences between columns, if those are smaller."""
    columns = gains.shape[1]
    steps = differences(integers, columns)
    if np.abs(steps).max(initial=0) >= LIMIT:
        return spread, None
    scale = np.exp2(-spread_over(gains, integers.shape[1]) / 2)

    def size(of: Int32[ndarray, "regions entries"], which: slice) -> float:
        return float(np.sqrt(np.mean((of * scale).reshape(-1, columns)[:, which] ** 2)))

    before, after = size(integers, slice(1, None)), size(steps, slice(1, None))
    if after >= before:
        return spread, None
    return _spread(size(integers, slice(0, 1))), _spread(after)


def _coarseness(part: Part, gains: Gains) -> float:
    """Root mean square of a part's steps beside that of its integers in steps."""
    steps = np.exp2(-spread_over(gains, part.integers.shape[1]) / 2)
    size = float(np.square(part.integers * steps).sum())
    return math.sqrt(float(np.square(steps).sum()) / size) if size else 0.0


def _spread(size: float) -> int:
    """See `Settings.spread`."""
    return int(np.clip(round(2 * math.log2(max(size, 1e-30))) + 8, -MOST_EXPONENT, MOST_EXPONENT))


def _exponent(size: float, up: bool = False) -> int:
    """Of the power of 2^(1/4) that is nearest, or not below."""
    wanted = 4 * math.log2(min(max(size, 2.0**-99), 2.0**99))
    return math.ceil(wanted) if up else round(wanted)


class _Search:
    """Roundings of one function."""

    def __init__(self, model: Piecewise, signal: Signal, retraining: Retraining | None) -> None:
        self._model, self._structure, self._retraining = model, model.structure, retraining
        self._truth = signal.normalised().reshape(-1, signal.channels)
        importance = signal.importance()
        self._importance = None if importance is None else importance.reshape(-1, 1)
        self._values = self._evaluated(model.parameters)
        self._error = max(self._squares(self._truth), _NOTHING * self._truth.size)
        self._places = [list(places(self._structure, group)) for group in range(len(model.networks))]
        self._costs: dict[tuple[int, int], _Cost] = {}
        counts = self._structure.partition.counts
        self._samples = [counts[members].astype(np.int64) for members in self._structure.members]

    def within(self, loss: float) -> Rounded:
        """The fewest bits for this loss."""
        allowed = self._error * (10 ** (loss / 10) - 1)
        alone = allowed / self._structure.params
        gained = 0.0 if self._retraining is None else _GAIN * self._error
        each = alone * (1 + gained / allowed) / self._slope
        best = None
        trials: list[tuple[float, float]] = []
        while len(trials) < _MOST_LOOKS:
            parts = self._rounded(each)
            parameters = assembled(self._structure, parts)
            found = self._squares(self._truth, parameters) - self._error
            trials.append((each, found))
            if found <= allowed and (best is None or each > best[0]):
                best = each, parts, parameters, found
            near = found >= allowed - (1 - _NEAR) * max(allowed, each * self._structure.params)
            if best is not None and (len(trials) >= _LOOKS or (found <= allowed and near)):
                break
            each = self._next(trials, allowed)
            if best is None and self._retraining is not None and each < alone / _HARMFUL:
                self._retraining, each, trials = None, alone, []
        if best is None:
            raise RoundingError(
                f"the parameters cannot be rounded for a loss of {loss:g} dB; store them as float32"
            )
        _, parts, parameters, found = best
        lost = 10 * math.log10(max(1 + found / self._error, 1e-30))
        return Rounded(write(self._structure, parts), Piecewise(self._structure, parameters), lost)

    def _next(self, trials: list[tuple[float, float]], allowed: float) -> float:
        """What each parameter may add next: the error is a straight line of it, which begins below 0 by what
        retraining gains."""
        each, found = trials[-1]
        slope = self._slope * self._structure.params
        below = max(((e, f) for e, f in trials if f <= allowed), default=None)
        above = min(((e, f) for e, f in trials if f > allowed), default=None)
        if below is not None and above is not None and below[0] < above[0]:
            slope = (above[1] - below[1]) / (above[0] - below[0])
            wanted = below[0] + (_AIM * allowed - below[1]) / slope
            # Not too near to either end: the line is bent.
            return float(
                np.clip(wanted, below[0] ** 0.8 * above[0] ** 0.2, below[0] ** 0.2 * above[0] ** 0.8)
            )
        wanted = each + (_AIM * allowed - found) / slope
        if below is None and len(trials) > 1:
            wanted = min(wanted, each / _HURRY)
        return float(np.clip(wanted, each / _LEAP, each * _LEAP))

    @property
    def _slope(self) -> float:
        """How the error grows, beside what is added to it before any retraining."""
        return 1.0 if self._retraining is None else _SLOPE

    def _rounded(self, each: float) -> list[list[Part]]:
        """All parts in steps for which each parameter adds this squared error, the last layers first. What is
        not rounded yet makes up for what is, if there is retraining."""
        done: list[list[Part]] = [[] for _ in self._places]
        parameters, last = list(self._model.parameters), max(map(len, self._places)) - 1
        coarseness = [0.0] * len(self._places)
        for depth in range(last + 1):
            here = [group for group, own in enumerate(self._places) if depth < len(own)]
            gains = {group: self._gains(group, done[group], depth) for group in here}
            if (here[0], depth) not in self._costs:
                self._measure(depth, gains)
            for group, own in gains.items():
                place = self._places[group][depth]
                part = _rounded_part(
                    _entries(parameters[group], place), own, self._costs[group, depth], each, depth < 2
                )
                done[group].append(part)
                if not place.biases:
                    coarseness[group] = _coarseness(part, own)
                parameters[group] = _replaced(parameters[group], place, part.values(own))
            if self._retraining is not None and self._places[here[0]][depth].biases and depth < last:
                held = [own[: depth + 1] for own in self._places]
                parameters = self._retraining.without(parameters, held, coarseness)
        return done

    def _gains(self, group: int, done: list[Part], depth: int) -> Gains:
        places = self._places[group]
        known = zip(places, done, strict=False)
        integers = {place.layer: part.integers for place, part in known if not place.biases}
        return gains_of(places[depth], self._samples[group], integers)

    def _measure(self, depth: int, gains: dict[int, Gains]) -> None:
        """What rounding the parts at this depth costs: by noise on all of them, group by group."""
        random = np.random.Generator(np.random.Philox(depth))
        changed, sizes = list(self._model.parameters), {}
        for group, gain in gains.items():
            place = self._places[group][depth]
            own = _entries(self._model.parameters[group], place)
            loud = np.exp2(-spread_over(gain, place.entries))
            loudness = float(loud.mean())
            sizes[group] = max(_NOISE * _common(own)[1], 1e-9) * math.sqrt(12 / loudness), loudness
            noise = (random.random(own.shape) - 0.5) * sizes[group][0] * np.sqrt(loud)
            changed[group] = _replaced(changed[group], place, own + noise)
        errors = self._squares_of_groups(self._evaluated(tuple(changed)))
        for group, (size, loudness) in sizes.items():
            count = self._samples[group].size * self._places[group][depth].entries
            self._costs[group, depth] = _Cost(float(errors[group]) / (count * size**2), loudness)

    def _evaluated(self, parameters: tuple[Parameters, ...]) -> Float32[ndarray, "samples channels"]:
        model = Piecewise(self._structure, parameters)
        return np.concatenate([block.reshape(-1, model.signal.channels) for block in sample_blocks(model)])

    def _squares(
        self, truth: Float32[ndarray, "samples channels"], parameters: tuple[Parameters, ...] | None = None
    ) -> float:
        values = self._values if parameters is None else self._evaluated(parameters)
        return float(self._weighted(np.square(values - truth, dtype=np.float64)).sum())

    def _weighted(
        self, squares: Float64[ndarray, "samples channels"]
    ) -> Float64[ndarray, "samples channels"]:
        return squares if self._importance is None else squares * self._importance

    def _squares_of_groups(self, values: Float32[ndarray, "samples channels"]) -> Float64[ndarray, "groups"]:
        squares = self._weighted(np.square(values - self._values, dtype=np.float64)).sum(axis=1)
        if len(self._places) == 1:
            return np.array([squares.sum()])
        groups = self._structure.group_of[self._structure.partition.label_map.reshape(-1)]
        return np.bincount(groups, squares, len(self._places))


def _entries(parameters: Parameters, place: Place) -> Float64[ndarray, "regions entries"]:
    array = (parameters.biases if place.biases else parameters.weights)[place.layer]
    entries: Float64[ndarray, "regions entries"] = array.reshape(len(array), -1).astype(np.float64)
    return entries


def _replaced(parameters: Parameters, place: Place, own: Float[ndarray, "regions entries"]) -> Parameters:
    changed = Parameters(list(parameters.weights), list(parameters.biases))
    to = changed.biases if place.biases else changed.weights
    to[place.layer] = own.reshape(len(own), *place.shape).astype(np.float32)
    return changed
