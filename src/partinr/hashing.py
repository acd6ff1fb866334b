"""Hash functions: numbers that depend on their place alone."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.shapes import UInt32, UInt64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What SplitMix64 adds to its state before each output."""


def splitmix64(state: UInt64[ndarray, "*n"]) -> UInt64[ndarray, "*n"]:
    """One output of the SplitMix64 generator from each state.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = state + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def permute(
    index: UInt32[ndarray, "*n"], size: UInt32[ndarray, "*n"], key: UInt32[ndarray, "*n"]
) -> UInt32[ndarray, "*n"]:
    """Where `index` goes in the permutation of 0..size-1 that `key` names.

    Source: Kensler, "Correlated Multi-Jittered Sampling", Pixar Technical Memo 13-01, 2013 (`permute`).
    """
    shape = index.shape
    i, size, key = index.ravel().copy(), size.ravel(), key.ravel()
    mask = size - np.uint32(1)
    for shift in (1, 2, 4, 8, 16):
        mask |= mask >> np.uint32(shift)
    todo = np.arange(i.size)
    while todo.size:
        i[todo] = _hash(i[todo], mask[todo], key[todo])
        todo = todo[i[todo] >= size[todo]]
    moved: UInt32[ndarray, "*n"] = ((i.astype(np.uint64) + key) % size).astype(np.uint32).reshape(shape)
    return moved


def _hash(
    i: UInt32[ndarray, "n"], mask: UInt32[ndarray, "n"], key: UInt32[ndarray, "n"]
) -> UInt32[ndarray, "n"]:
    u = np.uint32
    i = (i ^ key) * u(0xE170893D)
    i ^= key >> u(16)
    i ^= (i & mask) >> u(4)
    i ^= key >> u(8)
    i *= u(0x0929EB3F)
    i ^= key >> u(23)
    i ^= (i & mask) >> u(1)
    i *= u(1) | key >> u(27)
    i *= u(0x6935FA69)
    i ^= (i & mask) >> u(11)
    i *= u(0x74DCB303)
    i ^= (i & mask) >> u(2)
    i *= u(0x9E501CC3)
    i ^= (i & mask) >> u(2)
    i *= u(0xC860A3DF)
    i &= mask
    i ^= i >> u(5)
    return i
