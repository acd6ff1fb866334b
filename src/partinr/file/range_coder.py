"""Integers in few bytes: bits whose probabilities are learned on the way, and those as one binary fraction.

`docs/format.md`, "Coded parameters", states it byte by byte. The native kernel does the same a hundred times
faster (`native/range_coder.h`); what is here is for machines without it. Integers alone are computed with, so
that every machine reads what any other wrote.

Sources: Witten, Neal, Cleary, "Arithmetic coding for data compression", Communications of the ACM 30(6), 1987
(the interval); Krichevsky, Trofimov, "The performance of universal encoding", IEEE Transactions on
Information Theory 27(2), 1981 (probabilities from counts).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from partinr.model import kernel
from partinr.shapes import Int32, UInt8

CLASSES = 64
"""Classes of integers, each of which has statistics of its own."""

LIMIT = 1 << 20
"""Integers are smaller than this, without their sign."""

MOST_TO_A_BYTE = 4096
"""Integers that a byte can hold at most: five bits each, all but certain, cost 0.0035 bits together."""

_LENGTH_BITS, _LONGEST, _MOST_LEADING = 5, 20, 2
_EVEN, _LEAST, _MOST_SEEN = 1 << 15, 32, 254
_WORD = (1 << 32) - 1
# A writer leaves out at most so many bytes, which are zeros.
_LEFT_OUT = 4


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


class _Coder(ABC):
    """What writing and reading share: the interval that is left, and what is known of integers.

    A table of probabilities, of 2^16, that a bit is set, and one of how often each was seen.
    """

    def __init__(self) -> None:
        self._low, self._high = 0, _WORD
        self._set: dict[tuple[int, ...], int] = {}
        self._seen: dict[tuple[int, ...], int] = {}

    @abstractmethod
    def _decide(self, bit: int, split: int) -> int:
        """The bit: the given one, or the one that was read."""

    @abstractmethod
    def _shift(self, byte: int) -> None:
        """The interval's first byte is known."""

    def _code(self, bit: int, chance: int) -> int:
        span = self._high - self._low
        split = self._low + (span >> 16) * chance + ((span & 0xFFFF) * chance >> 16)
        bit = self._decide(bit, split)
        if bit:
            self._high = split
        else:
            self._low = split + 1
        while (self._low ^ self._high) >> 24 == 0:
            self._shift(self._high >> 24)
            self._low = self._low << 8 & _WORD
            self._high = self._high << 8 & _WORD | 0xFF
        return bit

    def _adaptive(self, bit: int, context: tuple[int, ...]) -> int:
        chance, seen = self._set.get(context, _EVEN), self._seen.get(context, 0)
        bit = self._code(bit, chance)
        rate = 65536 // (seen + 2)
        chance += (65536 - chance) * rate >> 16 if bit else -(chance * rate >> 16)
        self._set[context] = min(max(chance, _LEAST), 65536 - _LEAST)
        self._seen[context] = min(seen + 1, _MOST_SEEN)
        return bit

    def _integer(self, value: int, kind: int) -> int | None:
        """Code an integer and return it; None for what no writer writes."""
        size, bits = abs(value), abs(value).bit_length()
        node = 1
        for i in reversed(range(_LENGTH_BITS)):
            node = node << 1 | self._adaptive(bits >> i & 1, (kind, node))
        bits = node - (1 << _LENGTH_BITS)
        if bits > _LONGEST:
            return None
        if bits == 0:
            return 0
        found = 1
        for led, i in enumerate(reversed(range(bits - 1))):
            bit, learned = size >> i & 1, led < _MOST_LEADING
            bit = self._adaptive(bit, (kind, bits, found)) if learned else self._code(bit, _EVEN)
            found = found << 1 | bit
        return -found if self._code(int(value < 0), _EVEN) else found


class PythonWriter(_Coder):
    """See `Writer`."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = bytearray()

    def write(self, values: Int32[ndarray, "n"], classes: UInt8[ndarray, "n"]) -> None:
        """See `Writer.write`."""
        for value, kind in zip(values.tolist(), classes.tolist(), strict=True):
            self._integer(value, kind)

    def finish(self) -> bytes:
        """See `Writer.finish`: as few bytes as name a number of the interval if zeros follow."""
        for count in range(_LEFT_OUT + 1):
            unsaid = 32 - 8 * count
            kept = self._high >> unsaid << unsaid
            if kept >= self._low:
                return bytes(self._bytes) + kept.to_bytes(4, "big")[:count]
        raise AssertionError("four bytes name every number")

    def _decide(self, bit: int, split: int) -> int:  # noqa: ARG002
        return bit

    def _shift(self, byte: int) -> None:
        self._bytes.append(byte)


class PythonReader(_Coder):
    """See `Reader`."""

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self._payload, self._read, self._window = payload, 0, 0
        for _ in range(4):
            self._shift(0)

    def read(self, classes: UInt8[ndarray, "n"], out: Int32[ndarray, "n"]) -> bool:
        """See `Reader.read`."""
        for i, kind in enumerate(classes.tolist()):
            value = self._integer(0, kind)
            if value is None or self._overrun:
                return False
            out[i] = value
        return True

    def finished(self) -> bool:
        """See `Reader.finished`."""
        return self._read >= len(self._payload) and not self._overrun

    @property
    def _overrun(self) -> bool:
        return self._read > len(self._payload) + _LEFT_OUT

    def _decide(self, bit: int, split: int) -> int:  # noqa: ARG002
        return int(self._window <= split)

    def _shift(self, byte: int) -> None:  # noqa: ARG002
        following = self._payload[self._read] if self._read < len(self._payload) else 0
        self._window = self._window << 8 & _WORD | following
        self._read += 1


def as_classes(kind: int, count: int) -> UInt8[ndarray, "n"]:
    """The same class for some integers."""
    return np.full(count, kind, np.uint8)
