"""Bits with probabilities as one binary fraction: the interval coder, and probabilities that are learned.

`docs/format.md` states both; `native/range_coder.h` does the same a hundred times faster. Integers alone are
computed with, so that every machine reads what any other wrote.

Sources: Witten, Neal, Cleary, "Arithmetic coding for data compression", Communications of the ACM 30(6), 1987
(the interval); Krichevsky, Trofimov, "The performance of universal encoding", IEEE Transactions on
Information Theory 27(2), 1981 (probabilities from counts).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable

EVEN = 1 << 15
"""The probability, of 2^16, of a bit of which nothing is known."""

MOST_SEEN = 254
"""Bits are counted as far as this."""

_LEAST = 32
_WORD = (1 << 32) - 1
# A writer leaves out at most so many bytes, which are zeros.
_LEFT_OUT = 4


class Interval(ABC):
    """What writing and reading share: the interval that is left."""

    def __init__(self) -> None:
        self._low, self._high = 0, _WORD

    @abstractmethod
    def _decide(self, bit: int, split: int) -> int:
        """The bit: the given one, or the one that was read."""

    @abstractmethod
    def _shift(self, byte: int) -> None:
        """The interval's first byte is known."""

    def code(self, bit: int, chance: int) -> int:
        """The bit, given or read; it is 1 with a probability of `chance` / 2^16."""
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


class IntervalWriter(Interval):
    """Writes bits."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = bytearray()

    def finish(self) -> bytes:
        """As few bytes as name a number of the interval if zeros follow; nothing can be written after it."""
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


class IntervalReader(Interval):
    """Reads what an `IntervalWriter` wrote. Never reads past the end; damaged bytes give other bits."""

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self._payload, self._read, self._window = payload, 0, 0
        for _ in range(4):
            self._shift(0)

    @property
    def overrun(self) -> bool:
        """Whether more was read than any writer left out."""
        return self._read > len(self._payload) + _LEFT_OUT

    def finished(self) -> bool:
        """Whether all bytes were needed, and were enough."""
        return self._read >= len(self._payload) and not self.overrun

    def _decide(self, bit: int, split: int) -> int:  # noqa: ARG002
        return int(self._window <= split)

    def _shift(self, byte: int) -> None:  # noqa: ARG002
        following = self._payload[self._read] if self._read < len(self._payload) else 0
        self._window = self._window << 8 & _WORD | following
        self._read += 1


class Chances:
    """Bits with a learned probability for each context that they are seen in.

    A table of probabilities, of 2^16, that a bit is set, and one of how often each was seen.
    """

    def __init__(self, interval: Interval) -> None:
        self._interval = interval
        self._set: dict[Hashable, int] = {}
        self._seen: dict[Hashable, int] = {}

    def code(self, bit: int, context: Hashable) -> int:
        """See `Interval.code`."""
        chance, seen = self._set.get(context, EVEN), self._seen.get(context, 0)
        bit = self._interval.code(bit, chance)
        rate = 65536 // (seen + 2)
        chance += (65536 - chance) * rate >> 16 if bit else -(chance * rate >> 16)
        self._set[context] = min(max(chance, _LEAST), 65536 - _LEAST)
        self._seen[context] = min(seen + 1, MOST_SEEN)
        return bit
