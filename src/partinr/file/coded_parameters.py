"""Parameters as whole multiples of steps, coded in few bytes. `docs/format.md` states them byte by byte.

Layers are coded from the last to the first. What is known of a layer says how much the units that it reads
matter, and so how fine the steps of the layer before must be: no step of a single unit is ever stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.range_coder import CLASSES, LIMIT, MOST_TO_A_BYTE, Reader, as_classes, reader, writer
from partinr.model.networks.network import Layer, Parameters
from partinr.model.structure import Structure
from partinr.shapes import Float32, Float64, Int32, Int64, UInt8

MOST_EXPONENT = 400
"""Exponents are at most this, with or without their sign."""

# Classes of integers: of steps and the like, of means, and those below for parameters.
_SETTINGS, _MEANS = CLASSES - 1, CLASSES - 2
_WIDEST = CLASSES - 3
# What 2^(i/4) is, to the last bit.
_QUARTERS = np.array([1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429])
# Sums of squares above this are as good as this.
_LOUDEST = 1 << 50

Gains = Int64[ndarray, "regions columns"]
"""Of each region's units or outputs: how much it matters, as the binary exponent of a squared error."""


class Settings(NamedTuple):
    """How the weights or the biases of one layer of a group are rounded.

    Attributes:
        step: an entry whose unit has the gain g is a multiple of 2^((step - 2 g) / 4).
        spread: integers of gain g are expected to have a size of about 2^((spread + g) / 2 - 4).
        mean: what all regions have in common is a multiple of 2^(mean / 4); None: nothing is.
        chain: the integers of every column but the first are coded as differences from those of the column
            before, whose spread this is; None: as they are.
    """

    step: int
    spread: int
    mean: int | None = None
    chain: int | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Weights or biases of one layer of a group, rounded.

    Attributes:
        settings: how.
        means: (entries,) in steps of their own; empty without any.
        integers: (regions, entries), columns fastest, in steps.
    """

    settings: Settings
    means: Int32[ndarray, "_"]
    integers: Int32[ndarray, "regions entries"]

    def values(self, gains: Gains) -> Float32[ndarray, "regions entries"]:
        """The parameters: products and their sum in double precision, rounded once to single."""
        entries = self.integers.shape[1]
        steps = quarter_powers(self.settings.step - 2 * spread_over(gains, entries))
        found = self.integers * steps
        if self.settings.mean is not None:
            found += self.means * quarter_power(self.settings.mean)
        values: Float32[ndarray, "regions entries"] = found.astype(np.float32)
        return values


class Place(NamedTuple):
    """Where a part belongs.

    Attributes:
        group: index of its group.
        layer: index of its layer.
        biases: whether it is the biases.
        shape: of one region's array.
        reader: the layer that reads what this one makes, see `Network.readers`; None: there is none.
        read: shape of that layer's weights.
    """

    group: int
    layer: int
    biases: bool
    shape: tuple[int, ...]
    reader: int | None
    read: Layer | None

    @property
    def entries(self) -> int:
        """Parameters of one region."""
        return int(np.prod(self.shape))


def places(structure: Structure, group: int) -> Iterator[Place]:
    """Parts of a group in the order in which they are coded."""
    network = structure.networks[group]
    layers = network.layer_shapes(structure.signal.dims, structure.signal.channels)
    for index, after in reversed(list(enumerate(network.readers))):
        layer, read = layers[index], None if after is None else layers[after]
        yield Place(group, index, False, tuple(layer), after, read)
        yield Place(group, index, True, (layer.fan_out,), after, read)


def quarter_powers(exponents: Int64[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
    """2^(exponent / 4) as the format has it."""
    powers: Float64[ndarray, "*shape"] = np.ldexp(_QUARTERS[exponents % 4], exponents // 4)
    return powers


def quarter_power(exponent: int) -> float:
    """2^(exponent / 4) as the format has it."""
    return math.ldexp(float(_QUARTERS[exponent % 4]), exponent // 4)


def spread_over(gains: Gains, entries: int) -> Int64[ndarray, "regions entries"]:
    """The gain of each entry's column."""
    return np.tile(gains, (1, entries // gains.shape[1]))


def gains_of(
    place: Place,
    samples: Int64[ndarray, "regions"],
    integers: Mapping[int, Int32[ndarray, "regions entries"]],
) -> Gains:
    """How much the columns of a part matter.

    Args:
        place: of the part.
        samples: of each region.
        integers: of the weights of later layers, by these.
    """
    columns = place.shape[-1]
    if place.reader is None or place.read is None:
        loud = np.broadcast_to(samples[:, None], (len(samples), columns))
        return _exponents(loud)
    reading = integers[place.reader].astype(np.int64)
    squares = np.square(reading).reshape(len(samples), *place.read).sum(axis=2)
    exponents = _exponents(2 * np.minimum(squares, _LOUDEST) + 1)
    # Complex units have a column for either part.
    return np.tile(exponents, (1, columns // exponents.shape[1]))


def _exponents(numbers: Int64[ndarray, "*shape"]) -> Int64[ndarray, "*shape"]:
    """floor(log2 n), exact below 2^53."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64) - 1


def write(structure: Structure, parts: Sequence[Sequence[Part]]) -> bytes:
    """The payload.

    Args:
        structure: of the function.
        parts: of each group, in the order of `places`.
    """
    out, last = writer(), 0

    def tell(value: int, kind: int) -> None:
        out.write(np.array([value], np.int32), as_classes(kind, 1))

    def code(place: Place, gains: Gains) -> Part:
        nonlocal last
        part = next(given)
        settings = part.settings
        tell(settings.step - last, _SETTINGS)
        tell(settings.spread, _SETTINGS)
        tell(int(settings.mean is not None) + 2 * int(settings.chain is not None), _SETTINGS)
        if settings.chain is not None:
            tell(settings.chain, _SETTINGS)
        if settings.mean is not None:
            tell(settings.mean - settings.step, _SETTINGS)
            out.write(part.means, as_classes(_MEANS, place.entries))
        last = settings.step
        coded = part.integers
        if settings.chain is not None:
            coded = differences(coded, gains.shape[1])
        out.write(coded.reshape(-1), _classes(settings, gains, place.entries).reshape(-1))
        return part

    for group, own in enumerate(parts):
        given = iter(own)
        _each(structure, group, code)
    return out.finish()


def read(payload: bytes, structure: Structure) -> tuple[Parameters, ...]:
    """The parameters of every group, the same numbers on every machine.

    Raises:
        InputError: the payload is not one of this structure, or damaged.
    """
    if structure.params > MOST_TO_A_BYTE * max(1, len(payload)):
        raise InputError(f"{len(payload):,} bytes cannot hold {structure.params:,} parameters")
    source, last = reader(payload), 0

    def code(place: Place, gains: Gains) -> Part:
        nonlocal last
        settings = _read_settings(source, last)
        last = settings.step
        means = np.zeros(0, np.int32)
        if settings.mean is not None:
            means = _read(source, np.full(place.entries, _MEANS, np.uint8))
        classes = _classes(settings, gains, place.entries)
        integers = _read(source, classes.reshape(-1)).reshape(classes.shape)
        if settings.chain is not None:
            integers = _summed(integers, gains.shape[1])
        return Part(settings, means, integers)

    found = tuple(_each(structure, group, code) for group in range(len(structure.networks)))
    if not source.finished():
        raise _damaged()
    return found


def _read_settings(source: Reader, last: int) -> Settings:
    def ask() -> int:
        return int(_read(source, as_classes(_SETTINGS, 1))[0])

    step, spread, more = last + ask(), ask(), ask()
    if not 0 <= more <= 3:
        raise _damaged()
    chain = ask() if more & 2 else None
    mean = step + ask() if more & 1 else None
    if max(abs(step), abs(spread), abs(mean or 0), abs(chain or 0)) > MOST_EXPONENT:
        raise _damaged()
    return Settings(step, spread, mean, chain)


def _read(source: Reader, classes: UInt8[ndarray, "n"]) -> Int32[ndarray, "n"]:
    out = np.empty(len(classes), np.int32)
    if not source.read(classes, out):
        raise _damaged()
    return out


def _damaged() -> InputError:
    return InputError("the coded parameters are damaged, or of another structure")


def _classes(settings: Settings, gains: Gains, entries: int) -> UInt8[ndarray, "regions entries"]:
    """Class of each integer, (regions, entries): by the size that is expected of it."""
    spreads = np.full(gains.shape[1], settings.spread)
    if settings.chain is not None:
        spreads[1:] = settings.chain
    return spread_over(np.clip(spreads + gains, 0, _WIDEST), entries).astype(np.uint8)


def differences(
    integers: Int32[ndarray, "regions entries"], columns: int
) -> Int32[ndarray, "regions entries"]:
    """Every column but the first without the one before."""
    by_column = integers.reshape(-1, columns)
    return np.diff(by_column, axis=1, prepend=0).reshape(integers.shape).astype(np.int32)


def _summed(integers: Int32[ndarray, "regions entries"], columns: int) -> Int32[ndarray, "regions entries"]:
    """The inverse of `differences`."""
    sums = integers.reshape(-1, columns).astype(np.int64).cumsum(axis=1).reshape(integers.shape)
    if np.abs(sums).max(initial=0) >= LIMIT:
        raise _damaged()
    return sums.astype(np.int32)


def _each(structure: Structure, group: int, code: Callable[[Place, Gains], Part]) -> Parameters:
    """Parameters of a group, from parts that are made one after another with the gains of their columns."""
    samples = structure.partition.counts[structure.members[group]].astype(np.int64)
    layers = structure.networks[group].depth
    weights, biases = [np.zeros(0, np.float32)] * layers, [np.zeros(0, np.float32)] * layers
    integers: dict[int, Int32[ndarray, "regions entries"]] = {}
    for place in places(structure, group):
        gains = gains_of(place, samples, integers)
        part = code(place, gains)
        if not place.biases:
            integers[place.layer] = part.integers
        to = biases if place.biases else weights
        to[place.layer] = part.values(gains).reshape(len(samples), *place.shape)
    return Parameters(weights, biases)


def assembled(structure: Structure, parts: Sequence[Sequence[Part]]) -> tuple[Parameters, ...]:
    """The parameters that `read` makes of these parts."""

    def made(group: int, own: Sequence[Part]) -> Parameters:
        given = iter(own)
        return _each(structure, group, lambda _place, _gains: next(given))

    return tuple(made(group, own) for group, own in enumerate(parts))
