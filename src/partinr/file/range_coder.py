"""Integers in few bytes: bits whose probabilities are learned on the way.

`docs/format.md`, "Coded parameters", states it byte by byte. The native kernel does the same a hundred times
faster (`native/range_coder.h`); what is here is for machines without it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from partinr.file.interval import EVEN, Chances, Interval, IntervalReader, IntervalWriter
from partinr.model import kernel
from partinr.shapes import Int32, UInt8

CLASSES = 64
"""Classes of integers, each of which has statistics of its own."""

LIMIT = 1 << 20
"""Integers are smaller than this, without their sign."""

MOST_TO_A_BYTE = 4096
"""Integers that a byte can hold at most: five bits each, all but certain, cost 0.0035 bits together."""

_LENGTH_BITS, _LONGEST, _MOST_LEADING = 5, 20, 2


@runtime_checkable
class Writer(Protocol):
    """Writes integers."""

    def write(self, values: Int32[ndarray, "n"], classes: UInt8[ndarray, "n"]) -> None:
        """Write integers below `LIMIT` in size, of each of which the reader knows the class."""

    def finish(self) -> bytes:
        """The bytes; nothing can be written after it."""


@runtime_checkable
class Reader(Protocol):
    """Reads what a `Writer` wrote. Never reads past the end; damaged bytes give other integers."""

    def read(self, classes: UInt8[ndarray, "n"], out: Int32[ndarray, "n"]) -> bool:
        """Read integers of these classes into `out`; false if no writer writes such bytes."""

    def finished(self) -> bool:
        """Whether all bytes were needed, and were enough."""


def writer() -> Writer:
    """The native kernel's if it is there."""
    if kernel.why_missing() is not None:
        return PythonWriter()
    from partinr import _native

    return _native.IntegerWriter()


def reader(payload: bytes) -> Reader:
    """The native kernel's if it is there."""
    if kernel.why_missing() is not None:
        return PythonReader(payload)
    from partinr import _native

    return _native.IntegerReader(payload)


class _Integers:
    """What writing and reading share: how an integer becomes bits, and what is known of each."""

    def __init__(self, interval: Interval) -> None:
        self._interval, self._chances = interval, Chances(interval)

    def code(self, value: int, kind: int) -> int | None:
        """The integer, given or read; None for what no writer writes."""
        size, bits = abs(value), abs(value).bit_length()
        node = 1
        for i in reversed(range(_LENGTH_BITS)):
            node = node << 1 | self._chances.code(bits >> i & 1, (kind, node))
        bits = node - (1 << _LENGTH_BITS)
        if bits > _LONGEST:
            return None
        if bits == 0:
            return 0
        found = 1
        for led, i in enumerate(reversed(range(bits - 1))):
            bit, learned = size >> i & 1, led < _MOST_LEADING
            bit = self._chances.code(bit, (kind, bits, found)) if learned else self._interval.code(bit, EVEN)
            found = found << 1 | bit
        return -found if self._interval.code(int(value < 0), EVEN) else found


class PythonWriter:
    """See `Writer`."""

    def __init__(self) -> None:
        self._interval = IntervalWriter()
        self._integers = _Integers(self._interval)

    def write(self, values: Int32[ndarray, "n"], classes: UInt8[ndarray, "n"]) -> None:
        """See `Writer.write`."""
        for value, kind in zip(values.tolist(), classes.tolist(), strict=True):
            self._integers.code(value, kind)

    def finish(self) -> bytes:
        """See `Writer.finish`."""
        return self._interval.finish()


class PythonReader:
    """See `Reader`."""

    def __init__(self, payload: bytes) -> None:
        self._interval = IntervalReader(payload)
        self._integers = _Integers(self._interval)

    def read(self, classes: UInt8[ndarray, "n"], out: Int32[ndarray, "n"]) -> bool:
        """See `Reader.read`."""
        for i, kind in enumerate(classes.tolist()):
            value = self._integers.code(0, kind)
            if value is None or self._interval.overrun:
                return False
            out[i] = value
        return True

    def finished(self) -> bool:
        """See `Reader.finished`."""
        return self._interval.finished()


def as_classes(kind: int, count: int) -> UInt8[ndarray, "n"]:
    """The same class for some integers."""
    return np.full(count, kind, np.uint8)
