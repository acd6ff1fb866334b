"""Whole numbers in as few bytes as they need: seven bits a byte, the lowest first.

The eighth bit of a byte says that more follow.
"""

from __future__ import annotations

from partinr.errors import InputError

_MOST_BYTES = 9


def written_number(value: int) -> bytes:
    """A number from 0 as bytes."""
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def read_number(payload: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a byte, below 2^63, and where the next begins.

    Raises:
        InputError: it does not end.
    """
    value = 0
    for i, byte in enumerate(payload[at : at + _MOST_BYTES]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, at + i + 1
    raise InputError("damaged: a number does not end")
