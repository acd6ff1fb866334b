"""Coefficients of cosines from bytes without the native kernel: hundreds of times slower, the same numbers.

`docs/format.md`, "Coded cosines", states it; `native/spectra_model.h` is the same in C++.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.interval import EVEN, MOST_SEEN, Chances, IntervalReader
from partinr.file.spectra_layout import Box, halves, may_split, slices
from partinr.model.spectra import Sides
from partinr.shapes import Int32, Int64, UInt8

Place = tuple[int, ...]

_LEVELS = (1, 2, 3, 4, 5, 7, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320)
_LARGE, _MOST_UNARY, _MOST_DIGITS = 1000, 14, 26
_MOST_FACE, _MOST_EDGE, _MOST_GUESS = 1 << 36, 1 << 30, (1 << 26) - 1
_MOST_LOG_ODDS, _LEAST_ODDS, _MOST_USED, _MOST_WEIGHT, _FIRST_WEIGHT = 3071, 24, 1023, 1 << 24, 14418
# What is known before a coefficient, in the order of its axes' frequencies, and how much it counts.
_ABOVE: tuple[dict[Place, int], ...] = (
    {(1,): 3, (2,): 2, (3,): 2, (4,): 1},
    {(0, 1): 2, (1, 0): 2, (0, 2): 1, (1, 1): 1, (1, -1): 1, (2, 0): 1},
    {(0, 0, 1): 2, (0, 1, 0): 2, (1, 0, 0): 2, (0, 1, 1): 1, (1, 0, 1): 1, (1, 1, 0): 1},
)


def decoded(
    payloads: Sequence[bytes], shape: tuple[int, ...], channels: int, sides: Sides
) -> tuple[UInt8[ndarray, "_"], Int64[ndarray, "regions 2 dims"], Int32[ndarray, "_"]]:
    """Splits, boxes and integers, as `Spectra` has them.

    Args:
        payloads: the bytes of each slice.
        shape: of the signal; its samples are allocated.
        channels: of the signal.
        sides: of the boxes.

    Raises:
        InputError: these are no such bytes.
    """
    splits: list[int] = []
    boxes: list[tuple[Place, Place]] = []
    integers: list[Int32[ndarray, "channels *size"]] = []
    for payload, roots in zip(payloads, slices(shape, sides), strict=True):
        reader = _Slice(payload, len(shape), channels, sides)
        for root in roots:
            for box, own in reader.tree(root, splits):
                boxes.append((box.start, tuple(i + n for i, n in zip(box.start, box.size, strict=True))))
                integers.append(own)
        reader.finish()
    return (
        np.array(splits, np.uint8),
        np.array(boxes, np.int64).reshape(-1, 2, len(shape)),
        np.concatenate([own.ravel() for own in integers]),
    )


def _level(value: int) -> int:
    return sum(value >= start for start in _LEVELS)


@lru_cache(4096)
def _log_odds(chance: int) -> int:
    p = (chance + 0.5) / 4096
    return round(256 * math.log(p / (1 - p)))


@lru_cache(2 * _MOST_LOG_ODDS + 1)
def _odds(log_odds: int) -> int:
    return min(max(round(65536 / (1 + math.exp(-log_odds / 256))), _LEAST_ODDS), 65536 - _LEAST_ODDS)


@lru_cache(64)
def _cosines(n: int) -> Int64[ndarray, "n n"]:
    """Of frequency k at sample x in 2^-14: sqrt((k ? 2 : 1) / n) cos(pi k (x + 1/2) / n)."""
    k, x = np.arange(n)[:, None], np.arange(n)
    turns = k * (2 * x + 1) % (4 * n)
    exact = 16384 * np.sqrt(np.where(k == 0, 1.0, 2.0) / n) * np.cos(math.pi * turns / (2 * n))
    nearest: Int64[ndarray, "n n"] = np.rint(exact).astype(np.int64)
    return nearest


@lru_cache(64)
def _beyond(n: int) -> list[int]:
    """Of each frequency half way to the sample after the last, by the last two."""
    cosines = _cosines(n)
    return list((cosines[:, -1] + (cosines[:, -1] - cosines[:, max(n - 2, 0)] >> 1)).tolist())


@dataclass(eq=False)
class _Trace:
    """What a box leaves for those that touch it and are coded later; of each channel.

    Attributes:
        depth: of the box.
        bands: mean size in 16ths of the coefficients of each band.
        reach: how far coefficients reach, in 64ths.
        agreement: of signs with those of two other channels.
    """

    depth: int
    bands: list[dict[Any, int]] = field(default_factory=list)
    reach: list[int] = field(default_factory=list)
    agreement: list[tuple[int, int]] = field(default_factory=list)


class _Slice:
    """What is known while a slice is read."""

    def __init__(self, payload: bytes, dims: int, channels: int, sides: Sides) -> None:
        self._bits = IntervalReader(payload)
        self._chances = Chances(self._bits)
        self._counters: dict[Any, tuple[int, int]] = {}
        self._weights: dict[Any, tuple[list[int], int]] = {}
        self._dims, self._channels, self._sides = dims, channels, sides
        self._start: Place | None = None
        self._owners: list[dict[Place, _Trace]] = [{} for _ in range(dims)]
        self._edges: list[dict[tuple[Place, int], int]] = [{} for _ in range(dims)]

    def tree(self, box: Box, splits: list[int]) -> Iterator[tuple[Box, Int32[ndarray, "channels *size"]]]:
        """The boxes of a tree and their integers; appends to `splits`."""
        self._start = self._start or box.start
        if may_split(box, self._sides):
            smaller = 0
            for a in self._touched(box):
                at = box.start[:a] + box.start[a + 1 :]
                smaller += self._owners[a][at].depth > box.depth
            splits.append(self._chances.code(0, ("split", min(box.depth, 15), smaller)))
            if splits[-1]:
                for part in halves(box):
                    yield from self.tree(part, splits)
                return
        yield box, self._leaf(box)

    def finish(self) -> None:
        """Raises InputError if the slice's bytes are too many or too few."""
        if not self._bits.finished():
            raise InputError("damaged: the coded numbers end too early or too late")

    def _touched(self, box: Box) -> list[int]:
        """Axes along which other boxes of the slice come before."""
        assert self._start is not None
        return [a for a in range(self._dims) if box.start[a] > self._start[a]]

    def _face(self, box: Box, axis: int) -> Iterator[Place]:
        spans = [range(i, i + n) for i, n in zip(box.start, box.size, strict=True)]
        return product(*spans[:axis], *spans[axis + 1 :])

    def _leaf(self, box: Box) -> Int32[ndarray, "channels *size"]:
        touched = self._touched(box)
        near = Counter(self._owners[a][at] for a in touched for at in self._face(box, a))
        trace = _Trace(box.depth)
        found = np.zeros((self._channels, *box.size), np.int32)
        known: list[dict[Place, int]] = []
        for c in range(self._channels):
            channel = _Channel(self, box, c, touched, near, trace, known)
            channel.read()
            known.append(channel.values)
            for k, value in channel.values.items():
                found[(c, *k)] = value
        for a in range(self._dims):
            for at in self._face(box, a):
                self._owners[a][at] = trace
        return found

    def mixed(self, contexts: Sequence[Any], group: Any) -> int:
        """A bit seen in several contexts, whose probabilities are mixed with the weights of a group."""
        weights, used = self._weights.get(group, ([_FIRST_WEIGHT] * len(contexts), 0))
        counters = [self._counters.get(context, (EVEN, 0)) for context in contexts]
        inputs = [_log_odds(chance >> 4) * min(seen + 1, 8) >> 3 for chance, seen in counters]
        told = sum(w * x for w, x in zip(weights, inputs, strict=True)) >> 16
        one = _odds(min(max(told, -_MOST_LOG_ODDS), _MOST_LOG_ODDS))
        bit = self._bits.code(0, one)
        error = ((bit << 16) - one) * (197 + 2425 * 32 // (32 + used))
        moved = (w + (x * error + (1 << 23) >> 24) for w, x in zip(weights, inputs, strict=True))
        self._weights[group] = (
            [min(max(w, -_MOST_WEIGHT), _MOST_WEIGHT) for w in moved],
            min(used + 1, _MOST_USED),
        )
        for context, (chance, seen) in zip(contexts, counters, strict=True):
            rate = 65536 // (seen + 2)
            chance += (65535 * bit - chance) * rate >> 16
            self._counters[context] = chance, min(seen + 1, MOST_SEEN)
        return bit

    def number(self, *context: Any) -> int:
        """A number from 0, below 2^27."""
        digits = 0
        while digits < _MOST_DIGITS and self._chances.code(0, (*context, "length", digits)):
            digits += 1
        found = 1
        for i in range(digits):
            found = 2 * found + (self.raw() if i else self._chances.code(0, (*context, "digit", digits)))
        return found - 1

    def raw(self) -> int:
        """A bit of which nothing is known."""
        return self._bits.code(0, EVEN)

    def edge(self, axis: int, box: Box, channel: int) -> Int64[ndarray, "*face"]:
        """What is expected at a box's border along an axis, in 64ths of a step."""
        edge = self._edges[axis]
        found = [edge[at, channel] for at in self._face(box, axis)]
        return np.array(found, np.int64).reshape(box.size[:axis] + box.size[axis + 1 :])

    def leave(self, axis: int, box: Box, channel: int, shown: Int64[ndarray, "*face"]) -> None:
        """Note what is expected beyond a box along an axis."""
        values = shown.clip(-_MOST_EDGE, _MOST_EDGE).ravel().tolist()
        for at, value in zip(self._face(box, axis), values, strict=True):
            self._edges[axis][at, channel] = value

    def check(self) -> None:
        """Raises InputError if more was read than there is."""
        if self._bits.overrun:
            raise InputError("damaged: the coded numbers are cut short")


class _Channel:
    """What is known while the coefficients of one channel of one box are read.

    Attributes:
        values: those that are not 0, by their frequencies.
    """

    def __init__(
        self,
        whole: _Slice,
        box: Box,
        c: int,
        touched: list[int],
        near: Counter[_Trace],
        trace: _Trace,
        known: list[dict[Place, int]],
    ) -> None:
        self.values: dict[Place, int] = {}
        self._slice, self._box, self._c, self._touched, self._near, self._trace = (
            whole,
            box,
            c,
            touched,
            near,
            trace,
        )
        self._n, self._dims, self._kind = box.size, len(box.size), min(c, 2)
        self._others = ([known[0]] if c else []) + ([known[c - 1]] if c > 1 else [])
        self._agreed = [0, 0]
        self._means: dict[Place, int] = {}
        self._usually = [self._expected([t.agreement[c][i] for t in near]) for i in range(2)]
        faces = [self._n[:a] + self._n[a + 1 :] for a in range(self._dims)]
        self._shown = [np.zeros(face, np.int64) for face in faces]
        self._missing = {a: self._turned(whole.edge(a, box, c), a, back=False) for a in touched}

    def _expected(self, said: list[int]) -> int:
        """The mean of what the boxes that touch this one say, by the length of the common border."""
        return sum(x * w for x, w in zip(said, self._near.values(), strict=True)) // max(
            1, self._near.total()
        )

    def read(self) -> None:
        """Read all, and leave what later boxes are to know."""
        n, c, near = self._n, self._c, self._near
        most = sum(n) - self._dims + 1
        usual = self._expected([t.reach[c] for t in near])
        usual = 1 + min(6, _level(usual * most // 64) // 3) if near else 0
        first = min(7, 1 + _level(self._trace.reach[0] * most // 64) // 3) if c else 0
        reach = self._slice.number("reach", self._kind, usual, first)
        if reach > most:
            raise InputError("damaged: coded coefficients lie outside their box")
        sums: Counter[Any] = Counter()
        counts: Counter[Any] = Counter()
        for k in product(*(range(min(side, reach) - 1, -1, -1) for side in n)):
            if not 0 < sum(k) < reach:
                continue
            self._slice.check()
            size = self._size(k)
            band = tuple(self._band(a, i) for a, i in enumerate(k))
            sums[band] += min(size, _LARGE)
            counts[band] += 1
            if size:
                self._met(k, -size if self._sign(k, size) else size)
        zero = (0,) * self._dims
        difference = self._slice.number("constant", self._kind, min(11, math.prod(n).bit_length()))
        negative = difference and self._slice.raw()
        self._slice.check()
        self._met(zero, self._guess() + (-difference if negative else difference))
        for a, shown in enumerate(self._shown):
            small = np.asarray(np.clip(shown + 128 >> 8, -_MOST_FACE, _MOST_FACE))
            self._slice.leave(a, self._box, c, self._turned(small, a, back=True))
        self._trace.reach.append(reach * 64 // most)
        self._trace.bands.append({band: sums[band] * 16 // count for band, count in counts.items()})
        agreed, usually = self._agreed, self._usually
        self._trace.agreement.append((agreed[0] or usually[0] >> 1, agreed[1] or usually[1] >> 1))

    # What a size is expected from

    def _size(self, k: Place) -> int:
        n, dims, kind = self._n, self._dims, self._kind
        higher = sum(self._known(k, offset) * weight for offset, weight in _ABOVE[dims - 1].items())
        band = tuple(self._band(a, i) for a, i in enumerate(k))
        mean = self._mean(band)
        others = sum(self._around(other, k) for other in self._others)
        a, o = _level(higher), _level(others)
        b = 1 + _level(mean // 2) if self._near else 0
        radius = _level(
            sum(i * (256 if dims == 1 else 64) // side for i, side in zip(k, n, strict=True)) // 2
        )
        place = tuple(min(i, (63, 7, 3)[dims - 1]) for i in k)
        side_class = min(7, max(n).bit_length())
        following = min(self._known(k, (*(0,) * (dims - 1), 1)), 11)
        ahead = min(self._known(k, (2,) if dims == 1 else (1, *(0,) * (dims - 1))), 11)
        size = 0
        while size < _MOST_UNARY and self._slice.mixed(
            [
                ("size", i, size, kind, *context)
                for i, context in enumerate(
                    (
                        (a, radius),
                        (b, a // 2),
                        (place, side_class),
                        (o, a // 2) if self._c else (b, k[0] * 16 // n[0]),
                        (_level((4 * higher + mean + 2 * others) // 4), side_class),
                        (band, min(a // 2, 6)),
                        (following, ahead),
                    )
                )
            ],
            ("size", size, kind, (a > 0) + (a > 3) + (a > 7)),
        ):
            size += 1
        return size + self._slice.number("large", kind) if size == _MOST_UNARY else size

    def _mean(self, band: Place) -> int:
        if band not in self._means:
            self._means[band] = self._expected([t.bands[self._c].get(band, 0) for t in self._near])
        return self._means[band]

    def _known(self, k: Place, offset: Place) -> int:
        return min(_LARGE, abs(self.values.get(tuple(i + d for i, d in zip(k, offset, strict=True)), 0)))

    def _around(self, other: dict[Place, int], k: Place) -> int:
        """A size in another channel, counted twice, and those of its neighbours along the axes."""
        places = [k, k] + [(*k[:a], k[a] + d, *k[a + 1 :]) for a in range(self._dims) for d in (-1, 1)]
        return sum(min(_LARGE, abs(other.get(place, 0))) for place in places)

    def _band(self, axis: int, k: int) -> int:
        """Class of a frequency: octaves, quarters of them where there is one axis alone."""
        if k == 0:
            return 0
        if self._dims > 1:
            scale, last = ((64, 6), (16, 4))[self._dims - 2]
            return min(max((k * scale // self._n[axis]).bit_length(), 1), last)
        of = k * 1024 // self._n[axis]
        octave = of.bit_length() - 1
        return min(39, 1 + 4 * octave + (4 * of >> octave) % 4) if of else 1

    # What a sign is expected from

    def _sign(self, k: Place, size: int) -> int:
        values = [other.get(k, 0) for other in self._others] + [0] * (2 - len(self._others))
        sizes = [min(3, abs(value)) for value in values]
        here = [_agreement(v, x) for v, x in zip(values, self._agreed, strict=True)]
        around = [_agreement(v, x) for v, x in zip(values, self._usually, strict=True)]
        missing = [self._missing_class(k, a) for a in range(self._dims)]
        much, kind = min(size, 3), self._kind

        def border(a: int, b: int) -> tuple[int, ...]:
            return missing[a], min(k[a], 9), much, min(k[b], 2)

        contexts = (
            (here[0], *sizes),
            border(1, -1) if self._dims == 3 else (around[0], *sizes),
            (*here, sizes[0]),
            border(-1, 0),
            border(0, -1),
            (missing[-1], missing[0], much),
            (missing[-1], missing[0], here[0]),
        )
        negative = self._slice.mixed(
            [("sign", i, kind, *context) for i, context in enumerate(contexts)],
            ("sign", min(3, sum(k).bit_length() - 1), kind),
        )
        for i, value in enumerate(values):
            if value:
                weight = 3 * min(4, size * abs(value))
                agree = (value < 0) == bool(negative)
                self._agreed[i] = min(max(self._agreed[i] + (weight if agree else -weight), -60), 60)
        return negative

    def _missing_class(self, k: Place, axis: int) -> int:
        """What is missing at a border against what one step of this frequency gives there; 9: no border."""
        if axis not in self._missing:
            return 9
        missing = int(self._missing[axis][k[:axis] + k[axis + 1 :]])
        one = int(_cosines(self._n[axis])[k[axis], 0])
        of = sum(abs(missing) << 14 >= edge * one for edge in (16, 38, 77, 160))
        return 4 - of if missing < 0 else 4 + of

    def _guess(self) -> int:
        """The constant that the borders ask for."""
        if not self._touched:
            return 0
        left = sum(
            int(face.flat[0]) * 16384 // int(_cosines(self._n[a])[0, 0]) for a, face in self._missing.items()
        )
        count = len(self._touched)
        return min(max((left + 32 * count) // (64 * count), -_MOST_GUESS), _MOST_GUESS)

    # Borders

    def _met(self, k: Place, q: int) -> None:
        """Note a coefficient that is known from now on."""
        if q:
            self.values[k] = q
        for a, n in enumerate(self._n):
            face = k[:a] + k[a + 1 :]
            if a in self._missing:
                self._missing[a][face] -= q * int(_cosines(n)[k[a], 0]) + 128 >> 8
            self._shown[a][face] += q * _beyond(n)[k[a]]

    def _turned(self, face: Int64[ndarray, "*face"], axis: int, *, back: bool) -> Int64[ndarray, "*face"]:
        """The spectrum of a face of an axis, its last axis first; or back from it, its last axis last."""
        sides = self._n[:axis] + self._n[axis + 1 :]
        for a in range(len(sides)) if back else reversed(range(len(sides))):
            matrix = _cosines(sides[a]).T if back else _cosines(sides[a])
            turned = np.moveaxis(np.tensordot(matrix, face, (1, a)), 0, a)
            face = np.clip(turned + 8192 >> 14, -_MOST_FACE, _MOST_FACE)
        return face


def _agreement(value: int, agreed: int) -> int:
    """Class of how signs of two channels agreed, for one sign of the other channel; 7: it has none."""
    if value == 0:
        return 7
    x = -agreed if value < 0 else agreed
    return sum((x >= -24, x >= -8, x >= -2, x > 2, x > 8, x > 24))
